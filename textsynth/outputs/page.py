"""The page itself: one file that loads nothing and runs one script, which its own policy names by hash."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

_TEMPLATES = Path(__file__).parent / "templates"
_ESCAPED = re.compile("[<>&\u2028\u2029]")  # in JSON these stand in strings alone, where an escape means the same


def render(**values: Any) -> str:
    """The page of a run, or of an evaluation alone where `meta` is None.

    Whatever is not named is absent: `data`, what the browser of records shows, and `evaluation` may be missing. Every
    value is escaped but the charts, which are made of numbers and escape their labels.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.globals["figure"] = figure
    for name in ("charts", "evaluation_charts"):
        values[name] = [chart | {"svg": Markup(chart["svg"])} for chart in values.get(name, ())]  # noqa: S704
    data = values.get("data")
    absent: dict[str, Any] = dict.fromkeys(("meta", "evaluation", "cells", "started"))
    return environment.get_template("report.html").render(
        absent
        | values
        | {
            "data": Markup(script_json(data)) if data is not None else None,  # noqa: S704
            "style": Markup(_part("report.css")),  # noqa: S704 - ours
            "script": Markup(_part("browser.js")),  # noqa: S704
            "policy": policy(),
        }
    )


def policy() -> str:
    """The Content-Security-Policy: nothing is loaded or sent; the page's own style and script are known by hash."""
    return (
        f"default-src 'none'; script-src {_hash('browser.js')}; style-src {_hash('report.css')}; "
        "base-uri 'none'; form-action 'none'"
    )


def script_json(value: Any) -> str:
    """JSON that can stand inside a script element: no character in it ends the element or a line."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def figure(value: float | None) -> str:
    """A number for readers: three digits that count, thousands marked."""
    if value is None:
        return "-"
    if abs(value) >= 1000 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


@cache
def _part(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _hash(name: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(_part(name).encode()).digest()).decode()}'"
