"""The codes of clinical facts: code systems, vital signs and units, by the names that records have for them.

LOINC codes of vital signs are those of FHIR R4's vital signs profile and what hospitals send in their place; units are
UCUM's (https://ucum.org).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

# Lists of facts, and what FHIR calls a list of them (LOINC).
LISTS = {
    "problems": "11450-4",
    "medications": "10160-0",
    "allergies": "48765-2",
    "vitals": "8716-3",
    "labs": "30954-2",
}
SOURCE = "urn:textsynth"  # meta.source of every resource that textsynth writes

SYSTEMS = {
    "SNOMED CT": "http://snomed.info/sct",
    "ICD-10-CM": "http://hl7.org/fhir/sid/icd-10-cm",
    "ICD-10": "http://hl7.org/fhir/sid/icd-10",
    "ICD-9-CM": "http://hl7.org/fhir/sid/icd-9-cm",
    "RxNorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "NDC": "http://hl7.org/fhir/sid/ndc",
    "ATC": "http://www.whocc.no/atc",
    "UNII": "http://fdasis.nlm.nih.gov",
    "LOINC": "http://loinc.org",
}
_OIDS = {"6.96": "SNOMED CT", "6.90": "ICD-10-CM", "6.103": "ICD-9-CM", "6.88": "RxNorm", "6.69": "NDC", "6.1": "LOINC"}
SYSTEM_OF = {uri: name for name, uri in SYSTEMS.items()} | {
    f"urn:oid:2.16.840.1.113883.{oid}": name for oid, name in _OIDS.items()
}

UCUM = "http://unitsofmeasure.org"
AGE = "30525-0"  # LOINC: age, where there is no date from which a birth date would tell it


class Vital(NamedTuple):
    """A vital sign: its name, LOINC codes (the first is written), unit, decimals on a chart, other names.

    `also` are units that are turned into `unit`: value * factor + offset.
    """

    name: str
    loinc: tuple[str, ...]
    unit: str
    decimals: int
    also: Mapping[str, tuple[float, float]]
    called: tuple[str, ...] = ()


_SAME = (1.0, 0.0)
_RATE = dict.fromkeys(("1/min", "{beats}/min", "{breaths}/min", "beats/min", "breaths/min", "bpm"), _SAME)
_HEAT = dict.fromkeys(("[degF]", "degF", "°F"), (5 / 9, -160 / 9)) | dict.fromkeys(("degC", "°C"), _SAME)
_POUNDS = dict.fromkeys(("[lb_av]", "lb", "lbs"), (0.45359237, 0.0))
VITALS = (
    Vital("systolic blood pressure", ("8480-6",), "mmHg", 0, {}),
    Vital("diastolic blood pressure", ("8462-4",), "mmHg", 0, {}),
    Vital("heart rate", ("8867-4", "8889-8"), "/min", 0, _RATE, ("pulse",)),
    Vital("respiratory rate", ("9279-1",), "/min", 0, _RATE),
    Vital("temperature", ("8310-5", "8331-1", "8332-3", "8328-7", "8333-0"), "Cel", 1, _HEAT,
          ("body temperature", "oral temperature")),
    Vital("oxygen saturation", ("2708-6", "59408-5"), "%", 0, {}),
    Vital("weight", ("29463-7", "3141-9"), "kg", 1, {"g": (0.001, 0.0)} | _POUNDS, ("body weight",)),
    Vital("height", ("8302-2", "8306-3", "3137-7"), "cm", 1, {"m": (100.0, 0.0), "[in_i]": (2.54, 0.0)},
          ("body height", "body length")),
    Vital("body mass index", ("39156-5",), "kg/m2", 1, {}),
    Vital("pain severity", ("72514-3",), "/10", 0, {"{score}": _SAME},
          ("pain severity - 0-10 verbal numeric rating [score] - reported",)),
)  # fmt: skip
VITAL_OF_LOINC = {code: vital for vital in VITALS for code in vital.loinc}
VITAL_NAMED = {name: vital for vital in VITALS for name in (vital.name, *vital.called)}

# Units whose name in a note is not their UCUM code.
_NAMED = {"mmHg": "mm[Hg]", "/10": "{score}", "IU/L": "[IU]/L", "mIU/L": "m[IU]/L", "uIU/mL": "u[IU]/mL",
          "mEq/L": "meq/L", "mL/min/1.73 m2": "mL/min/{1.73_m2}"}  # fmt: skip
_UNCHANGED = """% /min Cel cm fL g/L g/dL kU/L kg kg/m2 mg/L mg/dL mg/g mL mL/min mm/h mmol/L ng/dL ng/mL pg pg/mL s
ug/L ug/dL umol/L U/L 10*3/uL 10*6/uL 10*9/L 10*12/L nmol/L pmol/L mmol/mol"""
UCUM_OF = {unit: unit for unit in _UNCHANGED.split()} | _NAMED
UNIT_OF = {code: unit for unit, code in UCUM_OF.items()} | {"mm Hg": "mmHg", "1": "", "{score}": "", "[pH]": ""}
