"""What came of every job of a batch, read from the ledger page by page and written as it is read."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from typing import IO, Any
from uuid import UUID

from mixdown.batch_words import batch_state_words, taken_so_far_s
from mixdown.jobs import JobStore
from mixdown.model import BatchProgress, JobRecord
from mixdown.report import job_document
from mixdown.wording import place_words

PAGE = 200

_COLUMNS = (
    *("file", "state", "code", "reason"),
    *("before_lufs", "after_lufs", "true_peak_dbtp", "duration_s"),
    *("masters", "job"),
)
#: Spreadsheets take a cell that begins like this for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def pages(jobs: JobStore, batch_id: UUID) -> Iterator[list[JobRecord]]:
    """The jobs of a batch in the order in which they were asked for, a page at a time."""
    after: UUID | None = None
    while page := jobs.list(batch_id=batch_id, limit=PAGE, after=after, oldest_first=True):
        yield page
        after = page[-1].id


def write_csv(jobs: JobStore, batch_id: UUID, file: IO[str]) -> int:
    """Write a line for each job of a batch; how many it were."""
    rows = csv.writer(file)
    rows.writerow(_COLUMNS)
    written = 0
    for page in pages(jobs, batch_id):
        rows.writerows(_row(record) for record in page)
        written += len(page)
    return written


def write_json(jobs: JobStore, batch_id: UUID, file: IO[str], *, ensure_ascii: bool) -> None:
    """Write the documents of the jobs of a batch as one JSON list."""
    between = "[\n"
    for page in pages(jobs, batch_id):
        for record in page:
            file.write(between + json.dumps(job_document(record), ensure_ascii=ensure_ascii, default=str))
            between = ",\n"
    file.write("[]\n" if between == "[\n" else "\n]\n")


def batch_document(progress: BatchProgress) -> dict[str, Any]:
    """A batch for programs: its state, its jobs in each state, its rate."""
    batch, taken_s = progress.batch, taken_so_far_s(progress)
    return {
        "id": str(batch.id),
        "title": batch.title,
        "created_at": batch.created_at.isoformat(),
        "priority": batch.priority.value,
        "state": batch_state_words(progress),
        "jobs": progress.total,
        "ended": progress.ended,
        "counts": {status.value: number for status, number in progress.counts.items()},
        "waiting": progress.waiting,
        "rate_per_min": round(progress.rate_per_s * 60, 2),
        "time_left_s": _rounded(progress.time_left_s),
        "taken_s": _rounded(taken_s),
        "paused_at": _moment(batch.paused_at),
        "cancelled_at": _moment(batch.cancelled_at),
        "first_started_at": _moment(progress.first_started_at),
        "last_finished_at": _moment(progress.last_finished_at),
    }


def _row(record: JobRecord) -> list[str]:
    result = record.result
    masters = result.renditions if result else ()
    after = masters[0].after if masters else None
    return [
        _plain(record.spec.filename),
        record.status.value,
        record.error_code or "",
        _plain(record.error_detail or ""),
        _number(result.before.integrated_lufs if result else None),
        _number(after.integrated_lufs if after else None),
        _number(after.true_peak_dbtp if after else None),
        _number((after or result.before).duration_s if result else None),
        _plain(" | ".join(place_words(master.delivered_uri or master.object.uri) for master in masters)),
        str(record.id),
    ]


def _plain(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _number(value: float | None) -> str:
    """A number with two digits; nothing for one that is not known, or for the level of silence."""
    return "" if value is None or not math.isfinite(value) else f"{value:.2f}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _moment(value: Any) -> str | None:
    return None if value is None else value.isoformat()
