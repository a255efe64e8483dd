"""Accepted records as a set that a trainer loads: laid out, counted in tokens, split without leaks, with a card."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from textsynth.engines.local import LocalModel
from textsynth.errors import InputError
from textsynth.outputs.card import card
from textsynth.outputs.export import accepted_records, replacing, unwritable
from textsynth.outputs.fhir import resources_of
from textsynth.outputs.layouts import Layout, NoRow, layout_for
from textsynth.outputs.saved import check_format, check_place, save
from textsynth.outputs.splits import assign, joined
from textsynth.outputs.store import Store
from textsynth.records import canonical_json, rng_for, strings_in
from textsynth.similarity.minhash import clusters_of

_NEAR = 0.5  # Jaccard similarity from which two records are never on two sides
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    `json_columns` are the columns whose values it had to turn into JSON strings; `left_out` says why how many records
    have no row; `parts` counts the rows of each split; `notes` are sentences for the user.
    """

    path: Path
    records: int
    json_columns: tuple[str, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    parts: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()


def export(
    store: Store, format: str, out: Path, *, force: bool = False, layout: str = "records",
    templates: Mapping[str, str] | None = None, tokenizer: str | None = None, max_length: int | None = None,
    shares: Mapping[str, float] | None = None, stratify: Sequence[str] = (), rng_seed: int = 0,
) -> Exported:  # fmt: skip
    """Write the accepted records of a run, finished or not.

    Args:
        store: the run.
        format: jsonl, csv, parquet, dataset, or for the layout fhir jsonl or ndjson.
        out: the new file; with `shares`, for a dataset or for ndjson, the new folder.
        force: replace an earlier export that is there.
        layout: one of `layouts.LAYOUTS`; templates: its system, prompt and completion.
        tokenizer: a model whose chat template and tokenizer count a row; max_length: rows of more tokens are left out.
        shares: of each split. Near duplicates, and records copied from one seed, are never in two.
        stratify: fields of which each split gets the same shares.

    Raises:
        InputError: an unknown format or layout, a path that is taken or cannot be made, a field that there is not, or
            no record to write.
        StoreError: the disk is full.
    """
    check_format(format, layout == "fhir", bool(shares))
    check_place(out, format, bool(shares), force, store.folder)
    if (tokenizer is None) != (max_length is None):
        raise InputError("export: --tokenizer and --max-length go together. Give both.")
    names = list((store.get("schema") or {}).get("properties", ()))
    for name in stratify:
        if name not in names:
            raise InputError(f"export: --stratify is {name}, which is no field. Fields: {', '.join(names)}.")
    laid = layout_for(layout, names, **(templates or {}))
    count, notes = _counter(tokenizer), list[str]()
    kept, left_out, firsts = _kept(store, laid, count, max_length)
    if not any(kept):
        raise InputError(_nothing(store, left_out, firsts))
    notes += [f"{number} records left out: {why} (first: {firsts[why]})." for why, number in left_out.items()]
    notes += [sentence for sentence in (count.said if count else ())]
    notes += _placeless(store, kept) if layout == "fhir" else []
    parts = _split(store, kept, shares, stratify, rng_seed) if shares else {"": kept}
    schema = store.get("schema") or {} if layout == "records" else {}
    if shares and format != "dataset":
        try:
            out.mkdir(exist_ok=True)
        except OSError as error:
            raise unwritable(out, error) from None
    columns = save({name: _rows(store, laid, flags) for name, flags in parts.items()}, format, out, schema)
    sizes = {name: sum(flags) for name, flags in parts.items()}
    if out.is_dir() and format != "ndjson":
        with replacing(out / "README.md") as file:
            file.write(card(store, laid, sizes, left_out, format).encode("utf-8", "replace"))
    return Exported(out, sum(kept), columns, left_out, sizes if shares else {}, notes)


class _Counter:
    """Counts a row's tokens with a model's own chat template."""

    def __init__(self, model: str) -> None:
        self._model = LocalModel(model, "export: --tokenizer", "local", ("transformers", "torch"))
        self.said = self._model.said

    def of(self, layout: Layout, fields: Row) -> int:
        return max(len(self._model.tokens(chat, asks=False)) for chat in layout.chats(fields))


def _counter(model: str | None) -> _Counter | None:
    return _Counter(model) if model is not None else None


def _kept(
    store: Store, layout: Layout, count: _Counter | None, most: int | None
) -> tuple[array[int], Counter[str], dict[str, str]]:
    """For each accepted record whether it has a row; why others have none, and the first id of each reason."""
    kept, left_out, firsts = array("b"), Counter[str](), dict[str, str]()
    for row in accepted_records(store):
        try:
            layout.row(row["fields"], row["id"])
            if count is not None and most is not None and count.of(layout, row["fields"]) > most:
                raise NoRow(f"has more than {most} tokens")
            kept.append(1)
        except NoRow as why:
            kept.append(0)
            left_out[str(why)] += 1
            firsts.setdefault(str(why), row["id"])
    return kept, left_out, firsts


def _nothing(store: Store, left_out: Mapping[str, int], firsts: Mapping[str, str]) -> str:
    if not left_out:
        return f"{store.folder}: no record is accepted yet, so nothing can be exported. Let the run go on."
    why = max(left_out, key=left_out.__getitem__)
    return f"export: no record has a row in this layout; {firsts[why]} {why}. Use another --as, or other templates."


def _placeless(store: Store, kept: Sequence[int]) -> list[str]:
    """What of the records FHIR has no place for, and of how many records."""
    lost = Counter[str]()
    for row, wanted in zip(accepted_records(store), kept, strict=True):
        lost.update(resources_of(row["id"], row["fields"])[1] if wanted else ())
    return [f"{name}: no place in FHIR, left out of {number:,} records." for name, number in lost.items()]


def _rows(store: Store, layout: Layout, flags: Sequence[int]) -> Callable[[], Iterator[Row]]:
    def rows() -> Iterator[Row]:
        for row, wanted in zip(accepted_records(store), flags, strict=True):
            if wanted:
                yield layout.row(row["fields"], row["id"])

    return rows


def _split(
    store: Store, kept: Sequence[int], shares: Mapping[str, float], stratify: Sequence[str], rng_seed: int
) -> dict[str, array[int]]:
    """Flags of the accepted records of each split."""
    sources = store.get("sources") or {}
    copied = {name for name, source in sources.items() if source in ("copied", "perturbed")}
    texts, seeds, strata = list[str](), list[str | None](), list[str]()
    for row, wanted in zip(accepted_records(store), kept, strict=True):
        if wanted:
            texts.append("\n".join(strings_in(row["fields"])))
            drawn = row["lineage"].get("drawn_from", {})
            seeds.append(next((seed for names, seed in drawn.items() if copied & set(names.split(","))), None))
            strata.append(canonical_json([row["fields"].get(name) for name in stratify]))
    places = iter(assign(joined(clusters_of(texts, _NEAR), seeds), strata, shares, rng_for(rng_seed, "split")))
    parts = {name: array("b", bytes(len(kept))) for name in shares}
    for at, wanted in enumerate(kept):
        if wanted:
            parts[next(places)][at] = 1
    if empty := [name for name, flags in parts.items() if not any(flags)]:
        raise InputError(
            f"export: --split leaves {empty[0]} empty: {len(texts)} records that cannot be parted further. "
            "Use fewer parts, or make more records."
        )
    return parts
