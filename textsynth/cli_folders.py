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
    format: Annotated[str, typer.Option("--format", metavar="F", help="jsonl, csv, parquet or dataset.")] = "jsonl",
    out: Annotated[
        Path, typer.Option("--out", metavar="PATH", help="A new file or folder.", show_default=False)
    ] = Path(),
    force: Annotated[bool, typer.Option(help="Write over what is there.")] = False,
) -> None:
    """Export the accepted records of a run."""
    from textsynth.outputs.export import export as export_run
    from textsynth.outputs.store import Store

    if out == Path():
        raise InputError("export: --out is missing. Give a new file or folder.")
    with Store(folder, write=False) as store:
        made = export_run(store, format, out, force=force)
    if made.json_columns:
        say(f"written as JSON text, since their values are nested or mixed: {', '.join(made.json_columns)}")
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


def models() -> None:
    """List the embedded models: name, size, license, where from, whether fetched."""
    from textsynth.models import EMBEDDED, is_fetched

    for model in EMBEDDED.values():
        state = "fetched" if is_fetched(model.name) else "not fetched"
        wheel = f"{model.wheel}=={model.version}"
        print(f"{model.name}\t{model.size_mb} MB\t{model.license}\t{wheel}\t{state}\n    {model.description}")
