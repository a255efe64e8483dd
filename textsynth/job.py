"""The job file as pydantic models: every key, its type, its default and what it means.

Unknown keys are errors, and `load_job` lists every fault of a file at once. What needs the seeds, the schema or
the prompts to be judged is checked in `pipeline.prepare`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationError

from textsynth.errors import InputError
from textsynth.job_filters import FilterSpec, SchemaSpec, Spec
from textsynth.wording import faults_of, shown
from textsynth.yaml12 import load_yaml

Weights = Annotated[dict[str | int | float | bool, Annotated[float, Field(gt=0)]], Field(min_length=1)]
RAISABLE = ("target", "max_requests", "max_tokens", "max_time")  # keys of `plan` that may be raised in a run
Choices = Weights | Annotated[list[str | int | float | bool], Field(min_length=1)]


class MinCellSpec(Spec):
    k: int = Field(ge=2, description="shown seeds that must have a combination, or it is never drawn")
    of: list[str] = Field(min_length=1, description="fields that together may point to a person, drawn from one row")


class SeedsSpec(Spec):
    path: str = Field(description="jsonl, csv or parquet (also .gz), a folder of .txt, or the name of a dataset")
    columns: dict[str, str] = Field({}, description="record field: column of the data, where the names differ")
    cut: dict[str, Annotated[int, Field(ge=1)]] = Field(
        {}, description="field: most characters kept, cut at the end of a sentence"
    )
    one_per: str | None = Field(None, description="column whose equal values mark copies of one thing; one row is kept")
    limit: int | None = Field(None, ge=1, description="most seeds used, drawn at random with rng_seed")
    holdout: float = Field(0.2, ge=0, lt=1, description="share of seeds never shown and never compared as a seed")
    split: str = Field("train", description="which split of a dataset")
    missing: list[str] = Field([""], description="texts that stand for a missing value, such as '?'")
    passages: int | None = Field(
        None,
        ge=20,
        description="cut the column text into passages of at most so many words, each a seed; where a field takes the "
        "column sentence, each sentence of a passage is one",
    )
    min_cell: MinCellSpec | None = Field(
        None, description="seeds of a combination of these fields that few have are neither drawn from nor shown"
    )
    license: str | None = Field(None, description="the license of the seeds, for the dataset card")
    deidentify: dict[str, Literal["mask", "surrogate"]] = Field(
        {}, description="field: what its identifiers are replaced by, before a seed is shown or compared (English)"
    )


class FieldSpec(Spec):
    source: Literal["written", "sampled", "copied", "perturbed", "picked", "located"] = Field(
        "written",
        description="the LLM writes it, it is drawn, taken from the seed row, taken and altered, picked from a step's "
        "several answers, or located: where the facts of a consistency filter stand in its text",
    )
    values: Choices | None = Field(None, description="sampled: a list of values, or value: weight; else the seeds' own")
    of: str | None = Field(None, description="picked: the working field that holds several answers")
    by: str | None = Field(None, description="picked: the working field with the number of one of them, from 1")
    other: bool = Field(False, description="picked: the first answer that is not that one")
    how: Literal["mask", "surrogate", "shift", "generalize", "laplace", "gaussian"] | None = Field(
        None,
        description="perturbed: surrogate and shift (of dates) are alike in all of a seed; the last two are noise",
    )
    to: Annotated[float, Field(gt=0)] | Literal["month", "year"] | None = Field(
        None, description="steps of a number (also of one with noise), digits of a ZIP code, month or year of a date"
    )
    scale: float | None = Field(None, gt=0, description="laplace, gaussian: the scale, or standard deviation, of noise")


class Sampling(Spec):
    temperature: float = Field(0.7, ge=0, le=5, description="0 always takes the likeliest token")
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=1)
    min_p: float | None = Field(None, ge=0, le=1)
    repetition_penalty: float | None = Field(None, gt=0, le=10)
    max_tokens: int | None = Field(
        None, ge=16, description="most tokens of an answer; bounds shrink to close within it"
    )


class Price(Spec):
    prompt: float = Field(0.0, ge=0, description="of a million tokens read, in your currency")
    completion: float = Field(0.0, ge=0, description="of a million tokens written, in your currency")


class EngineSpec(Spec):
    type: Literal["transformers", "vllm", "openai", "scripted"] = Field(
        "transformers", description="what runs the model: in-process, or any OpenAI-compatible server"
    )
    model: str = Field("smollm2-135m", description="an embedded model, a local folder, a hub id, or a server's model")
    base_url: str | None = Field(None, description="openai: where the server is, such as http://localhost:8000/v1")
    api_key_env: str | None = Field(None, description="openai: the environment variable that holds the server's key")
    options: dict[str, Any] = Field(
        {}, description="transformers: dtype, batch, device; vllm: passed on to it; openai: timeout, concurrency, body"
    )
    price: Price | None = Field(None, description="what tokens cost; check --estimate and the progress tell the sum")


class StepSpec(Spec):
    prompt: str = Field(description="a built-in prompt, or ./path.j2")
    few_shot: int = Field(2, ge=0, le=64, description="how many seeds are shown as chat turns")
    writes: list[str] | dict[str, dict[str, Any] | None] | None = Field(
        None, description="fields that this step writes; a name with a schema of its own is a working field"
    )
    sampling: Sampling | None = Field(None, description="instead of the job's sampling")
    retry: int = Field(1, ge=0, le=5, description="how often an invalid answer is shown its error and asked again")
    n: int = Field(1, ge=1, le=64, description="answers asked for; of several, working fields hold the list")
    rules: dict[str, Any] | None = Field(
        None, description="a JSON Schema over all fields so far; a record that breaks it goes no further"
    )
    engine: EngineSpec | None = Field(None, description="instead of the job's engine")
    alike: list[str] = Field([], description="fields in which the examples have the record's own values")
    states: list[str | Annotated[list[str], Field(min_length=2, max_length=5)]] = Field(
        [], description="fields that its text states, held by the grammar: in this order, those of a list in any order"
    )
    examples: str | Annotated[dict[str, str], Field(min_length=1)] | None = Field(
        None, description="a file of examples instead of the seeds, or working field: field of the seeds shown as it"
    )


class PlanSpec(Spec):
    target: int = Field(ge=1, description="how many accepted records are wanted")
    max_requests: int | None = Field(None, ge=1, description="most requests in all (default: 4 a record of the target)")
    max_tokens: int | None = Field(None, ge=1, description="most tokens written in all (default: no limit)")
    max_time: float | None = Field(None, gt=0, description="seconds after which the run stops (default: no limit)")
    match: Annotated[list[str], Field(min_length=1)] | dict[str, Literal["seeds", "equal"] | Weights] | None = Field(
        None, description="columns whose cells the accepted records fill in the seeds' shares, or in those given"
    )
    round: int = Field(128, ge=1, le=100_000, description="records planned at a time")
    few_shot_block: int = Field(32, ge=1, description="consecutive records that are shown the same seeds")
    steer: bool = Field(True, description="with a diversity filter: show seeds that lie where little was accepted")
    max_temperature: float | None = Field(
        None, gt=0, le=5, description="how far steering may raise temperatures once little new comes (default: never)"
    )


class Job(Spec):
    """One job file. Paths in it are relative to the folder it lies in."""

    seeds: SeedsSpec
    record_schema: str = Field(description="a built-in schema, or ./path.json")
    fields: dict[str, FieldSpec] = Field({}, description="where each field comes from (default: written)")
    together: list[Annotated[list[str], Field(min_length=2)]] = Field(
        [], description="groups of sampled fields that are drawn from one seed row"
    )
    attributes: dict[str, Choices] = Field({}, description="drawn for each record; they steer the prompt only")
    steps: list[StepSpec] = Field([], description="prompts in a row; none where no field is written")
    plan: PlanSpec
    engine: EngineSpec = EngineSpec()
    sampling: Sampling = Sampling()
    filters: list[FilterSpec] = Field([SchemaSpec(type="schema")], description="in the order in which they decide")
    rng_seed: int = Field(0, ge=0, description="every random choice of the run comes from it")

    _path: Path = PrivateAttr(Path("job.yaml"))

    @property
    def path(self) -> Path:
        """The file this job was read from; relative paths in the job start at its folder."""
        return self._path

    @property
    def place(self) -> str:
        """How messages name this job."""
        return self._path.name


def load_job(path: str | Path) -> Job:
    """Read and check a job file.

    Raises:
        InputError: the file cannot be read, is not YAML, or has faults; all of them are listed.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file. Give the path of a job file.") from None
    except (OSError, UnicodeDecodeError) as error:
        why = (getattr(error, "strerror", None) or str(error)).split("\n")[0][:120]
        raise InputError(f"{path}: the file cannot be read ({why}). Give a UTF-8 YAML file.") from None
    return job_from(load_yaml(text, path.name), path)


def job_from(data: Any, path: str | Path = "job.yaml") -> Job:
    """Build a Job from plain values, as `load_job` does from a file; `path` is where relative paths start."""
    path = Path(path)
    if not isinstance(data, dict):
        keys = ", ".join(Job.model_fields)
        raise InputError(f"{path.name}: the job is {shown(data)}. Use a mapping with the keys {keys}.")
    try:
        job = Job.model_validate(data)
    except ValidationError as error:
        raise InputError([f"{path.name}: {fault}" for fault in faults_of(error, Job)]) from None
    job._path = path
    return job


def job_hash_data(job: Job) -> dict[str, Any]:
    """The part of a job that makes it another run when it changes: all but target, budgets, prices and a license."""
    data = job.model_dump(mode="json")
    for key in RAISABLE:
        data["plan"].pop(key)
    data["seeds"].pop("license")
    for engine in (data["engine"], *(step["engine"] for step in data["steps"])):
        (engine or {}).pop("price", None)
    return data


def builtin(kind: str, name: str, suffix: str) -> Path | None:
    """The shipped file of a built-in prompt or schema, or None. `kind` is "prompts" or "schemas"."""
    here = Path(__file__).resolve().parent
    for folder in (here / kind, here.parent / kind):
        if (folder / f"{name}{suffix}").is_file():
            return folder / f"{name}{suffix}"
    return None


def builtin_names(kind: str, suffix: str) -> list[str]:
    """Names of all built-in prompts or schemas."""
    here = Path(__file__).resolve().parent
    files: Iterable[Path] = (f for folder in (here / kind, here.parent / kind) for f in folder.glob(f"*{suffix}"))
    return sorted({f.name.removesuffix(suffix) for f in files} - {"job"})
