"""Names of persons: by a title, a label, a kinship or a credential beside them, or by the census lists."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from textsynth.privacy.census import DOES, LOWER, RARE, is_tail, listed
from textsynth.privacy.kinds import Identifier, plain_words
from textsynth.privacy.lists import NO_NAMES, TALK, first_names, last_names
from textsynth.privacy.words import Words, is_first

_TITLE = re.compile(
    r"(?<!\d )(?<!\d)\b(?:(?:Drs?|Mrs?|Ms|Mx|Messrs|Prof|Rev|Hon|Fr|Sgt|Lt|Capt|Col|(?:DR|MR|MRS"
    r"|MS)(?=\b ?\.?\s+[A-Z]{2})"
    r"|drs?|mrs?|ms)\b ?\.?|(?:Miss|Mister|Professor|Doctor|Nurse|Reverend|Pastor|Rabbi|Sister|Officer|Detective"
    r"|Judge|doctor"
    r"|nurse|miss|mister)\b)\s+"
)
_LABEL = re.compile(
    r"(?i)(?<![\w])(?:(?:patient|pt|client|full|legal|maiden|preferred|first|last|middle|family|given|mother's"
    r"|father's)"
    r"(?:'s)?\s+(?:full |legal )?name|name(?: of (?:patient|physician|provider))?|patient|pt|client"
    r"|attending(?: physician)?"
    r"|(?:primary |first |second |assistant |co-?)?surgeons?|assistants?|anesthesiologist|anesthetist"
    r"|(?:primary care |referring |consulting |ordering |family |treating |admitting |requesting )?(?:physician"
    r"|provider|doctor)"
    r"|pcp|dictated by|dictated|dictator|transcribed by|typed by|(?:electronically )?signed(?: by)?|e-signed by"
    r"|reviewed by"
    r"|verified by|prepared by|seen by|examined by|cosigned by|authenticated by|entered by|author|cc|nurse|rn"
    r"|consultant|scribe"
    r"|next of kin|emergency contact|guardian|contact(?: person)?|spouse|mother|father|wife|husband|son|daughter"
    r"|guarantor"
    r"|subscriber|insured|attn|attention|witness|interpreter|case manager|social worker|therapist|technician"
    r"|sincerely|regards"
    r"|respectfully|signature|physician of record|caregiver|informant|re)(?:\s*(?::|[-–—]{1,2})\s*|(?<=[yY])(?:,"
    r"| yours,)?\n\s*"
    r"|(?<=[sS]),?\n\s*)"
)
_KIN = re.compile(
    r"\b(?i:wife|husband|spouse|daughter|son|mother|father|mom|dad|sister|brother|aunt|uncle|cousin|niece|nephew"
    r"|partner"
    r"|grand(?:mother|father|son|daughter|ma|pa)|girlfriend|boyfriend|fianc[eé]e?|friend|caregiver|neighbor|guardian"
    r"|roommate"
    r"|sibling|twin|step(?:son|daughter|mother|father)|caretaker|(?:daughter|son|mother|father|sister|brother)-in-law)"
    r"(?:\s*[,(]\s*|\s+(?:is |was )?(?:named |called |whose name is |name is |by the name of )?)\"?(?=[^\W\d_])"
)
_ASIDE = re.compile(r"(?i)\((?:wife|husband|spouse|partner|son|daughter|mother|father|brother|sister|friend)\s*:\s*$")
_NAMED = re.compile(
    r"(?i:\b(?:named|name is|name's|name was|goes by|known as|nicknamed|a\.?k\.?a\.?|n[eé]e|introduced (?:himself"
    r"|herself) as"
    r"|spoke (?:with|to)|speaking with|discussed with|accompanied by|referred by|seen by|initials(?: are)?|i am|i'm"
    r"|this is"
    r"|hi|hello|hey|thanks|thank you|morning|afternoon))[,:]?\s+\"?(?=[^\W\d_])"
)
_ROLE = re.compile(
    r"\b(?i:(?:nurse )?practitioner|therapist|social worker|case manager|physician(?: assistant)?|assistant"
    r"|technician|technologist"
    r"|pharmacist|chaplain|interpreter|dieti[ct]ian|counsel[lo]+r|psychologist|hospitalist|pediatrician|midwife|aide"
    r"|attorney|lawyer"
    r"|\w+olog(?:ist|y resident)|psychiatrist|surgeon|anesthetist|resident|fellow|intern|teacher|employer|landlord"
    r"|officer|coach)"
    r",?\s+(?=[^\W\d_])"
)
_DID = re.compile(
    r"\b(?i:(?:(?:co)?signed|dictated|witnessed|seen|reviewed|performed|assisted|interpreted|read|examined|written"
    r"|followed|placed"
    r"|transcribed|verified|evaluated|treated|ordered|prepared|accompanied) by)\s+(?=[^\W\d_])"
)
_CREDENTIAL = re.compile(
    r"(?:,\s*|\s)(?:M\.?D\.?|D\.O\.|R\.?N\.?|N\.P\.|Ph\.?\s?D\.?|PA-C|P\.A\.(?:-C)?|DDS|D\.D\.S\.|DPM|D\.P\.M\.|LPN"
    r"|CRNA|ARNP"
    r"|APRN|FNP(?:-[A-Z]+)?|DNP|FACS|F\.A\.C\.S\.|FACC|LCSW|MSW|PharmD|Pharm\.D\.|Psy\.?D\.?|DVM|OTR(?:/L)?|DPT|CNM"
    r"|BSN|MSN"
    r"|Jr\.?|Sr\.?|Esq\.?)(?![\w])|,\s*(?P<short>DO|NP|PA|PT|OT|MA|MS|RT|DC)(?![\w])"
)
Found = dict[tuple[int, int], bool]  # first token and count -> whether its words are names elsewhere too


def names_in(text: str) -> Iterator[Identifier]:
    """Every name of a person in a text; a name that is once told by what stands beside it is one everywhere."""
    words = Words(text)
    found: Found = {}
    if words.tokens:
        for at, count in (*_beside(words), *_before_credentials(words)):
            found[at, count] = True
        at = 0
        while at < len(words.tokens):
            count = listed(words, at)
            if count:
                found[at, count] = count > 1 or not words.is_word(words.tokens[at].word)
            at += max(count, 1)
        found |= {(at, 1): False for at in _again(words, found)}
    for at, count in found:
        start, end = words.tokens[at].start, words.tokens[at + count - 1].end
        yield Identifier(start, end, "name", plain_words(text[start:end]))


def _beside(words: Words) -> Iterator[tuple[int, int]]:
    """Names after a title, a label, a kinship, `named`."""
    starts = [token.start for token in words.tokens]
    ways = (_TITLE, _titled), (_LABEL, _labeled), (_KIN, _related), (_NAMED, _named), (_DID, _did), (_ROLE, _named)
    for form, count_of in ways:
        for found in form.finditer(words.text):
            end = found.end()
            while form is not _TITLE and (title := _TITLE.match(words.text, end)):
                end = title.end()
            at = bisect_left(starts, end)
            if at < len(starts) and starts[at] == end and (count := count_of(words, at)):
                yield at, count


def _titled(words: Words, at: int) -> int:
    token = words.tokens[at]
    if not token.upper:
        count = 0 if token.word in TALK or last_names().get(token.word, RARE) >= RARE else words.run(at, 2)
        return count if count < 2 or is_tail(words, at + 1) else 1
    count = words.run(at, 4, beside=True)
    return 0 if count and words.is_thing(at) and words.is_word(token.word) else count


def _labeled(words: Words, at: int) -> int:
    count = words.run(at, 4, beside=words.tokens[at].initial)
    if not count or not words.tokens[at].upper:
        return 0
    if count == 1 and words.text[: words.tokens[at].start].rstrip(" :").lower().endswith("cc"):  # the chief complaint
        return 0
    whole = words.last_first(at, count)
    known, clear = _told(words, at, count)
    if count == 1 == clear and _ASIDE.search(words.text, max(0, words.tokens[at].start - 30), words.tokens[at].start):
        return 1
    return whole if whole > count or (known and (clear or count > 1)) or (count in (2, 3) and clear == count) else 0


def _related(words: Words, at: int) -> int:
    token, count = words.tokens[at], words.run(at, 3)
    known, clear = _told(words, at, count)
    if not count or words.is_thing(at + count - 1):
        return 0
    if not token.upper or token.said.isupper():
        return count if known and clear and (token.upper or is_first(token.word)) else 0
    single = token.word in first_names() and token.word not in words.small
    return count if (known and clear) or single or (count < 3 and clear == count) else 0


def _named(words: Words, at: int) -> int:
    token, count = words.tokens[at], words.run(at, 3)
    known, clear = _told(words, at, count)
    if not count or words.is_thing(at + count - 1):
        return 0
    if not token.upper:
        fits = first_names().get(token.word, 0) >= LOWER and token.word not in TALK and len(token.word) > 2
        return 1 + (count > 1 and is_tail(words, at + 1)) if fits else 0
    if known and clear and (is_first(token.word) or count > 1):
        return count
    return count if count == 2 and clear == 2 and not token.said.isupper() else 0


def _did(words: Words, at: int) -> int:
    count = words.run(at, 3)
    _, clear = _told(words, at, count)
    return (
        count if count > 1 and clear == count and words.tokens[at].upper and not words.is_thing(at + count - 1) else 0
    )


def _told(words: Words, at: int, count: int) -> tuple[bool, int]:
    """Whether some word of a run is a known name, and how many are no words besides (initials are none)."""
    run = [token for token in words.tokens[at : at + count]]
    return any(words.known(t.word) for t in run if not t.initial), sum(
        t.initial or not words.is_word(t.word) for t in run
    )


def _before_credentials(words: Words) -> Iterator[tuple[int, int]]:
    """Names before MD, RN, Jr and the like."""
    starts = [token.start for token in words.tokens]
    for found in _CREDENTIAL.finditer(words.text):
        after = at = bisect_left(starts, found.start())
        while at and after - at < 4:
            token, gap = (
                words.tokens[at - 1],
                words.text[words.tokens[at - 1].end : starts[at] if at < after else found.start()],
            )
            fits = token.initial or (token.upper and words.can_be_name(token, beside=True))
            if not fits or gap not in ((" ", ". ", ".") if at < after else ("", ".")):
                break
            at -= 1
        turned = 0 < after - at < 3 and at > 0 and words.gap(at - 1) == ", "  # Roe, Jane, MD
        if turned and words.tokens[at - 1].upper and words.can_be_name(words.tokens[at - 1]):
            at -= 1
        count = after - at
        known, clear = _told(words, at, count)
        whole = [token for token in words.tokens[at:after] if not token.initial]
        long = found["short"] is None
        if whole and clear and ((known and (count > 1 or long)) or (count > 1 and long and clear == count)):
            yield at, count


def _again(words: Words, found: Found) -> Iterator[int]:
    """The words of names that were told, wherever else they stand."""
    inside = {at + k for at, count in found for k in range(count)}
    told = {words.tokens[at + k].word for (at, count), spreads in found.items() if spreads for k in range(count)}
    told = {word for word in told if len(word) > 2} - NO_NAMES
    for at, token in enumerate(words.tokens):
        if token.word in told and at not in inside and not words.is_thing(at) and _is_again(words, at):
            yield at


def _is_again(words: Words, at: int) -> bool:
    """Whether a word that is a name elsewhere is one here: one that is also a word only with a capital of its own."""
    token = words.tokens[at]
    if not words.cased:
        return token.word not in TALK
    if not words.is_word(token.word):
        return token.upper
    begins = not at or re.search(r"[.:\n]\s*$", words.text[max(0, token.start - 3) : token.start]) is not None
    own = not begins or DOES.match(words.text, token.end) is not None
    return token.upper and own and not token.said.isupper() and token.word not in words.small
