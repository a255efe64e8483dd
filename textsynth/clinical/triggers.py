"""The words that deny, doubt, date or give to someone else what stands beside them: one alternative a line.

Those of NegEx and ConText (see context.py), and what planted notes and real ones were found to say besides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from textsynth.clinical.mentions import Status


def _any(lines: str, form: str = r"\b(?:{})\b") -> re.Pattern[str]:
    """A pattern of all lines, in the form given; case does not matter."""
    alternatives = "|".join(line.strip() for line in lines.strip().splitlines())
    return re.compile(form.replace("{}", alternatives), re.IGNORECASE)


RELATIVE = (
    r"(?:family|mother|father|mom|dad|parents?|brothers?|sisters?|siblings?|grand(?:mother|father|parents?)|aunts?|"
    r"uncles?|cousins?|sons?|daughters?|husband|wife|spouse|twin|relatives?|nephew|niece|next of kin)"
)
PATIENT = r"(?:the patient|patient|pt|she|he|they|her own|his own|who|this (?:man|woman|lady|gentleman))"
OPPOSED = re.compile(  # the patient again, after a relative
    rf"\b{PATIENT} (?:\w+ )?(?:has|had|is|was|denies|reports|takes)\b", re.IGNORECASE
)

STOP = _any(r"""
    but|however|except|although|though|aside from|apart from|other than|which|because|due to|secondary to|related to
    yet|still|whereas|while|has|had|is|was|are|were|presents|presented|reports|reported|takes|taking|continues?|remains?
    started|with a history of|positive for|admits?|endorses?|known|worsening|currently
""")
NO_DENIAL = _any(r"""
    no (?:increase|change|worsening|further|new|interval|progression|complications?)\b(?: in| of| from)?
    not only|gram negative|no doubt|without (?:difficulty|change|complications?)\b(?: of| from)?
""")
COMPLEMENT = re.compile(  # of a denied noun, which is not denied itself: no pain from the fracture
    r"\b(?:(?<!suffer )(?<!suffering )from|after|despite|for (?:her|his|the))\b"
    r"|^\s*(?!history|evidence|sign|symptom|complaint|report|finding|known|family|personal)\w+ of\b"
)
SIGN = re.compile(r"(?<=[:,;\s(])(?:([-−]|\(-\) ?)|\?)$")  # -fever, (-) fever, ?pneumonia

BEFORE: tuple[tuple[Status, re.Pattern[str]], ...] = (
    ("family", _any(rf"""
        family history (?:of|is|includes|significant for)
        tutors|cares for|looks after|babysits|coaches|accompanied by|brought (?:in )?by
        {RELATIVE}
    """)),
    ("conditional", _any(r"""
        if|should (?:she|he|the patient|there)|in case of|(?:risk|chance) (?:of|for)|screen(?:ed|ing)? for
        (?:return|come back|call|phone|contact|seek (?:care|help|attention))\b[^.;]{0,30}\b(?:for|if|with|should)
        monitor(?:ing)? for|watch(?:ing)? for|to prevent|prevention of|prophylaxis|warned about|counseled about
        educated (?:about|on)|vaccin\w+ (?:for|against)|(?:for|if|any|have) (?:any )?(?:signs?|symptoms?) of
    """)),
    ("negated", _any(r"""
        no longer (?:has|on|takes?|taking|needs|requires)|never (?:had|has|been|taken|was)|not (?:been|known to have)
        no|not|denie[sd]|deny|denying|without|negative for|never|free of|ruled out for|absence of|nor|neither|lacks?
        does(?: not|n't) have|did(?: not|n't) have|has(?: not|n't) had|isn't|wasn't|doesn't|didn't|hasn't|rather than
        (?:came|weaned|taken|is|been) off|unremarkable for|declined|held|stopped|quit|discontinued|excluded?|excludes
        rules? out|pertinent negatives include|failed|stop(?:s|ping)? taking|nothing to suggest
        intolerant (?:of|to)|not tolerate
    """)),
    ("possible", _any(r"""
        possible|possibly|probable|suspected|suspicion (?:of|for)|suspicious for|suggestive of|questionable|r/o
        concern(?:ing|ed)? (?:for|about)|worr(?:ied|y) (?:about|for)|(?:could|may|might) (?:represent|have|be)
        consider(?:ed|ing)?|versus|vs\.?|cannot exclude|query|ddx:?|evaluat(?:e|ed|ion) for|work-?up for
        differential (?:diagnosis )?(?:includes?|included|of)
    """, r"\b(?:{})(?=\W)")),
    ("past", _any(r"""
        status[ -]post|s/p|resolved|remote(?: history of)?|prior|previous(?:ly)?|former(?:ly)?|childhood history of
        used to (?:take|have|be on)|had been on|completed a course of|finished a course of|recovered from
        (?:stopped|discontinued|d/c'd)\b[^.;]{0,40}\b(?:due to|because of|for)
        treated in (?:19|20)\d\d for|baseline|(?:down|up) from|goal|target|aim(?:ing)? for|last (?:year|visit|month)
        (?:years?|months?|weeks?) (?:ago|back|earlier)|(?:in|of) (?:19|20)\d\d with
    """, r"\b(?:{})(?=\W)")),
)  # fmt: skip
AFTER: tuple[tuple[Status, re.Pattern[str]], ...] = (
    ("conditional", _any("screening|prophylaxis|vaccin\\w+|precautions|prevention|risk|education", r"^ (?:{})\b")),
    ("negated", _any(r"""
        [^.;,]{0,25}\b(?:was|were|is|has been|have been|are) (?:ruled out|excluded|negative|absent|stopped|discontinued)
        [^.;,]{0,25}\b(?:was|were|is|has been|are) (?:held|d/c'd|not to be \w+|not (?:present|seen|identified|found))
        [^.;]{0,25}\b(?:d/c'd|(?:un|less )likely|taken off|off the med list|no longer used|which was excluded)
        [^.;]{0,25}\bnot (?:present|seen|found|identified)
        \s*:?\s*(?:none|denies|negative|absent|no)\b(?!\s+(?:change|new))
    """, r"^(?:{})\b")),
    ("possible", _any("considered|on the differential|suspected|not (?:proven|confirmed)", r"^[^.;]{0,15}\b(?:{})\b")),
    ("family", _any(rf"""
        [^.;]{{0,30}}\bin (?:her|his|the patient's|a|their) {RELATIVE}\b
        [^.;]{{0,30}}\({RELATIVE}\)
        [^.;]{{0,30}}\bruns in the family
    """, r"^(?:{})")),
    ("past", _any(r"""
        [^.;,]{0,35}\b(?:as an? (?:child|teenager|teen|infant|young \w+|boy|girl)|in (?:childhood|the past|remission))
        [^.;,]{0,35}\b(?:years?|months?|decades?|weeks?) (?:ago|back|earlier)
        [^.;]{0,35}\b(?:not active|inactive|full recovery|cleared)
        [^.;,]{0,35}\b(?:since |has )?(?:resolved|recovered)
        [^.;,]{0,35}\b(?:in|from|of|before|since|until|till) (?:19|20)\d\d(?![-/])
        [^.;,]{0,35}\b(?:last (?:year|month|week|winter|spring|summer|fall|autumn|visit|time))
        [^.;,]{0,35}\b(?:before (?:treatment|admission))
        ,? ?\(?(?:now |since |fully |completely )?(?:resolved|recovered|(?:19|20)\d\d(?![-/]))
    """, r"^(?:{})\b")),
)  # fmt: skip

SECTIONS: Mapping[str, re.Pattern[str]] = {
    "family": _any("family (?:medical )?history|fh|fhx|family hx", r"\b(?:{})$"),
    "allergies": _any(r"all$|allerg|adverse reactions|intolerances", r"\b(?:{})"),
    "surgical": _any("past surgical history|surgical history|psh", r"\b(?:{})$"),
    "return": _any("return precautions|warning signs|return instructions", r"\b(?:{})$"),
}
OF_SECTION: Mapping[str, Status] = {"family": "family", "return": "conditional", "surgical": "past"}
GOES_ON: Mapping[str, re.Pattern[str]] = {  # words that go on with a section
    "family": re.compile(rf"\b{RELATIVE}\b", re.IGNORECASE),
    "allergies": re.compile(r"\ballerg", re.IGNORECASE),
    "surgical": re.compile(r"\b(?:surgery|\w+ectomy|\w+plasty|repair|replacement)\b", re.IGNORECASE),
    "return": re.compile(r"\b(?:return|call|come back|if)\b", re.IGNORECASE),
}
HEADING = re.compile(r"\s*(?:[-*•\d.)]+\s*)?([A-Za-z][A-Za-z /&'()-]{0,40}?)\s*(?::|\s-\s)")
HEADING_IN_CAPITALS = re.compile(r"[A-Z][A-Z /&'-]+$")
KNOWN_HEADING = _any(r"""
    history|exam|examination|medications?|meds|plan|assessment|impression|findings?|diagnos[ei]s|subjective|objective
    vitals?|vital signs|labs?|laboratory|data|results|course|complaint|hpi|pmh|review of systems|ros|disposition
    follow-?up|instructions|technique|indication|comparison|problems?|s|o|a|p|cc|social|precautions|signs
    allerg(?:y|y list|ies|ens?|en\(s\)|ies on file)|intolerances
    condition|procedures?|summary|note|admission|discharge
""", r"^(?:.*\b(?:{}))$")  # fmt: skip
HAS_A_VERB = _any(
    "is|was|are|were|has|had|denies|takes?|shows?|showed|reports?|continue[sd]?|start(?:ed)?|measured|admitted|discharged"
)
BULLET = re.compile(r"\s*(?:([-*•])|\d+([.)]))\s")
END = re.compile(  # of a sentence, a line, or a part before a semicolon
    r"(?<!\bDr)(?<!\bMr)(?<!\bMs)(?<!\bMrs)(?<!\bvs)(?<!\bE)(?<!\n\d)(?<!\n\d\d)[.!?][\"')\]]*(?=\s+[A-Z\d\[(*?-]|\s*$|\s*\n)"
    r"|\n+|;\s"
)
