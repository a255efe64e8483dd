"""Steering: what the next round is shown and asked, chosen from what closed rounds gave and what is planned since.

Nothing here knows a text: seeds are points, records are counted at the seed that they came out closest to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from textsynth.job import Job
from textsynth.records import Record, Seed, Verdict, canonical_json, rng_for, text_of
from textsynth.similarity.encoder import Encoder, encode_windows, text_rows
from textsynth.similarity.spread import Spread

_DONE = {
    "examples": "Seeds are shown to fewer records each",
    "attributes": "Values without weights are asked for by the new ground that they open",
    "temperature": "The temperature is raised a third of the way to plan.max_temperature",
}
FALLEN = 0.5  # saturated: the share of new ground is below this part of what it was at first
_ENOUGH = 20  # judged records that a rate rests on
_HEATS = 3  # steps in which the temperature is raised
_SMALLER = 4  # by which blocks shrink
_MOST = 2000  # seeds that steering chooses from
_PRIOR = 4  # records that every attribute value is credited with, at the run's own yield


@dataclass(frozen=True)
class Aim:
    """What one round's plan chose. Kept with the round in run.db (`rounds.aim`), so going on asks the same.

    Args:
        first: number of the round's first record; block: consecutive records that are shown the same seeds.
        shown: for each block the ids of its seeds, the most wanted first.
        weights: attribute -> weights of its values, in the job's order.
        answers: what is done against saturation: "examples", "attributes", "temperature" (once for each step up).
        heat: how far temperatures are raised toward plan.max_temperature, 0 to 1.
    """

    first: int
    block: int
    shown: Sequence[Sequence[str]] = ()
    weights: Mapping[str, Sequence[float]] = field(default_factory=dict)
    answers: Sequence[str] = ()
    heat: float = 0.0


@dataclass(frozen=True)
class Gave:
    """What a closed round gave, as far as later rounds are steered by it. Kept as `rounds.gave`.

    Args:
        near: seed id -> accepted records that came out closer to it than to any other seed.
        judged: records that the diversity filter judged; `new` of them were accepted and lie farther from all
            accepted before them than a seed usually lies from its nearest neighbor.
        attributes: attribute -> canonical JSON of a value -> [completed, accepted, new].
    """

    near: Mapping[str, int] = field(default_factory=dict)
    judged: int = 0
    new: int = 0
    attributes: Mapping[str, Mapping[str, Sequence[int]]] = field(default_factory=dict)


class Steer:
    """Chooses each round's Aim: a pure function of the job, the seeds' vectors and what is kept of other rounds.

    Args:
        job: its plan, attributes and steps.
        seeds: those that can be shown, all with text; of more than 2,000, as many are drawn.
        text: the fields by whose text a seed and a record are placed.
        encoder: shared with the filters, so that each window of text is encoded once.
    """

    def __init__(self, job: Job, seeds: Sequence[Seed], text: Sequence[str], encoder: Encoder) -> None:
        self._job, self._text, self._encoder = job, tuple(text), encoder
        if len(seeds) > _MOST:
            seeds = sorted(rng_for(job.rng_seed, "steer").sample(seeds, _MOST), key=lambda seed: seed.id)
        self._spread = Spread(self._rows([text_of(seed.data, text) for seed in seeds]))
        self._ids = [seed.id for seed in seeds]
        self._at = {seed_id: at for at, seed_id in enumerate(self._ids)}
        self._count = max(step.few_shot for step in job.steps)
        self.usual = self._spread.usual()
        free = any(not isinstance(choices, Mapping) for choices in job.attributes.values())
        hot = job.plan.max_temperature is not None
        able_to = {"examples": job.plan.few_shot_block > 1, "attributes": free, "temperature": _HEATS * hot}
        self._answers = [answer for answer, times in able_to.items() for _ in range(times)]

    def aim(self, first: int, size: int, planned: Sequence[Aim], closed: Sequence[Gave]) -> Aim | None:
        """The aim of the next round; None where the job does not want to be steered.

        Args:
            first: number of its first record; size: how many it has.
            planned: the aims of all rounds before it.
            closed: what the rounds gave that it may know: those up to the last but one.
        """
        if not self._job.plan.steer:
            return None
        answers = self._answers[: _level(planned) + saturated(planned, closed)]
        most = self._job.plan.few_shot_block
        block = max(1, most // _SMALLER) if "examples" in answers else most
        asked, times = Counter[int](), Counter[int]()
        for one in planned:
            for seed_id in (seed_id for seeds in one.shown for seed_id in seeds):
                asked[self._at[seed_id]] += one.block
                times[self._at[seed_id]] += 1
        landed = Counter[int]()
        for gave in closed:
            landed.update({self._at[seed_id]: count for seed_id, count in gave.near.items()})
        crowding = self._spread.crowding(landed) + self._spread.crowding(asked)
        blocks, count = -(-size // block), min(self._count, len(self._ids))
        weight = block / (sum(asked.values()) + size * count) if count else 0.0
        points = self._spread.emptiest(crowding, times, blocks, count, weight)
        shown = [[self._ids[i] for i in some] for some in points]
        heat = answers.count("temperature") / _HEATS
        return Aim(first, block, shown, self._weights(closed, "attributes" in answers), answers, heat)

    def gave(self, judged: Sequence[tuple[Record, bool, Sequence[Verdict]]]) -> Gave:
        """What a closed round gave: its records, whether each passed every filter, and its verdicts."""
        near, attributes = Counter[str](), dict[str, dict[str, list[int]]]()
        counted = new = 0
        for record, passed, verdicts in judged:
            verdict = next((v for v in verdicts if v.filter == "diversity"), None)
            fresh = passed and verdict is not None and float(verdict.scores.get("similarity", 1)) < self.usual
            counted, new = counted + (verdict is not None), new + fresh
            for name, value in record.attributes.items():
                counts = attributes.setdefault(name, {}).setdefault(canonical_json(value), [0, 0, 0])
                counts[:] = counts[0] + 1, counts[1] + passed, counts[2] + fresh
        texts = [text_of(record.fields or {}, self._text) for record, passed, _ in judged if passed]
        if texts := [text for text in texts if text.strip()]:
            near.update(self._ids[i] for i in self._spread.nearest(self._rows(texts)))
        return Gave(dict(sorted(near.items())), counted, new, attributes)

    def _rows(self, texts: Sequence[str]) -> Any:
        return text_rows(*encode_windows(self._encoder, texts))

    def says(self, number: int, planned: Sequence[Aim], closed: Sequence[Gave]) -> list[str]:
        """A sentence for a round that is planned while the run is saturated: what is done about it, or could be."""
        if not saturated(planned, closed):
            return []
        what = "saturation: a record opens new ground less than half as often as at first"
        if not self._job.plan.steer:
            return [f"{what}. Set plan.steer to true, so that it is answered."]
        if _level(planned) == len(self._answers):
            return [
                f"{what}, and nothing is left to answer it with. Give more seeds, attributes or plan.max_temperature."
            ]
        return [f"{what}. {_DONE[self._answers[_level(planned)]]} from round {number} on."]

    def _weights(self, closed: Sequence[Gave], tilted: bool) -> dict[str, list[float]]:
        """Weights that ask more of values with a low yield, so that the accepted records keep the job's shares.

        When tilted, values that the job lists without weights are asked for by the new ground that they open instead.
        """
        found = {}
        for name, choices in self._job.attributes.items():
            values = list(choices)
            given = [float(w) for w in choices.values()] if isinstance(choices, Mapping) else [1.0] * len(values)
            counts = [_sum([gave.attributes.get(name, {}).get(canonical_json(v)) for gave in closed]) for v in values]
            completed, accepted, new = (max(1, sum(column)) for column in zip(*counts, strict=True))
            if tilted and not isinstance(choices, Mapping):
                rates = [(n + _PRIOR * new / completed) / (c + _PRIOR) for c, _, n in counts]
            else:
                rates = [(c + _PRIOR) / (a + _PRIOR * accepted / completed) for c, a, _ in counts]
            found[name] = [
                round(w * min(max(r / _mean(rates), 0.25), 4.0), 6) for w, r in zip(given, rates, strict=True)
            ]
        return found


def saturated(planned: Sequence[Aim], closed: Sequence[Gave]) -> bool:
    """Whether the last two rounds under the present answers opened less than `FALLEN` of what the first two did."""
    answers = [len(aim.answers) for aim in planned] or [0] * len(closed)
    under = [gave for count, gave in zip(answers, closed, strict=False) if count == _level(planned)]
    before, now = rate_of_new(closed[:2]), rate_of_new(under[-2:])
    return len(under) > 1 and before is not None and now is not None and now < FALLEN * before


def rate_of_new(rounds: Sequence[Gave]) -> float | None:
    """The share of judged records that opened new ground; None where too few were judged to say."""
    judged = sum(gave.judged for gave in rounds)
    return sum(gave.new for gave in rounds) / judged if judged >= _ENOUGH else None


def _level(planned: Sequence[Aim]) -> int:
    return max((len(aim.answers) for aim in planned), default=0)


def _sum(rows: Sequence[Sequence[int] | None]) -> tuple[int, int, int]:
    kept = [row for row in rows if row]
    return sum(r[0] for r in kept), sum(r[1] for r in kept), sum(r[2] for r in kept)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
