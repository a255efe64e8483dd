"""FHIR R4 out: a clinical record as resources, each tagged as test data (HTEST), and as a Bundle of type collection.

Nobody is named. A record becomes a Patient, an Encounter (two where it has both `seen` and `admitted` or `discharged`),
and a Condition, MedicationStatement, AllergyIntolerance or Observation for each fact; the note is a DocumentReference.
The birth date is made up so that it gives the age on the day of the encounter; where there is no day, the age is an
Observation. A list that is there and empty is a List with the reason why. Ids are made of the record's id and the place
of the fact, so the same record gives the same resources. `inputs/fhir.py` reads all of it back as it was.
"""

from __future__ import annotations

import base64
import math
import re
import uuid
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from textsynth.clinical.codes import AGE, LISTS, SOURCE, SYSTEMS, UCUM, UCUM_OF, VITAL_NAMED

FACTS = ("age", "sex", "admitted", "discharged", "seen", *LISTS, "note")
_BASE = "http://textsynth.invalid/fhir"  # no server: what `Patient/ID` is relative to in a bundle
_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, _BASE)
_TERMS = "http://terminology.hl7.org/CodeSystem"
_TEST = {"system": f"{_TERMS}/v3-ActReason", "code": "HTEST", "display": "test health data"}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_CODE = re.compile(r"\S+(\s\S+)*")
_KEYS = {
    "problems": {"name", "code", "system"},
    "medications": {"name", "dose", "code", "system"},
    "allergies": {"name", "code", "system"},
    "vitals": {"name", "value", "unit"},
    "labs": {"name", "value", "unit", "code"},
}
Fields = Mapping[str, Any]
Body = dict[str, Any]


def bundle_of(record_id: str, fields: Fields) -> Body:
    """The record's resources as one Bundle."""
    made = resources_of(record_id, fields)[0]
    entries = [{"fullUrl": f"{_BASE}/{one['resourceType']}/{one['id']}", "resource": one} for one in made]
    return {"resourceType": "Bundle", **_identity(record_id, ""), "type": "collection", "entry": entries}


def resources_of(record_id: str, fields: Fields) -> tuple[list[Body], list[str]]:
    """The record's resources, Patient first; and the fields, or keys of them, that have no place there."""
    writer = _Writer(record_id, {name: value for name, value in fields.items() if value is not None})
    writer.patient_and_stay()
    for name in LISTS:
        writer.facts(name)
    writer.note()
    return writer.made, list(dict.fromkeys(writer.lost))


def _identity(record_id: str, path: str) -> Body:
    made = str(uuid.uuid5(_SPACE, f"{record_id}#{path}"))
    return {"id": made, "meta": {"source": SOURCE, "security": [_TEST]}}


class _Writer:
    """Writes one record. `lost` are names of fields that have no place, or whose value FHIR cannot hold."""

    def __init__(self, record_id: str, fields: Fields) -> None:
        self.made: list[Body] = []
        self.lost = [name for name in fields if name not in FACTS]
        self._id, self._fields = record_id, fields
        days = {name: fields.get(name) for name in ("admitted", "discharged", "seen")}
        self.lost += [name for name, day in days.items() if day is not None and not _is_day(day)]
        self._days = {name: day for name, day in days.items() if _is_day(day)}
        ends = [self._days.get("seen"), self._days.get("discharged", self._days.get("admitted"))]
        self._then = max(filter(None, ends), default=None)

    def _add(self, kind: str, path: str, body: Body) -> str:
        one = {"resourceType": kind, **_identity(self._id, path), **body}
        self.made.append(one)
        return f"{kind}/{one['id']}"

    def patient_and_stay(self) -> None:
        sex, age, born = self._fields.get("sex"), self._fields.get("age"), None
        if sex not in (None, "female", "male", "other"):
            self.lost.append("sex")
            sex = None
        if age is not None and not _is_number(age, int):
            self.lost.append("age")
        elif age is not None and self._then:
            born = _birth_date(self._id, age, date.fromisoformat(self._then))
        known = {"gender": sex, "birthDate": born}
        patient = self._add("Patient", "/", {name: value for name, value in known.items() if value})
        self._about = {"subject": {"reference": patient}}
        self._stay()
        if _is_number(age, int) and born is None:
            quantity = {"value": age, "unit": "years", "system": UCUM, "code": "a"}
            self._observation("/age", {"code": _concept("Age", AGE, "LOINC"), "valueQuantity": quantity})

    def _stay(self) -> None:
        """The stay in a hospital, and the visit; a visit beside a stay is part of it."""
        days = (("start", self._days.get("admitted")), ("end", self._days.get("discharged")))
        inside = {name: day for name, day in days if day}
        stay = self._encounter("/admitted", "IMP", inside) if inside else None
        seen = self._days.get("seen")
        if seen or stay is None:
            visit = self._encounter("/seen", "AMB", {"start": seen, "end": seen} if seen else {}, stay)
        self._at = {"reference": stay or visit}

    def _encounter(self, path: str, kind: str, period: Body, whole: str | None = None) -> str:
        body = {"status": "finished", "class": _coding("v3-ActCode", kind), **self._about}
        body |= ({"period": period} if period else {}) | ({"partOf": {"reference": whole}} if whole else {})
        return self._add("Encounter", path, body)

    def facts(self, name: str) -> None:
        """The facts of a list, in their order."""
        facts = self._fields.get(name)
        if facts == []:
            self._empty(name)
        for at, fact in enumerate(facts if isinstance(facts, list) else () if facts is None else (facts,)):
            if not isinstance(fact, Mapping) or not _is_text(fact.get("name")) or not isinstance(facts, list):
                self.lost.append(f"{name}[]")
                continue
            unfit = {key for key, value in fact.items() if key not in _KEYS[name] or not _fits(key, value)}
            self.lost += [f"{name}[].{key}" for key in fact if key in unfit]
            kept = {key: value for key, value in fact.items() if key not in unfit}
            self._fact(name, f"/{name}/{at}", kept)

    def _fact(self, name: str, path: str, fact: Body) -> None:
        concept = _concept(fact["name"], fact.get("code"), fact.get("system"))
        if name == "problems":
            known = {"clinicalStatus": _term("condition-clinical", "active")}
            known |= {"verificationStatus": _term("condition-ver-status", "confirmed"), "code": concept}
            self._add("Condition", path, known | {**self._about, "encounter": self._at})
        elif name == "allergies":
            known = {"clinicalStatus": _term("allergyintolerance-clinical", "active")}
            known |= {"verificationStatus": _term("allergyintolerance-verification", "confirmed"), "code": concept}
            self._add("AllergyIntolerance", path, known | {"patient": self._about["subject"], "encounter": self._at})
        elif name == "medications":
            dose = {"dosage": [{"text": fact["dose"]}]} if "dose" in fact else {}
            taken = {"status": "active", "medicationCodeableConcept": concept, **self._about, "context": self._at}
            self._add("MedicationStatement", path, taken | dose)
        elif "value" not in fact:
            self.lost.append(f"{name}[].value")
        else:
            vital = VITAL_NAMED.get(fact["name"].lower()) if name == "vitals" else None
            loinc = vital.loinc[0] if vital else fact.get("code")
            category = {
                "coding": [_coding("observation-category", "vital-signs" if name == "vitals" else "laboratory")]
            }
            coded = {"category": [category], "code": _concept(fact["name"], loinc, "LOINC" if loinc else None)}
            self._observation(path, coded | {"valueQuantity": _quantity(fact)})

    def _observation(self, path: str, body: Body) -> None:
        dated = {"effectiveDateTime": self._then} if self._then else {}
        self._add("Observation", path, {"status": "final", **body, **self._about, "encounter": self._at, **dated})

    def _empty(self, name: str) -> None:
        reason = "notstarted" if name in ("vitals", "labs") else "nilknown"
        code = {"coding": [{"system": SYSTEMS["LOINC"], "code": LISTS[name]}], "text": name}
        body = {
            "status": "current",
            "mode": "snapshot",
            "code": code,
            "emptyReason": _term("list-empty-reason", reason),
        }
        self._add("List", f"/{name}", body | {**self._about, "encounter": self._at})

    def note(self) -> None:
        """The text, as a document."""
        text = self._fields.get("note")
        if text is None:
            return
        try:
            data = base64.b64encode(text.encode()).decode()
        except (AttributeError, UnicodeEncodeError):
            data = ""
        if not data:
            self.lost.append("note")
            return
        attachment = {"contentType": "text/plain; charset=utf-8", "data": data}
        kind = {"coding": [{"system": SYSTEMS["LOINC"], "code": "34109-9", "display": "Note"}], "text": "Note"}
        body = {"status": "current", "type": kind, **self._about, "content": [{"attachment": attachment}]}
        self._add("DocumentReference", "/note", body | {"context": {"encounter": [self._at]}})


def _birth_date(record_id: str, age: int, then: date) -> str | None:
    """A day on which one is born who is that old then; not always on a birthday. None where the calendar ends."""
    try:
        year = then.year - age
        anchor = then.replace(year=year, day=min(then.day, 28) if then.month == 2 else then.day)
        born = anchor - timedelta(days=uuid.uuid5(_SPACE, record_id).int % 360)
        is_so = then.year - born.year - ((then.month, then.day) < (born.month, born.day)) == age >= 0
    except (ValueError, OverflowError):
        return None
    return born.isoformat() if is_so else None


def _concept(text: str, code: str | None, system: str | None) -> Body:
    coding = ({"system": SYSTEMS[system]} if system else {}) | ({"code": code} if code else {})
    return {"text": text} | ({"coding": [coding]} if coding else {})


def _coding(system: str, code: str) -> Body:
    return {"system": f"{_TERMS}/{system}", "code": code}


def _term(system: str, code: str) -> Body:
    return {"coding": [_coding(system, code)]}


def _quantity(fact: Body) -> Body:
    """A value with its unit as the fact has it, and as UCUM where that is known; `1` is UCUM's for no unit."""
    unit = fact.get("unit")
    ucum = "1" if unit == "" else UCUM_OF.get(unit or "")
    coded = {"system": UCUM, "code": ucum} if ucum else {}
    return {"value": fact["value"]} | ({"unit": unit} if unit else {}) | coded


def _is_day(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(_DAY.fullmatch(value)) and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    """Whether FHIR's type string can hold it: not blank, and of white space only blanks, tabs and line ends."""
    if not isinstance(value, str) or not value.strip():
        return False
    return all(c in "\t\n\r " or not (c.isspace() or ord(c) < 32 or 0xD800 <= ord(c) < 0xE000) for c in value)


def _fits(key: str, value: Any) -> bool:
    if key == "value":
        return (_is_number(value, int) or _is_number(value, float)) and math.isfinite(value)
    if key == "system":
        return isinstance(value, str) and value in SYSTEMS
    if key == "code":
        return _is_text(value) and bool(_CODE.fullmatch(value))
    return _is_text(value) or (key == "unit" and value == "")
