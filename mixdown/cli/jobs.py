"""`mixdown jobs`."""

from __future__ import annotations

from typing import Annotated

import typer

from mixdown.cli.shared import AsJson, document, in_sentences, out, print_json, studio
from mixdown.model import Status


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
        ledger = studio().jobs
        if job is None:
            records = ledger.list(status=status, limit=limit)
            if as_json:
                print_json([document(record) for record in records])
            elif records:
                out.print(jobs_table(records))
            else:
                out.print("No jobs yet. Make one with: mixdown process FILE")
            return
        record = ledger.get(ledger.resolve(job))
        events = ledger.events(record.id)
    if as_json:
        history = [{"at": event.at, "kind": event.kind, "detail": event.detail} for event in events]
        print_json({**document(record), "events": history})
    else:
        out.print(job_card(record, events))
