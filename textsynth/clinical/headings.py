"""The headings of clinical texts, how long what they head goes on, and where sentences end."""

from __future__ import annotations

import re
from collections.abc import Mapping

from textsynth.clinical.mentions import Status
from textsynth.clinical.triggers import RELATIVE, any_of

MIXED = any_of(r"""
    (?:medications?|medicines|meds|drugs|history|problems)\s*(?:and|&|/|,|\+)\s*(?:\w+ )?allerg\w+
    allerg\w+\s*(?:and|&|/|,|\+)\s*(?:\w+ )?(?:medications?|medicines|meds|history|problems)
""")  # a heading of more than allergies
SECTIONS: Mapping[str, re.Pattern[str]] = {
    "family": any_of("family (?:medical |psychiatric )?(?:history|hx)|fh|fhx|famhx|family", r"\b(?:{})$"),
    "": MIXED,
    "allergies": any_of(r"all$|allerg|adverse (?:drug )?reactions|adrs?$|intolerances|drug reactions", r"\b(?:{})"),
    "stopped": any_of(
        r"""
        (?:stopped|discontinued|held) (?:medications?|meds|drugs|medicines)
        stop taking(?: these (?:medications?|medicines))?
        (?:medications?|meds|medicines) (?:that were |to be |to )?(?:stop(?:ped)?|discontinued?|held)
    """,
        r"^(?:{})$",
    ),
    "surgical": any_of(
        "past surgical history|surgical (?:history|hx)|pshx?|past procedures|prior (?:surgeries|operations)",
        r"\b(?:{})$",
    ),
    "return": any_of(
        r"return precautions|(?:warning|danger) signs|red flags|return instructions|when to (?:call|return|seek \w+)|"
        r"(?:call|return) (?:if|for)",
        r"\b(?:{})$",
    ),
}
OF_SECTION: Mapping[str, Status] = {
    "family": "family",
    "return": "conditional",
    "surgical": "past",
    "stopped": "negated",
}
GOES_ON: Mapping[str, re.Pattern[str]] = {  # words that go on with a section
    "family": re.compile(rf"\b{RELATIVE}\b", re.IGNORECASE),
    "allergies": re.compile(r"\ballerg", re.IGNORECASE),
    "surgical": re.compile(r"\b(?:surgery|\w+ectomy|\w+plasty|repair|replacement)\b", re.IGNORECASE),
    "return": re.compile(r"\b(?:return|call|come back|if)\b", re.IGNORECASE),
    "stopped": re.compile(r"\b(?:stopped|discontinued|held)\b", re.IGNORECASE),
}
HEADING = re.compile(r"\s*(?:[-*•\d.)]+\s*)?([A-Za-z][A-Za-z /&'()-]{0,40}?)\s*(?::|\s-\s)")
HEADING_IN_CAPITALS = re.compile(r"[A-Z][A-Z /&'-]+$")
KNOWN_HEADING = any_of(r"""
    history|exam|examination|medications?|meds|plan|assessment|impression|findings?|diagnos[ei]s|subjective|objective
    vitals?|vital signs|labs?|laboratory|data|results|course|complaint|hpi|pmh|review of systems|ros|disposition
    follow-?up|instructions|technique|indication|comparison|problems?|s|o|a|p|cc|social|precautions|signs
    allerg(?:y|y list|ies|ens?|en\(s\)|ies on file)|intolerances
    stop taking(?: these (?:medications?|medicines))?|pshx?|surgeries|operations|red flags
    when to (?:call|return|seek \w+)|adrs?|background
    condition|procedures?|summary|note|admission|discharge
""", r"^(?:.*\b(?:{}))$")  # fmt: skip
HAS_A_VERB = any_of(
    "is|was|are|were|has|had|denies|takes?|shows?|showed|reports?|continue[sd]?|start(?:ed)?|measured|admitted|discharged"
)
BULLET = re.compile(r"\s*(?:([-*•])|\d+([.)]))\s")
END = re.compile(  # of a sentence, a line, or a part before a semicolon
    r"(?<!\bDr)(?<!\bMr)(?<!\bMs)(?<!\bMrs)(?<!\bvs)(?<!\bE)(?<!\n\d)(?<!\n\d\d)[.!?][\"')\]]*(?=\s+[A-Z\d\[(*?-]|\s*$|\s*\n)"
    r"|\n+|;\s"
)
