"""Charts of an evaluation: synthetic records and real ones that were set aside, over each other."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from textsynth.outputs.charts import GROUPS, INK, LESS, MORE, histogram_chart, svg

Numbers = Mapping[str, Any]

_MOST_COLUMNS = 12  # whose distributions are drawn: those that are farthest from the real ones
_MOST_CORRELATED = 24  # columns of the matrix of correlations
_MOST_POINTS = 600  # of one group on the map
_HISTOGRAMS = {
    "span": ("Longest run of words shared with a real record", "words"),
    "similarity": ("Similarity in meaning to the nearest real record", "similarity"),
    "row_similarity": ("Similarity to the closest real row", "similarity"),
}
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def evaluation_charts(evaluation: Numbers) -> Iterator[dict[str, str]]:
    """Each chart with its title and note; none for what the evaluation has no numbers of."""
    utility = evaluation.get("utility") or {}
    scores = [one for one in utility.get("scores", ()) if one["macro_f1"] is not None]
    if scores:
        note = (
            f"macro-F1 on real records set aside, label {_label(str(utility['label']), 40)}; trained on real: ceiling"
        )
        yield {"title": "Trained on synthetic, tested on real", "note": note, "svg": utility_chart(scores)}
    if (found := evaluation.get("map")) and found.get("synthetic"):
        share = found.get("explained")
        note = f"a point is a record, at most {_MOST_POINTS} a set"
        if share is not None:
            note += f"; two directions that hold {share:.0%} of the spread"
        yield {"title": "Map of embeddings", "note": note, "svg": map_chart(found)}
    if (found := evaluation.get("correlation")) and len(found["columns"]) > 2:
        note = "synthetic minus real: green is more, red is less; full color is a difference of 0.5"
        if len(found["columns"]) > _MOST_CORRELATED:
            note += f"; the first {_MOST_CORRELATED} of {len(found['columns'])} columns"
        yield {"title": "Correlations: the difference", "note": note, "svg": correlation_chart(found)}
    if lengths := evaluation.get("lengths"):
        yield {"title": "Length of the text", "note": "", "svg": histogram_chart(lengths, "words")}
    for name, histogram in (evaluation.get("similarity") or {}).items():
        title, label = _HISTOGRAMS.get(name, (name, name))
        gate = _required(evaluation, name)
        note = "" if gate is None else "upright: what --require allows"
        yield {"title": title, "note": note, "svg": histogram_chart(histogram, label, gate)}
    drawn = [column for column in evaluation.get("columns") or () if column.get("distribution")]
    farthest = sorted(drawn, key=lambda column: column.get("accuracy") or 0)[:_MOST_COLUMNS]
    for column in farthest:
        note = "" if len(drawn) == len(farthest) else f"one of the {len(farthest)} farthest of {len(drawn)} columns; "
        note += f"accuracy {column['accuracy']:.3f}" if column.get("accuracy") is not None else ""
        note += f", ceiling {column['ceiling']:.3f}" if column.get("ceiling") is not None else ""
        yield {"title": str(column["name"]), "note": note, "svg": distribution_chart(column)}


def distribution_chart(column: Numbers) -> str:
    """Shares of a column's values or ranges, synthetic filled, real dashed."""
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    found = column["distribution"]
    edges = [at - 0.5 for at in range(len(found["bins"]) + 1)]

    def draw(axes: Any) -> None:
        for name, (color, dash) in ((name, GROUPS[name]) for name in ("synthetic", "holdout") if found.get(name)):
            if name == "synthetic":
                axes.stairs(found[name], edges, fill=True, color=color, alpha=0.3, linewidth=0)
            axes.stairs(found[name], edges, color=color, linestyle=dash, linewidth=1.3)
        step = math.ceil(len(found["bins"]) / 4)
        axes.set_xticks(range(0, len(found["bins"]), step), [_label(str(part)) for part in found["bins"][::step]])
        axes.set_ylim(0)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))

    return svg(draw, f"Shares of the values of {_label(str(column['name']), 60)}")


def correlation_chart(found: Numbers) -> str:
    """The lower triangle of synthetic minus real correlations, a square a pair."""
    from matplotlib.patches import Rectangle

    names = found["columns"][:_MOST_CORRELATED]

    def draw(axes: Any) -> None:
        for i in range(1, len(names)):
            for j in range(i):
                real, made = found["real"][i][j], found["synthetic"][i][j]
                gap = 0.0 if real is None or made is None else made - real
                color = MORE if gap >= 0 else LESS
                axes.add_patch(Rectangle((j, i - 1), 0.94, 0.94, color=color, alpha=round(min(1, abs(gap) * 2), 3)))
        axes.set_xlim(0, len(names) - 1)
        axes.set_ylim(len(names) - 1, 0)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.grid(False)
        axes.set_yticks([at + 0.47 for at in range(len(names) - 1)], [_label(str(name)) for name in names[1:]])
        turned = [_label(str(name)) for name in names[:-1]]
        axes.set_xticks([at + 0.47 for at in range(len(names) - 1)], turned, rotation=90)

    side = min(4.4, 2.2 + 0.12 * len(names))
    return svg(draw, "Difference of correlations, synthetic minus real", (4.4, side))


def map_chart(found: Numbers) -> str:
    """Two-dimensional points, evenly thinned; no text."""

    def draw(axes: Any) -> None:
        for name, marker in (("holdout", "x"), ("synthetic", "o")):
            points = _thinned(found.get(name) or ())
            color = GROUPS[name][0]
            across, up = [point[0] for point in points], [point[1] for point in points]
            axes.plot(across, up, marker, color=color, markersize=3, markeredgewidth=0.8, alpha=0.55)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_aspect("equal", "datalim")
        axes.spines[:].set_visible(False)
        axes.grid(False)

    return svg(draw, "Map of embeddings of synthetic and real records", (4.4, 3.2))


def utility_chart(scores: Sequence[Numbers]) -> str:
    """Macro-F1 by what a model was trained on, with its interval, for each kind of model."""
    colors = {"synthetic": GROUPS["synthetic"][0], "real": GROUPS["holdout"][0], "both": INK}

    def draw(axes: Any) -> None:
        names = [f"{one['trained_on']}\n({one['model']})" for one in scores]
        for at, one in enumerate(scores):
            axes.bar(at, one["macro_f1"], 0.6, color=colors.get(one["trained_on"], INK), alpha=0.75)
            if one.get("low") is not None:
                axes.plot([at, at], [one["low"], one["high"]], color=INK, linewidth=1.1)
        axes.set_xticks(range(len(names)), names)
        axes.set_ylim(0, 1)

    return svg(draw, "Macro-F1 by training set")


def _required(evaluation: Numbers, name: str) -> float | None:
    """Where a required bound on the longest span stands, to draw into its histogram."""
    for one in evaluation.get("requirements") or ():
        if name == "span" and one["metric"] == "privacy.longest_span":
            found = re.search(r"[<>=]\s*([0-9.]+)\s*$", one["text"])
            return float(found[1]) if found else None
    return None


def _thinned(points: Sequence[Any]) -> list[Any]:
    count = min(len(points), _MOST_POINTS)
    return [points[at * len(points) // count] for at in range(count)]


def _label(text: str, most: int = 12) -> str:
    text = _UNSEEN.sub(" ", text)
    return text if len(text) <= most else text[: most - 1] + "…"
