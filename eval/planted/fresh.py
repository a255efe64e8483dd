"""How the third half, "fresh", says things: written after the extractor was looked at on both others. For phrases.py.

A label that ends in "|" and a shape has its unit in itself, as in tables: only the bare number stands beside it.
"""

from __future__ import annotations

INTRO = [
    "{age}yo{M}{lead}, brought to triage by EMS.",
    "Patient is {a} {age} y.o. {man}{lead} seen in consultation at the request of the primary team.",
    "{A} {age}-yr-old right-handed {man}{lead} was seen in follow-up.",
    "Thank you for asking me to see {Mr} Roe, who is {age}.",
    "Rec'd {age} yr old {man} from the ED via stretcher, awake and talking.",
    "{Mr} Roe, now {age}, walked in without assistance.",
    "The patient, {a} {words} year old {man}{lead}, was examined with the nurse present.",
    "Age {age}. {He} was sitting up in bed at the time of the interview.",
]
DEMO = [
    "{age} y.o. / {sex}",
    "Sex: {sex} | Age: {age} yrs",
    "{age}yr {M}, ID band checked",
    "{sex}, {age} years old",
]
STAY = [
    "LOS: {adm} to {dis}.",
    "Date admitted: {adm} / date discharged: {dis}.",
    "{He} was admitted through triage on {adm} and released on {dis}.",
    "Admit date/time: {adm} 14:20. Disch date/time: {dis} 11:05.",
    "{He} spent {adm} until {dis} as an inpatient.",
    "Inpt since {adm}; home again {dis}.",
    "The admission of {adm} ended with discharge home on {dis}.",
    "On {adm} {he} was admitted; on {dis} {he} was discharged.",
]
DATES = ["%Y/%m/%d", "%d%b%Y", "%A, %B %-d, %Y", "%m-%d-%Y", "%-dth %B %Y", "%a %-d %b %Y"]
NOUNS = {"male": "male pt/adult male/white male", "female": "female pt/adult female/white female"}
CARRIERS = {
    "problems": [
        "^Medical hx: |{bare}| + | + |.",
        "^Chronic conditions on file: |{bare}| / | / |.",
        "Working diagnoses: |{bare}|; |; |.",
        "Medical problems at present: |{bare}|, | and |.",
        "Pt with |{x}|, | & |.",
        "{He} has been dealing with |{x}|, | and |.",
        "The final assessment was |{x}|, | and |.",
        "Discharge dx - |{bare}|, |, |.",
        "Issues addressed: |{bare}|; |; and |.",
    ],
    "medications": [
        "MAR: |{n} {d} po q24h|; |; |.",
        "{His} pills are |{n} {d} once daily|, | and |.",
        "Currently takes |{n} {d} each morning|, | and |.",
        "Scheduled: |{n} tab {d} 1x/day|, |, |.",
        "Scripts sent to pharmacy: |{n} {d} tablet, 1 daily|; |; |.",
        "Medication reconciliation: |{n} - {d} - daily|; |; |.",
        "{He} reports good compliance with |{n} {d} at bedtime|, | and |.",
        "Resume |{n} {d} qAM|, |, and |.",
    ],
    "allergies": [
        "ADR/allergy: |{x}|; |; |.",
        "{He} breaks out in hives from |{x}|, | and |.",
        "Has allergic reactions to |{x}|, | and |.",
        "Documented hypersensitivity to |{x}|, | and |.",
        "Cannot have |{x}|, | or | because of allergy.",
        "Allergy band on for |{x}|, | and |.",
    ],
    "vitals": [
        "VS on arrival: |{l} {v}|, |, |.",
        "As charted: |{l}: {v}|; |; |.",
        "Last set of vitals - |{l} {v}|, |, |.",
        "Nursing recorded |{l} of {v}|, | and |.",
        "When checked, {his} |{l} {was} {v}|, | and |.",
        "Flowsheet: |{l} - {v}|; |; |.",
    ],
    "labs": [
        "AM labs: |{l} {v}|, |, |.",
        "Bloods: |{l} {v}|; |; |.",
        "The lab reported |{l} of {v}|, | and |.",
        "{His} |{l} {is} currently {v}|, | and |.",
        "Lab panel: |{l}, {v}|; |; |.",
        "Values on file for this stay: |{l} - {v}|, |, |.",
    ],
}
LISTS = ["# {}\n", "• {}\n", "{i}. {}. ", "({i}) {}, "]
NONE = {"medications": "Takes nothing regularly.", "allergies": "NKA.", "labs": "No bloods taken."}
LABELS = {
    "blood pressure": ["B/P", "BP reading", "BP (mmHg)|{}/{}"],
    "heart rate": ["pulse rate", "apical pulse", "HR [bpm]|{}"],
    "respiratory rate": ["resp", "breathing rate", "RR [/min]|{}"],
    "temperature": ["oral temp", "body temp", "T (F)|{F}", "temp [C]|{}"],
    "oxygen saturation": ["pulse ox", "SaO2", "saturation", "SpO2 [%]|{}"],
    "weight": ["current weight", "wgt", "wt (kg)|{}", "wt (lb)|{lb}"],
    "height": ["standing height", "measured height", "ht [cm]|{}"],
    "body mass index": ["calculated BMI", "BMI", "BMI [kg/m2]|{}"],
    "glucose": ["plasma glucose", "random glucose", "glu", "glucose [mg/dL]|{}"],
    "hemoglobin A1c": ["Hgb A1c", "glycohemoglobin", "A1C [%]|{}"],
    "creatinine": ["creatinine level", "sCr", "creatinine (mg/dL)|{}"],
    "urea nitrogen": ["blood urea nitrogen", "BUN (mg/dL)|{}"],
    "sodium": ["sodium level", "Na+", "sodium [mmol/L]|{}"],
    "potassium": ["potassium level", "plasma potassium", "K (mEq/L)|{}"],
    "total cholesterol": ["serum cholesterol", "total chol", "TC"],
    "triglycerides": ["triglyceride level", "TGs", "trig"],
    "LDL cholesterol": ["calculated LDL", "LDL chol", "low-density lipoprotein"],
    "HDL cholesterol": ["HDL chol", "high-density lipoprotein"],
    "hemoglobin": ["hemoglobin level", "HGB", "Hgb (g/dL)|{}"],
    "white blood cells": ["leukocyte count", "WBCs", "white cells"],
    "platelets": ["plts", "thrombocyte count", "platelets [K/uL]|{}"],
}
UNITS = {
    "blood pressure": ["{}/{}", "{}/{} [mmHg]", "{} systolic over {} diastolic", "{}/{}mmHg"],
    "heart rate": ["{} and regular", "{} beats/min", "{} [bpm]"],
    "respiratory rate": ["{} per minute", "{} [/min]", "{} unlabored"],
    "temperature": ["{F}F", "{}C", "{F} deg F", "{} [C]", "{F}"],
    "oxygen saturation": ["{}% on ambient air", "{}% without supplemental oxygen", "{} %"],
    "weight": ["{} kgs", "{lb}#", "{lb}lb", "{} [kg]"],
    "height": ["{} [cm]", "{ft}ft {in}in", "{ft} foot {in}", "{inches} in"],
    "body mass index": ["{}", "{} [kg/m2]", "{} kg per m2"],
    "glucose": ["{}", "{} [mg/dL]", "{mmol} mmol per liter"],
    "hemoglobin A1c": ["{} [%]", "{} pct", "{}%"],
    "white blood cells": ["{} thousand", "{} x 10^3/uL", "{}K", "{} [10*3/uL]"],
    "platelets": ["{} thousand", "{},000", "{} x 10^3/uL", "{} k/mm3"],
    "sodium": ["{}", "{} [mEq/L]", "{} meq/l"],
    "potassium": ["{}", "{} [mmol/L]", "{} meq/l"],
    "hemoglobin": ["{}", "{} [g/dL]", "{} grams"],
    "": ["{}", "{} [mg/dL]", "{} mg per dL", "{} mg%"],
}
LAYOUTS = {
    "nursing": """RN note, 14:30

{intro}
{stay}
{vitals}
{allergies}
{problems} {possible}
{medications} {stopped}
{history} {family}
{labs} {earlier}
{relative}
Belongings with pt, IV out, report called. {plan}
""",
    "problem oriented": """HOSPITAL MEDICINE PROGRESS NOTE

ID: {intro}
Dates: {stay}

Interval events: slept well, ate most of breakfast. {history}

Vitals (last charted):
{vitals_list}

Data: {labs} {earlier}

A/P
{problems_list}

{possible}

Scheduled meds
{medications_list}

{stopped}

Allergies/intolerances: {allergies_list}

FHx/SHx: {family} {relative}

Dispo: home with outpatient follow-up. {plan}
""",
    "consult letter": """Dear Dr. Quill,

{intro} {problems}

{history} {relative} {family} {allergies} {medications} {stopped}

{stay} On my examination the patient looked comfortable. {vitals} {labs} {earlier}

In summary, we have made good progress. {possible} {plan}

Thank you for involving me in this case.
""",
    "emergency": """EMERGENCY DEPARTMENT RECORD

Demographics: {demo}
Encounter: {stay}
HPI: {He} is a fair historian. {history}
Dx list: {problems_list}
Home Rx: {medications_list}
{stopped}
Allergies: {allergies_list}
FH/SH: {family} {relative}
Triage: {vitals}
ED results: {labs} {earlier}
MDM: Records were reviewed. {possible}
Instructions: {plan}
""",
    "instructions": """AFTER-VISIT SUMMARY (provider copy)

Patient: {demo}
Hospital dates: {stay}

Conditions addressed
{problems_list}

Medicines to keep taking
{medications_list}

Medicine changes: {stopped}

Allergies on file: {allergies_list}

Last readings
{vitals_list}

Test results
{labs_list}

For comparison: {earlier}
Background: {history} {family} {relative}
Still open: {possible}
What to watch for: {plan}
""",
    "handoff": """SBAR HANDOFF
Situation: {intro} {stay}
Background: {problems} {history} {family} {relative} {allergies}
Assessment: {vitals} {labs} {earlier} {possible}
Recommendation: {medications} {stopped} {plan}
""",
    "scribed": """REASON FOR VISIT

Post-hospital check.

INTERVAL HISTORY

{intro} {stay} {history}

CONDITIONS

{problems}

CURRENT TREATMENT

The list was gone over line by line.
{medications} {stopped} {allergies}

SOCIAL AND FAMILY

Does not smoke.
{family} {relative}

MEASUREMENTS AND RESULTS

{vitals}
{labs} {earlier}

IMPRESSION AND NEXT STEPS

Doing well overall.
{possible} {plan}
""",
}
