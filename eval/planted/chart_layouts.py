"""Whole notes of the fifth half, "chart". For layouts.py, which says what the slots are."""

from __future__ import annotations

LAYOUTS = {
    "hospitalist discharge": """DISCHARGE SUMMARY

PRESENTATION: {intro}

FINAL DIAGNOSES:
{problems_list}

HOSPITAL COURSE: {stay} The patient did well and was seen by the care team daily. {possible} {stopped}

BACKGROUND: {history} {family} {relative}

ALLERGIES: {allergies_list}

PERTINENT RESULTS: {labs} {earlier}

EXAM ON DISCHARGE: {vitals} Awake, alert, and ready to go home.

MEDICATIONS TO CONTINUE AT HOME:
{medications_list}

DISCHARGE INSTRUCTIONS: Regular diet and activity as tolerated. {plan}
""",
    "resident progress": """Internal Medicine Resident Progress Note

S: {intro} Quiet night per nursing. {history}

O: {vitals} Sitting up in a chair, conversant.

Labs: {labs_list}

{earlier}

Meds: {medications_list}

{stopped}

Allergies: {allergies_list}

Family/Social: {family} {relative}

A/P: {problems} {possible} Discussed with the attending on rounds.

Dispo: {stay} {plan}
""",
    "nurse practitioner": """TRANSITIONAL CARE VISIT WITH NURSE PRACTITIONER

Patient: {demo}

Reason for Visit: Hospital follow-up.

History: {stay} {problems} {history} Appetite and sleep have been good.

Medication Reconciliation:
{medications_list}

{stopped}

Allergies: {allergies_list}

Family and Social History: {family} {relative}

Objective: {vitals} Well-appearing, moving around the room easily.

Lab Results: {labs_list}

{earlier}

Assessment: Recovering nicely at home. {possible}

Plan: Keep all scheduled appointments. {plan}
""",
    "family medicine": """FAMILY MEDICINE CLINIC NOTE

Subjective: {intro} {stay} {history} The patient has been walking daily and sleeping well.

Family history and home situation: {family} {relative}

Current medications:
{medications_list}

{stopped}

Allergies:
{allergies_list}

Objective: {vitals}
{labs} {earlier}

Assessment:
{problems_list}

Plan: Continue current treatment. {possible} {plan} Follow-up in two months.
""",
    "surgeon letter": """Re: Surgical clinic visit after hospital stay

Dear Dr. Whitaker:

Thank you for sending your patient back to our office. {intro} {stay}

{problems} {history} {family} {relative}

{medications} {stopped} {allergies}

The patient is up and moving about easily. {vitals} {labs} {earlier}

{possible} No operation is planned at present. {plan}

Thank you for allowing us to share in the care of this patient.

Sincerely,
L. Marsh, MD
Surgical Associates
""",
    "consult": """INPATIENT CONSULT NOTE

Requesting service: Hospital medicine
Question: Medication review and recommendations.

History of present illness: {intro} {problems} {history}

Current medications: {medications_list}

{stopped}

Allergies: {allergies_list}

Social history: {relative}
Family history: {family}

Physical exam: {vitals} Cooperative with the exam.

Pertinent labs: {labs} {earlier}

Impression and recommendations: {possible} We agree with the plan of the primary team. {plan}

Addendum: {stay}
""",
    "dictated summary": """Summary of Hospitalization

{intro} {stay} {problems} {history} {allergies}

The patient was seen daily by the hospital medicine team and made steady progress. {possible} {vitals} {labs} {earlier}

{family} {relative} {medications} {stopped} All questions were answered before the patient left. {plan}
""",
    "hospital medicine": """HOSPITAL MEDICINE NOTE

Identification: {demo}
Dates of stay: {stay}

Problems:
{problems_list}

Subjective: Feels rested and is eating well. {history}

Home situation: {relative}
Family history: {family}

Medicines:
{medications_list}

{stopped}

Allergies: {allergies_list}

Vital signs: {vitals_list}

Laboratory: {labs_list}

{earlier}

Plan: Continue as above. {possible} {plan}
""",
    "discharge letter": """Dear Doctor:

I am writing with an update on your patient. {intro} {stay}

The diagnoses addressed were:
{problems_list}

{history} {family} {relative}

Discharge medications are as follows:
{medications_list}

{stopped}

Allergies: {allergies_list}

At the last check the patient looked well. {vitals} {labs} {earlier}

{possible} {plan} Please feel free to reach us with questions.

With best regards,
Hospital Medicine Group
""",
    "resident clinic": """RESIDENT CLINIC NOTE

CC: Hospital follow-up visit

HPI: {intro} {stay} {history}

PROBLEM LIST:
{problems_list}

MEDS: {medications_list}

{stopped}

ALLERGIES: {allergies_list}

FH: {family}
SH: {relative}

EXAM: {vitals} Pleasant and cheerful.

LABS: {labs_list}

{earlier}

IMPRESSION/PLAN: Making good progress. {possible} Case reviewed with the attending physician. {plan}
""",
}
