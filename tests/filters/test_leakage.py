"""The gate refuses copies, and of new records no more than alpha. A toy world of words stands in for notes."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.jobs import lines, tiny_job
from textsynth import run_job
from textsynth.engines.scripted import ScriptedEngine
from textsynth.filters.base import References
from textsynth.filters.leakage import LeakageFilter, smallest_alpha
from textsynth.filters.scores import SeedScores
from textsynth.outputs.store import Store
from textsynth.records import Record, Request, Seed, Verdict

WORDS = [f"w{number}" for number in range(60)]
COMMON_FIRST = [1 / (number + 1) for number in range(60)]
REASONS = {"span": "copied_span", "overlap": "near_seed", "similarity": "paraphrased_seed"}


def note(rng: random.Random, least: int = 15, most: int = 40) -> str:
    return " ".join(rng.choices(WORDS, COMMON_FIRST, k=rng.randint(least, most)))


class Meaning:
    """Sums a random direction for each word; w5 and W5x mean the same, as synonyms do."""

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        rows = [sum((self._word(word) for word in text.split()), np.zeros(32)) for text in texts]
        norms = [np.linalg.norm(row) or 1.0 for row in rows]
        return np.array([row / norm for row, norm in zip(rows, norms, strict=True)], np.float32).reshape(-1, 32)

    @staticmethod
    @cache
    def _word(word: str) -> npt.NDArray[np.float64]:
        return np.random.default_rng(zlib.crc32(word.lower().rstrip("x").encode())).standard_normal(32)


def seeds_of(rows: Sequence[Mapping[str, Any]], letter: str = "s") -> list[Seed]:
    return [Seed(f"{letter}{number:06d}", row) for number, row in enumerate(rows)]


def gate(
    shown: Sequence[Seed],
    held: Sequence[Seed] = (),
    alpha: float = 0.1,
    max_span: int | None = None,
    text: Sequence[str] = ("note",),
    scored: Sequence[str] = (),
    columns: Sequence[str] = (),
    meaning: bool = False,
) -> LeakageFilter:
    cluster = {seed.id: number for number, seed in enumerate([*shown, *held])}
    scores = SeedScores(shown, cluster, text, scored, Meaning() if meaning else None)
    filter = LeakageFilter(alpha, max_span, scores, References(shown, held, cluster), text, columns)
    filter.prepare([])
    return filter


def record(**fields: Any) -> Record:
    return Record("r0000001", 0, {}, fields)


def judge(filter: LeakageFilter, *records: Record) -> Verdict:
    """The verdict on the last of a round's records."""
    filter.prepare(records)
    return filter.check(records[-1])


def world(seed: int, count: int) -> list[Seed]:
    rng = random.Random(seed)
    return seeds_of([{"note": note(rng)} for _ in range(count)])


@pytest.mark.parametrize(
    ("shown", "held", "meaning", "method"),
    [
        (39, 0, False, "full conformal"),
        (39, 5, False, "full conformal"),
        (20, 19, False, "split conformal"),
        (20, 19, True, "split conformal"),
        (39, 0, True, "full conformal"),
    ],
)
def test_new_records_are_refused_at_most_alpha_of_the_time(shown: int, held: int, meaning: bool, method: str) -> None:
    draws, new, rates = 40, 15, []
    for draw in range(draws):
        rng = random.Random(draw)
        seeds = seeds_of([{"note": note(rng)} for _ in range(shown)])
        filter = gate(seeds, seeds_of([{"note": note(rng)} for _ in range(held)], "h"), alpha=0.05, meaning=meaning)
        assert filter.evidence()["method"] == method
        rates.append(np.mean([not judge(filter, record(note=note(rng))).accepted for _ in range(new)]))
    # records of one draw share their calibration, so the draws, not the records, are what is independent
    assert np.mean(rates) <= 0.05 + 2.5 * np.std(rates) / draws**0.5
    assert np.mean(rates) > 0.01  # and the gate is not merely lenient


ROW = st.fixed_dictionaries({name: st.sampled_from("abc") for name in ("p", "q", "r", "s")})


@given(st.lists(ROW, min_size=11, max_size=20), st.sampled_from([0.2, 0.3, 0.5]))
@settings(deadline=None, max_examples=60)
def test_of_any_bag_of_rows_at_most_alpha_would_be_refused_if_each_came_last(
    rows: list[dict[str, str]], alpha: float
) -> None:
    """The heart of full conformal, free of chance: labels only, so that ties are everywhere."""
    refused = 0
    for number, row in enumerate(rows):
        others = seeds_of([*rows[:number], *rows[number + 1 :]])
        filter = gate(others, alpha=alpha, text=(), scored=("p", "q", "r", "s"))
        refused += not judge(filter, record(**row)).accepted
    assert refused <= alpha * len(rows)


@pytest.mark.parametrize("meaning", [False, True])
def test_full_conformal_equals_scoring_every_seed_again_with_the_candidate(meaning: bool) -> None:
    rng, equal = random.Random(5), 0
    seeds = world(6, 20)
    filter = gate(seeds, meaning=meaning)
    center, spread = filter.evidence()["center"], filter.evidence()["spread"]

    def score(data: Mapping[str, Any], others: Sequence[Seed]) -> float:
        scores = SeedScores(
            others, {s.id: at for at, s in enumerate(others)}, ["note"], [], Meaning() if meaning else None
        )
        raw = scores.of([data]).values
        return float(max((raw[name][0] - center[name]) / spread[name] for name in center))

    candidates = [note(rng) for _ in range(10)]
    candidates += [" ".join([*note(rng).split()[:8], *seed.data["note"].split()[:length]]) for length in (3, 6, 9, 14)
                   for seed in rng.sample(seeds, 3)]  # fmt: skip
    for text in candidates:
        candidate = Seed("c", {"note": text})
        mine = score(candidate.data, seeds) - 1e-4  # vectors of other batches differ by rounding
        again = [score(seed.data, [*(o for o in seeds if o is not seed), candidate]) for seed in seeds]
        brute = (1 + sum(one >= mine for one in again)) / (len(seeds) + 1)
        found = float(judge(filter, record(note=text)).scores["p_value"])
        ties = sum(score(seed.data, [candidate]) >= mine for seed in seeds)
        assert ties >= 1
        assert found <= brute + 1e-6
        assert brute - found <= (ties - 1) / (len(seeds) + 1) + 1e-6  # of a tie, one counts
        equal += ties == 1
    assert equal >= 10


@pytest.mark.parametrize("alpha", [0.05, 0.5])
@pytest.mark.parametrize("held", [0, 19])
def test_an_exact_copy_is_refused_whatever_alpha_says(alpha: float, held: int) -> None:
    # all seeds and held-out records share nearly everything, so that no score looks unusual
    shared = "the patient was seen today and the plan was discussed in full with the family in the room number"
    seeds = seeds_of([{"note": f"{shared} {word}."} for word in WORDS[:39]])
    filter = gate(seeds, seeds_of([{"note": f"{shared} {word}."} for word in WORDS[40 : 40 + held]], "h"), alpha)
    for copy in (seeds[7].data["note"], f"  {shared.upper()},\n\u201c{WORDS[7]}\u201d!"):
        verdict = judge(filter, record(note=copy))
        assert (verdict.accepted, verdict.reason, verdict.neighbor_id) == (False, "copied_span", "s000007")
    new = judge(filter, record(note=f"{shared} unseen."))
    assert new.accepted or alpha == 0.5


def test_an_exact_copy_in_one_of_several_texts_names_its_seed() -> None:
    rng = random.Random(1)
    seeds = seeds_of([{"note": note(rng), "plan": note(rng, 8, 9)} for _ in range(30)])
    filter = gate(seeds, text=("note", "plan"))
    verdict = judge(filter, record(note=seeds[3].data["note"][:-3] + "end", plan=seeds[9].data["plan"].upper()))
    assert (verdict.reason, verdict.neighbor_id) == ("copied_span", "s000009")


def test_short_answers_that_seeds_also_gave_are_no_copies() -> None:
    rng = random.Random(2)
    seeds = seeds_of([{"note": note(rng), "sign": rng.choice(["yes", "no"])} for _ in range(30)])
    assert judge(gate(seeds, text=("note", "sign")), record(note=note(rng), sign="yes")).accepted


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"age": 3, "sex": "m", "score": 1.5}, "copied_row"),
        ({"score": 1.5, "sex": "m", "age": 3.0}, "copied_row"),
        ({"age": 3, "sex": "m", "score": 1.5, "other": "x"}, "copied_row"),
        ({"age": 3, "sex": "m", "score": 1.25}, None),
        ({"age": 3, "sex": "m"}, None),
        ({"age": "3", "sex": "m", "score": 1.5}, None),
    ],
)
def test_a_row_that_equals_a_seed_is_refused(row: dict[str, Any], reason: str | None) -> None:
    names = ("age", "sex", "score")
    seeds = seeds_of([{"age": at, "sex": "mf"[at % 2], "score": at / 2} for at in range(30)])
    seeds[3] = Seed("s000003", {"age": 3, "sex": "m", "score": 1.5})
    verdict = judge(gate(seeds, alpha=0.07, text=(), columns=names), record(**row))
    assert (verdict.reason, verdict.neighbor_id) == (reason, "s000003" if reason else None)


@pytest.mark.parametrize(("length", "reason"), [(6, None), (7, "copied_span"), (9, "copied_span")])
def test_a_run_of_max_span_tokens_or_more_is_refused(length: int, reason: str | None) -> None:
    # long runs are usual among these seeds, so that only the policy refuses
    shared = [f"b{number}" for number in range(12)]
    rng = random.Random(4)
    seeds = seeds_of([{"note": " ".join([*note(rng).split(), *shared])} for _ in range(30)])
    text = " ".join([*(f"new{at}" for at in range(20)), *shared[:length], *(f"other{at}" for at in range(20))])
    verdict = judge(gate(seeds, max_span=7), record(note=text))
    assert verdict.scores["span"] == length
    assert (verdict.accepted, verdict.reason) == (reason is None, reason)
    assert verdict.neighbor_id in {seed.id for seed in seeds}
    assert judge(gate(seeds), record(note=text)).accepted


def copy_of(seed: str, kind: str) -> str:
    words = seed.split()
    if kind == "span":  # a long run in much that is new
        return " ".join([*(f"n{at}" for at in range(60)), *words[:14], *(f"m{at}" for at in range(60))])
    if kind == "overlap":  # every sixth word is another
        return " ".join(f"n{at}" if at % 6 == 5 else word for at, word in enumerate(words))
    return " ".join(f"{word}x" for word in words)  # each word is a synonym


@pytest.mark.parametrize("held", [0, 19])
@pytest.mark.parametrize("kind", ["span", "overlap", "similarity"])
def test_the_reason_names_the_largest_score_and_the_neighbor_is_the_seed(kind: str, held: int) -> None:
    rng = random.Random(8)
    seeds = seeds_of([{"note": note(rng, 100, 120)} for _ in range(39)])
    filter = gate(seeds, seeds_of([{"note": note(rng, 100, 120)} for _ in range(held)], "h"), 0.06, meaning=True)
    verdict = judge(filter, record(note=copy_of(seeds[5].data["note"], kind)))
    center, spread = filter.evidence()["center"], filter.evidence()["spread"]
    scaled = {name: (float(verdict.scores[name]) - center[name]) / spread[name] for name in center}
    assert max(scaled, key=lambda name: scaled[name]) == kind
    assert verdict.scores["score"] == pytest.approx(scaled[kind], abs=1e-3)
    assert (verdict.accepted, verdict.reason, verdict.neighbor_id) == (False, REASONS[kind], "s000005")


def test_a_verdict_says_where_a_shared_run_stands_and_more_than_decides() -> None:
    rng = random.Random(8)
    seeds = seeds_of([{"note": note(rng, 100, 120)} for _ in range(39)])
    verdict = judge(gate(seeds, meaning=True), record(note=copy_of(seeds[5].data["note"], "span")))
    assert (verdict.scores["span"], verdict.scores["span_start"], verdict.neighbor_id) == (14, 60, "s000005")
    assert 0 < float(verdict.scores["jaccard"]) < float(verdict.scores["overlap"])
    assert float(verdict.scores["cosine"]) >= float(verdict.scores["similarity"])


@pytest.mark.parametrize("held", [0, 19])
def test_a_seed_shown_in_its_own_prompt_is_compared_like_any_other(held: int) -> None:
    rng = random.Random(8)
    seeds = seeds_of([{"note": note(rng, 40, 50)} for _ in range(39)])
    filter = gate(seeds, seeds_of([{"note": note(rng, 40, 50)} for _ in range(held)], "h"), 0.06, meaning=True)
    for kind in ("span", "overlap", "similarity"):
        copy = record(note=copy_of(seeds[5].data["note"], kind))
        shown = replace(copy, lineage={"seed_ids": ["s000005", "s000006"]})
        assert judge(filter, shown) == judge(filter, copy)
        assert not judge(filter, shown).accepted


def test_a_model_that_repeats_what_its_prompt_shows_gets_nothing_accepted(tmp_path: Path) -> None:
    def repeat(request: Request) -> str:
        return request.messages[-2]["content"].replace("The", "THE").replace(" and", ", and")  # the last shown answer

    filters = [{"type": "schema"}, {"type": "leakage", "alpha": 0.2}]
    job = tiny_job(tmp_path, filters=filters, plan={"target": 4, "max_requests": 16})
    assert run_job(job, tmp_path / "run", engine=ScriptedEngine(repeat)).accepted == 0
    refused, lineage = (lines(tmp_path / "run" / f"{name}.jsonl") for name in ("rejected", "lineage"))
    assert {line["reason"] for line in refused} == {"copied_span"}
    assert not lineage
    with Store(tmp_path / "run", write=False) as store:
        for row in store.records():
            shown = [seed for step in row["lineage"]["steps"] for seed in step["seed_ids"]]
            assert store.verdicts(row["id"])[-1]["neighbor_id"] in shown


def test_verdicts_do_not_depend_on_how_records_come_in_rounds() -> None:
    rng = random.Random(3)
    seeds = world(6, 40)
    texts = [note(rng) for _ in range(20)] + [copy_of(seed.data["note"], "overlap") for seed in seeds[:5]]
    records = [Record(f"r{at:07d}", 0, {}, {"note": text}) for at, text in enumerate(texts)]
    filter, other = gate(seeds, meaning=True), gate(seeds, meaning=True)
    filter.prepare(records)
    assert [filter.check(one) for one in records] == [judge(other, one) for one in records]


def test_a_near_row_is_refused_as_near_seed() -> None:
    rng = random.Random(3)
    names = tuple(f"c{number}" for number in range(8))
    seeds = seeds_of([{name: rng.randint(0, 100) for name in names} for _ in range(40)])
    filter = gate(seeds, alpha=0.06, text=(), scored=names, columns=names)
    near = record(**{**seeds[11].data, "c3": seeds[11].data["c3"] + 1})
    verdict = judge(filter, near)
    assert (verdict.reason, verdict.neighbor_id) == ("near_seed", "s000011")
    assert judge(filter, record(**{name: rng.randint(0, 100) for name in names})).accepted


def test_evidence_and_verdicts_hold_no_text() -> None:
    rng = random.Random(9)
    seeds = seeds_of([{"note": f"{note(rng)} parrots {note(rng)}", "city": "Atlantis"} for _ in range(30)])
    filter = gate(seeds, max_span=8, columns=("note", "city"), meaning=True)
    texts = [seeds[2].data["note"], copy_of(seeds[2].data["note"], "overlap"), f"parrots of {note(rng)}"]
    said = json.dumps(dict(filter.evidence()))
    said += "".join(str(judge(filter, record(note=text, city=city))) for text in texts for city in ("Atlantis", "Ur"))
    for word in ("parrots", "Atlantis", "w1 "):
        assert word not in said


def test_evidence_tells_how_the_gate_was_calibrated() -> None:
    seeds = world(1, 39)
    held = seeds_of([{"note": f"{seeds[at].data['note']} end" if at < 2 else f"n{at} new"} for at in range(20)], "h")
    evidence = gate(seeds, held, alpha=0.05, max_span=10).evidence()
    assert (evidence["calibration_records"], evidence["smallest_alpha"]) == (20, pytest.approx(1 / 21))
    assert evidence["max_span_refuses_of_calibration"] == pytest.approx(2 / 20)
    assert evidence["calibration_scores"] == sorted(evidence["calibration_scores"])
    assert len(evidence["calibration_raw"]["span"]) == 20
    full = gate(seeds, alpha=0.05).evidence()
    assert (full["method"], full["calibration_records"], full["smallest_alpha"]) == ("full conformal", 39, 0.05)
    assert full["max_span_refuses_of_calibration"] is None


def test_seeds_of_one_cluster_do_not_calibrate_on_each_other() -> None:
    rng = random.Random(2)
    notes = [note(rng) for _ in range(20)]
    seeds = seeds_of([{"note": text + end} for text in notes for end in ("", " end")])  # each stands twice
    cluster = {seed.id: at // 2 for at, seed in enumerate(seeds)}
    filter = LeakageFilter(0.1, None, SeedScores(seeds, cluster, ["note"], [], None), References(seeds, [], cluster),
                           ["note"], [])  # fmt: skip
    filter.prepare([])
    assert filter.evidence()["calibration_records"] == 20
    assert max(filter.evidence()["calibration_raw"]["span"]) < 15
    assert judge(filter, record(note=notes[3] + " and so on")).reason is not None


@pytest.mark.parametrize(
    ("calibration", "shown", "expected"), [(99, 10, 0.01), (0, 39, 0.05), (9, 39, 0.05), (19, 39, 0.05), (0, 1, 1.0)]
)
def test_the_smallest_alpha_that_seeds_resolve(calibration: int, shown: int, expected: float) -> None:
    assert smallest_alpha(calibration, shown) == pytest.approx(expected)


def test_a_record_without_fields_or_text_is_not_refused() -> None:
    filter = gate(world(1, 30), meaning=True)
    assert judge(filter, Record("r0000001", 0, {}, None)).accepted
    assert judge(filter, record(note="", other=3)).accepted
