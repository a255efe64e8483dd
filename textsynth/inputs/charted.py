"""Names and numbers of coded data as a chart has them."""

from __future__ import annotations

import math
import re

from textsynth.clinical.codes import UNIT_OF, Vital

# SNOMED CT's semantic tags, where patients' data has them.
_TAG = re.compile(
    r"\s*\((disorder|finding|morphologic abnormality|situation|procedure|regime/therapy|event|person|occupation|"
    r"substance|product|physical object|observable entity|qualifier value|social concept|body structure|"
    r"organism|environment)\)$"
)
_PROBLEM_TAGS = {"disorder", "morphologic abnormality", "finding"}
_SOCIAL = re.compile(
    r"educat|school|certificate|employ|labor force|\bwork|retire|hous(ed|ing)|homeless|transport|income|refugee|"
    r"social|isolat|criminal|violence|partner|stress|military|served in|risk activity|medication review|language",
    re.IGNORECASE,
)
_FORMS = re.compile(
    r"\s+\b(extended|delayed|oral|chewable|topical|injectable|injection|inhal\w*|mucosal|nasal|vaginal|rectal|metered|dry"
    r"|transdermal|prefilled|auto-injector|auto injector|intrauterine|drug implant|tablet|capsule|\d+ day pack)\b.*$"
)
_AMOUNT = re.compile(r"\s*\b(\d[\d.,/]*)\s*(mg|mcg|ug|g|ml|unt|units|meq|mmol|%)(/(?:ml|hr|actuat|g))?(?![a-z]).*$")
_PACKAGE = re.compile(r"^(?:nda\d+ |abuse-deterrent |\d[\d.]* ?(?:hr|ml|actuat) )+")
_AS_WRITTEN = {"ml": "mL", "unt": "units", "ug": "mcg", "meq": "mEq", "hr": "h", "actuat": "actuation"}
_LOINC_NAME = re.compile(r"^(.*?)\s*\[[^\]]*\](?:\s+(?:in|of)\s+(.*?))?(?:\s+by\s+.*)?$")
_RATIO = re.compile(r"/(Hemoglobin\.total|\W*1\.73 sq M\b).*$|\.total\b")
_BLOOD = re.compile(r"blood|serum|plasma|capillary", re.IGNORECASE)


def is_problem(text: str) -> bool:
    """Whether a name can be a problem of a note, by its SNOMED tag: a disorder, or a finding that is not social."""
    tag = _TAG.search(text)
    return tag is None or (tag[1] in _PROBLEM_TAGS and not (tag[1] == "finding" and _SOCIAL.search(text)))


def without_tag(text: str) -> str:
    """`Anemia (disorder)` is Anemia."""
    return _TAG.sub("", text)


def drug_name(text: str) -> tuple[str, str]:
    """Name and dose out of a name in RxNorm's manner; parts of a combination are kept apart by ` / `.

    `24 HR Metformin hydrochloride 500 MG Extended Release Oral Tablet` is metformin hydrochloride, 500 mg.
    """
    text = _PACKAGE.sub("", re.sub(r"\s*\[[^\]]*\]\s*$", "", text).lower())
    names, doses = [], []
    for part in re.split(r"\s/\s", text):
        if amount := _AMOUNT.search(part):
            number, unit, per = amount.groups()
            per = f"/{_AS_WRITTEN.get(per[1:], per[1:])}" if per else ""
            doses.append(f"{number} {_AS_WRITTEN.get(unit, unit)}{per}".replace(" %", "%"))
            part = part[: amount.start()]
        names.append(_FORMS.sub("", part).strip())
    name = " / ".join(name for name in names if name)
    return (name, " / ".join(doses)) if name else (text.strip(), "")


def lab_name(text: str) -> str:
    """`Hemoglobin [Mass/volume] in Blood` is Hemoglobin; a specimen other than blood stays in the name."""
    text = _RATIO.sub("", text)
    found = _LOINC_NAME.match(text)
    if not found or not found[1]:
        return text
    specimen = found[2] or ""
    return found[1] if not specimen or _BLOOD.search(specimen) else f"{found[1]} in {specimen}"


def in_unit(vital: Vital, value: float, unit: str) -> float | None:
    """A value in the unit of its vital sign; nothing where its own does not fit."""
    if unit in vital.also:
        factor, offset = vital.also[unit]
        return rounded(value * factor + offset, vital.decimals, always=(factor, offset) != (1.0, 0.0))
    return rounded(value, vital.decimals) if unit == vital.unit or UNIT_OF.get(unit) == vital.unit else None


def rounded(value: float, decimals: int | None = None, always: bool = False) -> float:
    """A number as it is up to three decimals; else with so many, or with three digits."""
    if isinstance(value, int) or (not always and round(value, 3) == value):
        return value
    if decimals is None:
        decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return round(value, decimals) if decimals else round(value)
