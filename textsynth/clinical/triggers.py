"""The words that deny, doubt, date or give to someone else what stands beside them: one alternative a line.

Those of NegEx and ConText (see context.py), and what planted notes and real ones were found to say besides.
"""

from __future__ import annotations

import re

from textsynth.clinical.mentions import Status


def any_of(lines: str, form: str = r"\b(?:{})\b") -> re.Pattern[str]:
    """A pattern of all lines, which may end at any bar, in the form given; case does not matter."""
    alternatives = "|".join(line.strip() for line in lines.strip().splitlines())
    return re.compile(form.replace("{}", alternatives), re.IGNORECASE)


RELATIVE = (
    r"(?:family|mother|father|mom|dad|mum|parents?|(?:step|half)?-?(?:brother|sister)s?|siblings?|"
    r"step-?(?:mother|father)|(?:great[- ])?grand(?:mother|father|parent|son|daughter|child)s?|"
    r"grandchildren|(?:great[- ])?(?:aunt|uncle)s?|"
    r"cousins?|sons?|daughters?|children|husband|wife|spouse|fianc[ée]e?|girlfriend|boyfriend|twin|relatives?|"
    r"nephews?|nieces?|in-laws?|next of kin|kids|[mp]g[mf]|maternal|paternal|(?:room|house)mate|co-?workers?|caregiver)"
)
PATIENT = r"(?:the patient|patient|pt|she|he|they|her own|his own|who|this (?:man|woman|lady|gentleman))"
_TELLS = (  # a relative who tells of the patient
    r"(?:reports?|reported|states?|stated|says?|said|notes?|noted|denies|denied|notice[sd]|describe[sd]?|"
    r"confirm(?:s|ed)|endorse[sd]|provide[sd]|brought|called|worried|concerned)\b"
)
OPPOSED = re.compile(  # the patient again, after a relative
    rf"\b{PATIENT} (?:\w+ )?(?:has|had|is|was|denies|reports|takes)\b", re.IGNORECASE
)

_STOPS = r"""
    but|however|except|although|though|aside from|apart from|other than|which|because|due to|secondary to|related to
    whereas|takes|taking|started|with a history of|nevertheless|nonetheless|instead|c/o|complain(?:s|ed|ing) of
"""
CONDITION_STOP = any_of(_STOPS)  # a condition has a verb of its own: if she has a fever
STOP = any_of(rf"""
    {_STOPS.strip()}
    yet|still|while|has|had|is|was|are|were|presents|presented|reports|reported|continues?|remains?
    positive for|admits?|endorses?|known|worsening|currently|showed|shows|revealed|reveals|demonstrated|demonstrates
    found to have|notable for|significant for|remarkable for|developed|underwent
""")
NO_DENIAL = any_of(r"""
    no (?:increase|change|worsening|further|new|additional|more|recurrent|interval|progression
    complications?)\b(?: in| of| from)?
    (?:no|never any|not any) (?:doubt|question|trouble|problems?|issues?|difficult(?:y|ies)) (?:about|with|that
    tolerating|taking)
    not only|not just|not (?:fully|well|adequately|optimally|completely|yet) controlled|gram[- ]negative|no doubt
    (?:triple|hormone|receptor|her2|culture|sero)[- ]negative
    not (?:at goal|changed|worse(?:ned|ning)?|improv(?:ed|ing))
    without (?:difficulty|change|complications?|incident|any (?:difficulty|problems?|issues?))\b(?: of| from| with)?
    (?:cannot|can't|could not|couldn't|unable to|not|to) (?:\w+ly )?(?:exclude|rule out)
    (?:do|does|did|must|should|can)(?: not|n't) (?:stop|skip|miss|forget|discontinue)
""")
COMPLEMENT = re.compile(  # of a denied noun, which is not denied itself: no pain from the fracture
    r"\b(?:(?<!suffer )(?<!suffering )from|after|despite|(?:for|with|to) (?:her|his|the))\b(?!.*,)"
    r"|^\s*(?:\w+ )?(?!history|evidence|signs?\b|symptom|complain|report|finding|known|family|personal|indication|"
    r"suggestion|suspicion|concern|feature|documentation|record|diagnosis|diagnoses|episode|bout|attack|presence|"
    r"stigmata|manifestation|proof|mention|use\b|intake|risk|question|possibility|trace|kind|type|form|case|"
    r"sens(?:e|ation)|feeling|spell|awareness|aware|speak|hint|typical|characteristic|suggestive|indicative|diagnostic|"
    r"instance|incident|occurrence|onset|admission|period)"
    r"\w+ of\b(?!.*(?:,| and | or ))"
    r"|^\s*(?:\w+ )?(?:complication|exacerbation|worsening|recurrence|progression|flare|effect|change)s? of\b"
    r"|\b(?!(?:being|currently|ever|still|now|actively|started|placed|put|been|not)\b)\w+ (?:while )?"
    r"on (?:her |his |the |daily |oral |home |current )?$"  # no bleeding on warfarin
)
SIGN = re.compile(r"(?:^|(?<=[:,;\s(]))(?:([-−]|\(-\) ?)|\? ?)$")  # -fever, (-) fever, ?pneumonia

BEFORE: tuple[tuple[Status, re.Pattern[str]], ...] = (
    ("family", any_of(rf"""
        (?:family (?:medical |psychiatric |cancer )?(?:history|hx)|fhx?)\b[^.;]{{0,25}}?(?:of|is|for|with|includes?|:)
        tutors|cares for|looks after|babysits|coaches|accompanied by|brought (?:in )?by
        (?<!per )(?<!per the )(?<!per her )(?<!per his )(?<!according to ){RELATIVE}(?! (?:also |has )?{_TELLS})
    """)),
    ("conditional", any_of(r"""
        if|should (?:she|he|the patient|there|you)|in (?:case|the event) of|(?:risks?|chance) (?:of|for)
        (?:at|high|increased|low|elevated) risk (?:of|for)
        (?:return|come back|call|phone|contact|notify|page|inform|alert
        seek (?:\w+ )?(?:care|help|attention)|come in|go to the (?:ed|er|emergency \w+))\b[^.;]{0,40}\b(?:for|if|with
        about|should
        of|any)
        let (?:us|me|the \w+|\w+ \w+) know (?:of|about|if|right away)|(?:screen(?:ed|ing)?|monitor(?:ed|ing)?) for
        (?:watch(?:ing|ed)?|look(?:ing)?)(?: out)? for|(?:stay|be) (?:alert|vigilant) (?:for|to)|to (?:prevent|avoid)
        prevent(?:ion of|ing|s)|prophylaxis|prophylactic|ppx
        (?:warned|counsell?ed|advised|cautioned) (?:about|of|on|regarding)
        educat(?:ed|ion) (?:about|on|regarding)|(?:vaccin\w+|immuni[sz]\w+|protect\w*) (?:for|against)
        (?:for|if|any|have|report) (?:any |new )?(?:signs?|symptoms?) of|candidate for|may (?:need|require)
        (?:review|discuss|explain|taught|teach|went over|know)\w*(?: \w+){0,5} (?:signs?|symptoms?|dangers) of
        (?:(?:please|to|should|must|will) report|report any|to prevent)
    (?:side|adverse) effects? (?:\w+ )?(?:such as|like|includ\w+)|should (?:any|an?|new)
    (?:asked? (?:me |us )?|read |questions? |information |curious )about(?! (?:her|his))|handout (?:on|about)|afraid of
    would benefit from|whether (?:or not )?(?:she|he|the patient|patient|pt|there|this|that|it|these|they)\b
    (?:measures?|steps|strateg(?:y|ies)|guard\w*|shield\w*|treatment|medicine) against|prevent(?:at)?ive
    (?:warning|danger|alarm|red[- ]flag|alarming) (?:signs?|symptoms?|features?)
    (?:reduc|lower|limit|decreas|minimi[sz])\w* (?:the |her |his |any )?(?:odds|likelihood|incidence|threat|danger) of
        precautions?(?: (?:were|was))?(?: (?:given|reviewed|discussed|provided))?(?:\s*:| for| include| including)?
    """)),
    ("negated", any_of(r"""
        no longer (?:has|on|takes?|taking|needs|requires|uses|using|carries)|never (?:had|has|been|taken|was|took
        developed|experienced|showed)
        not (?:been|known to have|yet|currently|presently|still|taking|started|having|reporting|revealed|shown
        demonstrated
        been (?:on|taking|started on|known to have)|currently (?:on|taking)
        (?:notable|significant|remarkable|positive) for)
        (?:no|without|denie[sd](?: any)?|denying|denies having(?: any)?) (?:known|current|currently known)
        (?:has|have) no known|no|not|denie[sd]|deny|denying|without|neg(?:ative)? for|never|free (?:of|from)
        ruled out for|absence of|nor|neither
        lack(?:s|ed|ing)?(?: of)?|no\.|nil|zero|devoid of|(?:clear(?:ed)?|clean) of|unaware of|argu(?:es|ing) against
        inconsistent with
        does(?: not|n't) have|did(?: not|n't) have|ha(?:s|ve|d)(?: not|n't) had
        (?:is|was|does|did|has|are|were|have|had|do|ca|could|wo)n't|cannot
        (?:came|weaned|taken|is|been|tapered|now|currently|was|are|come) off(?: of)?|unremarkable for|rather than
        declin(?:ed|es)
        held|holding|hold(?! (?:for|if|when|on|steady|still|off))|stopped|quit
        (?<!will )(?<!plans to )(?<!plan to )discontinu(?:ed|e|ing)|d/c'?d|excluded?|excludes|ruled out(?: for)?
        rules? out
        refus(?:ed|es)|took (?:her|him|the patient) off(?: of)?|atypical (?:of|for)
        not (?:typical|characteristic|suggestive|indicative|diagnostic|compatible|in keeping) (?:of|for|with)
        (?:do|does|did)(?: not|n't) (?:\w+ )?(?:think|believe|feel|suspect)(?: that)?(?: (?:she|he|this|it|there|the
        patient))?(?: (?:has|had|is|was|represents?))?
        pertinent negatives(?: include)?|failed|stop(?:s|ping)? (?:taking|using)|stop(?: |:)
        nothing (?:point(?:s|ed|ing)? to|(?:to|that) (?:suggest|indicate|support|show)s?|suggest\w+(?: of)?|for)
        intolerant (?:of|to)|not tolerate|avoid(?:s|ing|ed)?|(?:gave|given) up|instead of|in (?:place|lieu) of
        (?:switched|changed|transitioned|converted) (?:\w+ ){0,2}from(?! [xX]+\b[^.;]{0,25}\bto\b)|(?:un
        in)able to tolerate
        un(?:likely|able) to (?:be|have|represent|identify|detect|demonstrate|find)
    """)),
    ("possible", any_of(r"""
        possible|possibly|probabl[ey]|presumed|presumptive|suspect(?:ed|s)?|suspicion (?:of|for|that)|suspicious for
        suggest(?:ive of|s|ing)|questionable|r/o|(?:possibility|probability|likelihood|question) (?:of|that)|perhaps
        maybe
        concern(?:ing|ed|s)? (?:for|about|of|over|that)|worr(?:ied|y|isome) (?:about|for|that)|equivocal for
        (?:could|can|may|might) (?:\w+ )?(?:cause|lead to|trigger|reveal|produce|result in|bring on|start|begin|add|try)
        (?:could|may|might) (?:represent|have|be|reflect|indicate|suggest|signify)
        wonder(?:ed|ing|s)? (?:about|if|whether)
        consider(?:ed|ing|ation (?:of|for))?|versus|vs\.?|(?:cannot|can't|could not|couldn't|to) (?:exclude|rule out)
        query|ddx:?|less likely|(?:premature|too (?:early|soon)) to|(?<!no )(?<!a )doubt(?:ful|s)?(?: that)?
        to (?:confirm|establish)|(?:thought|think(?:ing)?) (?:about|of)|entertain(?:ed|ing)?
    (?:on|among|in) (?:the|our|my|a) (?:short )?(?:list|differential)(?: of \w+)? (?:is|are|was|were)
        (?:evaluat(?:e|ed|ion|ing)|work(?:ed|ing)?[- ]?up|investigat(?:e|ed|ion|ing)|assess(?:ed|ing)?|tested
        checked) for
        (?:pending|awaiting) (?:\w+ ){0,3}(?:for|of)
        differential(?: diagnos[ei]s)?\b[^.;]{0,30}?(?:includ(?:es?|ed|ing)|of|was|is|were|:)
    """, r"\b(?:{})(?=\W)")),
    ("past", any_of(r"""
        status[ -]post|s/p|resolved|(?:remote|distant)(?: history of)?|prior|previous(?:ly)?|former(?:ly)?
        (?:childhood|adolescent|old|ancient) history of|used to|had been (?:on|taking|prescribed|treated with)
        (?:completed|finished) (?:a|her|his|the) (?:\w+[- ]){0,2}course of|(?:recovered|healed) from|once had
        years ago had|highest|lowest|tried(?! to)|(?:finished|completed)(?= (?:(?:her|his|the|all|taking) )*$)
        (?:as an? (?:child|teen(?:ager)?|infant|baby|toddler|adolescent|boy|girl|kid|student)|at age \d+),? (?:(?:she
        he|the patient) )?(?:had|suffered|was treated for|went through|came down with)
        no (?:further|new|additional|more|recurrent|interval|repeat|recurrence of)
        (?:in|during|around|circa) (?:early |late |about |the \w+ of |\w+ (?:of )?)?(?:19|20)\d\d,? (?:(?:she|he
        the patient|pt) )?(?:(?:was |were |had been )?(?:treated|hospitali[sz]ed|seen|evaluated|operated on) (?:for
        with)|had|came down with|suffered(?: from)?|experienced|recovered from|went through)
        (?:stopped|discontinued|d/c'd)\b[^.;]{0,40}\b(?:due to|because of|for)
        (?:treated|seen|hospitali[sz]ed|admitted) (?:\w+ )?in (?:19|20)\d\d (?:for|with)|baseline
        (?:down|up|decreased|increased|improved) from
        goal|target|aim(?:ing)? (?:for|to)|(?:titrate|titrating) to|peak(?:ed)?|nadir
        (?:want|like|try|trying|plan|need) to (?:keep|get|bring|maintain|weigh|reach|lower)
        maintain
        last (?:year|visit|month|week|time|check|appointment|summer|winter|spring|fall|admission)
        (?:years?|months?|weeks?|days?|decades?) (?:ago|back|earlier|prior)|(?:in|of) (?:19|20)\d\d with|yesterday
    """, r"\b(?:{})(?=\W)")),
)  # fmt: skip
AFTER: tuple[tuple[Status, re.Pattern[str]], ...] = (
    ("conditional", any_of(r"""
        (?:screen(?:s|ing)?|prophyla\w+|ppx|vaccin\w+|shots?|booster|immuni[sz]\w+|precautions?|prevention|risks?
        education|season)\b
        (?:diet|foods?|meals?|clinic|cent(?:er|re)|unit|team|specialist|educat\w+|nurse|service|protocol|bundle
        guidelines?|pathway)\b|(?:was|were|is|are|has been) (?:successfully )?(?:prevented|avoided|averted)\b|develop
        occur|arise
        [^.;]{0,40}\bshould (?:prompt|be reported|trigger)
        (?:°? ?[FC] )?(?:or (?:higher|above|greater|more|over|lower|below|less|under)|and (?:above|higher|over|below))\b
    """, r"^[- ](?:{})")),
    ("possible", any_of(r"""
        (?:versus|vs\.?)\s
        [^.;]{0,25}\b(?:not|cannot|can't|couldn't|yet to) (?:be |been )?(?:\w+ )?(?:excluded?|ruled? out|eliminated?
        discounted|confirmed|proven|established|diagnosed)\b
        [^.;]{0,15}\b(?:considered|on the differential|suspected)\b(?! (?:and )?(?:excluded|ruled out|absent|unlikely))
        [^.;,]{0,20}\b(?:is|was|remains?|were|are) (?:also |still |now )?(?:(?:a|an|another|one
        the) )?(?:\w+ )?(?:consideration|possibilit(?:y|ies)|concern)\b
        [^.;]{0,25}\b(?:on|in|among|part of) (?:our|the|my|a|her|his) (?:\w+ )?(?:list of (?:possib|differential
        consider|candidate|diagnos|things)|differential|ddx|radar|possibilities)
        ,? (?:(?:and|or|versus|vs\.?|as well as) [^.;,]{1,40} |\([^)]*\) )?(?:(?:is|was|remains?|were|are|stays?|seems?
        appears?|(?:may|might|could|would) be) (?:\w+ ){0,2}(?:possible|probable|improbable|plausible|conceivable
        doubtful|likely)|(?:is|was|were|are) (?:thought|felt|judged|deemed|considered) (?:to be )?(?:\w+ )?(?:possible
        probable|improbable|doubtful|likely))\b(?! (?:due|to|secondary|from|related|because|caus|contribut|the|an?|on
        worse|\w+ed|\w+ing)\b)
        [^.;]{0,15},? (?:al)?though (?:it|this|that) (?:seems?|is|was|appears?|would be) (?:\w+ ){0,2}(?:improbable
        unlikely|doubtful|likely)\b
        [^.;,]{0,25}\b(?:(?:is|are|remains?|still|results?) (?:still )?(?:pending|awaited|outstanding|not back)
        under (?:evaluation|investigation|consideration))\b
    """, r"^ ?(?:{})")),
    ("negated", any_of(r"""
        [^.;,]{0,25}\b(?:was|were|is|has been|have been|are|came back|returned|proved|turned out|tested|resulted
        read as) (?:to be |all |both )?(?:ruled out|excluded|negative|absent|unrevealing|rejected|dismissed|refuted
        cancell?ed
        deprescribed|stopped|discontinued)
        [^.;,]{0,25}\b(?:was|were|is|has been|are) (?:held|(?:placed |put )?on hold|d/c'?d|not to be \w+
        not (?:present|seen|identified|found)
        tapered off|weaned off)
        [^.;,]{0,25}\b(?:should|must) be (?:avoided|stopped|discontinued|held)
        (?: \d[\w. ]{0,20})?\s*[:(–-]\s*(?:now |since )?(?:stopped|discontinued|d/c'?d|held|on hold|no longer)
        [^.;]{0,25}\b(?:d/c'?d|(?:un|less |not )likely|taken off|off the med list|no longer (?:used|taken|needed
        required|in use)|which was excluded|(?:from|off)(?: of)? (?:her|his|the|their|your|this) (?:\w+ ){0,2}(?:list
        regimen|profile|med rec|reconciliation))
        [^.;]{0,40},? (?:so|and|but|therefore|thus|which|that|before|until) (?:(?:it|this|that|the (?:drug|medication
        medicine|pill|agent)) )?(?:was|were|has been|had to be|is)(?: (?:then|therefore|later|thus|soon|promptly))?
        (?:stopped|discontinued|held|ended|withdrawn|d/c'?d)
        [^.;]{0,40},? (?:so|and|but|therefore|thus|then|until) (?:she|he|we|they|i) (?:\w+ )?(?:(?:stopped|quit
        discontinued|ended|d/c'?d) (?:it|this|that|taking it|using it)|(?:came|went|weaned) off(?: it)?)
        [^.;,]{0,30}\b(?:was|were|has|has been|had to be) (?:\w+ )?(?:expired|lapsed|withdrawn|replaced (?:by|with)
        swapped (?:for|out)
        changed to|switched to|removed from)
        [^.;]{0,25}\bnot (?:present|seen|found|identified|detected|noted|evident|visuali[sz]ed|appreciated
        demonstrated|suspected)
        [- ](?:test|screen|swab|pcr|antigen|antibod(?:y|ie)|serolog(?:y|ie)|work-?up|panel|culture|titer|smear)(?:s
        ing)?\b[^.;,]{0,15}\bnegative
        \s*:?\s*(?:none|denies|denied|negative|neg|absent|nil|no)\b(?!\s+(?:change|new|longer))
    """, r"^(?:{})\b")),
    ("family", any_of(rf"""
        [^.;]{{0,30}}\bin (?:her|his|the patient's|a|their|the|both|two|several|multiple|many|\w+ of (?:her
        his)) (?:\w+[- ]degree )?{RELATIVE}\b
        [^.;]{{0,30}}\baffect(?:s|ed|ing) (?:her|his) (?:\w+ )?{RELATIVE}\b
        [^.;]{{0,20}}\bin (?:an? )?{RELATIVE}\b(?! (?:medicine|practice|clinic|med\b|meeting|therapy))
        [^.;]{{0,30}}\({RELATIVE}\b[^()]*\)
        [^.;]{{0,30}}\b(?:runs in the family|(?:on|from) (?:both sides of the family|(?:(?:her|his
        the) )?{RELATIVE}(?:'s)? side\b))
    """, r"^(?:{})")),
    ("past", any_of(r"""
        [^.;,]{0,35}\b(?:as an? (?:child|teenager|teen|infant|baby|toddler|adolescent|young \w+|boy|girl|kid|student)
        in remission)
        [^.;,]{0,35}\b(?:in|during) (?:\w+ )?(?:childhood|the past(?! (?:\w+ )?(?:hour|day|week|month|year)s?\b)
        infancy|adolescence|youth|college|(?:high|grade|elementary|middle) school|(?:twen|thir|for|fif)ties|(?:19
        20)\d0s
        \w+ teens)
        [^.;,]{0,35}\b(?:years?|months?|decades?|weeks?|winters|summers) (?:ago|back|earlier|prior)
        ,? at (?:the )?age (?:of )?\d+| (?:course|therapy|taper)(?: was)? (?:completed|finished|ended)
        [^.;]{0,35}\b(?:not active|inactive|full recovery|cleared|over now|no longer (?:an? )?(?:issue|problem|active
        present|bother\w*)|in the (?:distant |remote )?past)
        [^.;]{0,35}\b(?:(?:not|never|without|no) (?:come back|came back|recur\w*|return(?:ed)?|relapse[ds]?
        further (?:trouble|episodes?)))
        [^.;,]{0,35}\b(?:since |has )?(?:resolved|recovered|healed)
        [^.;,]{0,35}(?<!diagnosed )(?<!dx )(?<!found )\b(?:in|from|of|before|until|till|circa|around|about|during
        through) (?:early |late |mid-?)?(?:19|20)\d\d(?![-/])
        [^.;,]{0,15}\b(?:when (?:first |initially )?diagnosed|at (?:the time of )?(?:\w+ )?diagnosis)
        [^.;,]{0,35}\b(?:last (?:year|month|week|winter|spring|summer|fall|autumn|visit|time))
        [^.;,]{0,35}\b(?:before (?:treatment|admission)|(?:visit|appointment|check|admission) (?:before|prior)|(?:at
        on) (?:her|his|the|a) (?:last|prior|previous|earlier))
        ,? ?\(?(?:now |since |fully |completely )?(?:resolved|recovered|(?:19|20)\d\d(?![-/]))
    """, r"^(?:{})\b")),
)  # fmt: skip

DIAGNOSED = re.compile(r"\b(?:diagnos(?:ed|is)|dx'?d?|found to have|since|first noted)\b[^.;]*$", re.IGNORECASE)
ITS_YEAR = re.compile(
    r"^([^.;]{0,35}?)\s*\b(?:back )?(?:in (?:\w+ )?(?:19|20)\d\d|at (?:the )?age (?:of )?\d+)\b", re.IGNORECASE
)  # of a diagnosis
