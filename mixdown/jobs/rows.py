"""Between rows and records; and the history, one line at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from mixdown.db.tables import Job, JobEventRow, Table
from mixdown.errors import JobNotFound
from mixdown.model import JobGlance, JobRecord

_FIELDS = tuple(field.name for field in fields(JobRecord))

#: An INSERT that knows ON CONFLICT, in the words of each database.
INSERT: dict[str, Callable[[type[Table]], Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}

_NOTE = insert(JobEventRow)

#: The columns of a `JobRecord`, in its order.
RECORD = tuple(getattr(Job, name) for name in _FIELDS)


def to_record(row: Row[Any]) -> JobRecord:
    """The job of a row of `RECORD`."""
    return JobRecord(**dict(zip(_FIELDS, row, strict=True)))


#: Made once: the rows of a statement made anew are fitted to it at each execution.
_JOB = select(*RECORD).where(Job.id == bindparam("job_id"))

_SHORT_FIELDS = tuple(name for name in _FIELDS if name not in ("work", "result"))

#: The columns of a `JobGlance`: results hold whole reports, and most who ask want to know whether there is one.
GLANCE = (
    Job.result.is_not(None),
    Job.result["reused"].as_boolean(),
    *(getattr(Job, name) for name in _SHORT_FIELDS),
)


def to_glance(row: Row[Any]) -> JobGlance:
    """How the job of a row of `GLANCE` stands."""
    has_result, reused, *values = row
    record = JobRecord(**dict(zip(_SHORT_FIELDS, values, strict=True)))
    return JobGlance(record=record, has_result=has_result, reused=bool(reused))


def read_job(connection: Connection, job_id: UUID) -> JobRecord:
    """The job of this id."""
    row = connection.execute(_JOB, {"job_id": job_id}).one_or_none()
    if row is None:
        raise JobNotFound(f"There is no job {job_id}.")
    return to_record(row)


def note(
    connection: Connection, job_ids: Collection[UUID], kind: str, at: datetime, detail: str | None = None
) -> None:
    """Add a line to the history of these jobs."""
    lines = [{"job_id": job_id, "at": at, "kind": kind, "detail": detail} for job_id in job_ids]
    if lines:
        connection.execute(_NOTE, lines)
