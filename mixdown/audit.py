"""The audit log: who created, read, cancelled, deleted what. Rows are added, never changed.

Rows are written by one thread, all that wait at once: a thousand requests a second are a few transactions.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, insert, select

from mixdown.db import engine as database
from mixdown.db.engine import reading, writing
from mixdown.db.front_door import AuditEntry
from mixdown.errors import DatabaseUnavailable

#: Who looks at the same thing again and again is noted this often at most, in seconds.
_READ_EVERY_S = 60.0

#: What is remembered of who looked at what; and what may wait for a database that is away.
_REMEMBERED, _MOST_WAITING = 10_000, 10_000

#: Rows of one statement.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What somebody did."""

    key_id: UUID | None
    action: str  #: `create`, `read`, `cancel`, `delete` …
    subject: str  #: what it was done to: its address, without the query
    address: str  #: of the client
    request_id: str
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedDeed:
    """A row of the log."""

    id: int
    at: datetime
    deed: Deed


class AuditLog:
    """The audit log of a ledger."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: deque[Deed] = deque(maxlen=_MOST_WAITING)
        # Its thread is joined when the interpreter ends: what waits is written.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="audit")
        self._read: OrderedDict[tuple[UUID | None, str], float] = OrderedDict()

    def note(self, deed: Deed) -> Future[None]:
        """Have a deed written down; done when it is. Where the database is away it is kept and written later."""
        self._waiting.append(deed)
        return self._writer.submit(self._write)

    def note_read(self, deed: Deed) -> None:
        """Have it written down that somebody looked, if that was not noted just now; waits for nothing."""
        what, now_s = (deed.key_id, deed.subject), time.monotonic()
        if now_s - self._read.get(what, -_READ_EVERY_S) < _READ_EVERY_S:
            return
        self._read[what] = now_s
        self._read.move_to_end(what)
        if len(self._read) > _REMEMBERED:
            self._read.popitem(last=False)
        self.note(deed)

    def close(self) -> None:
        """Write what waits."""
        self._writer.shutdown()

    def newest(self, limit: int = 100) -> list[NotedDeed]:
        """The newest rows, the newest first."""
        columns = AuditEntry.__table__.columns
        with reading(self._engine) as connection:
            rows = connection.execute(select(*columns).order_by(AuditEntry.id.desc()).limit(limit)).all()
        return [
            NotedDeed(
                id=row.id,
                at=row.at,
                deed=Deed(
                    key_id=row.key_id,
                    action=row.action,
                    subject=row.subject,
                    address=row.address,
                    request_id=row.request_id,
                    detail=row.detail,
                ),
            )
            for row in rows
        ]

    def _write(self) -> None:
        """Write all that waits. Called for each deed, one after the other: the first call does it for many."""
        while self._waiting:
            taken = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
            try:
                with writing(self._engine) as connection:
                    now = database.now(connection)
                    connection.execute(insert(AuditEntry), [{"at": now, **asdict(deed)} for deed in taken])
            except DatabaseUnavailable:
                self._waiting.extendleft(reversed(taken[: _MOST_WAITING - len(self._waiting)]))
                raise
