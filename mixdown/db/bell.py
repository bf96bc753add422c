"""Being woken when there is something new: by PostgreSQL's NOTIFY where there is one, else by the clock."""

from __future__ import annotations

import os
import selectors
import time
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Engine

from mixdown.db.engine import detached
from mixdown.errors import DatabaseUnavailable

#: What is told of: there is something new in the history of jobs (see migration 0003).
CHANNEL = "mixdown_events"

#: How often one looks all the same: where nobody tells, and where a word may be lost (a pooled connection).
_UNTOLD_EVERY_S, _TOLD_EVERY_S = 0.2, 0.5

#: Between two attempts to be told again.
_RECONNECT_S = 2.0


class Bell:
    """Waits for word of a database, in one thread; `ring` may come from any."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._may_be_told = engine.dialect.name == "postgresql"
        self._foreign: type[Exception] = engine.dialect.loaded_dbapi.Error
        self._connection: Connection | None = None
        self._session: Any = None  # the driver's side of it
        self._retry_at_s = 0.0
        self.heard = 0  #: words of the database
        self._hear, self._ring = os.pipe()
        os.set_blocking(self._hear, False)
        os.set_blocking(self._ring, False)

    def ring(self) -> None:
        """Wake whoever waits."""
        with suppress(BlockingIOError, OSError):  # it is full of rings, or gone
            os.write(self._ring, b"!")

    def wait(self, within_s: float) -> None:
        """Return when there may be something new, and within this time."""
        self._listen()
        with selectors.DefaultSelector() as selector:  # select() itself knows no more than 1,024 files
            selector.register(self._hear, selectors.EVENT_READ)
            if self._connection is not None:
                selector.register(self._session, selectors.EVENT_READ)
            every_s = _UNTOLD_EVERY_S if self._connection is None else _TOLD_EVERY_S
            selector.select(min(within_s, every_s))
        with suppress(BlockingIOError):
            os.read(self._hear, 4096)
        self._hear_out()

    def close(self) -> None:
        """Let go of the connection."""
        self._hang_up()
        os.close(self._ring)
        os.close(self._hear)

    def _listen(self) -> None:
        if self._connection is not None or not self._may_be_told or time.monotonic() < self._retry_at_s:
            return
        self._retry_at_s = time.monotonic() + _RECONNECT_S
        try:
            self._connection = detached(self._engine)
        except DatabaseUnavailable:
            return
        try:
            self._session = self._connection.connection.dbapi_connection
            self._session.autocommit = True
            with self._session.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
        except self._foreign:
            self._hang_up()

    def _hear_out(self) -> None:
        if self._connection is None:
            return
        try:
            self._session.poll()
        except self._foreign:
            self._hang_up()
            return
        self.heard += len(self._session.notifies)
        self._session.notifies.clear()

    def _hang_up(self) -> None:
        if self._connection is not None:
            with suppress(self._foreign):
                self._connection.close()
            self._connection = None
