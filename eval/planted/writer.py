"""Writes one planted note: facts in one of many ways, among distractors, with marks that become spans."""

from __future__ import annotations

import random
import re
from datetime import date
from typing import Any, NamedTuple

from planted import chart_names, distractors, fresh_names, phrases, plain_names
from planted.distractors import DENIED, DISTRACTORS, NEGATED
from planted.layouts import LAYOUTS
from planted.names import ALLERGENS, CHRONIC, DRUGS, PROBLEMS, unsided
from planted.patients import Facts
from planted.values import age_words, article, form, ordinal, other_numbers

OPEN, CLOSE, FIRST = "\ue000", "\ue001", 0xE100
DOSE = re.compile(r"(?:, | - | at a dose of | \(|: | )?\{d\}\)?(?: of )?")
OWN: dict[str, Any] = {"fresh": fresh_names, "plain": plain_names, "chart": chart_names}  # with names of their own
SLOTS = {"past": "history", "negated": "history"}


class Planted(NamedTuple):
    """What a note says and where: characters of the text, ends excluded."""

    facts: list[tuple[str, int, int]]  # JSON Pointer, start, end
    distractors: list[tuple[str, str, int, int, str]]  # kind, name, start, end, why
    half: str
    seed: int


class Writer:
    """One note: `facts` are written, and `truth` decides the distractors, the same under every contradiction."""

    def __init__(self, facts: Facts, truth: Facts, half: str, seed: int, edit: dict[str, Any] | None = None) -> None:
        self.facts, self.truth, self.half, self.seed, self.edit = facts, truth, half, seed, edit or {}
        self.labels: list[tuple[str, ...]] = []
        rng = self.rng("kinds")
        self.kinds = rng.sample(["negated", *DISTRACTORS[half]], rng.randint(2, 5))
        self.systems = {s for p in truth["problems"] for s in PROBLEMS[unsided(p["name"])][0].split()}
        self.systems |= {s for d in truth["medications"] for s in DRUGS[d["name"]][1].split()}
        self.numbers = other_numbers(truth, facts["sex"] == "female", "dm" in self.systems, self.rng("numbers"))
        self.names = self.other_names()

    def rng(self, key: str) -> random.Random:
        return random.Random(f"{self.seed}/{key}")

    def pick(self, key: str, options: Any) -> Any:
        return self.rng(key).choice(list(options))

    def mark(self, text: str, *label: str) -> str:
        """The text between marks that `read_marks` turns into spans: a label is a pointer, or kind, name and why."""
        self.labels.append(label)
        return f"{OPEN}{chr(FIRST + len(self.labels) - 1)}{text}{CLOSE}"

    def note(self) -> tuple[str, Planted]:
        layout = LAYOUTS[self.half][self.pick("layout", LAYOUTS[self.half])]
        lines = []
        for line in layout.split("\n"):
            slots = re.findall(r"\{(\w+)\}", line)
            filled = {slot: self.slot(slot) for slot in slots}
            if slots and line == f"{{{slots[0]}}}":
                filled[slots[0]] = filled[slots[0]].lstrip("\n")
            if slots and not any(filled[slot] for slot in slots if slot != "He"):
                continue
            lines.append(re.sub(r" {2,}(?=\S)", " ", self.fill(line, filled)) if slots else line)
        text = re.sub(r"\n{3,}", "\n\n", re.sub(r" *\n *", "\n", "\n".join(lines))).strip()
        return self.read_marks(text)

    def read_marks(self, marked: str) -> tuple[str, Planted]:
        """The text without its marks, and the spans they stood around."""
        text, at, opened = [], 0, []
        planted = Planted([], [], self.half, self.seed)
        chars = iter(marked)
        for char in chars:
            if char == OPEN:
                opened.append((self.labels[ord(next(chars)) - FIRST], at))
            elif char == CLOSE:
                label, start = opened.pop()
                if len(label) == 1:
                    planted.facts.append((label[0], start, at))
                else:
                    planted.distractors.append((label[0], label[1], start, at, label[2]))
            else:
                text.append(char)
                at += 1
        return "".join(text), planted

    def fill(self, template: str, values: dict[str, str]) -> str:
        """The template with its slots filled: given values first, then the words of the patient's sex."""
        female = self.facts["sex"] == "female"

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in values:
                return values[name]
            if name in phrases.WORDS:
                return self.mark(phrases.WORDS[name][female], "/sex")
            if name in phrases.KIN:
                return phrases.KIN[name][female]
            raise KeyError(name)

        return re.sub(r"\{(\w+)\}", value, template)

    def slot(self, slot: str) -> str:
        """What stands in a layout's slot; nothing where the note does not have it."""
        kind = slot.removesuffix("_list")
        if kind in ("intro", "demo"):
            return self.opening(phrases.INTRO if kind == "intro" else phrases.DEMO)
        if kind == "stay":
            days = {"adm": self.day("admitted"), "dis": self.day("discharged")}
            return self.fill(self.pick("stay", phrases.STAY[self.half]), days)
        if kind == "He":
            return self.fill("{He}", {})
        if kind in self.facts:
            return self.stated(kind, slot != kind)
        return " ".join(self.distractor(k) for k in sorted(self.kinds) if SLOTS.get(k, k) == kind)

    def opening(self, table: dict[str, list[str]]) -> str:
        age, sex = self.facts["age"], self.facts["sex"]
        lead = self.problem(0, "lead", "x") if self.pick("lead", (True, False)) else ""
        words = {
            "age": self.mark(str(age), "/age"),
            "words": self.mark(age_words(age), "/age"),
            "a": article(age),
            "A": article(age).title(),
            "sex": self.mark(sex, "/sex"),
            "Mr": self.mark(phrases.TITLES[sex], "/sex"),
            "man": self.mark(self.pick("noun", phrases.NOUNS[self.half][sex].split("/")), "/sex"),
            "lead": f" with {lead}" if lead else "",
        }
        words["man_age"] = f"{words['age']}-year-old {words['sex']}"
        return self.fill(self.pick("opening", table[self.half]), words)

    def day(self, name: str) -> str:
        day = date.fromisoformat(self.facts[name])
        pattern = self.pick("dates", phrases.DATES[self.half]).replace("%-dth", ordinal(day.day))
        return self.mark(day.strftime(pattern), f"/{name}")

    def stated(self, kind: str, listed: bool) -> str:
        """All facts of a kind, as the body of a heading or in a carrier, and the denial planted among problems."""
        carrier = self.pick(kind, self.carriers(kind))
        before, item, between, last, after = carrier.lstrip("^").split("|")
        items = getattr(self, kind)("{bare}" if listed and kind == "problems" else item)
        denied = self.denial() if kind == "problems" else ""
        if not items:
            return phrases.NONE[self.half].get(kind, "") if listed else ""
        if listed:
            shape = self.pick("shape " + kind, phrases.LISTS[self.half])
            body = "".join(shape.replace("{i}", str(i + 1)).replace("{}", cap(x)) for i, x in enumerate(items))
            gap = "\n" if shape.endswith("\n") else " "
            body = body.rstrip(" ,;.\n")
            body = f"\n{body}" if gap == "\n" else f"{body}."
            return body + (gap + denied if denied else "")
        if len(items) == 2 and "and" in last:
            last = last.removeprefix(",")
        body = between.join(items[:-1]) + last + items[-1] if len(items) > 1 else items[0]
        return self.fill(cap(before), {}) + body + after + (" " + denied if denied else "")

    def carriers(self, kind: str) -> list[str]:
        """The carriers that may be used: a past history holds only chronic problems."""
        names = [p["name"] for p in self.truth["problems"]]
        chronic = all(unsided(name) in CHRONIC for name in names)
        return [c for c in phrases.CARRIERS[self.half][kind] if chronic or not c.startswith("^")]

    def problems(self, item: str) -> list[str]:
        names = [p["name"] for p in self.facts["problems"]]
        prose = "x" if "{x}" in item else "bare"
        return [self.problem(i, "list", prose) for i, n in enumerate(names) if n != self.edit.get("deny")]

    def problem(self, i: int, key: str, how: str) -> str:
        """The i-th problem under one of its names: with its article ("x") or without ("bare")."""
        return self.mark(self.called(self.facts["problems"][i]["name"], key, how), f"/problems/{i}")

    def called(self, name: str, key: str, how: str) -> str:
        base = unsided(name)
        own = OWN.get(self.half)
        names: str = own.PROBLEMS[base] if own else PROBLEMS[base][1 if self.half == "dev" else 2]
        side = (re.findall(r"\b(?:left|right)\b", name) or [""])[0]
        if side and how == "bare" and self.pick("short side", (True, False)):
            side = phrases.SIDES[self.half].format(side[0].upper())
        text = self.pick(f"{key} {base}", names.split("/")).replace("{s}", side + " " if side else "")
        if not text.startswith("~"):
            return text
        text = text[1:]
        an = "an" if re.match(r"[aeiouAEIOU]|MI\b", text) and not text.startswith(("urinary", "UTI")) else "a"
        return f"{an} {text}" if how == "x" else text

    def denial(self) -> str:
        """The sentence by which a contradiction denies a problem."""
        if "deny" not in self.edit:
            return ""
        name = self.called(self.edit["deny"], "list", "bare")
        return self.fill(self.pick("denial", DENIED[self.half]), {"x": name, "X": cap(name)})

    def medications(self, item: str) -> list[str]:
        found = []
        for i, drug in enumerate(self.facts["medications"]):
            names = OWN[self.half].DRUGS if self.half in OWN else {n: others for n, (others, _) in DRUGS.items()}
            others = names[drug["name"]].split("/") if drug["name"] in names else []
            name = self.pick(f"drug {i}", [drug["name"], *others])
            shape = item if "dose" in drug else DOSE.sub("", item)
            found.append(self.mark(self.fill(shape, {"n": name, "d": self.dose(drug, i)}).strip(), f"/medications/{i}"))
        return found

    def dose(self, drug: Facts, i: int) -> str:
        """The dose; one under half a milligram is at times in micrograms."""
        if "dose" not in drug:
            return ""
        milligrams = float(drug["dose"].split()[0])
        micro = float(self.truth["medications"][i]["dose"].split()[0]) < 0.5 and self.pick("micro", (True, False))
        shape = self.pick("mg", ("{} mg", "{}mg", "{} mg", phrases.MILLIGRAMS[self.half]))
        return f"{milligrams * 1000:g} mcg" if micro else shape.format(f"{milligrams:g}")

    def allergies(self, item: str) -> list[str]:
        found = []
        for i, allergy in enumerate(self.facts["allergies"]):
            name = allergy["name"]
            names = OWN[self.half].ALLERGENS if self.half in OWN else ALLERGENS
            text = self.mark(self.pick(f"allergy {i}", names.get(name, name).split("/")), f"/allergies/{i}")
            found.append(self.mark(text, "medication", name, "allergy") if "system" not in allergy else text)
        return found

    def vitals(self, item: str) -> list[str]:
        """Blood pressure, which is two facts in one item, and the other vitals."""
        upper, lower, *rest = self.facts["vitals"]
        shape = self.pick("pressure", phrases.UNITS[self.half]["blood pressure"])
        values = [self.mark(str(row["value"]), f"/vitals/{i}") for i, row in enumerate((upper, lower))]
        labels, own = self.labelled("blood pressure", item)
        pressure = self.fill(item, labels | {"v": (own or shape).format(*values)})
        return [pressure, *(self.measured(row, f"/vitals/{i + 2}", item) for i, row in enumerate(rest))]

    def labs(self, item: str) -> list[str]:
        return [self.measured(row, f"/labs/{i}", item) for i, row in enumerate(self.facts["labs"])]

    def measured(self, row: Facts, pointer: str, item: str) -> str:
        units = phrases.UNITS[self.half]
        shape = self.pick("unit " + row["name"], units.get(row["name"], units[""]))
        labels, own = self.labelled(row["name"], item)
        value = self.mark(form(own or shape, row["value"]), pointer)
        return self.fill(item, labels | {"v": value})

    def labelled(self, name: str, item: str) -> tuple[dict[str, str], str]:
        """What a measurement is called and the verbs that agree with it; a shape where the label holds the unit."""
        table = re.fullmatch(r"\{l\}\W+\{v\}\W*", item)
        label = self.pick("label " + name, [x for x in phrases.LABELS[self.half][name] if table or "|" not in x])
        label, _, own = label.partition("|")
        many = label in phrases.MANY
        return {"l": label, "is": "are" if many else "is", "was": "were" if many else "was"}, own

    def distractor(self, kind: str) -> str:
        if kind == "negated":
            denied, present = self.negation()
            return self.planted(present if "affirm" in self.edit else denied, kind)
        return self.planted(self.pick(kind, DISTRACTORS[self.half][kind]), kind)

    def negation(self) -> tuple[str, str]:
        """A denial, and the same said to be there ("" for a denial of two)."""
        denied, present = self.pick("negated", NEGATED[self.half])
        return denied[2:], present

    def planted(self, template: str, why: str) -> str:
        """The template with names and numbers that no fact is close to, its distractors marked."""
        values = self.names.get(why, {}) | self.numbers

        def marked(match: re.Match[str]) -> str:
            kind, name, text = match[1], match[2], self.fill(match[3], values)
            return self.mark(text, kind, name or text, why)

        values["X"] = cap(values.get("x", ""))
        text = re.sub(r"\[(\w+)(?:/([^:\]]+))?:([^\]]*)\]", marked, template)
        return cap(self.fill(text, values))

    def other_names(self) -> dict[str, dict[str, str]]:
        """Names for each kind of distractor, none used twice and none that a fact is close to."""
        words = OWN.get(self.half, distractors)
        symptom = self.pick("negated", NEGATED[self.half])[0].startswith("s:")
        tables = (
            ("negated", "xy", words.SYMPTOMS if symptom else words.DISEASES),
            ("possible", "xy", words.DISEASES),
            ("plan", "st", words.SYMPTOMS),
            ("plan", "r", words.RISKS),
            ("plan", "c", words.CLOTS),
            ("past", "p", words.PASTS),
            ("family", "f", words.FAMILIAL),
        )
        found: dict[str, dict[str, str]] = {"stopped": {"drug": self.pick("stopped drug", words.STOPPED)}}
        used: set[str] = set()
        for why, slots, table in tables:
            free = [n for n, systems in table.items() if n not in used and not self.systems & set(systems.split())]
            names = self.rng(f"{why} {slots}").sample(free, len(slots))
            used.update(names)
            found.setdefault(why, {}).update(zip(slots, names, strict=True))
        return found


def cap(text: str) -> str:
    """The text with its first letter a capital, whatever marks stand before it."""
    return re.sub(rf"^((?:{OPEN}.)*)([a-z])", lambda m: m[1] + m[2].upper(), text, flags=re.S)
