"""All that a clinical text states: ages, sexes, dates, vitals, labs, problems, drugs with doses, allergies, sides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from textsynth.clinical.context import Context
from textsynth.clinical.headings import MIXED
from textsynth.clinical.mentions import Kind, Mention
from textsynth.clinical.names import SIDE_OF
from textsynth.clinical.quantities import ages, dates, doses, measurements
from textsynth.clinical.triggers import RELATIVE
from textsynth.clinical.vocabulary import Term, Vocabulary

_SEXES = re.compile(
    r"\b(?:(?P<female>female|woman|lady|girl|(?:sex|gender)(?: is| -)?:? ?f(?:emale)?|mrs(?=\.? )|ms(?=\. ))"
    r"|(?P<male>male|man|gentleman|boy|(?:sex|gender)(?: is| -)?:? ?m(?:ale)?|mr(?=\.? ))"
    r"|(?P<she>she|her|hers|herself)|(?P<he>he|him|his|himself))(?![\w-]*pattern)\b",
    re.IGNORECASE,
)
_LETTER = re.compile(
    r"(?<![\d./])\b\d{1,3}(?:/|, |[- ]?(?:y[/.]?o\.?|y|yrs?|years?|years?[- ]old),?[- ]?)?([FM])\b"
    r"|(?<![\d°])(?<![\d°] )(?<!degrees )\b([FM])(?=(?:,? |/)\d{1,3} ?(?:y\w*)?(?![\w/%]|[.,]\d))"
)
_OTHERS = re.compile(
    r"\b(?:doctor|dr\.|nurse|physician|provider|mother|father|brother|sister|husband|wife|son|daughter|spouse|partner|"
    r"friend|caregiver|parents?|uncle|aunt|grand\w+|cousin|therapist|surgeon|family)\b",
    re.IGNORECASE,
)
_ALLERGY = re.compile(
    r"\b(?:allerg(?:y|ies|ic)|anaphyla\w+|intoleran\w+|adverse reactions?|hives|breaks out|hypersensitivity)\b",
    re.IGNORECASE,
)
_REACTIONS = ("acute allergic reaction", "anaphylaxis", "urticaria", "angioedema", "rash", "itching", "swelling")
_ACUTE = re.compile("acute", re.IGNORECASE)
_NO_ALLERGY = re.compile(
    r"\b(?:NK[DFM]?A|(?:no|without|denies|denied|not have|never had)(?: any)?(?: (?:known|documented|reported|recorded|"
    r"history of|significant))*"
    r"(?:(?: or|,|/| and|/or)? ?(?:drug|medication|medicine|medicinal|food|latex|environmental|contrast|seasonal))*"
    r" (?:allerg(?:y|ies)|adverse (?:drug )?reactions)|not (?:known to be )?allergic to any(?:thing| \w+)|"
    r"allerg(?:y|ies)(?: to (?:drugs|medications?|medicines))?(?: list)?[ \t]*[:-]?\s*"
    r"(?:none(?: known)?|denies|denied|nil|negative|nka|n/a|not known|no(?= *(?:[.;\n]|$))))\b",
    re.IGNORECASE,
)
_KEPT_FROM = re.compile(  # cannot take codeine because of hives
    r"\b(?:(?:cannot|can't|can ?not|could not|unable to|should not|must not|does not|never) "
    r"(?:be given|have|take|tolerate|eat|use|receive)|avoid(?:s|ing|ed)?|stopped)\b[^.;]*$",
    re.IGNORECASE,
)
_TO_WHAT = re.compile(r"\sto\b")
_NOT_TAKEN = re.compile(  # digoxin level, vitamin B12 deficiency
    r"[- ](?:deficien\w+|levels?|toxicity|overdose|poisoning|resist\w+|sensitiv\w+|susceptib\w+|dependen\w+|induced|"
    r"related|associated|withdrawal|use disorder|naive|abuse|misuse|challenge|intoleran\w+|free|sparing)\b",
    re.IGNORECASE,
)
_RELATIVES_AGE = re.compile(rf"[ ,-]{{1,2}}(?:\w+ )?{RELATIVE}\b(?! of)", re.IGNORECASE)
_EARLIER = re.compile(
    r"\b(?:(?:down|up) from|before (?:(?:her|his|the) )?(?:treatment|admission|surgery|"
    r"therapy|operation|procedure|illness|dialysis)|last \w+|goal|target|baseline|previous(?:ly)?|prior|"
    r"peak(?:ed)?|nadir|in (?:19|20)\d\d|(?:years?|months?|weeks?|days?|decades?) (?:ago|back|earlier|prior)|yesterday|"
    r"had been|(?:under|below|above|(?<!\d )(?<!systolic )over|"
    r"(?:less|lower|greater|higher|more|better) than|at (?:least|most)|between)(?: or equal to)?(?= \d)|historically|"
    r"used to (?:be|run)|ideally|should be)\b",
    re.IGNORECASE,
)
_EARLIER_YEAR = re.compile(  # in 2009, at an outside clinic, her glucose was 162
    r"(?:\b(?:in|during|from|around|circa|through) (?:the )?(?:\w+ )?(?:of )?(?:19|20)\d\d\b(?![-/])"
    r"|\b(?:19|20)\d\d (?:(?:labs?|values?|results?|records?)\b|$)"
    r"|\bwhen (?:she|he|the patient) was first|\bold records"
    r"|\b(?:stay|remain|be|keep|is|goes|gets|rises|falls|drops) (?:under|below|above|over) $)"
    r"(?!.*\b(?:now|today|current(?:ly)?|this|admi\w+|discharge\w*|hospitali\w+|recent|latest|present\w*)\b)",
    re.IGNORECASE | re.DOTALL,
)
_WITH_KIN = re.compile(  # released home with family on March 3, 2020
    rf"\b(?:with|to|by|under|into|in|from)(?: the)?(?: care of)? (?:[\w']+ ){{0,2}}{RELATIVE}\b(?:'s?)?", re.IGNORECASE
)
_KIN = re.compile(rf"\b{RELATIVE}\b", re.IGNORECASE)
_SIDE = re.compile(
    r"\b(left|right|bilateral(?:ly)?|both)\b(?! (?:away|now|side of the bed|lateral decubitus))", re.IGNORECASE
)
_BESIDE = re.compile(r"\b([Ll]eft|[Rr]ight|[Bb]ilateral|L|R|Lt|Rt|lt|rt)\b\)?(?:[- ]sided)?,? (?:[a-z]+ )?$")


def extract(text: str, vocabulary: Vocabulary) -> list[Mention]:
    """Every mention in a text, in order; `present` are those that hold for the patient now.

    The side of a problem stands in its `value`; the dose of a drug in its `value` and `unit`.
    """
    terms = list(vocabulary.find(text))
    context = Context(text, [(term.start, term.end) for term in terms if not _is_allergy(text, term)])
    found = [_in_context(context, one) for one in (*ages(text), *dates(text), *measurements(text, terms))]
    found += _sexes(text, context)
    found += _named(text, context, terms)
    for one in _SIDE.finditer(text):
        side = one[1].lower() if one[1].lower() in ("left", "right") else "bilateral"
        found.append(Mention("side", "", one.start(), one.end(), side, "", context.status(*one.span())))
    return sorted(found, key=lambda one: (one.start, one.end, one.kind))


def _in_context(context: Context, mention: Mention) -> Mention:
    """A number with its status: it is neither denied nor doubted by the words that deny or doubt what is around it."""
    status = context.status(mention.start, mention.end)
    if mention.kind == "age" and _RELATIVES_AGE.match(context.text[mention.end :]):
        status = "family"
    before = context.text[context.sentence(mention.start).start : mention.start]
    if mention.kind in ("vital", "lab") and (
        _EARLIER.search(context.text[mention.start : mention.end]) or _EARLIER_YEAR.search(before)
    ):
        status = "past"
    if mention.kind == "date" and status == "family" and not _KIN.search(_WITH_KIN.sub("", before)):
        status = "present"
    if status in ("negated", "possible") or (status == "conditional" and mention.kind in ("age", "date")):
        status = "present"
    return mention if mention.status != "present" else replace(mention, status=status)


def _sexes(text: str, context: Context) -> Iterator[Mention]:
    """Words that tell a sex; a pronoun counts where no one else is in its sentence or the one before."""
    for found in _SEXES.finditer(text):
        kind = str(found.lastgroup)
        value = "female" if kind in ("female", "she") else "male"
        status = context.status(*found.span())
        sentence = context.sentence(found.start())
        if kind in ("she", "he"):
            at = context.sentences.index(sentence)
            around = text[context.sentences[max(0, at - 1)].start : found.start()]
            if _OTHERS.search(around) or status == "family":
                continue
            yield Mention("sex", "pronoun", found.start(), found.end(), value)
        else:
            yield Mention(
                "sex", "noun", found.start(), found.end(), value, "", "family" if status == "family" else "present"
            )
    for letter in _LETTER.finditer(text):
        at = letter.lastindex or 0
        yield Mention("sex", "noun", *letter.span(at), "female" if letter[at] == "F" else "male")


def _is_allergy(text: str, term: Term) -> bool:
    """Whether the words say an allergy to what follows them: allergic reactions to codeine."""
    return term.name in _REACTIONS[:2] and bool(_TO_WHAT.match(text, term.end))


def _is_reaction(text: str, before: str, term: Term, of_allergies: bool) -> bool:
    """Whether a problem or symptom is what an allergy does, not one of its own."""
    reaction = term.name in _REACTIONS
    to = _is_allergy(text, term) and not _ACUTE.match(text, term.start)
    return bool((reaction and _ALLERGY.search(before)) or to or (of_allergies and (reaction or term.kind == "symptom")))


def _named(text: str, context: Context, terms: Sequence[Term]) -> Iterator[Mention]:
    dose = doses(text, [term for term in terms if term.kind == "medication"])
    for term in terms:
        if term.kind in ("vital", "lab") or (term.kind == "medication" and _NOT_TAKEN.match(text, term.end)):
            continue
        sentence, status = context.sentence(term.start), context.status(term.start, term.end)
        around = (
            _NO_ALLERGY.sub("", MIXED.sub("", context.plain[sentence.start : sentence.end]))
            + text[term.start : term.end]
        )
        of_allergies = sentence.section == "allergies"
        in_allergies = of_allergies or bool(_ALLERGY.search(around) and term.kind != "problem")
        if term.kind == "medication" and not in_allergies:
            found = dose.get(term.start)
            value, unit, digits = (found.value, found.unit, found.digits) if found else (None, "", 0)
            yield Mention(
                "medication", term.name, term.start, found.end if found else term.end, value, unit, status, digits
            )
        elif term.kind in ("medication", "allergy"):
            if in_allergies:
                if status == "negated" and _KEPT_FROM.search(context.plain[sentence.start : term.start]):
                    status = "present"
                yield Mention("allergy", term.name, term.start, term.end, None, "", status)
        else:
            before = _BESIDE.search(text[sentence.start : term.start])
            side = term.side or (SIDE_OF[before[1].lower()] if before else None)
            if status == "present" and _is_reaction(
                text, context.plain[sentence.start : term.start], term, of_allergies
            ):
                status = "conditional"
            kind: Kind = "problem" if term.kind == "problem" else "symptom" if term.kind == "symptom" else "phrase"
            yield Mention(kind, term.name, term.start, term.end, side, "", status)
    for none in _NO_ALLERGY.finditer(text):
        yield Mention("allergy", "none", none.start(), none.end())
