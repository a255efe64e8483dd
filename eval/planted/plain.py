"""How the fourth half, "plain", says things: as hospital clinicians ordinarily write, in sentences. For phrases.py.

Written without sight of the extractor; its whole notes stand in plain_layouts.py.
"""

from __future__ import annotations

INTRO = [
    "{Mr} Baker is {a} {age}-year-old {man}{lead} who presented to our emergency department.",
    "The patient is {a} {age}-year-old {man}{lead} who was brought in by family.",
    "{age}-year-old {man}{lead}, well known to our service.",
    "{A} {age} year old {man}{lead} came to the hospital after feeling unwell at home.",
    "We had the opportunity to care for {Mr} Baker, {a} {age}-year-old {man}{lead}.",
    "{Mr} Baker, who is {age} years old, was seen this morning and looked comfortable.",
    "This pleasant {age}-year-old {man}{lead} was seen today.",
    "{age} y/o {M}{lead} who presented to the ED from home.",
    "Briefly, {he} is {a} {age}-year-old {man}{lead}.",
    "{Mr} Baker, age {age}, is doing well today.",
]
DEMO = [
    "{Mr} Baker, age {age}",
    "Baker, {age}-year-old {sex}",
    "Baker   Age: {age} yrs   Gender: {sex}",
    "Baker ({age} years old, {sex})",
    "Baker, {M}, {age} years",
]
STAY = [
    "{He} was hospitalized here from {adm} until {dis}.",
    "Admission date was {adm} and discharge date was {dis}.",
    "{He} was admitted to the hospital on {adm} and was discharged home on {dis}.",
    "{He} presented on {adm} and was admitted. {He} was discharged to home on {dis}.",
    "Dates of hospitalization: {adm} to {dis}.",
    "{He} was an inpatient on our service between {adm} and {dis}.",
    "{He} was admitted {adm} and was discharged in good condition on {dis}.",
    "After admission on {adm}, {he} improved and was able to leave the hospital on {dis}.",
    "Hospital admission on {adm}, with discharge to home on {dis}.",
    "{He} stayed in the hospital from {adm} to {dis}.",
]
DATES = ["%m/%d/%Y", "%B %-d, %Y", "%a %-m/%-d/%Y", "%b %d, %Y", "%-m-%-d-%Y", "%B %-dth %Y"]
NOUNS = {"male": "man/gentleman/male/Caucasian male", "female": "woman/lady/female/Caucasian female"}
CARRIERS = {
    "problems": [
        "^Past medical history: |{bare}|, |, and |.",
        "^PMH is significant for |{bare}|, |, and |.",
        "^{He} has a past medical history of |{bare}|, |, and |.",
        "^{His} chronic medical problems include |{bare}|, |, and |.",
        "^{He} has a longstanding history of |{bare}|, | and |.",
        "This is a patient with |{x}|, |, and |.",
        "{He} was treated during this stay for |{x}|, |, and |.",
        "Diagnoses: |{bare}|; |; |.",
        "Medical problems addressed this admission included |{x}|, |, and |.",
        "{He} continues to be managed for |{x}|, | and |.",
        "Our overall impression is |{x}|, |, and |.",
        "{He} is under our care for |{x}|, | and |.",
    ],
    "medications": [
        "{His} home medications are |{n} {d} daily|, |, and |.",
        "{He} was discharged home on |{n} {d} by mouth once a day|, |, and |.",
        "{He} remains on |{n} {d} once daily|, |, and |.",
        "Medications on discharge: |{n} {d} tablet PO daily|; |; |.",
        "{He} is currently taking |{n} {d} in the evening|, |, and |.",
        "Current meds: |{n} {d} daily|, |, |.",
        "We have continued |{n} {d} daily|, |, and |.",
        "Medications were reviewed and include |{n} {d} one tablet daily|, |, and |.",
        "{He} should keep taking |{n} {d} every morning|, | and |.",
        "{His} outpatient regimen includes |{d} of {n} daily|, |, and |.",
        "Current outpatient prescriptions: |{n} {d} PO once daily|, |, |.",
    ],
    "allergies": [
        "Known allergies: |{x}|, |, |.",
        "{He} is known to be allergic to |{x}|, | and |.",
        "{He} reports an allergy to |{x}|, | and |.",
        "{His} chart lists an allergy to |{x}|, | and |.",
        "{He} should avoid |{x}|, | and | because of a known allergy.",
        "The patient has a documented allergy to |{x}|, | and to |.",
        "Allergies were reviewed and include |{x}|, | and |.",
    ],
    "vitals": [
        "Vital signs at discharge: |{l} {v}|, |, |.",
        "Vital signs this morning were |{l} {v}|, |, and |.",
        "On examination {his} vital signs included |{l} of {v}|, |, and |.",
        "In the exam room, {his} |{l} {was} {v}|, |, and |.",
        "On exam, |{l} {was} {v}|, |, and |.",
        "Most recent vitals: |{l} {v}|; |; |.",
        "Vitals were checked: |{l} {v}|, |, |.",
        "Nursing staff checked vitals, which showed |{l} of {v}|, |, and |.",
    ],
    "labs": [
        "Labs on discharge: |{l} {v}|, |, |.",
        "Laboratory studies were obtained, with |{l} of {v}|, |, and |.",
        "Pertinent lab results include |{l} of {v}|, |, and |.",
        "On the most recent labs, |{l} {was} {v}|, |, and |.",
        "Labs today: |{l} {v}|, |, |.",
        "Discharge labs were |{l} {v}|, |, and |.",
        "Laboratory results: |{l} {v}|; |; |.",
        "Recent blood work shows |{l} of {v}|, | and |.",
    ],
}
LISTS = ["{i}. {}\n", "- {}\n", "{}\n", "{}, ", "{i}) {}; "]
NONE = {
    "medications": "The patient takes no medications.",
    "allergies": "No known allergies.",
    "labs": "No labs were obtained.",
}
LABELS = {
    "blood pressure": ["blood pressure", "BP", "seated blood pressure"],
    "heart rate": ["pulse", "heart rate", "HR"],
    "respiratory rate": ["respiratory rate", "respirations", "RR"],
    "temperature": ["temperature", "temp", "oral temperature", "T"],
    "oxygen saturation": ["oxygen saturation", "O2 sat", "O2 sats", "SpO2"],
    "weight": ["weight", "discharge weight", "body weight", "Wt"],
    "height": ["height", "Ht", "recorded height"],
    "body mass index": ["BMI", "body mass index", "current BMI"],
    "glucose": ["blood glucose", "glucose", "glucose level", "blood sugar"],
    "hemoglobin A1c": ["hemoglobin A1c", "A1c", "HgbA1c", "HbA1c"],
    "creatinine": ["creatinine", "serum creatinine", "Cr"],
    "urea nitrogen": ["BUN", "blood urea nitrogen (BUN)"],
    "sodium": ["sodium", "serum sodium", "Na"],
    "potassium": ["potassium", "serum potassium", "K"],
    "total cholesterol": ["total cholesterol", "cholesterol", "total cholesterol level"],
    "triglycerides": ["triglycerides", "TG", "serum triglyceride level"],
    "LDL cholesterol": ["LDL", "LDL cholesterol", "LDL-C"],
    "HDL cholesterol": ["HDL", "HDL cholesterol"],
    "hemoglobin": ["hemoglobin", "Hgb", "Hb"],
    "white blood cells": ["white blood cell count", "WBC", "white cell count"],
    "platelets": ["platelet count", "platelets", "plt count"],
}
UNITS = {
    "blood pressure": ["{}/{}", "{}/{} mmHg", "{}/{} mm Hg", "{} over {}"],
    "heart rate": ["{}", "{} bpm", "{} beats per minute"],
    "respiratory rate": ["{}", "{} breaths per minute", "{} breaths/min"],
    "temperature": ["{F} degrees F", "{F}°F", "{F} F", "{}°C", "{F} degrees"],
    "oxygen saturation": ["{}% on room air", "{}% on RA", "{}%"],
    "weight": ["{} kg", "{lb} lbs", "{lb} pounds"],
    "height": ["{} cm", "{ft} ft {in} in", "{ft}'{in}\"", "{inches} inches"],
    "body mass index": ["{}", "{} kg/m2"],
    "glucose": ["{}", "{} mg/dL"],
    "hemoglobin A1c": ["{}%", "{} percent"],
    "white blood cells": ["{}", "{} K/uL", "{thousand}", "{} thousand"],
    "platelets": ["{}", "{} K/uL", "{thousand}", "{} thousand"],
    "sodium": ["{}", "{} mEq/L", "{} mmol/L"],
    "potassium": ["{}", "{} mEq/L", "{} mmol/L"],
    "hemoglobin": ["{}", "{} g/dL"],
    "": ["{}", "{} mg/dL"],
}
