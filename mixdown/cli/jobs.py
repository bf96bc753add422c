"""`mixdown jobs`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from mixdown.cli.groups import ShowsById, asked_for_json
from mixdown.cli.shared import AsJson, document, err, in_sentences, out, print_json, studio
from mixdown.errors import IllegalTransition
from mixdown.model import JobRecord, Outage, Status

#: Reasons for waiting that are listed below the table.
_MOST_LINES = 10

app = typer.Typer(
    cls=ShowsById,
    help="List jobs, tell everything about one, call jobs off, try them again.",
    add_completion=False,
    subcommand_metavar="[ID | COMMAND [ARGS]…]",
)

Job = Annotated[
    str, typer.Argument(metavar="ID", help="A job, by its id or the beginning of it.", show_default=False)
]
Jobs = Annotated[
    list[str],
    typer.Argument(metavar="ID…", help="Jobs, by their ids or the beginnings of them.", show_default=False),
]


@app.callback(invoke_without_command=True)
def _list(
    context: typer.Context,
    batch: Annotated[str | None, typer.Option("--batch", metavar="ID", help="Only jobs of this batch.")] = None,
    status: Annotated[
        Status | None, typer.Option(metavar="STATE", help=f"Only jobs that are {', '.join(Status)}.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", help="How many, the newest first.", min=1, max=10_000)] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, the newest first; with an id, tell everything about that job."""
    if context.invoked_subcommand is not None:
        return
    with in_sentences():
        ledger = studio().jobs
        batch_id = ledger.resolve_batch(batch) if batch else None
        records = ledger.list(batch_id=batch_id, status=status, limit=limit)
        outages = ledger.outages()
    if as_json:
        print_json([document(record) for record in records])
    elif records:
        _print_jobs(records, outages)
    elif batch or status:
        out.print("There is no such job.")
    else:
        out.print("No jobs yet. Make one with: mixdown process FILE")


@app.command()
def show(context: typer.Context, job: Job, as_json: AsJson = False) -> None:
    """Tell everything about a job, with its history. `mixdown jobs ID` is the same."""
    from mixdown.console import job_card

    with in_sentences():
        ledger = studio().jobs
        record = ledger.get(ledger.resolve(job))
        events = ledger.events(record.id)
    if asked_for_json(context, as_json):
        history = [{"at": event.at, "kind": event.kind, "detail": event.detail} for event in events]
        print_json({**document(record), "events": history})
    else:
        out.print(job_card(record, events))


@app.command()
def cancel(jobs: Jobs) -> None:
    """Call jobs off. Work on those that are running stops within seconds."""
    all_well = True
    with in_sentences():
        ledger = studio().jobs
        for job_id in dict.fromkeys(ledger.resolve(job) for job in jobs):
            try:
                out.print(f"{ledger.cancel(job_id).spec.filename}: cancelled", markup=False, highlight=False)
            except IllegalTransition as error:
                all_well = False
                err.print(error.message, markup=False, highlight=False)
    raise typer.Exit(0 if all_well else 1)


@app.command()
def retry(jobs: Jobs) -> None:
    """Try jobs again that failed, were rejected or were cancelled."""
    from mixdown.batch_words import jobs_words, short_batch
    from mixdown.jobs.pages import Pages

    with in_sentences():
        ledger = studio().jobs
        job_ids = list(dict.fromkeys(ledger.resolve(job) for job in jobs))
        batch_id = Pages(ledger.engine).retry_all(job_ids, "tried again")
    short = short_batch(batch_id)
    out.print(f"Queued {jobs_words(len(job_ids))} again, as batch {short}.", highlight=False)
    out.print(f"Work on it here with: mixdown batch run {short}", highlight=False)


def _print_jobs(records: Sequence[JobRecord], outages: Sequence[Outage]) -> None:
    from mixdown.batch_words import waiting_lines
    from mixdown.console import jobs_table

    out.print(jobs_table(records))
    lines = waiting_lines(records, outages)
    for line in lines[:_MOST_LINES]:
        out.print(line, markup=False, highlight=False)
    if len(lines) > _MOST_LINES:
        out.print(f"… and {len(lines) - _MOST_LINES:,} more that wait")
