"""How notes say things, in five halves: developed on "dev", measured on the others. For writer.py.

A carrier is "before|item|between|last|after": what stands around and between the items of one kind; "^" marks one that
only chronic problems go into. `[kind/name:text]` marks text that is no fact of the patient now.
"""

from __future__ import annotations

from planted import chart, fresh, plain

Table = dict[str, dict[str, list[str]]]

INTRO = {
    "dev": [
        "{A} {age}-year-old {man}{lead} was admitted to the medical floor.",
        "The patient is {a} {age} y/o {man}{lead}.",
        "{age}{M}{lead}, admitted via the ED.",
        "This {words}-year-old {man} came to our hospital for evaluation.",
        "The patient, aged {age}, was seen on the ward. {He} felt better each day.",
        "Pt is {age} years old. {He} was evaluated on rounds and was in no distress.",
        "{Mr} X is {a} {age} yo {man}{lead}.",
        "Pleasant {man}, {age} years of age, resting comfortably.",
    ],
    "test": [
        "This is {a} {age}-year-old {man}{lead}.",
        "{Mr} Doe is {age} years old and lives at home.",
        "{age} yo {M}{lead}.",
        "I had the pleasure of seeing this {age}-year-old {man}{lead}.",
        "The patient is {a} {words}-year-old. {He} was alert and cooperative.",
        "Pt ({age}/{M}) was brought in by ambulance.",
        "At {age} years of age, this {man} remains independent.",
        "{A} {man_age} patient{lead}, known to this clinic.",
    ],
    "fresh": fresh.INTRO,
    "plain": plain.INTRO,
    "chart": chart.INTRO,
}
DEMO = {
    "dev": ["AGE: {age}   SEX: {sex}", "Age/Sex: {age}/{M}", "Age: {age}\nGender: {sex}", "Patient: {age} y, {sex}"],
    "test": [
        "Age: {age} years. Sex: {M}.", "SEX: {sex}\nAGE: {age}", "{age}-year-old {sex}", "Pt age {age}, gender {sex}",
    ],
    "fresh": fresh.DEMO,
    "plain": plain.DEMO,
    "chart": chart.DEMO,
}  # fmt: skip
STAY = {
    "dev": [
        "Admitted {adm}, discharged {dis}.",
        "{He} was admitted on {adm} and discharged on {dis}.",
        "Date of admission: {adm}. Date of discharge: {dis}.",
        "Hospitalized from {adm} to {dis}.",
        "ADM {adm}; DC {dis}.",
        "{He} came into the hospital on {adm} and went home on {dis}.",
        "Inpatient stay {adm} through {dis}.",
        "The hospital stay began {adm} and ended {dis}.",
    ],
    "test": [
        "Admission date {adm}; discharge date {dis}.",
        "Discharge on {dis} after admission on {adm}.",
        "{He} was in the hospital {adm} - {dis}.",
        "Adm: {adm}; D/C: {dis}.",
        "{He} entered the hospital on {adm} and left on {dis}.",
        "{He} was taken in on {adm}, with discharge home {dis}.",
        "Admitted: {adm}\nDischarged: {dis}.",
        "{His} admission on {adm} was followed by discharge on {dis}.",
    ],
    "fresh": fresh.STAY,
    "plain": plain.STAY,
    "chart": chart.STAY,
}
DATES = {
    "dev": ["%m/%d/%Y", "%B %-d, %Y", "%Y-%m-%d", "%-d %b %Y", "%-m/%-d/%y", "%B %-dth, %Y"],
    "test": ["%-m/%-d/%Y", "%b %-d, %Y", "%-d %B %Y", "%d-%b-%Y", "%m/%d/%y", "the %-dth of %B %Y"],
    "fresh": fresh.DATES,
    "plain": plain.DATES,
    "chart": chart.DATES,
}
NOUNS = {
    "dev": {"male": "man/gentleman/male", "female": "woman/lady/female"},
    "test": {"male": "male/man/male patient", "female": "female/woman/female patient"},
    "fresh": fresh.NOUNS,
    "plain": plain.NOUNS,
    "chart": chart.NOUNS,
}
CARRIERS: Table = {
    "dev": {
        "problems": [
            "^{His} past medical history is significant for |{x}|, | and |.",
            "^PMH: |{x}|, |, |.",
            "{He} has |{x}|, | and |.",
            "Active problems include |{x}|, |, and |.",
            "{He} carries the diagnoses of |{bare}|, | and |.",
            "Problem list: |{bare}|; |; |.",
            "The patient is being treated for |{x}|, | as well as |.",
            "Dx: |{bare}|, |, |.",
            "Current medical issues consist of |{x}|, | and |.",
        ],
        "medications": [
            "Medications: |{n} {d} daily|, |, |.",
            "{He} takes |{n} {d} once a day|, | and |.",
            "Meds - |{n} {d} PO qday|; |; |.",
            "{He} is on |{d} of {n}|, | and |.",
            "Current medications include |{n} ({d})|, |, and |.",
            "Discharged on |{n}, {d} every morning|; | and |.",
            "Rx |{n} {d}|, |, |.",
            "{He} will continue |{n} at a dose of {d}|, | plus |.",
        ],
        "allergies": [
            "Allergies: |{x}|, |, |.",
            "{He} is allergic to |{x}|, | and |.",
            "ALL: |{x}|, |, |.",
            "There is a known allergy to |{x}|, | and to |.",
            "Allergic to |{x}|, | and |.",
            "{He} reports allergies to |{x}|, | and |.",
        ],
        "vitals": [
            "Vital signs: |{l} {v}|, |, |.",
            "On examination, |{l} {was} {v}|, | and |.",
            "VS |{l} {v}|; |; |.",
            "{His} |{l} {is} {v}|, | and |.",
            "Vitals on discharge showed |{l} of {v}|, |, and |.",
            "Measured today: |{l}: {v}|, |, |.",
        ],
        "labs": [
            "Labs: |{l} {v}|, |, |.",
            "Laboratory data showed |{l} of {v}|, | and |.",
            "On laboratory testing, |{l} {was} {v}|, | and |.",
            "LABS |{l}: {v}|; |; |.",
            "Blood work was notable for |{l} at {v}|, | and |.",
            "Results today: |{l} = {v}|, |, |.",
        ],
    },
    "test": {
        "problems": [
            "^PMHx notable for |{bare}|, |, |.",
            "^Background: |{bare}|; |; |.",
            "Assessment: |{bare}|, |, |.",
            "The patient suffers from |{x}|, | and |.",
            "Diagnosed with |{x}|, | and |.",
            "{He} is known to have |{x}|, | along with |.",
            "Ongoing conditions: |{bare}|, |, |.",
            "We are following {his} |{bare}|, | and |.",
            "Impression is that of |{x}|, |, and also |.",
        ],
        "medications": [
            "Home meds: |{n} {d} qd|, |, |.",
            "{He} was sent home on |{n} {d} by mouth daily|, | and |.",
            "Drug therapy consists of |{n} {d} each day|, | and |.",
            "Regimen: |{n}: {d}|; |; |.",
            "{He} is maintained on |{n} {d} every day|, | with |.",
            "Prescribed |{d} {n} tablets|, | and |.",
            "Continue |{n} {d}|, |, |.",
            "Taking |{n}, {d}|; | and |.",
        ],
        "allergies": [
            "Allergies include |{x}|, | and |.",
            "Allergy to |{x}|, | and |.",
            "{He} states that {he} is allergic to |{x}|, | as well as |.",
            "Allergy list: |{x}|; |; |.",
            "{He} has an allergy to |{x}|, | and |.",
            "Allergen(s): |{x}|, |, |.",
        ],
        "vitals": [
            "Vitals: |{l} {v}|, |, |.",
            "On physical exam |{l} {v}|, | and |.",
            "{His} |{l} {was} {v}|, |, and |.",
            "Obs: |{l} = {v}|, |, |.",
            "At the bedside, |{l} measured {v}|, |, |.",
            "Vital signs today were |{l} {v}|, | and |.",
        ],
        "labs": [
            "Lab work: |{l} {v}|, |, |.",
            "Chemistry and blood counts revealed |{l} of {v}|, |, and |.",
            "{His} |{l} came back at {v}|, | and |.",
            "Pertinent results: |{l} ({v})|, |, |.",
            "Labs drawn today were |{l} {v}|, | and |.",
            "Latest labs - |{l}: {v}|; |; |.",
        ],
    },
    "fresh": fresh.CARRIERS,
    "plain": plain.CARRIERS,
    "chart": chart.CARRIERS,
}
LISTS = {
    "dev": ["- {}\n", "{i}. {}\n", "{}, ", "{}; "],
    "test": ["* {}\n", "{i}) {}\n", "{}\n", "{}. "],
    "fresh": fresh.LISTS,
    "plain": plain.LISTS,
    "chart": chart.LISTS,
}
NONE = {
    "dev": {"medications": "None.", "allergies": "NKDA.", "labs": "None drawn."},
    "test": {"medications": "No regular medications.", "allergies": "No known drug allergies.", "labs": "Not done."},
    "fresh": fresh.NONE,
    "plain": plain.NONE,
    "chart": chart.NONE,
}
LABELS: Table = {
    "dev": {
        "blood pressure": ["BP", "blood pressure"],
        "heart rate": ["HR", "heart rate"],
        "respiratory rate": ["RR", "respiratory rate"],
        "temperature": ["temp", "temperature"],
        "oxygen saturation": ["O2 sat", "oxygen saturation"],
        "weight": ["weight", "wt"],
        "height": ["height", "ht"],
        "body mass index": ["BMI", "body mass index"],
        "glucose": ["glucose", "blood sugar"],
        "hemoglobin A1c": ["A1c", "hemoglobin A1c"],
        "creatinine": ["creatinine", "Cr"],
        "urea nitrogen": ["BUN"],
        "sodium": ["sodium", "Na"],
        "potassium": ["potassium", "K"],
        "total cholesterol": ["total cholesterol"],
        "triglycerides": ["triglycerides", "TG"],
        "LDL cholesterol": ["LDL"],
        "HDL cholesterol": ["HDL"],
        "hemoglobin": ["hemoglobin", "Hgb"],
        "white blood cells": ["WBC", "white count"],
        "platelets": ["platelets", "plt"],
    },
    "test": {
        "blood pressure": ["blood pressure", "BP"],
        "heart rate": ["pulse", "HR"],
        "respiratory rate": ["respirations", "resp rate"],
        "temperature": ["temperature", "T"],
        "oxygen saturation": ["SpO2", "O2 saturation", "sats"],
        "weight": ["body weight", "weight"],
        "height": ["height", "body height"],
        "body mass index": ["BMI"],
        "glucose": ["serum glucose", "glucose"],
        "hemoglobin A1c": ["HbA1c", "glycated hemoglobin"],
        "creatinine": ["serum creatinine", "creat"],
        "urea nitrogen": ["urea nitrogen", "BUN"],
        "sodium": ["serum sodium", "Na"],
        "potassium": ["serum potassium", "K+"],
        "total cholesterol": ["cholesterol", "total cholesterol"],
        "triglycerides": ["trigs", "triglycerides"],
        "LDL cholesterol": ["LDL cholesterol", "LDL-C"],
        "HDL cholesterol": ["HDL cholesterol", "HDL-C"],
        "hemoglobin": ["Hb", "hemoglobin"],
        "white blood cells": ["white blood cell count", "WBC count"],
        "platelets": ["platelet count", "PLT"],
    },
    "fresh": fresh.LABELS,
    "plain": plain.LABELS,
    "chart": chart.LABELS,
}
UNITS: Table = {
    "dev": {
        "blood pressure": ["{}/{}", "{}/{} mmHg", "{} over {}"],
        "heart rate": ["{}", "{} bpm"],
        "respiratory rate": ["{}", "{}/min"],
        "temperature": ["{F} F", "{F}°F", "{} C"],
        "oxygen saturation": ["{}%", "{}% on room air"],
        "weight": ["{} kg", "{lb} lb", "{lb} pounds"],
        "height": ["{} cm", "{ft}'{in}\"", "{ft} feet {in} inches"],
        "body mass index": ["{}", "{} kg/m2"],
        "glucose": ["{}", "{} mg/dL", "{mmol} mmol/L"],
        "hemoglobin A1c": ["{}%", "{}"],
        "white blood cells": ["{}", "{thousand}"],
        "platelets": ["{}", "{thousand}"],
        "sodium": ["{}", "{} mEq/L"],
        "potassium": ["{}", "{} mEq/L"],
        "hemoglobin": ["{}", "{} g/dL"],
        "": ["{}", "{} mg/dL"],
    },
    "test": {
        "blood pressure": ["{}/{}", "{} / {} mm Hg", "{}/{} mmHg"],
        "heart rate": ["{}", "{} beats per minute", "{}/min"],
        "respiratory rate": ["{}", "{} breaths per minute"],
        "temperature": ["{F} degrees Fahrenheit", "{} °C", "{F} F"],
        "oxygen saturation": ["{}%", "{}% RA", "{} percent"],
        "weight": ["{} kilograms", "{lb} lbs", "{}kg"],
        "height": ["{} centimeters", "{ft} ft {in} in", "{inches} inches"],
        "body mass index": ["{}", "{} kg/m²"],
        "glucose": ["{}", "{}mg/dl", "{mmol} mmol/L"],
        "hemoglobin A1c": ["{} %", "{} percent"],
        "white blood cells": ["{} K/uL", "{thousand}/uL", "{} x10^9/L"],
        "platelets": ["{} K/uL", "{thousand}/uL", "{}K"],
        "sodium": ["{}", "{} mmol/L"],
        "potassium": ["{}", "{} mmol/L"],
        "hemoglobin": ["{}", "{} gm/dL"],
        "": ["{}", "{} mg/dl"],
    },
    "fresh": fresh.UNITS,
    "plain": plain.UNITS,
    "chart": chart.UNITS,
}
# Labels that take "are", sides of the body where they are short, and the rarer of the ways to write a milligram.
MANY = ("platelets", "triglycerides", "respirations", "sats", "trigs", "TGs", "WBCs", "white cells", "plts", "O2 sats")
SIDES = {"dev": "{}", "test": "{}t", "fresh": "({})", "plain": "{}", "chart": "{}"}
MILLIGRAMS = {"dev": "{} MG", "test": "{} milligrams", "fresh": "{} mgs", "plain": "{} mg", "chart": "{} mg"}
# Words by the patient's sex, male first; a relative of KIN is of the other sex.
TITLES = {"male": "Mr.", "female": "Ms."}
WORDS = {"he": ("he", "she"), "He": ("He", "She"), "his": ("his", "her"), "His": ("His", "Her"), "M": ("M", "F")}
KIN = {"spouse": ("wife", "husband"), "sib": ("sister", "brother"), "parent": ("mother", "father")}
