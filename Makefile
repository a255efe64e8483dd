# Everything runs in $(VENV), which needs nothing on this machine but Python 3.11 or newer with pip.
PYTHON ?= python3
VENV ?= .venv
VLLM_VENV ?= .venv-vllm

SHELL := /bin/sh
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
VLLM_BIN := $(VLLM_VENV)/bin
VLLM_STAMP := $(VLLM_VENV)/.installed

NEEDS_PYTHON = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "make: $(PYTHON) is not Python 3.11 or newer. Run: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; \
	exit 2; }

PRINT_JOB_SCHEMA = $(BIN)/python -c 'import json; from textsynth.job import Job; \
	print(json.dumps(Job.model_json_schema(), indent=2, ensure_ascii=False))'

.DEFAULT_GOAL := help
.PHONY: help install demo test test-vllm check format job-schema clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## make .venv and install textsynth with its pinned dependencies
	@:

# The stamp is written last, so an install that was cut short is taken up again.
$(STAMP): pyproject.toml constraints.txt
	@$(NEEDS_PYTHON)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing textsynth and its dependencies into $(VENV) (some minutes the first time) ..."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[local,dev]'
	@touch $@

demo: install ## make synthetic clinical notes with the embedded model; run again to go on
	@test -e demo/job.yaml || $(BIN)/textsynth init clinical_note demo
	@code=0; $(BIN)/textsynth run demo/job.yaml --out demo/run || code=$$?; \
	if [ $$code -gt 1 ]; then exit $$code; fi; \
	printf '\nThe first three records:\n'; \
	head -n 3 demo/run/accepted.jsonl | $(BIN)/python -m json.tool --json-lines --no-ensure-ascii; \
	printf '\nReport:  %s\nRecords: %s\n' "$(CURDIR)/demo/run/report.html" "$(CURDIR)/demo/run/accepted.jsonl"; \
	exit $$code

# One process a core, up to four: each loads the models for itself, and computes on one thread.
test: install ## run the whole default test suite
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

# The CPU build of vLLM asks for a build of torch that the package index may not have, and for torchvision and others
# that it does not need: torch comes first, with all it needs, and everything else exactly as listed.
$(VLLM_STAMP): pyproject.toml constraints-vllm.txt
	@$(NEEDS_PYTHON)
	@$(VLLM_BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VLLM_VENV)
	@echo "Installing the CPU build of vLLM into $(VLLM_VENV) (some minutes the first time) ..."
	@$(VLLM_BIN)/python -m pip install -qq --disable-pip-version-check -c constraints-vllm.txt torch
	@$(VLLM_BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -r constraints-vllm.txt
	@$(VLLM_BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -e .
	@touch $@

# As vLLM's documentation of the CPU asks: its OpenMP library is loaded first.
test-vllm: $(VLLM_STAMP) ## test the vllm engine, and the openai engine on a vLLM server
	@LD_PRELOAD="$$(ls $(abspath $(VLLM_VENV))/lib/libiomp5.so 2>/dev/null)" VLLM_CPU_KVCACHE_SPACE=1 \
		$(VLLM_BIN)/python -m pytest tests/engines/test_vllm.py tests/engines/test_vllm_server.py

check: install ## lint, formatting, types, and whether the job schema is current
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "make: some files are not formatted. Run: make format" >&2; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@$(PRINT_JOB_SCHEMA) | diff -u schemas/job.schema.json - || { \
		echo "make: schemas/job.schema.json is not current. Run: make job-schema" >&2; exit 1; }
	@echo "check: lint, formatting, types and job schema are fine"

format: install ## format the code and mend what the linter can
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

job-schema: install ## write schemas/job.schema.json from textsynth/job.py
	@$(PRINT_JOB_SCHEMA) > schemas/job.schema.json.new
	@mv schemas/job.schema.json.new schemas/job.schema.json

clean: ## remove .venv, .venv-vllm, caches and built packages (demo/ stays: it holds a run)
	@rm -rf $(VENV) $(VLLM_VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
