"""A patient's data to the facts of a clinical record, as of the last encounter.

The data is what `inputs/fhir.py` makes of a bundle, and what rows of Synthea patients look like: `birth_date`,
`gender`, and lists of `conditions`, `medications`, `allergies`, `encounters` and `observations` (or, for one a name,
`latest_observations`), each with a `text`, its `code` and `system`, and dates.

What counts as a fact:
- problems: conditions that are active at the last encounter. By the tag at the end of a SNOMED name, disorders and
  morphologic abnormalities are problems, and findings that do not speak of schooling, work, housing or social life;
  situations (`History of ...`, `Suspected ...`), persons, procedures and the like are not. Names without a tag are.
- medications that are ordered or taken then; `Hydrochlorothiazide 25 MG Oral Tablet` is hydrochlorothiazide, 25 mg.
- vitals and labs of the last encounter that has any; of several values of one thing the latest.
A number with more than three decimals, as simulations write them, is rounded: a vital sign as a chart has it, a lab
value to three digits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from textsynth.clinical.codes import SYSTEM_OF, SYSTEMS, UNIT_OF, VITAL_NAMED, VITAL_OF_LOINC, Vital
from textsynth.inputs.charted import drug_name, in_unit, is_problem, lab_name, rounded, without_tag
from textsynth.inputs.left_out import LeftOut

Item = Mapping[str, Any]
_MOMENT = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
_GONE = ("resolved", "inactive", "remission")
_TAKEN = ("active", "intended", None)
_NO_LAB = ("{score}", "(score)", "{T-score}", "{nominal}", "{count}")  # of what is no lab, where no category tells


def facts_of(patient: Mapping[str, Any], left_out: LeftOut, where: str) -> dict[str, Any]:
    """The facts of a patient's last encounter, and what names the patient: a row of seeds.

    Args:
        left_out: told of what cannot be used, and where it stands.
    """
    stay = _last_stay(_items(patient, "encounters"))
    observed = [*_named(patient, "observations", left_out, where), *_latest(patient, where)]
    days = [_end(encounter) for encounter in stay] or [_day(o.get("date")) for o in observed]
    then, as_written = max(days, default=""), bool(patient.get("as_written"))
    born = _born(patient, then, left_out, where)
    row: dict[str, Any] = {"age": _age(patient, born, then)}
    row["sex"] = patient.get("gender") if patient.get("gender") in ("female", "male", "other") else None
    row |= _days(stay)
    problems = [c for c in _named(patient, "conditions", left_out, where) if as_written or is_problem(c["text"])]
    drugs = [drug for drug in _named(patient, "medications", left_out, where) if _is_taken(drug, then)]
    allergies = [a for a in _named(patient, "allergies", left_out, where) if _is_active(a, then)]
    lists: dict[str, list[dict[str, Any]]] = {
        "problems": [_coded(problem, left_out, as_written) for problem in problems if _is_active(problem, then)],
        "medications": [_drug(drug, left_out, as_written) for drug in drugs],
        "allergies": [_coded(allergy, left_out, as_written) for allergy in allergies],
        "vitals": [],
        "labs": [],
    }
    for kind, fact in _measured(_of_last_visit(observed), left_out, as_written):
        lists[kind].append(fact)
    known = patient.get("empty", ()) if as_written else lists
    row |= {name: facts if as_written else _once(facts) for name, facts in lists.items() if facts or name in known}
    notes = sorted(_items(patient, "notes"), key=lambda note: str(note.get("date") or ""))
    row["note"] = notes[-1]["text"] if notes else patient.get("note")
    row |= {} if as_written else {**_names(patient), "birth_date": born.isoformat() if born else None}
    return {name: value for name, value in row.items() if value is not None}


def _names(patient: Mapping[str, Any]) -> dict[str, Any]:
    """What names a patient, for fields that are mapped to it, perturbed or left behind."""
    given = patient.get("given")
    found = {"given": " ".join(map(str, given)) if isinstance(given, list) else given}
    found |= {n: patient.get(n) for n in ("family", "city", "state", "postal_code", "patient_id")}
    return {name: value for name, value in found.items() if value}


def _items(patient: Mapping[str, Any], name: str) -> list[Item]:
    found = patient.get(name)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def _named(patient: Mapping[str, Any], name: str, left_out: LeftOut, where: str) -> Iterator[Item]:
    for item in _items(patient, name):
        if isinstance(item.get("text"), str):
            yield {"where": where, **item}
        else:
            left_out.add("a code without a name", where)


def _latest(patient: Mapping[str, Any], where: str) -> Iterator[Item]:
    found = patient.get("latest_observations")
    for name, item in found.items() if isinstance(found, Mapping) else ():
        if isinstance(item, Mapping):
            yield {"text": name, "where": where, **item}


def _day(moment: Any) -> str:
    """The day of a FHIR date or dateTime, or as much as it tells of one; nothing where it is none."""
    found = _MOMENT.match(moment) if isinstance(moment, str) else None
    return found[0] if found else ""


def _end(encounter: Item) -> str:
    return _day(encounter.get("end")) or _day(encounter.get("start"))


def _last_stay(encounters: Sequence[Item]) -> list[Item]:
    """The encounter that began last, with those that it is part of and that are part of it."""
    dated = [e for e in encounters if _day(e.get("start")) or _day(e.get("end"))]
    if not dated:
        return []

    def root(encounter: Item) -> Any:
        return encounter.get("part_of") or encounter.get("id") or id(encounter)

    last = max(enumerate(dated), key=lambda pair: (str(pair[1].get("start") or pair[1].get("end")), pair[0]))[1]
    stay = [encounter for encounter in dated if root(encounter) == root(last)]
    return sorted(stay, key=lambda encounter: bool(encounter.get("part_of")))


def _days(stay: Sequence[Item]) -> dict[str, str]:
    """The whole days of a stay in a hospital, or of a visit."""
    found: dict[str, str] = {}
    for encounter in stay:
        inside = encounter.get("class") in ("IMP", "ACUTE", "NONAC")
        sides = (("admitted", "start"), ("discharged", "end")) if inside else (("seen", "start"),)
        for name, side in sides:
            if len(day := _day(encounter.get(side))) == 10:
                found.setdefault(name, day)
    return found


def _born(patient: Mapping[str, Any], then: str, left_out: LeftOut, where: str) -> date | None:
    """The birth date, where it is one and not after the last encounter."""
    if not (said := patient.get("birth_date")):
        return None
    try:
        born = date.fromisoformat(said)
    except (TypeError, ValueError):
        born = date.max
    if born.isoformat() <= (then or "9999"):
        return born
    left_out.add("a birth date that is no whole date, or lies after the last encounter", where)
    return None


def _age(patient: Mapping[str, Any], born: date | None, then: str) -> int | None:
    """Whole years from the birth date to the last encounter, else what an observation says."""
    if born is None or not then:
        said = patient.get("age")
        return said if isinstance(said, int) else None
    year, month, day = (*map(int, then.split("-")), 1, 1)[:3]
    return year - born.year - ((month, day) < (born.month, born.day))


def _is_active(item: Item, then: str) -> bool:
    onset, abated = _day(item.get("onset")), _day(item.get("abated"))
    if onset and then and onset > then:
        return False
    return not then or abated > then if abated else item.get("status") not in _GONE


def _is_taken(item: Item, then: str) -> bool:
    begun, ended = _day(item.get("authored")), _day(item.get("ended"))
    if begun and then and begun > then:
        return False
    return not then or ended >= then if ended else item.get("status") in _TAKEN


def _coded(item: Item, left_out: LeftOut, as_written: bool) -> dict[str, Any]:
    """A name with its code, where the code's system is known."""
    text, code, uri = str(item["text"]), item.get("code"), item.get("system")
    fact: dict[str, Any] = {"name": text if as_written else without_tag(text)}
    system = SYSTEM_OF.get(str(uri).rstrip("/")) if uri else None
    if uri and system is None:
        left_out.add("a code of a system that is not known", item["where"])
        return fact
    return fact | ({"code": code} if code else {}) | ({"system": system} if system else {})


def _drug(item: Item, left_out: LeftOut, as_written: bool) -> dict[str, Any]:
    fact = _coded(item, left_out, as_written)
    name, dose = (fact.pop("name"), "") if as_written else drug_name(fact.pop("name"))
    dose = item.get("dose") or dose
    return {"name": name} | ({"dose": dose} if dose else {}) | fact


def _of_last_visit(observed: Sequence[Item]) -> list[Item]:
    """The observations of the encounter, and of the day, with the latest one; of each thing the latest."""
    known = [{**o, "kind": kind} for o in observed if (kind := _kind_of(o))]
    last = max(known, key=lambda o: str(o.get("date") or ""), default={})
    day, visit = _day(last.get("date")), last.get("visit")
    at_last = [o for o in known if _day(o.get("date")) == day or (visit and o.get("visit") == visit)]
    latest: dict[Any, str] = {}
    for o in at_last:
        thing = (o["kind"], o["text"])
        latest[thing] = max(latest.get(thing, ""), str(o.get("date") or ""))
    return [o for o in at_last if str(o.get("date") or "") == latest[o["kind"], o["text"]]]


def _kind_of(observation: Item) -> str:
    """`vitals` or `labs`, by category, else by code or name; nothing for what is neither."""
    category = observation.get("category")
    if category == "vital-signs" or (not category and _vital(observation)):
        return "vitals"
    is_lab = category == "laboratory" or (not category and observation.get("unit") not in _NO_LAB)
    return "labs" if is_lab else ""


def _vital(observation: Item) -> Vital | None:
    return VITAL_OF_LOINC.get(str(observation.get("code"))) or VITAL_NAMED.get(observation["text"].lower())


def _measured(observed: Sequence[Item], left_out: LeftOut, as_written: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    for o in observed:
        value, unit, kind, where = o.get("value"), o.get("unit"), o["kind"], o["where"]
        vital = _vital(o) if kind == "vitals" else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            left_out.add("a measurement without a plain number", where)
            continue
        if as_written:
            fact = {"name": o["text"], "value": value} | ({} if unit is None else {"unit": unit})
        elif vital is None:
            name, plain = lab_name(str(o["text"])), UNIT_OF.get(str(unit or ""), unit or "")
            fact = {"name": name, "value": rounded(value), "unit": plain}
        elif (fitting := in_unit(vital, value, str(unit or ""))) is not None:
            fact = {"name": vital.name, "value": fitting, "unit": vital.unit}
        else:
            left_out.add("a vital sign in a unit that does not fit", where)
            continue
        loinc = o.get("code") if kind == "labs" else None
        if loinc and SYSTEM_OF.get(str(o.get("system") or SYSTEMS["LOINC"])) != "LOINC":
            left_out.add("a code of a lab value that is not of LOINC", where)
            loinc = None
        yield kind, fact | ({"code": loinc} if loinc else {})


def _once(facts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The facts without those that repeat an earlier one."""
    return [fact for at, fact in enumerate(facts) if fact not in facts[:at]]
