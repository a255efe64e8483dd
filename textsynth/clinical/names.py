"""The words of a name, and the orders and forms in which the same thing is also written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from textsynth.yaml12 import load_yaml

TOKEN = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)?")
SIDES = ("left", "right", "bilateral")
SIDE_OF = {"l": "left", "lt": "left", "r": "right", "rt": "right", "both": "bilateral"} | {side: side for side in SIDES}
_TAIL = re.compile(
    r"\s*[\[(][^\])]*[\])]\s*$|,? (?:unspecified|nos|without complications?)$|, disorder$", re.IGNORECASE
)
_SALTS = frozenset({
    "hydrochloride", "sodium", "potassium", "succinate", "tartrate", "bitartrate", "maleate", "monohydrate",
    "propionate", "acetate", "mesylate", "besylate", "calcium", "hydrobromide", "fumarate", "phosphate",
})  # fmt: skip
ADJECTIVES = frozenset({
    "acute", "chronic", "recurrent", "primary", "secondary", "severe", "moderate", "mild", "intractable", "open",
    "idiopathic", "atrophic", "closed", "displaced", "nondisplaced", "essential", "congenital", "bacterial",
    "viral", "fungal", "allergic", "malignant", "benign", "stable", "unstable", "perennial", "seasonal",
    "generalized",
})  # fmt: skip
_CAUSES = (  # of neuropathy due to diabetes
    ("due", "to"), ("secondary", "to"), ("2", "2"), ("from",), ("because", "of"), ("caused", "by"),
    ("associated", "with"), ("related", "to"), ("resulting", "from"), ("in", "setting", "of"), ("attributed", "to"),
    ("as", "result", "of"),
)  # fmt: skip
_CAUSAL = frozenset({"bacterial", "viral", "fungal", "allergic"})
_ORIGINS = ("cause", "origin", "etiology", "aetiology", "nature", "type")  # pharyngitis of viral cause
_CAUSED = ("related", "associated", "induced")  # diabetes-related neuropathy
_KINDS = frozenset({  # that are said of a place: sinus infection, infection of the sinuses
    "infection", "inflammation", "fracture", "tear", "sprain", "strain", "cancer", "laceration", "contusion",
    "rupture", "hemorrhage", "stenosis", "abscess", "osteoarthritis", "arthritis", "disease", "dislocation",
    "injury", "obstruction", "ulcer", "polyp", "cyst", "stone", "tumor", "infarction", "aneurysm", "thrombosis",
    "edema", "fibrosis",
})  # fmt: skip
_DONE = {
    "fracture": ("broken", "fractured"), "tear": ("torn",), "rupture": ("ruptured",), "sprain": ("sprained",),
    "laceration": ("lacerated",), "strain": ("strained",), "dislocation": ("dislocated",), "contusion": ("bruised",),
    "infection": ("infected",), "inflammation": ("inflamed",), "ulcer": ("ulcerated",), "stenosis": ("stenotic",),
}  # fmt: skip
_BRITISH = re.compile(r"(?<=h)ae(?=m)|ae(?=mi)|^oe(?=[ds])")  # haematuria, anaemia, oedema
Words = tuple[str, ...]


def words_of(name: str) -> Words:
    """The words of a name as they are compared: small, singular, without possessives, a bracketed tail and a side."""
    while (cut := _TAIL.sub("", name)) != name and cut:
        name = cut
    words = tuple(plain(word) for word in TOKEN.findall(name))
    return tuple(word for word in words if word not in SIDES) or words


def side_of(name: str) -> str:
    """The side that a name says, or "": a name is compared without it."""
    return next((word for word in map(plain, TOKEN.findall(name)) if word in SIDES), "")


def variants_of(kind: str, name: str) -> Iterator[Words]:
    """The word sequences by which a name may stand in a text; its own comes first."""
    words = words_of(name)
    if kind == "allergy":  # "allergy to peanuts", "peanut allergy", "peanuts"
        words = tuple(w for w in words if w not in ("allergy", "to", "allergic", "animal", "product")) or words
        if len(words) == 2 and words[1] in ("pollen", "dander", "venom", "sting", "hair", "milk", "spore"):
            yield from ((words[1], link, words[0]) for link in ("from", "of"))  # pollen from grass
    yield words
    if kind == "medication" and (bare := tuple(w for w in words if w not in _SALTS)) and bare != words:
        yield bare
    if kind in ("problem", "symptom", "phrase"):
        yield from _turned(words)
    if "type" in words and {"ii", "2", "i", "1"} & set(words):
        swap = {"ii": "2", "2": "ii", "i": "1", "1": "i"}
        yield tuple(swap.get(w, w) if words[max(0, n - 1)] == "type" else w for n, w in enumerate(words))


def _turned(words: Words) -> Iterator[Words]:
    """The name of a disease as it may be turned round: its place, its cause and its adjectives before or after it."""
    several = [words]
    if "of" in words[1:-1]:
        at = words.index("of")
        several += _placed(words[:at], words[at + 1 + (words[at + 1] in ("the", "a", "an")) :])
    elif len(words) > 1 and words[-1] in _KINDS:
        leading = next((n for n, word in enumerate(words) if word not in ADJECTIVES), 0)
        if leading < len(words) - 1:
            several.append((*words[:leading], words[-1], "of", *words[leading:-1]))
    for word in set(words[:2]) & _CAUSAL if len(words) > 1 else ():
        rest = tuple(one for one in words if one != word)
        several += [(*rest, "of", word, origin) for origin in _ORIGINS] + [(*rest, word, "in", "origin")]
    for cause in _CAUSES:
        at = next((n for n in range(1, len(words)) if words[n : n + len(cause)] == cause), 0)
        if what := words[:at]:
            by = words[at + len(cause) :]
            several += [(*what, *other, *by) for other in _CAUSES] + [(*by, other, *what) for other in _CAUSED]
    for one in several:
        yield one
        if len(one) > 2 and one[0] in ADJECTIVES and one[1] not in ("of", "and"):
            yield (one[1], one[0], *one[2:])  # intractable chronic migraine
        leading = next((n for n, word in enumerate(one) if word not in ADJECTIVES), 0)
        if leading:
            yield (*one[leading:], *one[:leading])  # sinusitis, chronic


def _placed(kind: Words, where: Words) -> Iterator[Words]:
    """A kind of disease and its place in other orders: tear of meniscus of knee, torn knee meniscus."""
    (*kind_of, what), places = kind, [where]
    if "of" in where[1:-1]:
        at = where.index("of")
        part, whole = where[:at], where[at + 1 :]
        places += [(*whole, *part), *((*part, link, *whole) for link in ("in", "at", "on"))]
        yield from ((*kind_of, *part, what, link, *whole) for link in ("of", "in", "at"))
    for place in places:
        yield from ((*place, *kind_of, what), (*kind_of, *place, what))
        yield from ((*kind_of, done, *of, *place) for done in _DONE.get(what, ()) for of in ((), ("of",)))
        yield from ((*kind_of, what, link, *place) for link in ("of", "to", "on", "in", "at", "involving"))


def plain(word: str) -> str:
    word = word.casefold().replace("’", "'").removesuffix("'s").replace("'", "")
    word = _BRITISH.sub("e", word)
    if len(word) > 4 and word.endswith("ies"):
        word = word[:-3] + "y"
    elif len(word) > 5 and word.endswith(("uses", "sses", "xes")):
        word = word[:-2]
    plural = len(word) > 3 and word[-1] == "s" and word[-2:] not in ("ss", "us", "is")
    word = word[:-1] if plural else word
    return _same_words().get(word, word)


@cache
def _same_words() -> dict[str, str]:
    return {other: word for word, others in file_of_names()["words"].items() for other in others if " " not in other}


@cache
def same_phrases() -> dict[str, list[Words]]:
    """Those that stand for one word but are several: collar bone."""
    phrases = {
        word: [words_of(other) for other in others if " " in other] for word, others in file_of_names()["words"].items()
    }
    return {word: others for word, others in phrases.items() if others}


@cache
def file_of_names() -> Mapping[str, Mapping[str, list[str]]]:
    path = Path(__file__).with_name("vocabulary.yaml")
    sections: Mapping[str, Mapping[str, list[str]]] = load_yaml(path.read_text(encoding="utf-8"), path.name)
    return sections
