"""The history of all jobs as one log, for those who watch it grow."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, Select, func, or_, select, union_all

from mixdown.db import engine as database
from mixdown.db.engine import reading
from mixdown.db.tables import Batch, BatchJob, Job, JobEventRow
from mixdown.errors import BatchNotFound, JobNotFound
from mixdown.model import Status, done_share

#: A transaction that has not ended by then is ended by the server: ids below are settled.
SETTLED_AFTER = timedelta(seconds=60)

#: A batch that nobody has closed has ended when nothing happened to it for so long: it may still be filling.
_STILL_AFTER = timedelta(seconds=5)

#: Ids in one query.
_IDS = 500

#: The newest lines that are looked at to find where the log is settled.
_NEWEST = 500

#: Running jobs that are named of a batch.
_NAMED = 100


class Subject(NamedTuple):
    """What is watched."""

    kind: Literal["job", "batch"]
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a job's history with its place in the log."""

    id: int
    job_id: UUID
    batch_id: UUID | None  #: the batch it was made for
    at: datetime
    kind: str
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How things stand with a job or a batch."""

    ended: bool
    data: dict[str, Any]


_LINES = select(
    JobEventRow.id, JobEventRow.job_id, Job.batch_id, JobEventRow.at, JobEventRow.kind, JobEventRow.detail
).join(Job, Job.id == JobEventRow.job_id)


class EventLog:
    """Each method is one transaction that reads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def engine(self) -> Engine:
        """The database."""
        return self._engine

    @property
    def has_gaps(self) -> bool:
        """Whether ids become visible in another order than they are given out: writers work side by side."""
        return self._engine.dialect.name == "postgresql"

    def owner(self, subject: Subject) -> UUID | None:
        """The API key a job or batch was asked for with; JobNotFound or BatchNotFound where it is not there."""
        table = Job if subject.kind == "job" else Batch
        with reading(self._engine) as connection:
            row = connection.execute(select(table.key_id).where(table.id == subject.id)).one_or_none()
        if row is None:
            missing = JobNotFound if subject.kind == "job" else BatchNotFound
            raise missing(f"There is no {subject.kind} {subject.id}.")
        owner: UUID | None = row.key_id
        return owner

    def settled(self) -> int:
        """The id up to which nothing can appear any more."""
        with reading(self._engine) as connection:
            newest = connection.execute(
                select(JobEventRow.id, JobEventRow.at).order_by(JobEventRow.id.desc()).limit(_NEWEST)
            ).all()
            since = database.now(connection) - SETTLED_AFTER
        if not newest:
            return 0
        return max((row.id for row in newest if row.at < since), default=newest[-1].id - 1)

    def after(self, position: int, *, late: Collection[int] = (), limit: int = 1000) -> list[Line]:
        """The next lines behind a position, and those of `late` that have appeared, in their order."""
        with reading(self._engine) as connection:
            found = [] if not late else _lines(connection, _LINES.where(JobEventRow.id.in_(sorted(late)[:_IDS])))
            following = _LINES.where(JobEventRow.id > position).order_by(JobEventRow.id).limit(limit)
            return [*found, *_lines(connection, following)]

    def history(self, subject: Subject, *, after: int, until: int, limit: int = 500) -> list[Line]:
        """The lines about a job or batch behind `after`, up to `until`."""
        lines = _LINES.where(JobEventRow.id > after, JobEventRow.id <= until).order_by(JobEventRow.id).limit(limit)
        if subject.kind == "job":
            lines = lines.where(JobEventRow.job_id == subject.id)
        else:
            found_there = select(BatchJob.job_id).where(BatchJob.batch_id == subject.id)
            lines = lines.where(or_(Job.batch_id == subject.id, Job.id.in_(found_there)))
        with reading(self._engine) as connection:
            return _lines(connection, lines)

    def found_in(self, batches: Collection[UUID], jobs: Collection[UUID]) -> dict[UUID, set[UUID]]:
        """Of these batches, those that found some of these jobs there, by job."""
        found: dict[UUID, set[UUID]] = {}
        with reading(self._engine) as connection:
            for some in _portions(sorted(jobs)):
                rows = connection.execute(
                    select(BatchJob.batch_id, BatchJob.job_id).where(
                        BatchJob.job_id.in_(some), BatchJob.batch_id.in_(sorted(batches)[:_IDS])
                    )
                )
                for row in rows:
                    found.setdefault(row.job_id, set()).add(row.batch_id)
        return found

    def standings(self, subjects: Collection[Subject]) -> dict[Subject, Standing]:
        """How things stand with these; what is not there is left out."""
        with reading(self._engine) as connection:
            now = database.now(connection)
            found: dict[Subject, Standing] = {}
            for jobs in _portions(sorted(subject.id for subject in subjects if subject.kind == "job")):
                found |= _of_jobs(connection, jobs)
            for batches in _portions(sorted(subject.id for subject in subjects if subject.kind == "batch")):
                found |= _of_batches(connection, batches, now)
        return found


def _lines(connection: Connection, query: Select[Any]) -> list[Line]:
    return [Line(**row._mapping) for row in connection.execute(query)]


def _portions(ids: Sequence[UUID]) -> list[Sequence[UUID]]:
    return [ids[start : start + _IDS] for start in range(0, len(ids), _IDS)]


def _of_jobs(connection: Connection, jobs: Sequence[UUID]) -> dict[Subject, Standing]:
    rows = connection.execute(
        select(Job.id, Job.status, Job.stage, Job.progress, Job.error_code).where(Job.id.in_(jobs))
    )
    return {
        Subject("job", row.id): Standing(
            ended=row.status.ended,
            data={"job_id": row.id, "status": row.status, **_progress(row), "code": row.error_code},
        )
        for row in rows
    }


def _of_batches(connection: Connection, batches: Sequence[UUID], now: datetime) -> dict[Subject, Standing]:
    columns = (Job.status, Job.created_at, Job.finished_at)
    each = union_all(
        select(Job.batch_id, *columns).where(Job.batch_id.in_(batches)),
        select(BatchJob.batch_id, *columns)
        .join(BatchJob, BatchJob.job_id == Job.id)
        .where(BatchJob.batch_id.in_(batches)),
    ).subquery()
    counted = connection.execute(
        select(
            each.c.batch_id,
            each.c.status,
            func.count().label("number"),
            func.max(each.c.created_at).label("created_at"),
            func.max(each.c.finished_at).label("finished_at"),
        ).group_by(each.c.batch_id, each.c.status)
    ).all()
    running = connection.execute(
        select(Job.id, Job.batch_id, Job.status, Job.stage, Job.progress)
        .where(Job.batch_id.in_(batches), Job.status == Status.running)
        .order_by(Job.started_at, Job.id)
    ).all()
    rows = connection.execute(
        select(Batch.id, Batch.created_at, Batch.closed_at, Batch.cancelled_at, Batch.paused_at).where(
            Batch.id.in_(batches)
        )
    )
    return {
        Subject("batch", row.id): _of_batch(
            row,
            [count for count in counted if count.batch_id == row.id],
            [job for job in running if job.batch_id == row.id],
            now,
        )
        for row in rows
    }


def _of_batch(batch: Row[Any], counted: Sequence[Row[Any]], running: Sequence[Row[Any]], now: datetime) -> Standing:
    numbers = {row.status: row.number for row in counted}
    counts = {status: numbers.get(status, 0) for status in Status}
    moments = [batch.created_at, *(row.created_at for row in counted), *(row.finished_at for row in counted)]
    is_still = now - max(moment for moment in moments if moment is not None) > _STILL_AFTER
    is_over = batch.closed_at is not None or batch.cancelled_at is not None or (bool(counted) and is_still)
    return Standing(
        ended=is_over and not counts[Status.queued] and not counts[Status.running],
        data={
            "batch_id": batch.id,
            "paused": batch.paused_at is not None,
            "counts": counts,
            "total": sum(counts.values()),
            "ended": sum(number for status, number in counts.items() if status.ended),
            "running": [{"job_id": job.id, **_progress(job)} for job in running[:_NAMED]],
        },
    )


def _progress(row: Any) -> dict[str, Any]:
    """The stage that was completed last, and how much of all is done."""
    return {"stage": row.stage, "progress": round(done_share(row), 4)}
