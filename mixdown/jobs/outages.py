"""The circuit breaker: what is down is asked again by one job now and then, and waited for by all others.

It opens when jobs have failed for the same server or store one after the other, different jobs: one job that
fails again and again proves nothing about the others. It closes with the first job that was served.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, select, update

from mixdown.db.tables import OutageRow
from mixdown.jobs.rows import INSERT
from mixdown.model import Outage

#: Different jobs that have to fail in a row before the others wait.
OPENS_AFTER = 5

#: Between two probes: the first wait, which doubles, and the longest.
_FIRST_WAIT_S, _LONGEST_WAIT_S = 5.0, 120.0

#: A probe that has not told by then is taken for lost.
_PROBE_S = 30.0


def fail(connection: Connection, dependency: str, job_id: UUID, *, code: str, detail: str, now: datetime) -> Outage:
    """Note that a job was not served, and how things stand after that."""
    fresh = {"dependency": dependency, "code": code, "detail": detail, "jobs": [], "since": now}
    insert = INSERT[connection.dialect.name](OutageRow).values(**fresh)
    # Made or found, and ours until the transaction ends: a row that is only found may be gone the next moment.
    found = connection.execute(
        insert.on_conflict_do_update(
            index_elements=[OutageRow.dependency], set_={"dependency": insert.excluded.dependency}
        ).returning(*OutageRow.__table__.columns)
    ).one()
    jobs = list(dict.fromkeys([*found.jobs, job_id.hex]))[:OPENS_AFTER]
    changed: dict[str, Any] = {"jobs": jobs, "code": code, "detail": detail}
    if found.next_probe_at is None and len(jobs) == OPENS_AFTER:
        changed["next_probe_at"] = now + timedelta(seconds=_FIRST_WAIT_S)
    elif found.probe_until is not None or (found.next_probe_at is not None and found.next_probe_at <= now):
        wait_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** (found.probes + 1))
        changed |= {
            "probes": found.probes + 1,
            "next_probe_at": now + timedelta(seconds=wait_s),
            "probe_until": None,
        }
    row = connection.execute(
        update(OutageRow)
        .where(OutageRow.dependency == dependency)
        .values(**changed)
        .returning(*OutageRow.__table__.columns)
    ).one()
    return _to_outage(row)


def served(connection: Connection, dependencies: Collection[str]) -> None:
    """Note that these serve again."""
    connection.execute(delete(OutageRow).where(OutageRow.dependency.in_(sorted(dependencies))))


def current(connection: Connection) -> list[Outage]:
    """What does not serve, the longest first."""
    rows = connection.execute(select(*OutageRow.__table__.columns).order_by(OutageRow.since))
    return [_to_outage(row) for row in rows]


def gates(
    connection: Connection, host: str, patience_s: float, now: datetime
) -> tuple[frozenset[str] | None, str | None]:
    """The origins that are not to be asked, None where nothing can be done at all; and which one to probe.

    After `patience_s` nobody waits any more: jobs are tried, and fail at once.
    """
    closed: set[str] = set()
    probe: str | None = None
    for outage in current(connection):
        if outage.next_probe_at is None or (now - outage.since).total_seconds() > patience_s:
            continue
        is_origin = outage.dependency.startswith(("s3://", "http://", "https://"))
        if not is_origin and outage.dependency not in ("results", f"scratch:{host}"):
            continue
        if probe is None and outage.next_probe_at <= now and not outage.is_probed(now):
            probe = outage.dependency
        elif is_origin:
            closed.add(outage.dependency)
        else:
            return None, None
    return frozenset(closed), probe


def probing(connection: Connection, dependency: str, now: datetime) -> None:
    """Note that a job is on its way to see whether it serves again: nobody else needs to."""
    connection.execute(
        update(OutageRow)
        .where(OutageRow.dependency == dependency)
        .values(probe_until=now + timedelta(seconds=_PROBE_S))
    )


def _to_outage(row: Row[Any]) -> Outage:
    return Outage(
        dependency=row.dependency,
        code=row.code,
        detail=row.detail,
        failures=len(row.jobs),
        since=row.since,
        probes=row.probes,
        next_probe_at=row.next_probe_at,
        probe_until=row.probe_until,
    )
