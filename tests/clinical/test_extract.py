"""What a clinical text states: a table of (text, kind, what holds for the patient now)."""

from __future__ import annotations

import pytest

from textsynth.clinical.extract import extract
from textsynth.clinical.vocabulary import built_in_vocabulary

KNOWN = built_in_vocabulary().with_names(
    [
        ("problem", "Fracture of forearm"),
        ("problem", "Neuropathy due to type 2 diabetes mellitus (disorder)"),
        ("problem", "Acute gizmosis"),
        ("medication", "Metformin hydrochloride"),
        ("allergy", "Allergy to peanuts"),
    ]
)


def said(text: str, kind: str, status: str = "present") -> list[object]:
    """Names, or values where there is no name, of the mentions of a kind."""
    found = [m for m in extract(text, KNOWN) if m.kind == kind and m.status == status]
    return [m.value if kind in ("age", "sex", "date", "side") else m.name for m in found]


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("A 54-year-old man.", [54.0]),
        ("54 y/o M with cough", [54.0]),
        ("54F presents", [54.0]),
        ("a fifty-four year old woman", [54.0]),
        ("aged 54", [54.0]),
        ("Age: 54", [54.0]),
        ("an 18 month old boy", [1.0]),
        ("a 6-week-old girl", [0.0]),
        ("Temp 98.6 F, BP 120/80", []),
        ("Patient: Baker, F, 56 years", [56.0]),
        ("54 years, female, with cough", [54.0]),
        ("She is 54 and works as a nurse.", [54.0]),
        ("Temp 98 F, 72 bpm", []),
        ("Her mother is 81 years old.", []),
        ("diagnosed at age 45", []),
        ("She had pneumonia at age 10.", []),
        ("150 mg daily", []),
    ],
)
def test_ages(text: str, years: list[float]) -> None:
    assert said(text, "age") == years


@pytest.mark.parametrize(
    ("text", "sexes"),
    [
        ("A 54-year-old woman.", {"female"}),
        ("54M with cough", {"male"}),
        ("He was seen today.", {"male"}),
        ("The patient lives with her husband.", {"female"}),
        ("Sex: F", {"female"}),
        ("Patient: Baker, F, 56 years", {"female"}),
        ("Seen with the brother. He drives.", set()),
        ("The patient feels well.", set()),
    ],
)
def test_sexes(text: str, sexes: set[str]) -> None:
    assert set(said(text, "sex")) == sexes


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Admitted on 03/14/2019, left 17 March 2019.", [("admitted", "2019-03-14"), ("", "2019-03-17")]),
        ("Discharged 17 March 2019.", [("discharged", "2019-03-17")]),
        ("Date of service: 2019-03-14", [("seen", "2019-03-14")]),
        ("Discharge date March 3rd, 2020", [("discharged", "2020-03-03")]),
        ("On 14-Mar-2019 she fell.", [("", "2019-03-14")]),
        ("BP 130/80 on 13/45/2019", []),
        ("She was released home with family on 03/17/2019.", [("discharged", "2019-03-17")]),
        ("His hospital stay was from 3/14/2019 to Sunday, 3/17/2019.",
         [("admitted", "2019-03-14"), ("discharged", "2019-03-17")]),
        ("Hospitalized between 3/14/2019 and 3/17/2019.", [("admitted", "2019-03-14"), ("discharged", "2019-03-17")]),
    ],
)  # fmt: skip
def test_dates(text: str, found: list[tuple[str, str]]) -> None:
    assert [(m.name, m.value) for m in extract(text, KNOWN) if m.kind == "date"] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("BP 132/78, HR 88", {"systolic blood pressure": 132, "diastolic blood pressure": 78, "heart rate": 88}),
        ("blood pressure of 132 over 78", {"systolic blood pressure": 132, "diastolic blood pressure": 78}),
        ("pulse was 88 beats per minute, respirations 16", {"heart rate": 88, "respiratory rate": 16}),
        ("T 37.2 C, SpO2 97% on room air", {"temperature": 37.2, "oxygen saturation": 97}),
        ("Creatinine elevated at 1.4 mg/dL; WBC 11.2", {"creatinine": 1.4, "white blood cell count": 11.2}),
        ("Hemoglobin A1c 7.2%, hemoglobin 12.1", {"hemoglobin a1c": 7.2, "hemoglobin": 12.1}),
        ("platelets 250,000", {"platelet count": 250000}),
        ("height 5'7\"", {"height": 67}),
        ("HgbA1c was 5.9 percent", {"hemoglobin a1c": 5.9}),
        ("Creatinine improved from 2.4 to 1.2", {"creatinine": 1.2}),
        ("Her LDL two years ago was 115.", {}),
        ("We would like to keep his blood pressure under 135/85.", {}),
        ("Call for any temperature of 100.4 F or higher.", {}),
        ("Magnesium 400 mg daily", {}),
        ("She used to weigh 204 lb.", {}),
        ("At an outside clinic in 2009, her glucose was 162.", {}),
        ("In 2009 her A1c was 9.1%; now the A1c is 7.2%", {"hemoglobin a1c": 7.2}),
        ("Her highest A1c was 11.2%.", {}),
        ("Baseline creatinine 1.9; now the creatinine is 1.4", {"creatinine": 1.4}),
    ],
)
def test_measurements(text: str, found: dict[str, float]) -> None:
    now = {m.name: m.value for m in extract(text, KNOWN) if m.kind in ("vital", "lab") and m.status == "present"}
    assert now == found


@pytest.mark.parametrize(
    ("text", "present"),
    [
        ("History of HTN and high cholesterol.", ["hypertension", "hypercholesterolemia"]),
        ("Forearm fracture.", ["fracture of forearm"]),
        ("fracture of the left forearm", ["fracture of forearm"]),
        ("diabetic neuropathy", ["neuropathy due to type 2 diabetes mellitus"]),
        ("type II diabetic neuropathy", ["neuropathy due to type 2 diabetes mellitus"]),
        ("Acute gizmosis was treated.", ["acute gizmosis"]),
        ("No history of diabetes.", []),
        ("She denies any asthma, gout, or stroke.", []),
        ("He denies chest pain but has asthma.", ["asthma"]),
        ("Pneumonia was ruled out.", []),
        ("Asthma: none", []),
        ("neither gout nor asthma", []),
        ("Family History: father with gout.\n\nAssessment: asthma", ["asthma"]),
        ("Her mother has asthma, and she has gout.", ["gout"]),
        ("gout in his father", []),
        ("appendicitis in 1998", []),
        ("asthma, 1998", []),
        ("asthma, 2018-09-10", ["asthma"]),
        ("s/p stroke", []),
        ("possible pneumonia versus COPD", []),
        ("Return if you have signs of sepsis.", []),
        ("no pain from the forearm fracture", ["fracture of forearm"]),
        ("no change in her asthma", ["asthma"]),
        ("mi casa", []),
        ("He has no known history of gout.", []),
        ("We found no indication of gout.", []),
        ("Testing for gout came back negative.", []),
        ("Testing for gout came back positive.", ["gout"]),
        ("His presentation raised the question of gout.", []),
        ("Gout could not be completely excluded.", []),
        ("Gout is a consideration if her symptoms return.", []),
        ("The differential at presentation was gout versus asthma.", []),
        ("He will be tested for gout as an outpatient.", []),
        ("In 2010, she was treated for gout, and it has not come back.", []),
        ("One bout of gout circa 1992, over now.", []),
        ("gout diagnosed in 2010", ["gout"]),
        ("There is gout on his mother's side of the family.", []),
        ("Call if she has signs of pneumonia or gout.", []),
        ("She was offered a flu shot, a diabetes diet and the asthma clinic.", []),
        ("Mother reports that the asthma is worse.", ["asthma"]),
        ("a forearm fracture (closed)", ["fracture of forearm"]),
        ("Sinusitis, chronic", ["chronic sinusitis"]),
        ("asthma, chronic sinusitis", ["asthma", "chronic sinusitis"]),
        ("chronic inflammation of the sinuses", ["chronic sinusitis"]),
        ("neuropathy from T2DM", ["neuropathy due to type 2 diabetes mellitus"]),
        ("torn meniscus in the knee", ["tear of meniscus of knee"]),
        ("vitamin B12 deficiency", ["vitamin b12 deficiency"]),
        ("acute MI", ["myocardial infarction"]),
        ("Gout was on our list of possibilities.", []),
        ("We thought about gout, although it seems improbable.", []),
        ("We cannot yet say whether she has gout.", []),
        ("Gout and pseudogout remain possible but are less likely.", []),
        ("Asthma is likely due to allergies.", ["asthma"]),
        ("We do not think she has lupus.", []),
        ("Findings are not typical of gout.", []),
        ("He does not complain of tinnitus.", []),
        ("There was nothing to indicate gout.", []),
        ("Preventive measures against bedsores were used.", []),
        ("Warning signs such as seizures were discussed.", []),
        ("Handout on lupus was given.", []),
        ("As a teenager, he had pneumonia.", []),
        ("She was diagnosed with gout in 2009.", ["gout"]),
        ("She was diagnosed with gout in 2009, since resolved.", []),
        ("Lupus affected her mother.", []),
        ("acute pharyngitis of viral cause", ["acute viral pharyngitis"]),
        ("dementia due to Alzheimer's disease", ["alzheimer's disease"]),
    ],
)
def test_problems_of_the_patient_now(text: str, present: list[str]) -> None:
    assert said(text, "problem") == present


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("metformin 500 mg twice daily and Lasix 40mg", [("metformin", 500.0, "mg"), ("furosemide", 40.0, "mg")]),
        ("Continue levothyroxine 75 mcg.", [("levothyroxine", 75.0, "mcg")]),
        ("stopped lisinopril 10 mg", []),
        ("no longer takes warfarin", []),
        ("She is not currently on warfarin.", []),
        ("no bleeding on warfarin", [("warfarin", None, "")]),
        ("Do not stop warfarin.", [("warfarin", None, "")]),
        ("digoxin level and warfarin toxicity", []),
        ("Stop taking:\n- warfarin\n", []),
        ("325 mg of iron (ferrous sulfate) daily", [("ferrous sulfate", 325.0, "mg")]),
        ("Medications and allergies: He takes aspirin 81 mg.", [("aspirin", 81.0, "mg")]),
        ("Allergies: penicillin", []),
        ("allergic to sulfa drugs", []),
        ("newly on zolvapril 5 mg", [("zolvapril", 5.0, "mg")]),
        ("aspirin", [("aspirin", None, "")]),
        ("She had side effects on warfarin, so it was stopped.", []),
        ("Please remove warfarin from her medication list.", []),
        ("Warfarin made him bleed, so he stopped taking it.", []),
        ("Warfarin (stopped)", []),
        ("She was switched from lisinopril to losartan 50 mg.", [("losartan", 50.0, "mg")]),
        ("aspirin 81 mg, no known allergies", [("aspirin", 81.0, "mg")]),
    ],
)
def test_drugs_taken_now_with_their_doses(text: str, found: list[tuple[str, float | None, str]]) -> None:
    now = [m for m in extract(text, KNOWN) if m.kind == "medication" and m.status == "present"]
    assert [(m.name, m.value, m.unit) for m in now] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Allergies: penicillin and peanuts.", ["penicillin", "peanuts"]),
        ("She is allergic to shellfish.", ["shellfish"]),
        ("Allergies: NKDA", ["none"]),
        ("He denies any drug or food allergies.", ["none"]),
        ("Allergies: none known", ["none"]),
        ("Has allergic reactions to codeine.", ["codeine"]),
        ("Cannot have codeine because of allergy.", ["codeine"]),
        ("an allergy to molds and soy", ["mold", "soy"]),
        ("Allergies: pollen from grass", ["grass pollen"]),
        ("She takes penicillin.", []),
    ],
)
def test_allergies(text: str, found: list[str]) -> None:
    assert said(text, "allergy") == found


def test_a_sided_problem_has_its_side() -> None:
    (found,) = (m for m in extract("a right forearm fracture", KNOWN) if m.kind == "problem")
    assert found.value == "right"


@pytest.mark.parametrize("text", ["", " ", "\n\n", "...", "🙂" * 50, "A" * 5000, "1/2/3/4", "no " * 3000])
def test_odd_texts_say_nothing(text: str) -> None:
    assert [m for m in extract(text, KNOWN) if m.kind != "side"] == []
