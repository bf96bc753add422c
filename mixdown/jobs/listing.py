"""Looking jobs up."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, or_, select, union_all

from mixdown.db.tables import BatchJob, Job, JobEventRow
from mixdown.errors import InvalidRequest, JobNotFound
from mixdown.jobs.rows import GLANCE, RECORD, to_glance, to_record
from mixdown.model import JobEvent, JobGlance, JobRecord, Status

#: Candidates named when the beginning of an id fits several jobs.
_NAMED = 5

#: Made once: the rows of a statement made anew are fitted to it at each execution.
_GLANCES = select(*GLANCE).where(Job.id.in_(bindparam("job_ids", expanding=True)))

#: Keys in one query.
_KEYS = 500


def newest(
    connection: Connection,
    *,
    batch_id: UUID | None,
    status: Status | None,
    limit: int,
    after: UUID | None,
    oldest_first: bool = False,
) -> list[JobRecord]:
    """Jobs, newest first unless told otherwise, from behind `after`."""
    order = (Job.created_at, Job.id) if oldest_first else (Job.created_at.desc(), Job.id.desc())
    query = select(*RECORD).order_by(*order).limit(limit)
    if batch_id is not None:
        found_there = select(BatchJob.job_id).where(BatchJob.batch_id == batch_id)
        query = query.where(or_(Job.batch_id == batch_id, Job.id.in_(found_there)))
    if status is not None:
        query = query.where(Job.status == status)
    if after is not None:
        last = connection.execute(select(Job.created_at, Job.id).where(Job.id == after)).one_or_none()
        if last is None:
            raise JobNotFound(f"There is no job {after}.")
        behind = (Job.created_at < last.created_at) | ((Job.created_at == last.created_at) & (Job.id < last.id))
        ahead = (Job.created_at > last.created_at) | ((Job.created_at == last.created_at) & (Job.id > last.id))
        query = query.where(ahead if oldest_first else behind)
    return [to_record(row) for row in connection.execute(query)]


def find(connection: Connection, keys: Sequence[str]) -> dict[str, JobRecord]:
    """The jobs of these idempotency keys, those that are there."""
    found: dict[str, JobRecord] = {}
    for start in range(0, len(keys), _KEYS):
        asked = select(*RECORD).where(Job.idempotency_key.in_(keys[start : start + _KEYS]))
        found.update((job.idempotency_key, job) for job in map(to_record, connection.execute(asked)))
    return found


def glances(connection: Connection, job_ids: Collection[UUID]) -> dict[UUID, JobGlance]:
    """How these jobs stand, those that are there."""
    rows = connection.execute(_GLANCES, {"job_ids": list(job_ids)})
    return {glance.record.id: glance for glance in map(to_glance, rows)}


def counts(connection: Connection, batch_id: UUID) -> dict[Status, int]:
    """How many jobs of a batch are in each status; every status is there."""
    made = select(Job.status).where(Job.batch_id == batch_id)
    found = select(Job.status).join(BatchJob, BatchJob.job_id == Job.id).where(BatchJob.batch_id == batch_id)
    each = union_all(made, found).subquery()
    rows = connection.execute(select(each.c.status, func.count().label("number")).group_by(each.c.status))
    numbers = {row.status: row.number for row in rows}
    return {status: numbers.get(status, 0) for status in Status}


def events(connection: Connection, job_id: UUID) -> list[JobEvent]:
    """The history of a job, oldest first."""
    rows = connection.execute(
        select(JobEventRow.job_id, JobEventRow.at, JobEventRow.kind, JobEventRow.detail)
        .where(JobEventRow.job_id == job_id)
        .order_by(JobEventRow.id)
    )
    return [JobEvent(job_id=row.job_id, at=row.at, kind=row.kind, detail=row.detail) for row in rows]


def resolve(connection: Connection, prefix: str) -> UUID:
    """The one job whose id begins like this."""
    digits = prefix.strip().lower().replace("-", "")
    if not re.fullmatch("[0-9a-f]{4,32}", digits):
        raise InvalidRequest("A job is named by its id, or by the first four or more digits of it.")
    # Ids are compared as a range, which both databases can look up in their index.
    first, last = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    rows = connection.execute(
        select(Job.id, Job.spec).where(Job.id.between(first, last)).order_by(Job.id).limit(_NAMED + 1)
    ).all()
    if not rows:
        raise JobNotFound(f"There is no job {prefix.strip()}.")
    if len(rows) > 1:
        named = ", ".join(f"{row.id} ({row.spec.filename})" for row in rows[:_NAMED])
        more = " and others" if len(rows) > _NAMED else ""
        raise InvalidRequest(f"Several jobs begin with {prefix.strip()}: {named}{more}.")
    found: UUID = rows[0].id
    return found
