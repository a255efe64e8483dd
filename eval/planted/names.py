"""What problems and drugs are called in the planted notes, and the body systems they belong to.

A problem has its base name, `(body system, names in the dev half, names in the test half)`, the names divided by "/".
`{s}` is where a side goes ("left " or nothing); `~` marks a name that takes an article in prose. A drug has its other
names and the body systems it speaks of: no note denies what a drug is taken for.
"""

from __future__ import annotations

import re

# Problems that are events: facts only of a patient who comes because of one. The rest are chronic.
EVENTS: dict[str, tuple[str, str, str]] = {
    "Viral sinusitis": ("ent", "viral sinusitis/viral sinus infection", "viral sinusitis/acute viral sinusitis"),
    "Acute viral pharyngitis": ("ent", "acute viral pharyngitis/viral sore throat", "viral pharyngitis"),
    "Acute bronchitis": ("lung", "acute bronchitis", "acute bronchitis/acute tracheobronchitis"),
    "Streptococcal sore throat": ("ent", "strep throat/streptococcal sore throat", "strep pharyngitis/strep throat"),
    "Acute bacterial sinusitis": ("ent", "acute bacterial sinusitis/bacterial sinus infection", "bacterial sinusitis"),
    "Otitis media": ("ent", "otitis media/~middle ear infection", "otitis media/~ear infection"),
    "Pneumonia": ("lung", "pneumonia/PNA", "pneumonia"),
    "Myocardial Infarction": ("heart", "~heart attack/~myocardial infarction/~MI", "~myocardial infarction/acute MI"),
    "Stroke": ("brain", "~stroke/acute stroke", "~CVA/~cerebrovascular accident"),
    "Cystitis": ("uro", "cystitis/~bladder infection", "cystitis/acute cystitis"),
    "Escherichia coli urinary tract infection": (
        "uro",
        "~urinary tract infection due to E. coli/~E. coli UTI",
        "Escherichia coli UTI/~urinary tract infection with E. coli",
    ),
    "Appendicitis": ("gi", "appendicitis", "acute appendicitis/appendicitis"),
    "Acute Cholecystitis": ("gi", "acute cholecystitis", "acute cholecystitis"),
    "Concussion with no loss of consciousness": (
        "brain",
        "concussion without loss of consciousness/concussion without LOC",
        "concussion (no LOC)/concussion with no loss of consciousness",
    ),
    "Whiplash injury to neck": ("neck", "~whiplash injury/whiplash", "whiplash/~whiplash injury of the neck"),
    "Sprain of ankle": ("msk", "~{s}ankle sprain/~sprained {s}ankle", "~sprain of the {s}ankle/~{s}ankle sprain"),
    "Sprain of wrist": ("msk", "~{s}wrist sprain/~sprained {s}wrist", "~sprain of the {s}wrist/~{s}wrist sprain"),
    "Fracture of forearm": (
        "msk",
        "~{s}forearm fracture/~broken {s}forearm",
        "~fracture of the {s}forearm/~{s}forearm fx",
    ),
    "Fracture of clavicle": (
        "msk",
        "~{s}clavicle fracture/~broken {s}collarbone",
        "~fracture of the {s}clavicle/~{s}clavicular fracture",
    ),
    "Fracture of ankle": ("msk", "~{s}ankle fracture/~broken {s}ankle", "~fracture of the {s}ankle/~{s}ankle fx"),
    "Closed fracture of hip": ("msk", "~closed {s}hip fracture", "~closed fracture of the {s}hip"),
    "Laceration of thigh": ("skin", "~{s}thigh laceration", "~laceration of the {s}thigh/~{s}thigh lac"),
    "Laceration of hand": ("skin", "~{s}hand laceration", "~laceration of the {s}hand/~{s}hand lac"),
    "Laceration of forearm": ("skin", "~{s}forearm laceration", "~laceration of the {s}forearm"),
    "Laceration of foot": ("skin", "~{s}foot laceration", "~laceration of the {s}foot/~{s}foot lac"),
    "Tear of meniscus of knee": ("msk", "~{s}knee meniscus tear/~torn meniscus of the {s}knee", "~{s}meniscal tear"),
}

CHRONIC: dict[str, tuple[str, str, str]] = {
    "Obesity": ("weight", "obesity", "obesity"),
    "Prediabetes": ("dm", "prediabetes", "prediabetes/pre-diabetes"),
    "Anemia": ("heme", "anemia", "anemia/chronic anemia"),
    "Hypertension": ("htn", "hypertension/HTN/high blood pressure", "HTN/arterial hypertension/high blood pressure"),
    "Chronic sinusitis": ("ent", "chronic sinusitis", "chronic sinusitis/chronic sinus infection"),
    "Hyperlipidemia": ("lipid", "hyperlipidemia/HLD", "HLD/hyperlipidemia"),
    "Chronic congestive heart failure": ("heart", "chronic congestive heart failure/chronic CHF", "chronic CHF"),
    "Osteoporosis": ("msk", "osteoporosis", "osteoporosis"),
    "Type 2 diabetes mellitus": (
        "dm",
        "type 2 diabetes/T2DM/type II diabetes mellitus",
        "type 2 DM/DM2/adult-onset type 2 diabetes",
    ),
    "Hypertriglyceridemia": ("lipid", "hypertriglyceridemia/high triglycerides", "hypertriglyceridemia"),
    "Metabolic syndrome X": ("dm", "metabolic syndrome", "metabolic syndrome/syndrome X"),
    "Coronary Heart Disease": ("heart", "CAD/coronary artery disease", "coronary heart disease/coronary disease"),
    "Alzheimer's disease": ("brain", "Alzheimer's disease/Alzheimer disease", "Alzheimer's dementia/Alzheimer's"),
    "Atrial Fibrillation": ("heart", "atrial fibrillation/AFib", "AF/atrial fibrillation/a-fib"),
    "Epilepsy": ("brain", "epilepsy", "epilepsy"),
    "Chronic intractable migraine without aura": (
        "brain",
        "chronic intractable migraine without aura",
        "intractable chronic migraine without aura",
    ),
    "Chronic pain": ("pain", "chronic pain", "chronic pain"),
    "Osteoarthritis of knee": ("msk", "{s}knee osteoarthritis/OA of the {s}knee", "{s}knee OA/{s}knee DJD"),
    "Osteoarthritis of hip": ("msk", "{s}hip osteoarthritis/OA of the {s}hip", "{s}hip OA/{s}hip arthrosis"),
    "Perennial allergic rhinitis": ("ent", "perennial allergic rhinitis", "perennial allergic rhinitis"),
    "Seasonal allergic rhinitis": ("ent", "seasonal allergic rhinitis/hay fever", "hay fever"),
    "Chronic obstructive bronchitis": (
        "lung",
        "chronic obstructive bronchitis",
        "chronic obstructive bronchitis (COPD)",
    ),
    "Pulmonary emphysema": ("lung", "emphysema", "pulmonary emphysema/emphysema"),
    "Gout": ("msk", "gout", "gout/gouty arthritis"),
    "Asthma": ("lung", "asthma", "bronchial asthma/asthma"),
    "Chronic kidney disease stage 1": ("renal", "CKD stage 1/stage 1 chronic kidney disease", "stage 1 CKD"),
    "Chronic kidney disease stage 2": ("renal", "CKD stage 2/stage 2 chronic kidney disease", "stage 2 CKD"),
    "Recurrent urinary tract infection": ("uro", "recurrent UTI/recurrent urinary tract infections", "recurrent UTIs"),
    "Idiopathic atrophic hypothyroidism": ("thyroid", "idiopathic atrophic hypothyroidism", "atrophic hypothyroidism"),
    "Rheumatoid arthritis": ("msk", "rheumatoid arthritis/RA", "RA/rheumatoid arthritis"),
    "Atopic dermatitis": ("skin", "atopic dermatitis/eczema", "atopic eczema/atopic dermatitis"),
    "Primary fibromyalgia syndrome": ("msk", "fibromyalgia", "fibromyalgia/primary fibromyalgia"),
    "Posttraumatic stress disorder": ("psych", "PTSD/post-traumatic stress disorder", "PTSD"),
    "Neuropathy due to type 2 diabetes mellitus": (
        "dm",
        "diabetic neuropathy from type 2 diabetes",
        "neuropathy due to type 2 diabetes/neuropathy due to T2DM",
    ),
}
PROBLEMS = EVENTS | CHRONIC

DRUGS: dict[str, tuple[str, str]] = {
    "hydrochlorothiazide": ("HCTZ", "htn"),
    "simvastatin": ("Zocor", "lipid heart"),
    "metoprolol": ("Toprol", "htn heart"),
    "furosemide": ("Lasix", "heart htn"),
    "clopidogrel": ("Plavix", "heart brain clot"),
    "alendronic acid": ("Fosamax/alendronate", "msk"),
    "digoxin": ("Lanoxin", "heart"),
    "warfarin": ("Coumadin", "heart clot"),
    "verapamil": ("Calan", "heart htn"),
    "metformin": ("Glucophage", "dm"),
    "amlodipine": ("Norvasc", "htn heart"),
    "ferrous sulfate": ("iron sulfate", "heme"),
    "galantamine": ("Razadyne", "brain"),
    "donepezil": ("Aricept", "brain"),
    "loratadine": ("Claritin", "ent"),
    "fexofenadine": ("Allegra", "ent"),
    "diphenhydramine": ("Benadryl", "ent"),
    "cetirizine": ("Zyrtec", "ent"),
    "aspirin": ("ASA", "heart brain clot"),
    "carbamazepine": ("Tegretol", "brain"),
    "diazepam": ("Valium", "brain psych"),
    "clonazepam": ("Klonopin", "brain psych"),
    "naproxen": ("Naprosyn", "msk pain"),
    "ibuprofen": ("Motrin/Advil", "msk pain"),
    "acetaminophen": ("Tylenol/APAP", "msk pain"),
    "allopurinol": ("Zyloprim", "msk"),
    "colchicine": ("Colcrys", "msk"),
    "captopril": ("Capoten", "htn heart"),
    "prednisone": ("Deltasone", "msk lung"),
    "atorvastatin": ("Lipitor", "lipid heart"),
    "sertraline": ("Zoloft", "psych"),
    "levothyroxine": ("Synthroid", "thyroid"),
    "methotrexate": ("Trexall", "msk onc"),
    "amoxicillin": ("Amoxil", "infection lung ent"),
    "penicillin v": ("Pen-Vee K", "infection ent"),
    "cefuroxime": ("Ceftin", "infection lung ent"),
}
ALLERGENS = {"dander": "animal dander/pet dander", "nut": "nuts/tree nuts", "penicillin": "penicillin/PCN"}


def unsided(name: str) -> str:
    """ "Sprain of left ankle" -> "Sprain of ankle"."""
    return re.sub(r"\b(left|right) ", "", name)
