"""Whole notes of the fourth half, "plain". For layouts.py, which says what the slots are."""

from __future__ import annotations

LAYOUTS = {
    "discharge summary": """DISCHARGE SUMMARY

{stay}

HISTORY OF PRESENT ILLNESS:
{intro} {history}

HOSPITAL COURSE: Admitted to the general medicine service, where the patient improved. {possible} {stopped}

DISCHARGE DIAGNOSES:
{problems_list}

ALLERGIES: {allergies_list}

FAMILY HISTORY: {family}

SOCIAL HISTORY: {relative}

DATA: {labs} {earlier}

CONDITION AT DISCHARGE: Stable. {vitals}

DISCHARGE MEDICATIONS:
{medications_list}

FOLLOW-UP: Primary care in one week. {plan}
""",
    "progress note": """HOSPITALIST PROGRESS NOTE

Subjective: {intro} {history} Slept well overnight and ate a full breakfast.

Allergies: {allergies_list}

Current Medications:
{medications_list}

Objective: {vitals} The patient is in no acute distress.

Labs: {labs_list}

{earlier}

Assessment and Plan:
{problems_list}

{possible} {stopped}

Family and social: {family} {relative}

Disposition: {stay} {plan}
""",
    "office letter": """RE: Office visit after hospitalization

Dear Dr. Hanley:

It was good to see your patient in the office today. {intro} {stay}

{problems} {history} {family} {relative}

{medications} {stopped} {allergies}

The remainder of the examination was unchanged from the last visit. {vitals} {labs} {earlier}

{possible} {plan} We plan to meet again in three months.

Sincerely,
R. Ortega, MD
""",
    "office visit": """OFFICE VISIT NOTE

CHIEF COMPLAINT: Follow-up after recent hospitalization.

HPI: {intro} {stay} {history}

ACTIVE PROBLEMS:
{problems_list}

CURRENT MEDICATIONS:
{medications_list}

{stopped}

ALLERGIES:
{allergies_list}

FAMILY HISTORY: {family}

SOCIAL HISTORY: {relative}

PHYSICAL EXAM: {vitals} The patient appears comfortable.

RESULTS: {labs} {earlier}

ASSESSMENT AND PLAN: Recovering as expected since discharge. {possible} {plan}
""",
    "narrative": """Hospital Course

{intro} {problems} {history} {allergies}

{stay} The patient was followed by the hospitalist team and felt better each day. {vitals} {labs} {earlier} {possible}

{medications} {stopped} {family} {relative} Discharge instructions were given in writing. {plan}
""",
    "service summary": """MEDICINE SERVICE SUMMARY

Patient: {demo}

Hospital stay: {stay}

Background: {problems} {history}

Home Medications: {medications_list}

{stopped}

Allergies: {allergies_list}

Family History: {family}

Social History: {relative}

Physical Examination: {vitals} The patient was alert and in good spirits.

Laboratory Data: {labs_list}

{earlier}

Comments: The plan of care was discussed on team rounds. {possible} {plan}
""",
    "primary care letter": """To the primary care provider:

This letter summarizes a recent hospital stay. {intro} {stay}

Diagnoses:
{problems_list}

Medications at discharge:
{medications_list}

{stopped}

Allergies: {allergies_list}

{history} {family} {relative}

Vital signs: {vitals_list}

Lab results: {labs_list}

{earlier}

Items for follow-up: {possible} {plan}

Please call the hospitalist office with any questions.
""",
    "consultation": """CONSULTATION NOTE

Reason for consultation: Assistance with medical management.

{intro} {stay} {problems}

{history} {possible}

Medications and allergies: {medications} {stopped} {allergies}

Family history and social history: {family} {relative}

Examination: {vitals}

Studies: {labs} {earlier}

Recommendations: Continue the present care. {plan}

Thank you for this consultation.
""",
    "after discharge": """POST-DISCHARGE VISIT

Patient: {demo}

Interim History: {stay} Since then the patient has been getting around the house and eating normally. {history}

Problem List:
{problems_list}

Medications: {medications} {stopped}

Allergies: {allergies_list}

Social and Family History: {relative} {family}

Exam
Vitals: {vitals_list}
General: Well groomed, cooperative.

Labs
{labs_list}

{earlier}

Impression: Satisfactory progress. {possible}

Plan: Return to clinic in six weeks. {plan}
""",
}
