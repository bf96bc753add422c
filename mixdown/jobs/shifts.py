"""Who is at work: each process signs in, keeps its heart beating, and signs out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, delete, select, update

from mixdown.db.tables import ShiftRow
from mixdown.jobs.rows import INSERT
from mixdown.model import Shift

_COLUMNS = tuple(getattr(ShiftRow, name) for name in Shift.__dataclass_fields__)


def begin(
    connection: Connection, owner: str, batch_id: UUID | None, flow_run_id: UUID | None, now: datetime
) -> None:
    """Sign in."""
    connection.execute(
        INSERT[connection.dialect.name](ShiftRow).on_conflict_do_nothing(),
        {
            "owner": owner,
            "batch_id": batch_id,
            "flow_run_id": flow_run_id,
            "started_at": now,
            "heartbeat_at": now,
        },
    )


def beat(connection: Connection, owner: str, now: datetime) -> None:
    """Be still at work."""
    connection.execute(update(ShiftRow).where(ShiftRow.owner == owner).values(heartbeat_at=now))


def end(connection: Connection, owner: str) -> None:
    """Sign out."""
    connection.execute(delete(ShiftRow).where(ShiftRow.owner == owner))


def listed(connection: Connection) -> list[Shift]:
    """Everyone who has signed in and not out, the dead among them, the oldest first."""
    rows = connection.execute(select(*_COLUMNS).order_by(ShiftRow.started_at))
    return [Shift(**dict(zip(Shift.__dataclass_fields__, row, strict=True))) for row in rows]


def attended(
    connection: Connection, *, lease_s: float, is_alive: Callable[[str], bool], now: datetime
) -> set[UUID]:
    """The batches on which somebody works."""
    dead = {shift.owner for shift in _dead(connection, lease_s, is_alive, now)}
    alive = [shift for shift in listed(connection) if shift.owner not in dead]
    return {shift.batch_id for shift in alive if shift.batch_id is not None}


def somebody_there(
    connection: Connection, *, lease_s: float, is_alive: Callable[[str], bool], now: datetime
) -> bool:
    """Whether somebody is at work for whatever comes, and not for one batch alone."""
    dead = {shift.owner for shift in _dead(connection, lease_s, is_alive, now)}
    return any(shift.batch_id is None and shift.owner not in dead for shift in listed(connection))


def sign_out_dead(
    connection: Connection, *, lease_s: float, is_alive: Callable[[str], bool], now: datetime
) -> None:
    """Sign those out who have died."""
    for shift in _dead(connection, lease_s, is_alive, now):
        end(connection, shift.owner)


def _dead(connection: Connection, lease_s: float, is_alive: Callable[[str], bool], now: datetime) -> list[Shift]:
    silent_since = now - timedelta(seconds=lease_s)
    return [shift for shift in listed(connection) if shift.heartbeat_at < silent_since or not is_alive(shift.owner)]
