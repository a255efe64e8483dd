"""What a note says that is no fact of the patient now, in five halves. For writer.py.

`[kind:text]` marks a distractor, `[kind/name:text]` one that is named otherwise than it reads. The diseases and
symptoms have the body systems they speak of: no note denies or suspects what a fact is close to.
"""

from __future__ import annotations

from planted import chart_names, fresh_names, plain_names

# What is denied, and the same said to be there; a "s:" is for symptoms, "d:" for diseases.
NEGATED: dict[str, list[tuple[str, str]]] = {
    "dev": [
        ("s:{He} denies [problem:{x}].", "{He} reports {x}."),
        ("d:There is no history of [problem:{x}].", "There is a long history of ongoing {x}."),
        ("d:There was no evidence of [problem:{x}].", "There was clear evidence of {x}."),
        ("d:[problem:{x}] was ruled out.", "{X} was confirmed."),
        ("s:Negative for [problem:{x}].", "Positive for {x}."),
        ("s:{He} has neither [problem:{x}] nor [problem:{y}].", ""),
        ("s:No [problem:{x}] or [problem:{y}].", ""),
        ("d:{He} does not have [problem:{x}].", "{He} does have {x}."),
    ],
    "test": [
        ("s:{He} has had no [problem:{x}].", "{He} now has {x}."),
        ("s:[problem:{x}] is absent.", "{X} is present."),
        ("d:Workup was negative for [problem:{x}].", "Workup was positive for {x}."),
        ("d:{He} has never been diagnosed with [problem:{x}].", "{He} has been diagnosed with {x}."),
        ("d:Further tests excluded [problem:{x}].", "Further tests proved {x}."),
        ("s:{He} is without [problem:{x}], [problem:{y}] or chills.", ""),
        ("s:ROS: -[problem:{x}], -[problem:{y}].", ""),
        ("d:No signs of [problem:{x}].", "Definite signs of {x}."),
    ],
    "fresh": fresh_names.NEGATED,
    "plain": plain_names.NEGATED,
    "chart": chart_names.NEGATED,
}
DENIED = {
    "dev": ["There is no {x}.", "{He} does not have {x}.", "No evidence of {x}.", "{He} is free of {x}."],
    "test": ["{He} has no {x}.", "Negative for {x}.", "No {x} was found.", "{X} was ruled out."],
    "fresh": fresh_names.DENIED,
    "plain": plain_names.DENIED,
    "chart": chart_names.DENIED,
}
DISTRACTORS: dict[str, dict[str, list[str]]] = {
    "dev": {
        "past": [
            "[problem:{p}] in [date:{year}].",
            "Had [problem:{p}] in [date:{year}], fully resolved.",
            "{He} was treated for [problem:{p}] last winter and recovered completely.",
            "Remote [problem:{p}], resolved.",
            "S/p treatment for [problem:{p}] in [date:{year}].",
            "[problem:{p}] [date:{year}], no recurrence since.",
        ],
        "family": [
            "Family history: {parent} had [problem:{f}] at age [age:{old}].",
            "{His} {parent} had [problem:{f}].",
            "Family history is positive for [problem:{f}].",
            "FH: [problem:{f}] in a {sib}.",
            "There is a strong family history of [problem:{f}].",
            "{His} {sib} was diagnosed with [problem:{f}] at [age:{old}].",
            "Mother with [problem:{f}]; father in good health.",
        ],
        "possible": [
            "[problem:{x}] was considered but thought unlikely.",
            "Rule out [problem:{x}]; tests have been ordered.",
            "The initial differential included [problem:{x}].",
            "Possible [problem:{x}] at the first assessment, not confirmed.",
            "There was initial concern for [problem:{x}]; the workup was unrevealing.",
            "R/o [problem:{x}].",
        ],
        "plan": [
            "Return to the ED for [problem:{s}] or [problem:{t}].",
            "{He} should call if [problem:{s}] develops.",
            "{He} is at risk for [problem:{r}].",
            "Return if fever over [vital/temperature:101 F].",
            "{He} was counseled on the risk of [problem:{r}].",
            "Come back at once should [problem:{s}] occur.",
            "Screening for [problem:lung cancer] is due next year.",
        ],
        "relative": [
            "{He} lives with {his} [sex:{spouse}], who is [age:{mate}].",
            "Accompanied by {his} [age:{kinage}]-year-old [sex:{kin}].",
            "{His} [sex:{kin}], aged [age:{kinage}], helps at home.",
            "History was obtained from {his} [age:{mate}]-year-old [sex:{spouse}].",
            "{He} cares for a [age:93]-year-old [sex:aunt].",
            "Emergency contact: [sex:{kin}], [age:{kinage}].",
        ],
        "stopped": [
            "[medication:{drug}] was stopped because of side effects.",
            "{He} no longer takes [medication:{drug}].",
            "Previously on [medication:{drug}], which was discontinued two years ago.",
            "{He} did not tolerate [medication:{drug}] in the past.",
            "{He} quit taking [medication:{drug}] last spring.",
            "Off [medication:{drug}] since [date:{year}].",
        ],
        "earlier": [
            "Baseline creatinine is [lab/creatinine:{cr}].",
            "A1c was [lab/hemoglobin A1c:{a1c}%] last year.",
            "Weight is down from [vital/weight:{lb} lb].",
            "Goal BP is below [vital/blood pressure:130/80].",
            "Previous hemoglobin was [lab/hemoglobin:{hgb}] in [date:{year}].",
            "LDL before treatment was [lab/LDL cholesterol:{ldl}].",
        ],
    },
    "test": {
        "past": [
            "Prior episode of [problem:{p}] ([date:{year}]), now resolved.",
            "{He} got over [problem:{p}] some years ago.",
            "Past history: [problem:{p}] in [date:{year}].",
            "Recovered from [problem:{p}] in [date:{year}].",
            "H/o [problem:{p}] as a teenager, without sequelae.",
            "Status post [problem:{p}], [date:{year}].",
        ],
        "family": [
            "{His} {parent} died of [problem:{f}] at [age:{old}].",
            "FHx: mom - [problem:{f}].",
            "Both parents had [problem:{f}].",
            "Maternal grandmother: [problem:{f}].",
            "[problem:{f}] runs in the family.",
            "Family hx significant for [problem:{f}] (paternal uncle).",
            "{His} {sib} suffers from [problem:{f}].",
        ],
        "possible": [
            "Could represent [problem:{x}]; further testing is pending.",
            "?[problem:{x}], not proven.",
            "[problem:{x}] is on the differential.",
            "The ED had worried about [problem:{x}], which was excluded.",
            "Cannot exclude [problem:{x}].",
            "Workup for possible [problem:{x}] is pending.",
        ],
        "plan": [
            "{He} was told to seek care for any [problem:{s}].",
            "If [problem:{s}] occurs, go to the nearest ED.",
            "Prophylaxis against [problem:{c}] was given.",
            "The risk of [problem:{r}] was discussed.",
            "[problem:colon cancer] screening was offered.",
            "Watch for [problem:{s}] or [problem:{t}].",
            "Call for a temperature above [vital/temperature:38.5 C].",
        ],
        "relative": [
            "{His} [sex:{spouse}] ([age:{mate}]) was at the bedside.",
            "{He} shares a house with a [sex:{kin}] who is [age:{kinage}].",
            "{His} [age:{kinage}] y/o [sex:{kin}] provided collateral history.",
            "Next of kin is the [sex:{spouse}], age [age:{mate}].",
            "{His} [sex:{kin}] is [age:{kinage}] and well.",
            "Discussed by phone with {his} [sex:{kin}], [age:{kinage}] years old.",
        ],
        "stopped": [
            "[medication:{drug}] discontinued in [date:{year}] for lack of effect.",
            "{He} failed [medication:{drug}] in the past.",
            "{He} had been on [medication:{drug}] until [date:{year}].",
            "[medication:{drug}] was d/c'd on admission.",
            "{He} used to take [medication:{drug}] but stopped it.",
            "[medication:{drug}] is not to be resumed.",
        ],
        "earlier": [
            "Creatinine had been [lab/creatinine:{cr}] in [date:{year}].",
            "Last year's A1c: [lab/hemoglobin A1c:{a1c}%].",
            "{He} used to weigh [vital/weight:{lb} lb].",
            "Target LDL is under [lab/LDL cholesterol:70].",
            "Home readings last month averaged [vital/blood pressure:{bp}].",
            "Outside records list a glucose of [lab/glucose:{glu}] from [date:{year}].",
        ],
    },
    "fresh": fresh_names.DISTRACTORS,
    "plain": plain_names.DISTRACTORS,
    "chart": chart_names.DISTRACTORS,
}
DISEASES = {
    "pneumonia": "lung", "pulmonary embolism": "clot lung", "deep vein thrombosis": "clot", "tuberculosis": "lung",
    "lupus": "msk", "hepatitis C": "liver", "peptic ulcer disease": "gi", "nephrolithiasis": "uro renal",
    "glaucoma": "eye", "osteomyelitis": "msk skin", "endocarditis": "heart", "meningitis": "brain",
    "pancreatitis": "gi", "cellulitis": "skin", "sepsis": "infection lung uro", "asthma": "lung",
    "Lyme disease": "", "celiac disease": "", "shingles": "",
    "stroke": "brain heart", "epilepsy": "brain", "myasthenia gravis": "brain", "sarcoidosis": "lung",
}  # fmt: skip
SYMPTOMS = {
    "chest pain": "heart lung", "fever": "infection lung ent uro gi", "shortness of breath": "lung heart",
    "syncope": "heart brain", "hematuria": "uro renal", "vomiting": "gi brain", "palpitations": "heart thyroid",
    "dysuria": "uro", "hemoptysis": "lung", "dizziness": "brain heart heme", "blurred vision": "dm brain",
    "hoarseness": "", "constipation": "", "jaundice": "", "tinnitus": "", "night sweats": "",
    "leg swelling": "heart msk clot", "abdominal pain": "gi uro", "rash": "skin",
}  # fmt: skip
PASTS = {
    "appendicitis": "gi", "pneumonia": "lung", "cellulitis": "skin", "mononucleosis": "infection", "shingles": "skin",
    "hepatitis A": "liver", "tonsillitis": "ent", "pancreatitis": "gi", "diverticulitis": "gi", "pyelonephritis": "uro",
    "chickenpox": "",
}  # fmt: skip
FAMILIAL = {
    "colon cancer": "onc", "breast cancer": "onc", "dementia": "brain", "lung cancer": "onc",
    "diabetes": "dm", "COPD": "lung", "kidney failure": "renal", "leukemia": "heme onc", "Parkinson's disease": "brain",
}  # fmt: skip
RISKS = {
    "stroke": "brain heart", "pneumonia": "lung", "hip fracture": "msk", "pulmonary embolism": "clot lung",
    "kidney failure": "renal", "delirium": "brain", "malnutrition": "", "skin breakdown": "",
}  # fmt: skip
CLOTS = {"deep vein thrombosis": "", "pulmonary embolism": "", "VTE": "", "stress ulcer": ""}
# Drugs that no fact names: those a note says were stopped, and those a contradiction puts in a drug's place.
STOPPED = (
    *("lisinopril", "losartan", "gabapentin", "pantoprazole", "citalopram", "tramadol", "meloxicam", "hydroxyzine"),
    *("Prozac", "Lyrica", "Crestor", "celecoxib"),
)
OTHERS = ("atenolol", "ramipril", "bumetanide", "pravastatin", "trazodone", "montelukast", "omeprazole", "famotidine")
