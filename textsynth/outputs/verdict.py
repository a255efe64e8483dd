"""A run in words: what came of it, what may be said of its records and what may not, and what each filter holds to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Numbers = Mapping[str, Any]

_REASONS = {
    "invalid_json": "not valid JSON",
    "schema_mismatch": "not what the schema allows",
    "truncated": "cut off before the end",
    "rule_failed": "breaking a rule of the job",
    "copied_span": "copying a run of words from a seed",
    "copied_row": "copying a whole row of a seed",
    "near_seed": "too close to a seed",
    "paraphrased_seed": "a paraphrase of a seed",
    "exact_duplicate": "a repeat of an accepted record",
    "near_duplicate": "nearly a repeat of an accepted record",
    "too_similar": "too similar in meaning to an accepted record",
    "crowded": "of a kind that has its full share",
    "contaminated": "repeating an item of a benchmark",
    "not_quoted": "quoting what its source does not say",
    "missing_fact": "leaving out a fact",
    "contradicts_fact": "contradicting a fact",
    "unsupported_fact": "stating a fact that was not given",
    "wrong_label": "reading like another label's seeds",
    "wrong_length": "too short or too long",
    "boilerplate": "saying what an assistant says of itself",
    "repetitive": "saying the same again and again",
    "wrong_language": "in another language",
    "wrong_answer": "with an equation that does not hold",
    "bad_code": "with Python that fails",
    "identifier_of_seed": "with an identifier of a seed's person",
    "identifier": "with what looks like an identifier",
}
_GATES = {  # what it refuses, the error rate that it states
    "schema": ("what the record schema does not allow", "exact: refuses nothing else"),
    "rules": ("what breaks a rule of the job", "exact: refuses nothing else"),
    "leakage": ("what is closer to a seed than genuine records are", ""),
    "dedup": ("what repeats an accepted record, wholly or nearly", "none: a fixed Jaccard similarity"),
    "diversity": ("what is close in meaning to an accepted record", "none: a fixed cosine"),
    "decontaminate": ("what repeats an item of a benchmark", "none: fixed runs of words, and a fixed cosine"),
    "quality": ("text of the wrong length or language, boilerplate, loops, answers that do not check", "none"),
    "consistency": ("text that leaves out or contradicts a fact, or states another", "none: rules and word lists"),
    "identifiers": ("an identifier of a seed's person", "none: its recognizers know English formats, and miss some"),
    "label": ("a text that reads like another label's seeds", ""),
    "quoted": ("a quotation that does not stand in its source", "exact: refuses nothing else"),
}
_SOURCES = (
    ("copied", "These fields are copied from seed rows, and the gate does not judge them"),
    ("perturbed", "These fields are altered values of seed rows, which can still point to a person"),
    ("sampled", "These fields take their values, unaltered, from the seeds or from the job's lists"),
)
_THRESHOLDS = {"dedup": "near", "diversity": "max_similarity"}
_STATUS = {
    "running": "This run has not ended: the numbers are those so far.",
    "interrupted": "This run was interrupted and can be resumed: the numbers are those so far.",
    "failed": "This run was stopped by a fault and can be resumed: the numbers are those so far.",
    "short": "This run ended short of its target.",
}
POINTS_TO_SEEDS = (
    "The accepted rows as a set point to single seeds: several values of one seed turn up together more often than in "
    "real rows that are not seeds, and than by chance. No row is a copy, but do not hand them on."
)


def verdict(numbers: Numbers, meta: Mapping[str, Any]) -> dict[str, Any]:
    """The run in words: a headline, how it ended, a warning, the sentences below it, and what was not reached."""
    given = "input" in (meta["hashes"] or {})  # records made elsewhere: all that there are can be accepted, no more
    made = "read" if given else "written" if meta["engine"] else "drawn"
    lines = []
    if numbers["completed"]:
        time = f" in {duration(meta['elapsed'])}" if meta["elapsed"] else ""
        lines.append(f"From {numbers['completed']:,} {made} ({numbers['yield_rate']:.0%} yield){time}.")
    else:
        lines.append("No record is complete yet.")
    if numbers["reasons"]:
        by_reason: dict[str, int] = {}
        for row in numbers["reasons"]:
            by_reason[row["reason"]] = by_reason.get(row["reason"], 0) + row["count"]
        parts = [f"{count:,} as {words_for(reason)}" for reason, count in by_reason.items()]
        refused = numbers["rejected"]
        lines.append(f"{refused:,} {'was' if refused == 1 else 'were'} refused: {_listed(parts)}.")
    if numbers.get("benchmarks"):
        parts = [
            f"{one['refused']:,} from {name} ({one['texts']:,} texts)" for name, one in numbers["benchmarks"].items()
        ]
        lines.append(f"Compared with benchmarks; refused as repeating one: {_listed(parts)}.")
    if (numbers.get("identifiers") or {}).get("flagged"):
        parts = [f"{count:,} as {kind}" for kind, count in numbers["identifiers"]["flagged"].items()]
        lines.append(f"What looks like an identifier in the records that passed, and is no seed's: {_listed(parts)}.")
    if numbers["surplus"]:
        verb = "was" if numbers["surplus"] == 1 else "were"
        lines.append(f"{numbers['surplus']:,} more passed every filter but {verb} not needed.")
    return {
        "headline": f"{numbers['accepted']:,} of {numbers['completed' if given else 'target']:,} records accepted",
        "status": _STATUS.get(numbers["status"]),
        "warnings": list(_warnings(numbers)),
        "lines": lines,
        "missed": [said for said in meta["shortfall"] or () if said != POINTS_TO_SEEDS],  # a warning already
    }


def evaluation_verdict(evaluation: Numbers) -> dict[str, Any]:
    """Two files compared, in words, in the shape of `verdict`: whether what was required is met comes first."""
    required = evaluation["requirements"]
    failed = sum(not one["passed"] for one in required)
    if not required:
        headline = f"{evaluation['files']['synthetic']['records']:,} synthetic records beside real ones"
    elif failed:
        headline = f"{failed} of {len(required)} required gates failed"
    else:
        headline = "The required gate is met" if len(required) == 1 else f"All {len(required)} required gates are met"
    counted = [f"{file['records']:,} {kind}" for kind, file in evaluation["files"].items()]
    return {
        "headline": headline,
        "status": None,
        "warnings": [],
        "lines": [f"Compared: {_listed(counted)} records.", *([] if required else ["No gate was required."])],
        "missed": [],
    }


def claims(numbers: Numbers, meta: Mapping[str, Any]) -> dict[str, list[str]]:
    """What may be said of the accepted records, and what may not, one sentence each."""
    sources: Mapping[str, str] = meta["sources"] or {}
    filters = {part.get("type") for part in (meta["job"] or {}).get("filters", ())}
    leakage = numbers["leakage"]
    claimed = ["Every accepted record is valid against the record schema."] if "schema" in filters else []
    not_claimed = []
    if leakage and leakage["calibration_records"]:
        claimed.append(_gate_in_words(leakage))
        not_claimed.append("How many copies of seeds the gate catches: its recall is not measured here.")
        if leakage["max_span"] is not None:
            share = leakage["max_span_refuses_of_calibration"]
            cost = "" if share is None else f"; it alone refuses {share:.1%} of the genuine records"
            claimed.append(
                f"No accepted record shares {leakage['max_span']} words in a row or more with a seed. "
                f"This is a policy that alpha does not cover{cost}."
            )
    else:
        why = "the leakage gate has not judged any record yet" if "leakage" in filters else "there was no leakage gate"
        not_claimed.append(f"That no record is a copy of a seed: {why}.")
    as_a_set = (leakage or {}).get("rows_as_a_set")
    if as_a_set:
        (not_claimed if as_a_set["flagged"] is not False else claimed).append(_set_in_words(as_a_set))
    if cell := numbers.get("min_cell"):
        (not_claimed if cell["below"] or cell["smallest"] is None else claimed).append(_cells_in_words(cell))
    if "dedup" in filters:
        claimed.append(
            "No accepted record repeats another in what was compared; case, punctuation and spacing set aside."
        )
    if "consistency" in filters:
        claimed.append("Every accepted text states its required facts, by rules that look for them.")
        not_claimed.append("That a text states nothing else: only what the rules and their word lists know is seen.")
    how = "a model that is shown seeds as examples" if meta["engine"] else "drawing values from seeds"
    not_claimed.append(f"Differential privacy: {how} gives none.")
    for source, said in _SOURCES:
        names = [name for name, kind in sources.items() if kind == source]
        not_claimed += [f"{said}: {', '.join(names)}."] if names else []
    return {"claimed": claimed, "not_claimed": not_claimed}


def gates(numbers: Numbers, meta: Mapping[str, Any], evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each filter of the run: what it refuses, the error rate that it states, and how many records it refused."""
    specs = {part["type"]: part for part in [{"type": "schema"}, *(meta["job"] or {}).get("filters", ())]}
    refused: Counter[str] = Counter()
    for row in numbers["reasons"]:
        refused[row["filter"]] += row["count"]
    rows = []
    for name in dict.fromkeys([*specs, *evidence]) if meta["job"] else ():
        refuses, stated = _GATES.get(name, ("what this filter of your own decides", "it states none"))
        if name == "leakage":
            stated = _error_rate(numbers["leakage"])
        elif name == "label" and (found := evidence.get(name)):
            stated = f"it would refuse {found['held_out_refused']:,} of {found['held_out']:,} held-out seeds"
        elif (fixed := specs.get(name, {}).get(_THRESHOLDS.get(name))) is not None:
            stated += f" of {fixed:g}"
        rows.append({"name": name, "refuses": refuses, "stated": stated, "refused": refused[name]})
    return rows


def duration(seconds: float) -> str:
    """A time span for readers: 3 min 12 s."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def words_for(reason: str) -> str:
    """A reason code for readers: refused as ...; an unknown one stays as it is."""
    return _REASONS.get(reason, reason)


def _gate_in_words(leakage: Numbers) -> str:
    smallest = leakage["smallest_alpha"]
    return (
        f"A genuinely new record, from a near-duplicate cluster that is not among the seeds and cut like them, is "
        f"refused with probability at most {leakage['alpha']:.3g} (alpha), averaged over the draw of the calibration "
        f"set. Method: {leakage['method']} over {leakage['calibration_records']:,} genuine records"
        + (f", which resolve an alpha down to {smallest:.2g}." if smallest else ".")
    )


def _error_rate(leakage: Numbers | None) -> str:
    if not leakage or not leakage["calibration_records"]:
        return "not calibrated yet"
    return (
        f"at most {leakage['alpha']:.3g} of genuinely new records; {leakage['method']} over "
        f"{leakage['calibration_records']:,} genuine ones"
    )


def _warnings(numbers: Numbers) -> Iterator[str]:
    as_a_set = (numbers["leakage"] or {}).get("rows_as_a_set")
    if as_a_set and as_a_set["flagged"]:
        yield POINTS_TO_SEEDS
    cell = numbers.get("min_cell")
    if cell and cell["below"]:
        yield _cells_in_words(cell)


def _cells_in_words(cell: Numbers) -> str:
    """Rare combinations: what was asked, what the accepted records have, what was left out for it."""
    names = ", ".join(cell["of"])
    changed = [name for name in cell["of"] if name not in cell["counted"]]
    apart = f" Not counted, since records hold another value than the seed: {', '.join(changed)}." if changed else ""
    left_out = (
        f"{cell['left_out']['seeds']:,} seeds of {cell['left_out']['combinations']:,} rarer combinations were neither "
        f"drawn from nor shown as examples.{apart}"
    )
    if cell["smallest"] is None:
        return f"That the combination of {names} of each record is that of {cell['k']} seeds: none is accepted yet."
    if cell["below"]:
        return (
            f"{cell['below']:,} accepted records have a combination of {names} that fewer than {cell['k']} shown seeds "
            f"have; the rarest is that of {cell['smallest']}. Do not hand them on."
        )
    return (
        f"The combination of {names} of each accepted record is that of {cell['smallest']:,} shown seeds or more "
        f"(counted over the accepted records; {cell['k']} were asked for). {left_out}"
    )


def _set_in_words(found: Numbers) -> str:
    """The test of the accepted rows as a set; values drawn together by request are one value in it."""
    if found["flagged"] is None:
        return f"That the accepted rows as a set point to no single seed: not tested, since {found['untested']}."
    p_values = f"p = {found['calibration_p_value']:.3g}, and {found['independent_p_value']:.3g}"
    tested = (
        f"{found['rows']:,} rows that passed every filter, against {found['calibration_records']:,} held-out seeds "
        f"({p_values} against independent columns; both at most {found['level']:g} would be a warning). Fields that "
        "are drawn together by request count as one."
    )
    if found["flagged"]:
        return f"That the accepted rows as a set point to no single seed: they do. Tested: {tested}"
    return f"The accepted rows as a set do not point to single seeds. Tested: {tested}"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
