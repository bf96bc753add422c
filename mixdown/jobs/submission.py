"""Writing down what is asked for: the same key gives the same job, ten thousand at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection, bindparam, literal, or_, select, update

from mixdown.db.tables import BatchJob, Job, Result
from mixdown.jobs import batches, listing
from mixdown.jobs.rows import INSERT, note
from mixdown.jobs.transitions import LEGAL
from mixdown.model import JobRecord, JobSpec, Status

#: What asking again for the same puts back into the queue; of what succeeded, only what has lost its result.
_AGAIN = LEGAL[Status.queued] - {Status.running, Status.rejected}

#: Rows to one statement.
_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A job as it is asked for, with what is known of its source."""

    spec: JobSpec
    key: str
    origin: str = ""
    size_bytes: int = 0
    key_id: UUID | None = None  #: the API key it is asked for with


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """The job of each that was asked for, in order."""

    records: list[JobRecord]
    made: frozenset[UUID]  #: those that were not there before
    again: frozenset[UUID] = frozenset()  #: those that had ended, and are queued again


def submit(connection: Connection, asked: Sequence[Asked], *, batch_id: UUID | None, now: datetime) -> Submitted:
    """The job of each, in this order: made, found, or put back into the queue."""
    wanted: dict[str, Asked] = {}
    for each in asked:
        wanted.setdefault(each.key, each)
    if batch_id is not None:
        batches.open_batch(connection, batch_id, None, now)
    jobs = _make(connection, wanted, batch_id, now)
    found = [key for key in wanted if key not in jobs]
    note(connection, [job.id for job in jobs.values()], "queued", now)
    again = _requeue(connection, {key: wanted[key] for key in found}, now)
    made = frozenset(job.id for job in jobs.values())
    jobs |= listing.find(connection, found)
    if batch_id is not None:
        _join(connection, batch_id, found)
    return Submitted(records=[jobs[each.key] for each in asked], made=made, again=again)


def _make(
    connection: Connection, wanted: dict[str, Asked], batch_id: UUID | None, now: datetime
) -> dict[str, JobRecord]:
    """The jobs that were not there yet, by key."""
    jobs = {
        key: JobRecord(
            id=uuid4(),  # random from its first digit, so that people can use its beginning as a short name
            idempotency_key=key,
            batch_id=batch_id,
            spec=each.spec,
            status=Status.queued,
            origin=each.origin,
            size_bytes=each.size_bytes,
            key_id=each.key_id,
            created_at=now + timedelta(microseconds=position),  # newest first keeps the order of a batch
        )
        for position, (key, each) in enumerate(wanted.items())
    }
    columns = (
        "id",
        "idempotency_key",
        "batch_id",
        "spec",
        "status",
        "created_at",
        "origin",
        "size_bytes",
        "key_id",
    )
    # In the order of their keys: two processes that submit the same jobs wait, rather than deadlock.
    rows = [{name: getattr(jobs[key], name) for name in columns} for key in sorted(jobs)]
    if not rows:
        return {}
    statement = (
        INSERT[connection.dialect.name](Job)
        .on_conflict_do_nothing(index_elements=[Job.idempotency_key])
        .returning(Job.id)
    )
    made = set(connection.scalars(statement, rows))
    return {key: job for key, job in jobs.items() if job.id in made}


def _requeue(connection: Connection, wanted: dict[str, Asked], now: datetime) -> frozenset[UUID]:
    """Put jobs that ended without a result, or whose result is gone, back into the queue."""
    again: dict[UUID, JobSpec] = {}
    kept = select(Result.result_key).where(Result.result_key == Job.result_key).exists()
    for keys in _chunks(list(wanted)):
        rows = connection.execute(
            select(Job.id, Job.idempotency_key)
            .where(Job.idempotency_key.in_(keys), Job.status.in_(_AGAIN))
            .where((Job.status != Status.succeeded) | ~kept)
            .order_by(Job.id)
            .with_for_update()
        )
        again.update((row.id, wanted[row.idempotency_key].spec) for row in rows)
    if not again:
        return frozenset()
    # Not `in_`: its list cannot be expanded where a statement is run for many.
    may_be_queued = or_(*(Job.status == status for status in LEGAL[Status.queued]))
    connection.execute(
        update(Job)
        .where(Job.id == bindparam("job"), may_be_queued)
        .values(status=Status.queued, spec=bindparam("wanted"), **batches.FRESH),
        [{"job": job_id, "wanted": again[job_id]} for job_id in sorted(again)],
    )
    note(connection, list(again), "requeued", now, "asked for again")
    return frozenset(again)


def _join(connection: Connection, batch_id: UUID, keys: Sequence[str]) -> None:
    """Note that a batch asked for jobs that were made before it."""
    for chunk in _chunks(keys):
        made_before = select(literal(batch_id), Job.id).where(
            Job.idempotency_key.in_(chunk), Job.batch_id.is_distinct_from(batch_id)
        )
        connection.execute(
            INSERT[connection.dialect.name](BatchJob)
            .from_select(["batch_id", "job_id"], made_before)
            .on_conflict_do_nothing()
        )


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _CHUNK):
        yield keys[start : start + _CHUNK]
