"""Whole notes, in five halves. For writer.py.

A line whose slots are all empty is left out. A `*_list` slot is the body of a heading.
"""

from __future__ import annotations

from planted import chart_layouts, fresh, plain_layouts

LAYOUTS = {
    "dev": {
        "headed": """DISCHARGE SUMMARY

HISTORY OF PRESENT ILLNESS: {intro} {stay} {possible} {relative}

DIAGNOSES:
{problems_list}

{history}

{family}

MEDICATIONS:
{medications_list}

ALLERGIES: {allergies_list}

PHYSICAL EXAMINATION: {vitals}

LABORATORY DATA: {labs} {earlier}

DISPOSITION: {He} was sent home in stable condition. {stopped} {plan}
""",
        "paragraph": "{intro} {stay} {problems} {history} {family} {stopped} {medications} {allergies} {relative} "
        "{vitals} {earlier} {labs} {possible} The stay was uneventful. {plan}",
        "telegraphic": """{demo}
{stay}
{problems}
{history}
{family}
{medications}
{stopped}
{allergies}
{vitals}
{labs}
{earlier}
{possible}
{relative}
{plan}
""",
        "soap": """S: {intro} {stay} {history} {relative} {family}
O: {vitals} {labs} {earlier}
A: {problems} {possible}
P: {medications} {stopped} {allergies} {plan}
""",
        "bulleted": """Clinic note, follow-up after hospital stay

- {demo}
- {stay}
- {problems}
- {history}
- {family}
- {relative}
- {allergies}
- {medications}
- {stopped}
- {vitals}
- {labs} {earlier}
- {possible}
- {plan}
""",
        "letter": """Dear Colleague,

Thank you for referring this patient. {intro} {stay}

{problems} {history} {possible} {family} {relative}

{medications} {stopped} {allergies}

{vitals} {labs} {earlier}

{plan}

With kind regards,
Dr. Y
""",
        "dictation": "HISTORY: {intro} {history} {relative} {family}\n\nHOSPITAL COURSE: {stay} {possible} The rest of "
        "the course is as dictated. {stopped} {plan}\n\nFINAL DIAGNOSES: {problems_list}\n\nDISCHARGE MEDICATIONS: "
        "{medications_list}\n\nALLERGIES: {allergies_list}\n\nEXAM AND STUDIES: {vitals} {labs} {earlier}",
    },
    "test": {
        "h&p": """HISTORY AND PHYSICAL

PATIENT: {demo}
{stay}

SUBJECTIVE: {He} is feeling well. {history} {relative} {family}

PROBLEMS:
{problems_list}

CURRENT MEDICATIONS: {medications_list}

{stopped}

ALLERGIES:
{allergies_list}

OBJECTIVE: {vitals}

LABS:
{labs_list}

{earlier}

PLAN: {possible} {plan}
""",
        "story": "{stay} {intro} {relative} {problems} {possible} {history} {vitals} {labs} {earlier} {family} "
        "{medications} {stopped} {allergies} {plan}",
        "short lines": """{intro} {stay}
{vitals}
{labs}
{problems}
{possible}
{medications}
{allergies}
{stopped}
{earlier}
{history}
{family}
{relative}
{plan}
""",
        "apso": """ASSESSMENT
{problems} {possible}

PLAN
{medications} {stopped} {plan}

SUBJECTIVE
{intro} {history} {relative} {family} {allergies}

OBJECTIVE
{vitals} {labs} {earlier}

DATES
{stay}
""",
        "numbered": """Progress note

1. Identification: {intro}
2. Hospital stay: {stay}
3. Problems: {problems_list}
4. Drugs: {medications_list}
{stopped}
5. Allergies: {allergies_list}
6. Vitals: {vitals_list}
7. Laboratory: {labs_list}
{earlier}
8. Other: {history} {family} {relative}
9. Plan: {possible} {plan}
""",
        "report": """To whom it may concern:

{intro} {stay} {problems} {history}

{family} {relative} {allergies} {medications} {stopped}

Findings. {vitals} {labs} {earlier}

Outlook. {possible} {plan}

Sincerely,
Dr. Z
""",
        "transfer": "TRANSFER NOTE\n\n{demo}\n\nCOURSE: {stay} {He} did well. {possible} {earlier}\n\nMEDS: "
        "{medications_list}\n\nDIAGNOSES: {problems_list}\n\n{history} {family}\n\nVITALS: {vitals_list}\n\nLABS: "
        "{labs_list}\n\n{allergies}\n\n{relative} {stopped} {plan}",
    },
    "fresh": fresh.LAYOUTS,
    "plain": plain_layouts.LAYOUTS,
    "chart": chart_layouts.LAYOUTS,
}
