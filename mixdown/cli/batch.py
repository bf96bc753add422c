"""`mixdown batch`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn
from uuid import UUID

import typer

from mixdown.cli.batch_plan import plan, submit
from mixdown.cli.groups import ShowsById, asked_for_json
from mixdown.cli.shared import AsJson, err, in_sentences, out, print_json, studio
from mixdown.errors import InvalidRequest
from mixdown.model import BatchProgress, Status

if TYPE_CHECKING:
    from mixdown.batch_words import Attendance
    from mixdown.jobs import JobStore
    from mixdown.model import BatchRecord
    from mixdown.studio import Studio

app = typer.Typer(
    cls=ShowsById,
    help="Plan batches, submit, watch, pause, cancel them, try again what failed.",
    add_completion=False,
    subcommand_metavar="[ID | COMMAND [ARGS]…]",
)

Batch = Annotated[
    str, typer.Argument(metavar="ID", help="A batch, by its id or the beginning of it.", show_default=False)
]

_INTERRUPTED = 130


@app.callback(invoke_without_command=True)
def _default(context: typer.Context, as_json: AsJson = False) -> None:
    """Plan batches, submit, watch, pause, cancel them, try again what failed. Alone, it lists them."""
    if context.invoked_subcommand is None:
        list_batches(context, as_json=as_json)


app.command()(plan)
app.command()(submit)


@app.command("list")
def list_batches(
    context: typer.Context,
    limit: Annotated[int, typer.Option(metavar="N", help="How many, the newest first.", min=1, max=1000)] = 20,
    as_json: AsJson = False,
) -> None:
    """List batches, the newest first."""
    from mixdown.batch_report import batch_document
    from mixdown.batch_view import batches_table

    with in_sentences():
        ledger = studio().jobs
        found = [ledger.batch_progress(batch.id) for batch in ledger.batches(limit)]
    if asked_for_json(context, as_json):
        print_json([batch_document(progress) for progress in found])
    elif found:
        out.print(batches_table(found))
    else:
        out.print("No batches yet. Make one with: mixdown batch submit FOLDER")


@app.command()
def show(context: typer.Context, batch: Batch, as_json: AsJson = False) -> None:
    """Tell how a batch stands, why jobs of it failed, and who works on it. `mixdown batch ID` is the same."""
    from mixdown.batch_report import batch_document
    from mixdown.batch_view import batch_card
    from mixdown.batch_words import is_over

    with in_sentences():
        opened, batch_id = _found(batch)
        progress = opened.jobs.batch_progress(batch_id)
        failures = opened.jobs.failures(batch_id)
        outages = opened.jobs.outages()
        there = _attendance(opened, progress.batch)
    if asked_for_json(context, as_json):
        groups = [{"code": each.code, "number": each.number} for each in failures]
        print_json({**batch_document(progress), "failures": groups, "crews": there.crews})
        return
    out.print(batch_card(progress, failures, [] if is_over(progress) else outages, there))


@app.command()
def watch(batch: Batch) -> None:
    """Watch a batch until it is over, whoever works on it. Ctrl-C stops watching and nothing else."""
    from mixdown import batch_watch
    from mixdown.batch_words import short_batch

    with in_sentences():
        opened, batch_id = _found(batch)
        try:
            progress = batch_watch.watch(out, opened.jobs, batch_id, lease_s=opened.settings.lease_s)
        except KeyboardInterrupt:
            err.print(
                f"The batch goes on. Watch it again with: mixdown batch watch {short_batch(batch_id)}",
                highlight=False,
            )
            raise typer.Exit(_INTERRUPTED) from None
    _finish(opened.jobs, progress)


@app.command()
def run(batch: Batch) -> None:
    """Work on a batch here until nothing of it is left. Several processes may, at once, on any machine."""
    from mixdown.batch_watch import live
    from mixdown.batch_words import short_batch
    from mixdown.runner import run_batch  # brings in all of the sound: seconds

    with in_sentences():
        opened, batch_id = _found(batch)
        opened.sweep()
        if opened.jobs.batch(batch_id).paused_at is not None:
            resume_it = f"mixdown batch resume {short_batch(batch_id)}"
            err.print(f"The batch is paused; this waits for: {resume_it}", highlight=False)
        try:
            with live(err, opened.jobs, batch_id):
                run_batch(opened, batch_id)
        except KeyboardInterrupt:
            err.print("Stopped. Nothing is lost: run the same command again to go on.")
            raise typer.Exit(_INTERRUPTED) from None
        progress = opened.jobs.batch_progress(batch_id)
    _finish(opened.jobs, progress)


@app.command()
def pause(batch: Batch) -> None:
    """Take up no more jobs of a batch. Those that are running are ended."""
    from mixdown.batch_words import jobs_words, short_batch

    with in_sentences():
        opened, batch_id = _found(batch)
        opened.jobs.pause_batch(batch_id)
        running = opened.jobs.counts(batch_id)[Status.running]
    also = f" {jobs_words(running)} in work {'is' if running == 1 else 'are'} ended first." if running else ""
    out.print(f"Paused.{also} Go on with: mixdown batch resume {short_batch(batch_id)}", highlight=False)


@app.command()
def resume(batch: Batch) -> None:
    """Go on with a batch that was paused."""
    with in_sentences():
        opened, batch_id = _found(batch)
        progress = opened.jobs.batch_progress(batch_id)
        if progress.batch.paused_at is None:
            out.print("It is not paused.")
            return
        record = opened.jobs.resume_batch(batch_id)
        there = _attendance(opened, record)
    _say("Not paused any more", record, there)


@app.command()
def cancel(batch: Batch) -> None:
    """Call off what has not ended of a batch. What is running stops within seconds; what is done stays."""
    from mixdown.batch_words import jobs_words

    with in_sentences():
        opened, batch_id = _found(batch)
        number = opened.jobs.cancel_batch(batch_id)
        done = opened.jobs.counts(batch_id)[Status.succeeded]
    kept = f" What is done stays: {jobs_words(done)}." if done else ""
    out.print(f"Cancelled {jobs_words(number)}.{kept}", highlight=False)


@app.command()
def retry(
    batch: Batch,
    code: Annotated[
        str | None, typer.Option("--code", metavar="CODE", help="Only what failed with this error code.")
    ] = None,
) -> None:
    """Try again what failed of a batch; of one that was cancelled, what was cancelled too."""
    from mixdown.batch_words import jobs_words

    with in_sentences():
        opened, batch_id = _found(batch)
        number = opened.jobs.retry_batch(batch_id, code=code)
        record = opened.jobs.batch(batch_id)
        there = _attendance(opened, record)
    if number:
        _say(f"Queued {jobs_words(number)} again", record, there)
    else:
        out.print(f"Nothing has failed with {code}." if code else "Nothing has failed.", markup=False)


@app.command()
def report(
    context: typer.Context,
    batch: Batch,
    csv: Annotated[
        str | None, typer.Option("--csv", metavar="FILE", help="Write a table for spreadsheets; - is stdout.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what came of every job of a batch: state, reason, loudness, peak, length, masters."""
    from mixdown.batch_report import pages, write_csv, write_json
    from mixdown.batch_words import jobs_words
    from mixdown.console import results_table

    with in_sentences():
        opened, batch_id = _found(batch)
        if csv == "-":
            write_csv(opened.jobs, batch_id, sys.stdout)
        elif csv:
            number = _write_csv(opened.jobs, batch_id, Path(csv))
            out.print(f"Wrote {jobs_words(number)} to {csv}", markup=False, highlight=False)
        elif asked_for_json(context, as_json):
            speaks_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
            write_json(opened.jobs, batch_id, sys.stdout, ensure_ascii=not speaks_unicode)
        else:
            for page in pages(opened.jobs, batch_id):
                out.print(results_table(page))


def _write_csv(jobs: JobStore, batch_id: UUID, path: Path) -> int:
    """Write a report whole or not at all."""
    from mixdown.batch_report import write_csv

    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            number = write_csv(jobs, batch_id, file)
        part.replace(path)
    except OSError as error:
        raise InvalidRequest(f"“{path.name}” cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
    return number


def _found(prefix: str) -> tuple[Studio, UUID]:
    opened = studio()
    return opened, opened.jobs.resolve_batch(prefix)


def _attendance(opened: Studio, batch: BatchRecord) -> Attendance:
    from mixdown.batch_words import attendance
    from mixdown.owner import is_alive

    return attendance(batch, opened.jobs.shifts(), lease_s=opened.settings.lease_s, is_alive=is_alive)


def _say(done: str, batch: BatchRecord, there: Attendance) -> None:
    from mixdown.batch_words import attendance_words, help_words

    words = [f"{done}: {attendance_words(batch, there)}.", help_words(batch, there)]
    out.print(" ".join(words).strip(), highlight=False)


def _finish(jobs: JobStore, progress: BatchProgress) -> NoReturn:
    """Say how a batch ended and why jobs of it failed, and leave with 0 where all is well."""
    from mixdown.batch_view import failures_table
    from mixdown.batch_words import progress_words, short_batch

    with in_sentences():
        failures = jobs.failures(progress.batch.id)
    if failures:
        out.print(failures_table(failures))
    out.print(progress_words(progress), highlight=False)
    if failures:
        short = short_batch(progress.batch.id)
        out.print(f"Try again what failed: mixdown batch retry {short}", highlight=False)
    raise typer.Exit(0 if progress.counts[Status.succeeded] == progress.total else 1)
