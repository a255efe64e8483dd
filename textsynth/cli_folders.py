"""The commands over run folders and files: what is read from them, and written of them. `cli.py` registers them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from textsynth.errors import InputError
from textsynth.terminal import say, visible

RunFolder = Annotated[Path, typer.Argument(metavar="DIR", help="A run folder.", show_default=False)]


def report(folder: RunFolder) -> None:
    """Write report.html and metrics.json again, from a finished or unfinished run."""
    from textsynth.outputs.report import write_report
    from textsynth.outputs.store import Store

    with Store(folder, write=False) as store:
        print(write_report(store, folder))


def export(
    folder: RunFolder,
    format: Annotated[
        str, typer.Option("--format", metavar="F", help="jsonl, csv, parquet, dataset; for fhir also ndjson.")
    ] = "jsonl",
    out: Annotated[
        Path, typer.Option("--out", metavar="PATH", help="A new file or folder.", show_default=False)
    ] = Path(),
    layout: Annotated[
        str, typer.Option("--as", metavar="LAYOUT", help="messages, alpaca, sharegpt, preference, fhir...")
    ] = "records",
    system: Annotated[str | None, typer.Option(metavar="TEXT", help="A system turn; {field} is filled in.")] = None,
    prompt: Annotated[str | None, typer.Option(metavar="TEXT", help="What is asked, such as '{question}'.")] = None,
    completion: Annotated[str | None, typer.Option(metavar="TEXT", help="What is answered.")] = None,
    split: Annotated[
        str | None, typer.Option(metavar="SHARES", help="Such as train=0.9,test=0.1; PATH is a folder then.")
    ] = None,
    stratify: Annotated[list[str] | None, typer.Option(metavar="FIELD", help="Alike in all splits.")] = None,
    tokenizer: Annotated[str | None, typer.Option(metavar="MODEL", help="Whose tokens --max-length counts.")] = None,
    max_length: Annotated[int | None, typer.Option(metavar="N", help="Leave out rows of more tokens.", min=1)] = None,
    rng_seed: Annotated[int, typer.Option(help="Of the split.")] = 0,
    force: Annotated[bool, typer.Option(help="Write over what is there.")] = False,
) -> None:
    """Export the accepted records of a run, as they are or laid out for training."""
    from textsynth.outputs.splits import parse_shares
    from textsynth.outputs.store import Store
    from textsynth.training import export as export_run

    if out == Path():
        raise InputError("export: --out is missing. Give a new file or folder.")
    given = {"system": system, "prompt": prompt, "completion": completion}
    with Store(folder, write=False) as store:
        made = export_run(
            store, format, out, force=force, layout=layout, tokenizer=tokenizer, max_length=max_length,
            templates={part: text for part, text in given.items() if text is not None},
            shares=parse_shares(split) if split else None, stratify=stratify or (), rng_seed=rng_seed,
        )  # fmt: skip
    if made.json_columns:
        say(f"written as JSON text, since their values are nested or mixed: {', '.join(made.json_columns)}")
    for note in made.notes:
        say(note)
    if made.parts:
        say(", ".join(f"{name}: {count:,}" for name, count in made.parts.items()))
    print(out)


def show(
    folder: RunFolder,
    record_id: Annotated[
        str, typer.Argument(metavar="ID", help="A record's id, such as r0000012.", show_default=False)
    ],
    with_seeds: Annotated[bool, typer.Option("--with-seeds", help="Show the seeds' text in prompts.")] = False,
) -> None:
    """Show one record's whole life: prompt, answers, verdicts. Seeds are masked."""
    from textsynth.outputs.show import life_of
    from textsynth.outputs.store import Store

    with Store(folder, write=False) as store:
        print(visible(life_of(store, record_id, with_seeds)))


def evaluate(
    synthetic: Annotated[str, typer.Option(metavar="F", help="The synthetic records.", show_default=False)],
    real: Annotated[str, typer.Option(metavar="F", help="The real records they were made from.", show_default=False)],
    holdout: Annotated[
        str | None, typer.Option(metavar="F", help="Real records that the generator never saw.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where metrics.json goes.", show_default=False)
    ] = None,
    label: Annotated[str | None, typer.Option(metavar="COLUMN", help="What models learn to predict.")] = None,
    text: Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="A column of free text.")] = None,
    quasi: Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="A quasi-identifier.")] = None,
    columns: Annotated[list[str] | None, typer.Option(metavar="SYNTHETIC=REAL", help="Columns to match.")] = None,
    schema: Annotated[
        str | None, typer.Option(metavar="SCHEMA", help="A JSON Schema: the share of records that it allows is told.")
    ] = None,
    require: Annotated[
        list[str] | None, typer.Option(metavar="CONDITION", help="Such as 'privacy.longest_span<8'; else exit code 1.")
    ] = None,
    most: Annotated[int, typer.Option(help="Records used of each file; more are sampled.", min=1)] = 50_000,
    rng_seed: Annotated[int, typer.Option(help="Of all random choices.")] = 0,
) -> None:
    """Compare synthetic records with the real ones: fidelity, text, diversity, utility, privacy."""
    from textsynth.evaluation import evaluate as evaluate_files
    from textsynth.evaluation import failed, write_metrics
    from textsynth.outputs.report import write_evaluation_report

    pairs = [pair.partition("=") for pair in columns or ()]
    if bad := [ours for ours, sign, theirs in pairs if not (ours and sign and theirs)]:
        raise InputError(f"evaluate: --columns is {bad[0]}. Use SYNTHETIC=REAL, two names of columns.")
    found = evaluate_files(
        synthetic, real, holdout, label=label, text=text or (), quasi_identifiers=quasi or (), require=require or (),
        columns={ours: theirs for ours, _, theirs in pairs}, schema=schema, most=most, rng_seed=rng_seed,
    )  # fmt: skip
    for note in found["notes"]:
        say(note)
    for group, metrics in found["metrics"].items():
        for name, metric in metrics.items():
            value, ceiling = ("-" if metric[key] is None else f"{metric[key]:.4g}" for key in ("value", "ceiling"))
            print(f"{group}.{name}\t{value}\tholdout {ceiling}\t{metric['title']}")
    if out is not None:
        print(write_metrics(found, out))
        print(write_evaluation_report(found, out / "report.html"))
    missed = failed(found)
    for sentence in missed:
        say(f"failed: {sentence}")
    raise typer.Exit(1 if missed else 0)


def models() -> None:
    """List the embedded models: name, size, license, where from, whether fetched."""
    from textsynth.models import EMBEDDED, is_fetched

    for model in EMBEDDED.values():
        state = "fetched" if is_fetched(model.name) else "not fetched"
        wheel = f"{model.wheel}=={model.version}"
        print(f"{model.name}\t{model.size_mb} MB\t{model.license}\t{wheel}\t{state}\n    {model.description}")
