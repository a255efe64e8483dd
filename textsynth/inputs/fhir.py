"""FHIR R4 in: bundles, or resources of a bulk export, to one row of facts a patient.

Read are Patient, Encounter, Condition, MedicationRequest, MedicationStatement, AllergyIntolerance, Observation, and the
plain texts of DocumentReference and DiagnosticReport; other resources have no facts. They become the data of a patient
that `inputs/facts.py` reads. What textsynth wrote (`outputs/fhir.py` marks it) is read as it stands.

What is no FHIR, is of another version, or refers to nothing is left out and counted; the rest goes on.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from textsynth.clinical.codes import AGE, LISTS, SOURCE, SYSTEM_OF, SYSTEMS
from textsynth.inputs.facts import facts_of
from textsynth.inputs.left_out import LeftOut

Row = dict[str, Any]
Resource = Mapping[str, Any]
Placed = Iterable[tuple[str, Any]]  # resources, each with its place for messages
_TYPE = re.compile(r"[A-Z][A-Za-z]+")
_VERSION = re.compile(r"hl7\.org/fhir/(DSTU2|STU3|R\d+B?|\d+\.\d+)/|hl7\.org/fhir/StructureDefinition/\w+\|(\d+\.\d+)")
_FLATTENED = {"birth_date", "conditions", "medications", "encounters"}
_ERRORS = {"entered-in-error", "refuted", "cancelled", "not-done"}


def rows_in(row: Row, where: str, left_out: LeftOut) -> Iterator[Row]:
    """A row of a file: of a bundle (the row itself, or under the key `bundle`) or a flattened patient the facts.

    Any other row stays as it is.
    """
    if row.get("resourceType") == "Bundle":
        yield from rows_of_bundle(row, where, left_out)
    elif isinstance(row.get("bundle"), Mapping):
        beside = {name: value for name, value in row.items() if name != "bundle"}
        yield from ({**beside, **facts} for facts in rows_of_bundle(row["bundle"], where, left_out))
    elif row.keys() >= _FLATTENED:
        yield facts_of(row, left_out, where)
    else:
        yield row


def rows_of_bundle(bundle: Any, where: str, left_out: LeftOut) -> Iterator[Row]:
    """The facts of each patient of a bundle."""
    entries = _at(bundle, "entry")
    if _at(bundle, "resourceType") != "Bundle":
        left_out.add("a bundle that is none", where)
        return
    resources, aliases = list[tuple[str, Any]](), dict[str, str]()
    for number, entry in enumerate(_list(entries), 1):
        resource, place = _at(entry, "resource"), f"{where} entry {number}"
        if isinstance(entry, dict) and "resource" not in entry:  # such as a request to delete one
            continue
        if isinstance(resource, dict) and (url := _text(_at(entry, "fullUrl"))):
            resource = {"id": _tail(url), **resource}
            aliases[_tail(url)] = str(resource["id"])
        resources.append((place, resource))
    if any(_is_old(resource) for _, resource in (*resources, ("", bundle))):
        left_out.add("a bundle of another version of FHIR than R4", where)
        return
    if not any(_at(resource, "resourceType") == "Patient" for _, resource in resources):
        left_out.add("a bundle without a patient", where)
        return
    yield from rows_of_resources(resources, left_out, aliases)


def rows_of_resources(resources: Placed, left_out: LeftOut, aliases: Mapping[str, str] | None = None) -> Iterator[Row]:
    """The facts of each patient among resources in any order; all are kept in memory until the last is read.

    Args:
        aliases: ids that references use -> ids of resources.
    """
    pool = _Pool(left_out, aliases or {})
    for place, resource in resources:
        pool.add(place, resource)
    for place, patient in pool.patients():
        yield facts_of(patient, left_out, place)


class _Pool:
    """Resources that belong together, by what they refer to."""

    def __init__(self, left_out: LeftOut, aliases: Mapping[str, str]) -> None:
        self._left_out, self._aliases = left_out, aliases
        self._people: dict[str, tuple[str, Row]] = {}
        self._doubtful: set[str] = set()
        self._others: dict[tuple[str, str], tuple[str, Resource]] = {}

    def add(self, place: str, resource: Any) -> None:
        """Take in what facts may come from."""
        kind = _text(_at(resource, "resourceType"))
        if kind is None or not _TYPE.fullmatch(kind):
            self._left_out.add("a resource that is no FHIR", place)
        elif _is_old(resource):
            self._left_out.add("a resource of another version of FHIR than R4", place)
        elif kind == "Patient":
            patient_id, patient = str(resource.get("id") or place), _patient(resource)
            first = self._people.setdefault(patient_id, (place, patient))[1]
            if first["birth_date"] != patient["birth_date"] or isinstance(resource.get("birthDate"), list):
                self._doubtful.add(patient_id)
        elif kind in _READERS or kind == "Medication":
            self._others[kind, str(resource.get("id") or place)] = (place, resource)

    def patients(self) -> Iterator[tuple[str, Row]]:
        """The data of each patient, once all is in."""
        for patient_id in (one for one in self._people if one in self._doubtful):
            self._left_out.add("a patient with two birth dates", self._people[patient_id][0])
        for (kind, _), (place, resource) in self._others.items():
            said = {_text(resource.get("status")), _code(resource, "verificationStatus")}
            if kind != "Medication" and not said & _ERRORS:
                self._assign(kind, place, resource)
        for patient_id, found in self._people.items():
            if patient_id not in self._doubtful:
                yield found

    def _assign(self, kind: str, place: str, resource: Resource) -> None:
        """Put what a resource says into the data of the patient whom it is about."""
        subject = self._target(resource.get("subject") or resource.get("patient"))
        if subject not in self._people:
            self._left_out.add("a resource that refers to no patient who is there", place)
            return
        visit = self._target(resource.get("encounter") or resource.get("context"))
        if visit and ("Encounter", visit) not in self._others:
            self._left_out.add("a reference to an encounter that is not there", place)
            visit = ""
        if "medicationReference" in resource:
            if (concept := self._medication(resource)) is None:
                self._left_out.add("a reference to a medication that is not there", place)
                return
            resource = {**resource, "medicationCodeableConcept": concept}
        _READERS[kind](resource, self._people[subject][1], visit, place, self._left_out)

    def _target(self, reference: Any) -> str:
        """The id of what is referred to; empty where there is no reference."""
        tail = _tail(_text(_at(reference, "reference")) or "")
        return self._aliases.get(tail, tail)

    def _medication(self, resource: Resource) -> Any:
        reference = resource["medicationReference"]
        inside = [
            one for one in _list(resource.get("contained")) if f"#{_at(one, 'id')}" == _at(reference, "reference")
        ]
        key = ("Medication", self._target(reference))
        return _at(inside[0] if inside else self._others.get(key, ("", None))[1], "code")


def _patient(resource: Resource) -> Row:
    name, address = _at(resource, "name", 0), _at(resource, "address", 0)
    return {
        "patient_id": _text(resource.get("id")),
        "given": [given for given in _list(_at(name, "given")) if _text(given)],
        "family": _text(_at(name, "family")),
        "birth_date": _text(resource.get("birthDate")),
        "gender": resource.get("gender"),
        "city": _text(_at(address, "city")),
        "state": _text(_at(address, "state")),
        "postal_code": _text(_at(address, "postalCode")),
        "as_written": _at(resource, "meta", "source") == SOURCE,
    }


def _encounter(resource: Resource, patient: Row, _visit: str, _place: str, _left_out: LeftOut) -> None:
    whole = _text(_at(resource, "partOf", "reference"))
    patient.setdefault("encounters", []).append({
        "id": resource.get("id"), "class": _at(resource, "class", "code"), "part_of": _tail(whole) if whole else None,
        "start": _at(resource, "period", "start"), "end": _at(resource, "period", "end"),
    })  # fmt: skip


def _condition(resource: Resource, patient: Row, _visit: str, place: str, left_out: LeftOut) -> None:
    onset = resource.get("onsetDateTime") or _at(resource, "onsetPeriod", "start") or resource.get("recordedDate")
    abated = resource.get("abatementDateTime") or _at(resource, "abatementPeriod", "end")
    dated = {"onset": onset, "abated": abated, "status": _code(resource, "clinicalStatus")}
    _add(patient, "conditions", resource.get("code"), dated, place, left_out)


def _allergy(resource: Resource, patient: Row, _visit: str, place: str, left_out: LeftOut) -> None:
    dated = {"onset": resource.get("recordedDate"), "status": _code(resource, "clinicalStatus")}
    _add(patient, "allergies", resource.get("code"), dated, place, left_out)


def _medication(resource: Resource, patient: Row, _visit: str, place: str, left_out: LeftOut) -> None:
    if _text(resource.get("intent")) in ("proposal", "plan", "option"):
        return
    begun = resource.get("authoredOn") or resource.get("effectiveDateTime") or _at(resource, "effectivePeriod", "start")
    # The text of a dosage is a dose only where we wrote it; elsewhere it says how and when to take it.
    dose = _at(resource, "dosage", 0, "text") if patient["as_written"] else None
    rest = {"status": resource.get("status"), "authored": begun, "ended": _at(resource, "effectivePeriod", "end")}
    _add(patient, "medications", resource.get("medicationCodeableConcept"), rest | {"dose": dose}, place, left_out)


def _observation(resource: Resource, patient: Row, visit: str, place: str, left_out: LeftOut) -> None:
    codes = [_at(category, "coding", 0, "code") for category in _list(resource.get("category"))]
    known = [code for code in codes if code in ("vital-signs", "laboratory")]
    moment = resource.get("effectiveDateTime") or _at(resource, "effectivePeriod", "start") or resource.get("issued")
    parts = [part for part in _list(resource.get("component")) if isinstance(part, Mapping)]
    for part in parts or [resource]:
        quantity = part.get("valueQuantity")
        if _at(part, "code", "coding", 0, "code") == AGE:
            patient["age"] = _at(quantity, "value")
        elif known and quantity is not None:
            unit = _at(quantity, "unit") if patient["as_written"] else _at(quantity, "code") or _at(quantity, "unit")
            unit = "" if patient["as_written"] and _at(quantity, "code") == "1" else unit
            value = None if _at(quantity, "comparator") else _at(quantity, "value")
            rest = {"date": moment, "visit": visit, "category": known[0], "value": value, "unit": unit}
            _add(patient, "observations", part.get("code"), rest, place, left_out)


def _note(resource: Resource, patient: Row, _visit: str, place: str, left_out: LeftOut) -> None:
    attachments = [_at(content, "attachment") for content in _list(resource.get("content"))]
    for attachment in [*attachments, *_list(resource.get("presentedForm"))]:
        data, kind = _text(_at(attachment, "data")), str(_at(attachment, "contentType") or "")
        if data is None or not kind.startswith("text/plain"):
            continue
        try:
            text = base64.b64decode(data, validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            left_out.add("a note that is no base64 of UTF-8 text", place)
            continue
        moment = resource.get("date") or resource.get("effectiveDateTime") or resource.get("issued")
        patient.setdefault("notes", []).append({"text": text, "date": moment})


def _empty(resource: Resource, patient: Row, _visit: str, _place: str, _left_out: LeftOut) -> None:
    found = next((name for name, loinc in LISTS.items() if loinc == _at(resource, "code", "coding", 0, "code")), None)
    if found and "emptyReason" in resource:
        patient.setdefault("empty", []).append(found)


_READERS: Mapping[str, Callable[[Resource, Row, str, str, LeftOut], None]] = {
    "Encounter": _encounter,
    "Condition": _condition,
    "MedicationRequest": _medication,
    "MedicationStatement": _medication,
    "AllergyIntolerance": _allergy,
    "Observation": _observation,
    "DocumentReference": _note,
    "DiagnosticReport": _note,
    "List": _empty,
}


def _add(patient: Row, name: str, concept: Any, rest: Row, place: str, left_out: LeftOut) -> None:
    """One more item of a list, with the name and the best code of a CodeableConcept."""
    codings = [coding for coding in _list(_at(concept, "coding")) if isinstance(coding, Mapping)]
    best = {SYSTEMS["LOINC"]} if name == "observations" else SYSTEM_OF
    coding = min(codings, key=lambda one: str(one.get("system")) not in best, default={})
    text = _text(_at(concept, "text")) or next(filter(None, (_text(one.get("display")) for one in codings)), None)
    if text is None:
        left_out.add("a code without a name", place)
        return
    code = {"code": _text(coding.get("code")), "system": _text(coding.get("system"))}
    patient.setdefault(name, []).append({"text": text, **code, **rest, "where": place})


def _is_old(resource: Any) -> bool:
    """Whether it says of itself that it is of another version than R4."""
    told = [_text(_at(resource, "fhirVersion"))]
    for profile in _list(_at(resource, "meta", "profile")):
        if isinstance(profile, str) and (found := _VERSION.search(profile)):
            told.append(found[1] or found[2])
    return any(version and not version.removeprefix("R").startswith("4") for version in told)


def _at(value: Any, *path: str | int) -> Any:
    """What stands at a path of keys and places; nothing where the path leads nowhere."""
    for part in path:
        if isinstance(part, int):
            value = value[part] if isinstance(value, list) and len(value) > part else None
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _code(resource: Resource, name: str) -> str | None:
    return _text(_at(resource, name, "coding", 0, "code"))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _tail(reference: str) -> str:
    """The id that a reference or address ends with."""
    return re.split(r"[/:]", reference.split("/_history/")[0])[-1]
