"""What was once made, for whoever asks for the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, literal_column, select, update

from mixdown.db.tables import Job, Result
from mixdown.jobs.rows import INSERT, note
from mixdown.model import JobResult

#: A use is noted at most this often: looking a result up stays a read.
USE_NOTED_EVERY = timedelta(hours=1)

#: Two jobs may make the same at once: the first result stays.
_KEEP = {
    name: insert(Result).on_conflict_do_update(
        index_elements=[Result.result_key], set_={"last_used_at": literal_column("excluded.last_used_at")}
    )
    for name, insert in INSERT.items()
}


def keep(connection: Connection, result: JobResult, now: datetime) -> None:
    """Remember a result for the next job that asks for the same; the first one stays."""
    # A copy under the recording's own name belongs to one job, not to the result.
    shared = replace(
        result, reused=False, renditions=tuple(replace(one, delivered_uri=None) for one in result.renditions)
    )
    connection.execute(
        _KEEP[connection.dialect.name],
        {"result_key": result.result_key, "result": shared, "created_at": now, "last_used_at": now},
    )


def find(connection: Connection, result_key: str) -> tuple[JobResult, datetime] | None:
    """A result, and when its use was last noted."""
    row = connection.execute(
        select(Result.result, Result.last_used_at).where(Result.result_key == result_key)
    ).one_or_none()
    return None if row is None else (row.result, row.last_used_at)


def note_use(connection: Connection, result_key: str, now: datetime) -> None:
    """Keep a result from expiring."""
    connection.execute(update(Result).where(Result.result_key == result_key).values(last_used_at=now))


def forget(connection: Connection, result_key: str) -> None:
    """Never give this result out again."""
    connection.execute(delete(Result).where(Result.result_key == result_key))


def expire(connection: Connection, older_than: timedelta, now: datetime) -> list[str]:
    """Forget results unused for this long; the addresses of their objects, to be deleted."""
    gone = connection.execute(
        delete(Result).where(Result.last_used_at < now - older_than).returning(Result.result_key, Result.result)
    ).all()
    keys = [row.result_key for row in gone]
    for start in range(0, len(keys), 500):
        jobs = connection.scalars(select(Job.id).where(Job.result_key.in_(keys[start : start + 500])))
        note(connection, list(jobs), "expired", now)
    return [uri for row in gone for uri in _objects(row.result)]


def _objects(result: JobResult) -> list[str]:
    masters = [master.object.uri for master in result.renditions]
    return [*masters, *(each.object.uri for each in result.attachments), result.report.uri, result.picture.uri]
