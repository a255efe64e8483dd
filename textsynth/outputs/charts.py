"""The report's charts: inline SVG whose colors are the page's own, the same bytes for the same numbers."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

# Stand-ins that matplotlib draws with; the page's colors, light or dark, take their place.
_COLORS = {
    "#010101": "var(--ink)",
    "#020202": "var(--soft)",
    "#030303": "var(--accepted)",
    "#040404": "var(--refused)",
    "#050505": "var(--genuine)",
    "#060606": "var(--line)",
}
_INK, _SOFT, _ACCEPTED, _REFUSED, _GENUINE, _LINE = _COLORS
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "textsynth",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _SOFT,
    "axes.labelcolor": _SOFT,
    "axes.edgecolor": _LINE,
    "xtick.labelcolor": _SOFT,
    "ytick.labelcolor": _SOFT,
    "xtick.color": _LINE,
    "ytick.color": _LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "ytick.major.size": 0,
    "xtick.major.size": 2,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": _LINE,
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "text.usetex": False,
    "text.parse_math": False,
}
_DASHES = (0, (3, 1.5))
GROUPS: Mapping[str, tuple[str, Any]] = {
    "accepted": (_ACCEPTED, "-"), "synthetic": (_ACCEPTED, "-"), "refused": (_REFUSED, "-"),
    "calibration": (_GENUINE, _DASHES), "holdout": (_GENUINE, _DASHES),
}  # fmt: skip
INK, MORE, LESS = _INK, _ACCEPTED, _REFUSED


def round_chart(rounds: Sequence[Mapping[str, Any]], name: str, title: str) -> str:
    """A bar for each round that has the rate; an upright line before each that had more answers than the one before."""
    from matplotlib.ticker import PercentFormatter

    done = [row for row in rounds if row[name] is not None]
    answered = [b["round"] for a, b in zip(rounds, rounds[1:], strict=False) if len(b["answers"]) > len(a["answers"])]

    def draw(axes: Any) -> None:
        axes.bar([row["round"] for row in done], [row[name] for row in done], 0.72, color=_ACCEPTED)
        for number in answered if name == "new_ground_rate" else ():
            axes.axvline(number - 0.5, color=_INK, linewidth=1.1)
        axes.set_ylim(0, 1)
        axes.set_xlim(done[0]["round"] - 0.9, max(done[-1]["round"], done[0]["round"] + 5) + 0.9)
        axes.set_xticks([row["round"] for row in done[:: math.ceil(len(done) / 8)]])
        axes.set_xlabel("round")
        axes.yaxis.set_major_formatter(PercentFormatter(1))

    return svg(draw, title)


def histogram_chart(
    histogram: Mapping[str, Any], label: str, gate: float | None = None, policy: float | None = None
) -> str:
    """The share of each group's records by value; `gate` and `policy` are upright lines."""
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    edges = histogram["edges"]

    def draw(axes: Any) -> None:
        for name, counts in histogram["counts"].items():
            if not sum(counts):
                continue
            shares = [count / sum(counts) for count in counts]
            color, dash = GROUPS[name]
            if name in ("accepted", "synthetic"):
                axes.stairs(shares, edges, fill=True, color=color, alpha=0.3, linewidth=0)
            axes.stairs(shares, edges, color=color, linestyle=dash, linewidth=1.3)
        for place, dash in ((gate, "-"), (policy, ":")):
            if place is not None:
                axes.axvline(place, color=_INK, linestyle=dash, linewidth=1.1)
        axes.set_ylim(0)
        axes.xaxis.set_major_locator(MaxNLocator(7, integer=edges[0] % 1 == 0.5))
        axes.set_xlabel(label)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))

    return svg(draw, f"Shares of records by {label}")


def svg(draw: Callable[[Any], None], title: str, size: tuple[float, float] = (4.4, 2.2)) -> str:
    """What `draw` puts on axes of `size` inches, as an svg element without styles of its own.

    Colors stand in presentation attributes, so that a page whose policy forbids style attributes shows them.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    out = io.BytesIO()
    with rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # the reader's fonts draw it
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.add_subplot())
        dates = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        FigureCanvasSVG(figure).print_svg(out, metadata=dates)  # type: ignore[no-untyped-call]
    text = out.getvalue().decode()
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", text[text.index("<svg") :], flags=re.S)
    text = re.sub(r' id="(?![mp][0-9a-f]{10})[^"]*"', "", text)  # what nothing in the chart refers to
    head = f'role="img" aria-label="{escape(title, quote=True)}"'
    text = re.sub(r'^<svg [^>]*?(viewBox="[^"]*")[^>]*>', lambda found: f"<svg {found[1]} {head}>", text, count=1)
    text = re.sub(r' style="([^"]*)"', _attributes, text)
    for stand_in, color in _COLORS.items():
        text = text.replace(stand_in, color)
    return re.sub(r"\n\s*", "\n", text).strip()


def _attributes(found: re.Match[str]) -> str:
    pairs = [part.split(":", 1) for part in found[1].split(";") if ":" in part]
    kept = [(name.strip(), value.strip()) for name, value in pairs if name.strip() != "font-family"]
    return "".join(f' {name}="{value}"' for name, value in kept)
