"""`seeds.min_cell`: combinations of quasi-identifiers that few shown seeds have are not drawn, nor their seeds shown.

What the columns of `of` say together always comes from one seed row, so a combination is drawn only where that row's
is shared by k shown seeds (k-anonymity of what is drawn: Sweeney, "k-anonymity: a model for protecting privacy", 2002).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from textsynth.errors import InputError
from textsynth.job import Job
from textsynth.records import combination
from textsynth.wording import nearest

if TYPE_CHECKING:
    from textsynth.inputs.seeds import SeedSet


def without_rare(job: Job, seeds: SeedSet) -> SeedSet:
    """The seeds, those of a rare combination marked as `rare` and counted.

    Raises:
        InputError: all are.
    """
    spec = job.seeds.min_cell
    if spec is None or any(_is_written(job, name) for name in spec.of):  # a fault of its own
        return seeds
    told = Counter(combination(seed.data, spec.of) for seed in seeds.shown)
    few = {one for one, count in told.items() if count < spec.k}
    rare = frozenset(seed.id for seed in seeds.shown if combination(seed.data, spec.of) in few)
    if len(rare) == len(seeds.shown):
        raise InputError(
            f"{job.place}: seeds.min_cell: no combination of {', '.join(spec.of)} is shared by {spec.k} of the "
            f"{len(seeds.shown):,} shown seeds. Use a smaller k, fewer columns, or coarser values."
        )
    return replace(seeds, rare=rare, counts={**seeds.counts, "rare": len(rare), "rare_combinations": len(few)})


def min_cell_faults(job: Job, properties: Mapping[str, Any]) -> list[str]:
    """What is wrong with the columns of `of`: each is drawn from the seeds, and all from one row."""
    if job.seeds.min_cell is None:
        return []
    names, place = list(dict.fromkeys(job.seeds.min_cell.of)), f"{job.place}: seeds.min_cell.of"
    faults = []
    for name in names:
        if name not in properties:
            why = f"is not in the record schema. {nearest(name, properties)}Fields there: " + ", ".join(
                list(properties)[:20]
            )
        elif _is_written(job, name):
            why = "is written by the model, so no plan can hold it. Make it sampled, or leave it out"
        elif job.fields[name].values is not None:
            why = f"is drawn from values of your own, which no seed stands behind. Take fields.{name}.values out, or it"
        else:
            continue
        faults.append(f"{place}: {name} {why}.")
    drawn = [name for name in names if name in job.fields and job.fields[name].source == "sampled"]
    whole = not drawn or (len(drawn) == len(names) and (len(names) == 1 or any({*names} <= {*g} for g in job.together)))
    if not faults and not whole:
        faults.append(
            f"{place}: {', '.join(names)} are not drawn from one seed row, so together they can say what no seed says. "
            f"Draw them together: [[{', '.join(names)}]], or copy all of them."
        )
    return faults


def _is_written(job: Job, name: str) -> bool:
    return name not in job.fields or job.fields[name].source in ("written", "picked")
