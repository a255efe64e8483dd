"""Hostile texts: what a seed may hold, whoever wrote it. One a line in hostile_seeds.jsonl, with its kind."""

from __future__ import annotations

import json
import re
from pathlib import Path

_FILE = Path(__file__).with_name("hostile_seeds.jsonl")
CORPUS = [json.loads(line) for line in _FILE.read_text(encoding="utf-8").splitlines()]
TEXTS: list[str] = [one["text"] for one in CORPUS]
WHOLE = [text for text in TEXTS if not re.search("[\ud800-\udfff]", text)]  # what a file can hold
WRITTEN = list(dict.fromkeys(text for text in WHOLE if text.strip()))  # and what is not taken for a missing value
HARMLESS = "QQQQQ"
