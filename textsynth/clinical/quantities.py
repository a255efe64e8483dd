"""Numbers of a clinical text: ages, dates, doses, and values of vitals and labs with their units."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from textsynth.clinical.mentions import Kind, Mention
from textsynth.clinical.vocabulary import Term

_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()  # noqa: SIM905
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
_ONES = "one two three four five six seven eight nine".split()  # noqa: SIM905
_WORDS: Mapping[str, int] = {
    **{word: n for n, word in enumerate(_ONES, 1)},
    **{word: n for n, word in enumerate(_TEENS, 10)},
    **{word: n * 10 for n, word in enumerate(_TENS, 2)},
    **{f"{ten}{dash}{one}": n * 10 + m
       for n, ten in enumerate(_TENS, 2) for m, one in enumerate(_ONES, 1) for dash in "- "},
}  # fmt: skip
_SAID = "|".join(sorted(_WORDS, key=len, reverse=True))
_AGES = re.compile(
    rf"(?<![\d./])\b(?P<n>\d{{1,3}}|{_SAID})(?:[- ](?P<unit>year|month|week|day)s?[- ](?:old|of age)"
    rf"|[- ]?(?P<yo>(?:y[/.]?\s?o\.?|yrs?\.?[- ](?:old|of age)|yrs?(?=,| ?[FM]\b)|years? of age|y(?=,| [FM]))[FM]?)"
    rf"(?![a-z])|(?:/|, )?(?P<sex>[FM])\b|(?: ?(?:years?|yrs?),?|,) (?=(?:fe)?male\b))"
    rf"|\b(?P<at>at (?:the )?age (?:of )?)?(?:\baged?(?:/(?:sex|gender))?\b:?\s*(?:is |of )?|\bnow |, who is )"
    rf"(?P<m>\d{{1,3}}|{_SAID})\b(?! ?(?:%|mg|month|week|day|/))"
    rf"|(?<![\d°])(?<![\d°] )(?<!degrees )\b(?:(?-i:[FM])|(?:fe)?male)"
    rf"(?:,? |/|, age )(?P<k>\d{{1,3}})(?![\w/%]|[.,]\d)"
    rf"(?! ?(?:kg|lbs?|mg|cm|bpm|beats|months?|weeks?|days?)\b)(?: ?y(?:ears?|rs?|[/.]?o)\b)?"
    rf"|\b(?:she|he|patient|pt) is (?:now |currently )?(?P<i>\d{{1,3}}|{_SAID})(?: years)?"
    rf"(?=[.,;]?\s*(?:\n|$)|[.,;] [A-Za-z]| and )",
    re.IGNORECASE,
)
_HOT = re.compile(r"\bt(?:emp\w*|max)?\W{0,2}(?:of |was |is )?$", re.IGNORECASE)
_ONSET = re.compile(
    r"\b(?:diagnosed|died|dead|deceased|death|began|onset|started|starting|since|until|passed(?: away)?|"
    r"menarche|menopause|quit|stopped|retired)\b[^.;,]{0,20}$"
    r"|\b(?:had|developed|suffered|experienced|underwent)\b[^.;,]{0,30}\bat (?:the )?$",
    re.IGNORECASE,
)
_MONTHS = "january february march april may june july august september october november december".split()  # noqa: SIM905
_MONTH = "|".join([*_MONTHS, *(name[:3] for name in _MONTHS), "sept"])
_DATES = re.compile(
    rf"\b(?P<y1>(?:19|20)\d\d)[-/.](?P<m1>\d\d?)[-/.](?P<d1>\d\d?)\b"
    rf"|\b(?P<m2>\d\d?)[/-](?P<d2>\d\d?)[/-](?P<y2>(?:19|20)?\d\d)\b"
    rf"|\b(?P<m3>{_MONTH})\.?\s+(?P<d3>\d\d?)(?:st|nd|rd|th)?,?\s+(?:of )?(?P<y3>(?:19|20)\d\d)\b"
    rf"|\b(?P<d4>\d\d?)(?:st|nd|rd|th)?(?:\s+of)?[\s-]?(?P<m4>{_MONTH})\.?,?[\s-]?(?P<y4>(?:19|20)\d\d)\b",
    re.IGNORECASE,
)
_ROLES = (
    ("admitted", re.compile(
        r"\b(?:admi(?:t|tted|ssion)|hospitali[sz](?:ed|ation)|came (?:in)?to (?:the|our) hospital|"
        r"inpatient (?:stay|dates?|from)|arriv(?:ed|al)|entered (?:the|our) hospital|"
        r"(?:hospital stay|stay|in (?:the|our|this) (?:hospital|facility|unit|icu))"
        r"(?=:? ?(?:(?:was|ran|lasted|spanned|extended|went) )?(?:from|between|began|since|:))|adm)\b",
        re.IGNORECASE)),
    ("discharged", re.compile(
        r"\b(?:discharged?|(?:go(?:es|ing)?|went|sent|returned|left(?: for)?) home|released|"
        r"stay(?:ed|ing)?\b[^.;]{0,30}\b(?:until|till|through)|left (?:(?:the|our) hospital|(?=on\b))|and ended|"
        r"d/c|dc(?:'d)?|dispo)\b",
        re.IGNORECASE)),
    ("seen", re.compile(r"\b(?:seen|visit|date of service|encounter|evaluated|presented|came)\b", re.IGNORECASE)),
    ("born", re.compile(r"\b(?:born|dob|date of birth|birth ?date)\b", re.IGNORECASE)),
)  # fmt: skip
_NUMBER = r"\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?|\.\d+"
_UNIT = (
    r"kg(?: per |/)(?:m2|sq(?:uare)? ?m(?:et(?:er|re))?|met(?:er|re) squared)|percent|pct|%|mm ?\[?hg\]?|bpm|"
    r"(?:mg|gm?|grams?|milligrams?|mmol|meq|ng|pg|mcg|units?) per (?:deciliter|milliliter|liter|dl|ml|l)\b|"
    r"beats?(?:/| per )min(?:ute)?|breaths?(?:/| per )min(?:ute)?|/min(?:ute)?|per minute|"
    r"°? ?(?:celsius|fahrenheit|[cf])\b|deg(?:rees?)? (?:celsius|fahrenheit|[cf])\b|degc|degf|cel\b|"
    r"kg/m\^?2|kg/m²|kgs?\b|#|kilo(?:gram)?s?\b|lbs?\b|pounds?|cms?\b|"
    r"centimet(?:er|re)s?|inch(?:es)?|in\b|meters?\b|m\b|"
    r"mg/dl|gm?/dl|gm?/l|mmol/l|meq/l|[µu]mol/l|mcmol/l|ng/ml|pg/ml|ng/l|[µum]?iu/(?:ml|l)|u/l|units?/l|"
    r"10\*3/ul|10\^3/[µu]l|x ?10\*?\^?[369]/[µu]?l|k/[µu]l|thou(?:sand)?(?:/[µu]l)?|"
    r"th/[µu]l|(?:cells/)?(?:[µu]l|mm3|mm\^3|cmm)\b|/[µu]l|/mm3|fl\b|pg\b|mm/hr?|mcg/l|[µu]g/l|"
    r"ml/min(?:/1\.73 ?m\^?2|/\{1\.73_m2\})?|/10|out of 10|\{score\}"
)
_VALUE = re.compile(rf"(?P<value>{_NUMBER})[ \t]?\[?(?P<unit>{_UNIT})?(?![\w/.]*\d)", re.IGNORECASE)
_LABEL = re.compile(rf"^\s?[\[(](?P<unit>{_UNIT})[\])]", re.IGNORECASE)  # HR [bpm]: 66
_PRESSURE = re.compile(
    r"\b(?P<sys>\d{2,3})\s?(?:systolic )?(?:/|over)\s?(?P<dia>\d{2,3})(?![\d/])(?P<unit>\s?\[?mm ?\[?hg\]?)?",
    re.IGNORECASE,
)
_FEET = re.compile(r"(\d)\s?(?:'|ft\.?|feet|foot)\s?(\d{1,2})?\s?(?:\"|''|in(?:ches)?\b)?", re.IGNORECASE)
_LINK = re.compile(r"^(?!.*, \($)[^.;\d\n]{0,34}$")
_MOVED = re.compile(  # creatinine improved from 2.4 to 1.2
    rf"^[^.;\d\n]{{0,30}}\bfrom (?:{_NUMBER})[ \t]?(?:{_UNIT})?,? (?:\w+ )?(?:down |up )?to(?= )", re.IGNORECASE
)
_TAKEN = re.compile(  # magnesium 400 mg
    r"\s?-?(?:mgs?|mcgs?|tab(?:let)?s?|cap(?:sule)?s?|units?|iu|puffs?|meq (?:po|daily|once|twice|bid))\b(?!\s?[/%])",
    re.IGNORECASE,
)
_DOSE = re.compile(
    rf"(?P<value>{_NUMBER})\s?-?(?P<unit>mg/ml|mcg/ml|mgs?|mcgs?|[µu]g|micrograms?|milligrams?|grams?|"
    r"gms?|g|ml|cc|units?|unt/ml|iu|meq|%|puffs?|tab(?:let)?s?|cap(?:sule)?s?|drops?|sprays?|patch(?:es)?|milliliters?)(?![a-z])",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    rf"(?P<value>{_NUMBER})\s?-?(?P<unit>mgs?|mcgs?|g|units?|ml|meq|(?:milli|micro)?grams?)(?: (?:tab\w*|cap\w*))?"
    r"(?: of)? (?:[\w-]+ \()?$",
    re.IGNORECASE,
)
_TO = re.compile(
    r"^,?\s*(?:(?:up )?to|through|thru|until|till|-|–|—)\s*(?:the\s)?"
    r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s*)?$",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"\bbetween (?:\w+,? )?$", re.IGNORECASE)
_DOSE_REACH = 60  # characters from a drug to its dose


def ages(text: str) -> Iterator[Mention]:
    """Ages in years (months, weeks and days rounded down); an age at which something happened is `past`."""
    for found in _AGES.finditer(text):
        said = (found["n"] or found["m"] or found["k"] or found["i"]).lower().replace("  ", " ")
        number = int(said) if said.isdigit() else _WORDS[said]
        if number > 120 or (found["sex"] and not said.isdigit()) or (found["sex"] and found["sex"].islower()):
            continue
        before = text[max(0, found.start() - 40) : found.start()]
        if found["sex"] and _HOT.search(before):
            continue
        years = {"month": number // 12, "week": number // 52, "day": number // 365}.get(
            (found["unit"] or "").lower(), number
        )
        past = bool(found["at"] or _ONSET.search(before))
        yield Mention("age", "", found.start(), found.end(), float(years), "year", "past" if past else "present")


def dates(text: str) -> Iterator[Mention]:
    """Whole dates as ISO text, each with the role that the words before it in its sentence give it, or none."""
    last = Mention("date", "", 0, 0)
    for found in _DATES.finditer(text):
        parts = {key[0]: value for key, value in found.groupdict().items() if value}
        month = parts["m"] if parts["m"].isdigit() else str(1 + [m[:3] for m in _MONTHS].index(parts["m"][:3].lower()))
        year = int(parts["y"]) + (0 if len(parts["y"]) == 4 else 2000 if int(parts["y"]) < 50 else 1900)
        try:
            value = date(year, int(month), int(parts["d"])).isoformat()
        except ValueError:
            continue
        before = text[max(last.end, found.start() - 60) : found.start()]
        before = re.split(r"[.;\n]\s|\d{4}\b", before)[-1]
        places = [(max((m.end() for m in pattern.finditer(before)), default=-1), role) for role, pattern in _ROLES]
        at, role = max(places)
        between = text[max(0, last.start - 30) : last.start] if text[last.end : found.start()].strip() == "and" else ""
        if last.name == "admitted" and (_TO.match(text[last.end : found.start()]) or _BETWEEN.search(between)):
            at, role = 0, "discharged"
        last = Mention("date", role if at >= 0 else "", found.start(), found.end(), value)
        yield last


def measurements(text: str, terms: Sequence[Term]) -> Iterator[Mention]:
    """Values of the vitals and labs among the terms found in a text, and pressures such as 132/78 mmHg."""
    taken = [found.span() for found in _DATES.finditer(text)]
    for found in _PRESSURE.finditer(text):
        near = [t.start for t in terms if t.name == "blood pressure" and 0 <= found.start() - t.end <= 40]
        if not (found["unit"] or near) or not 50 <= int(found["sys"]) <= 300 or not 20 <= int(found["dia"]) <= 200:
            continue
        taken.append(found.span())
        place = (max(near, default=found.start()), found.end())
        yield Mention("vital", "systolic blood pressure", *place, float(found["sys"]), "mmHg")
        yield Mention("vital", "diastolic blood pressure", *place, float(found["dia"]), "mmHg")
    salts = {term.end + 1 for term in terms if term.kind == "medication"}  # alendronate sodium
    named = [term for term in terms if term.kind in ("vital", "lab") and term.name != "blood pressure"]
    named = [term for term in named if term.start not in salts and text[term.end : term.end + 1] != "/"]  # K/uL
    for number, term in enumerate(named):
        until = min([t.start for t in named[number + 1 : number + 2]] + [term.end + 60])
        rest = text[term.end : until]
        if term.name == "height" and (feet := _FEET.search(rest)) and _LINK.match(rest[: feet.start()]):
            inches = 12 * int(feet[1]) + int(feet[2] or 0)
            yield Mention("vital", term.name, term.start, term.end + feet.end(), float(inches), "in")
            continue
        label = _LABEL.match(rest)
        skipped = label.end() if label else moved.end() if (moved := _MOVED.match(rest)) else 0
        value = _VALUE.search(rest, skipped)
        if value is None or not _LINK.match(rest[skipped : value.start()]) or _TAKEN.match(rest[value.end() :]):
            continue
        start, end = term.end + value.start(), term.end + value.end()
        if any(start < last and first < end for first, last in taken):
            continue
        plain = value["value"].replace(",", "")
        digits = len(plain.partition(".")[2])
        kind: Kind = "vital" if term.kind == "vital" else "lab"
        unit = value["unit"] or (label["unit"] if label else "")
        yield Mention(kind, term.name, term.start, end, float(plain), unit, "present", digits)


def doses(text: str, drugs: Sequence[Term]) -> Mapping[int, Mention]:
    """The dose of each drug by the place where the drug begins: the first one before another drug or a new line."""
    found = {}
    for number, drug in enumerate(drugs):
        ends = [t.start for t in drugs[number + 1 : number + 2]] + [drug.end + _DOSE_REACH]
        rest = re.split(r"\n|;|\.\s", text[drug.end : min(ends)])[0]
        before = _BEFORE.search(text[max(0, drug.start - 36) : drug.start])
        if dose := before or _DOSE.search(rest):
            plain = dose["value"].replace(",", "")
            digits = len(plain.partition(".")[2])
            at = max(0, drug.start - 36) if before else drug.end
            found[drug.start] = Mention(
                "medication",
                drug.name,
                at + dose.start(),
                at + dose.end(),
                float(plain),
                dose["unit"],
                "present",
                digits,
            )
    return found


def dose_of(text: str) -> tuple[float, str] | None:
    """A fact's dose, such as "25 mg", as a number and a unit."""
    found = _DOSE.search(text)
    return (float(found["value"].replace(",", "")), found["unit"]) if found else None
