"""The command `mixdown`: the core without Prefect. Exit codes: 0 all well, 1 something failed, 2 usage."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer
from rich.console import Console

from mixdown import __version__, presets
from mixdown.errors import InvalidRequest, MixdownError
from mixdown.model import (
    AudioFormat,
    JobRecord,
    JobSpec,
    NoiseReduction,
    OutputSpec,
    Status,
)
from mixdown.settings import Settings

if TYPE_CHECKING:
    from mixdown.studio import Studio

app = typer.Typer(
    name="mixdown",
    help="Recordings in, broadcast-ready masters out, with proof.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal; a file gets lines that a table fits in."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=120)


out, err = _console(), _console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE…", help="Recordings: files, folders, s3:// or https:// addresses.", show_default=False
    ),
]
#: More than this many rows is a wall, not a table: only what needs attention is then listed.
_MOST_ROWS = 60


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens, to stderr.")] = False,
) -> None:
    if version:
        out.print(f"mixdown {__version__}")
        raise typer.Exit
    shown = logging.StreamHandler()
    shown.setLevel(logging.INFO if verbose else logging.ERROR)
    logging.basicConfig(level=logging.INFO, handlers=[shown], format="%(message)s")


@app.command()
def process(
    files: Files,
    preset: Annotated[
        str,
        typer.Option(
            "--preset", "-p", metavar="NAME", help=f"What the masters are for: {', '.join(presets.names())}."
        ),
    ] = "podcast",
    deliver_to: Annotated[
        str, typer.Option("--out", "-o", metavar="DIR|s3://…", help="Where the masters go.")
    ] = "masters",
    formats: Annotated[
        list[AudioFormat],
        typer.Option("--format", "-f", metavar="FORMAT", help=f"{', '.join(AudioFormat)}; repeat for several."),
    ] = [AudioFormat.mp3],  # noqa: B006 - typer's default
    bitrate_kbps: Annotated[
        int | None,
        typer.Option("--bitrate", metavar="KBPS", help="Of mp3, m4a, opus and ogg.", min=24, max=512),
    ] = None,
    mono: Annotated[bool, typer.Option("--mono", help="One channel, whatever the source has.")] = False,
    noise_reduction: Annotated[
        NoiseReduction | None,
        typer.Option(
            "--denoise", metavar="DB", help="Noise reduction: off, 12, 18, 24 or full; instead of the preset's."
        ),
    ] = None,
    notify: Annotated[
        str | None, typer.Option("--notify", metavar="URL", help="Send a signed webhook per job.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Master recordings: cleaned, evened out, at their loudness.

    What is done already is not done again. After Ctrl-C or a crash, run the same command again to go on.
    """
    from mixdown.submission import enhance_specs, sources

    with in_sentences():
        specs = enhance_specs(
            sources(files, deliver_to=deliver_to),
            preset=preset,
            noise_reduction=noise_reduction,
            outputs=[
                OutputSpec(format=each, bitrate_kbps=bitrate_kbps, channels=1 if mono else None)
                for each in dict.fromkeys(formats)
            ],
            deliver_to=deliver_to,
            notify_url=notify,
        )
        records = _work_through(specs, quiet=as_json)
    if as_json:
        _print_json([_document(record) for record in records])
    else:
        _print_results(records, deliver_to)
    raise typer.Exit(0 if all(record.status is Status.succeeded for record in records) else 1)


def _work_through(specs: Sequence[JobSpec], *, quiet: bool) -> list[JobRecord]:
    from mixdown.submission import submit

    studio = _studio()
    studio.sweep()
    batch_id = uuid4()
    records = submit(studio, specs, batch_id=batch_id)
    done = {record.id for record in records if record.status.ended}
    if done and not quiet:
        err.print(f"{len(done)} of {len(records)} already done.", highlight=False)
    todo = list(dict.fromkeys(record.id for record in records if record.id not in done))
    if not todo:
        return records
    from mixdown.console import live
    from mixdown.runner import run_jobs  # brings in all of the sound: seconds that a finished batch does not need

    try:
        with live(Console(file=io.StringIO()) if quiet else err, studio.jobs, batch_id):
            run_jobs(studio, todo, ended=_say_ended if not quiet and not err.is_terminal else lambda _: None)
    except KeyboardInterrupt:
        err.print("Stopped. Nothing is lost: run the same command again to go on.")
        raise typer.Exit(130) from None
    return [studio.jobs.get(record.id) for record in records]


def _say_ended(record: JobRecord) -> None:
    from mixdown.wording import state_words

    err.print(f"{record.spec.filename}: {state_words(record)}", markup=False, highlight=False)


def _print_results(records: Sequence[JobRecord], folder: str) -> None:
    from mixdown.console import reasons, results_table
    from mixdown.wording import delivered_words

    shown = records if len(records) <= _MOST_ROWS else [r for r in records if r.status is not Status.succeeded]
    if shown:
        out.print(results_table(shown[:_MOST_ROWS]))
    for line in reasons(shown[:_MOST_ROWS]):
        out.print(line, highlight=False)
    out.print(f"\n{delivered_words(records)} to {folder}", markup=False, highlight=False)


@app.command()
def probe(files: Files, as_json: AsJson = False) -> None:
    """Tell what recordings are, by their headers."""
    from mixdown.codec.probe import probe as probe_file
    from mixdown.console import probe_table

    limits = Settings().limits
    found = _each_file(files, lambda path, name: probe_file(path, name=name, limits=limits))
    if as_json:
        from dataclasses import asdict

        _print_json([{"file": name, **asdict(probed)} for name, probed in found.good] + found.errors)
    else:
        out.print(probe_table(found.good))
    raise typer.Exit(1 if found.errors else 0)


@app.command()
def measure(files: Files, as_json: AsJson = False) -> None:
    """Measure loudness and peaks: EBU R 128, ITU-R BS.1770-4."""
    from mixdown.console import levels_table
    from mixdown.render import measure as measure_file
    from mixdown.report import levels

    limits = Settings().limits
    found = _each_file(files, lambda path, name: measure_file(path, name=name, limits=limits)[1])
    if as_json:
        _print_json([{"file": name, **levels(level)} for name, level in found.good] + found.errors)
    else:
        out.print(levels_table(found.good))
    raise typer.Exit(1 if found.errors else 0)


class _Found:
    """What came of looking at files, and what could not be looked at."""

    def __init__(self) -> None:
        self.good: list[tuple[str, Any]] = []
        self.errors: list[dict[str, Any]] = []


def _each_file(names: Sequence[str], look: Callable[[Path, str], Any]) -> _Found:
    """Look at each file; an error is printed and noted, and stops nothing."""
    from tempfile import TemporaryDirectory

    from mixdown.fetch import fetch
    from mixdown.studio import s3_options
    from mixdown.submission import sources

    settings, found = Settings(), _Found()
    with in_sentences():
        recordings = sources(names)
    for source in recordings:
        name = JobSpec(source=source).filename
        with TemporaryDirectory(prefix="mixdown-") as folder:
            try:
                got = fetch(
                    source,
                    Path(folder) / "source",
                    limits=settings.limits,
                    s3=s3_options(settings),
                    timeout_s=settings.fetch_timeout_s,
                )
                found.good.append((name, look(got.path, name)))
            except MixdownError as error:
                found.errors.append({"file": name, "error": {"code": error.code, "message": error.message}})
                err.print(f"{name}: {error.message} ({error.code})", markup=False, highlight=False)
    return found


@app.command()
def jobs(
    job: Annotated[
        str | None, typer.Argument(metavar="ID", help="A job, by its id or the beginning of it.")
    ] = None,
    status: Annotated[
        Status | None, typer.Option(metavar="STATE", help=f"Only jobs that are {', '.join(Status)}.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", help="How many, the newest first.", min=1, max=10_000)] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, or tell everything about one."""
    from mixdown.console import job_card, jobs_table

    with in_sentences():
        ledger = _studio().jobs
        if job is None:
            records = ledger.list(status=status, limit=limit)
            if as_json:
                _print_json([_document(record) for record in records])
            elif records:
                out.print(jobs_table(records))
            else:
                out.print("No jobs yet. Make one with: mixdown process FILE")
            return
        record = ledger.get(ledger.resolve(job))
        events = ledger.events(record.id)
    if as_json:
        history = [{"at": event.at, "kind": event.kind, "detail": event.detail} for event in events]
        _print_json({**_document(record), "events": history})
    else:
        out.print(job_card(record, events))


def _studio() -> Studio:
    from mixdown.studio import open_studio

    return open_studio(Settings())


def _document(record: JobRecord) -> dict[str, Any]:
    from mixdown.report import job_document

    return job_document(record)


def _print_json(value: object) -> None:
    speaks_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=not speaks_unicode, default=str) + "\n")


@contextmanager
def in_sentences() -> Iterator[None]:
    """Errors that are ours end the command with their sentence: 2 for a wrong request, else 1."""
    try:
        yield
    except MixdownError as error:
        err.print(f"[red]{error.code}[/]: ", end="")
        err.print(error.message, markup=False, highlight=False)
        raise typer.Exit(2 if isinstance(error, InvalidRequest) else 1) from None


def _add_commands_from_outside() -> None:
    """Commands that other packages plug in: those of Prefect's side, where it is installed."""
    for entry in sorted(entry_points(group="mixdown.commands"), key=lambda entry: entry.name):
        try:
            command = entry.load()
        except ModuleNotFoundError:
            continue
        app.command(entry.name)(command)


def main() -> None:
    """Run the command line."""
    _add_commands_from_outside()
    app()


if __name__ == "__main__":
    main()
