"""Connections: opened, made dependable, and their failures told in one sentence."""

from __future__ import annotations

import json
import math
import os
import select
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from mixdown.db import lossless
from mixdown.errors import DatabaseUnavailable, InvalidRequest

#: How long a writer waits for another one, in seconds.
BUSY_TIMEOUT_S = 30.0

#: A connection that rested for longer may have been cut on its way without a word, in seconds.
_TRUSTED_S = 10.0

#: Clocks closer than this are the same: what is measured is then the way to the server, in seconds.
_CLOCKS_AGREE_S = 0.5

#: A server that went without a word is missed after a minute.
_KEEP_ALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}

#: A machine that vanishes within a transaction must not hold its locks for ever. Answers the server's time.
_SESSION = f"""
SET lock_timeout = '{BUSY_TIMEOUT_S:.0f}s';
SET idle_in_transaction_session_timeout = '{2 * BUSY_TIMEOUT_S:.0f}s';
SELECT clock_timestamp()
"""

#: Execution option of a connection that is going to write.
_WRITES = "mixdown_writes"


def open_engine(url: str) -> Engine:
    """Connections to the database at this address; none is made yet."""
    address = _address(url)
    common: dict[str, Any] = {
        "json_serializer": lossless.encode,
        "json_deserializer": lossless.decode,
        "hide_parameters": True,  # a parameter may be a signed address
    }
    if address.get_backend_name() == "sqlite":
        engine = create_engine(_with_folder(address), connect_args={"timeout": BUSY_TIMEOUT_S}, **common)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        engine = create_engine(
            address,
            pool_recycle=1800,
            connect_args={"connect_timeout": 10, "application_name": "mixdown", **_KEEP_ALIVE},
            **common,
        )
        event.listen(engine, "connect", _prepare_postgresql)
    event.listen(engine, "connect", _note_process)
    event.listen(engine, "checkin", _note_idleness)
    event.listen(engine, "checkout", partial(_refuse_unusable, engine))
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads."""
    with _translated(engine), engine.begin() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that may write: all of it happens, or nothing."""
    with _translated(engine), engine.execution_options(**{_WRITES: True}).begin() as connection:
        yield connection


def detached(engine: Engine) -> Connection:
    """A connection of one's own, to be closed: the pool opens another one for others."""
    with _translated(engine):
        connection = engine.connect()
    connection.detach()
    return connection


def now(connection: Connection) -> datetime:
    """This moment, the same on every machine that shares the database."""
    ahead_s: float = connection.info.get("ahead_s", 0.0)
    return datetime.now(UTC) + timedelta(seconds=ahead_s)


def _with_folder(address: URL) -> URL:
    """The address of a SQLite file, wherever the process may go, its folder made."""
    if str(address.database).startswith("file:"):
        return address  # SQLite's own kind of address, for those who know
    path = Path(str(address.database)).expanduser().absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnavailable(f"The database {path} cannot be opened: its folder cannot be made.") from error
    return address.set(database=str(path))


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise InvalidRequest("The database address is not a URL.") from error
    backend = address.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return address.set(drivername="postgresql+psycopg2")
    if backend != "sqlite":
        raise InvalidRequest(f"Mixdown keeps its jobs in PostgreSQL or SQLite, not in {backend}.")
    if address.database in (None, "", ":memory:"):
        raise InvalidRequest("A database in memory is lost with its process: name a file.")
    return address


# -- SQLite ---------------------------------------------------------------------------------------


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    """Make SQLite keep every commit, and let readers and a writer work side by side."""
    connection.isolation_level = None  # the driver would begin transactions on its own, too late and too weak
    _enter_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")  # a job that was accepted survives a power cut
    connection.execute("PRAGMA foreign_keys = ON")
    connection.create_function("json_merge", 2, _json_merge, deterministic=True)


def _enter_wal(connection: sqlite3.Connection) -> None:
    # Entering WAL does not wait for its lock as statements do: two processes may open a new file at once.
    deadline_s = time.monotonic() + BUSY_TIMEOUT_S
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline_s:
                raise
            time.sleep(0.01)
        else:
            return  # where the file cannot have a WAL, its older journal does


def _json_merge(into: str, new: str) -> str:
    """What `||` does in PostgreSQL: SQLite's own json_patch also merges what is inside, and drops nulls."""
    return json.dumps({**json.loads(into), **json.loads(new)}, separators=(",", ":"))


def _begin_sqlite(connection: Connection) -> None:
    # A reader that turns writer half-way fails with "database is locked" whatever the timeout.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


# -- PostgreSQL -----------------------------------------------------------------------------------


def _prepare_postgresql(connection: Any, record: Any) -> None:
    """Bound every wait, and note by how much the server's clock is ahead of ours."""
    with connection.cursor() as cursor:
        before = datetime.now(UTC)
        cursor.execute(_SESSION)
        (theirs,) = cursor.fetchone()
    connection.commit()
    ahead_s = (theirs - before).total_seconds()
    record.info["ahead_s"] = ahead_s if abs(ahead_s) > _CLOCKS_AGREE_S else 0.0


# -- the pool -------------------------------------------------------------------------------------


def _note_process(_connection: object, record: Any) -> None:
    record.info["pid"] = os.getpid()


def _note_idleness(_connection: object, record: Any) -> None:
    record.info["idle_since_s"] = time.monotonic()


def _refuse_unusable(engine: Engine, connection: Any, record: Any, proxy: Any) -> None:
    """Have the pool open a new connection in place of one that must not, or can no longer, be used."""
    if record.info["pid"] != os.getpid():
        # It came through a fork and belongs to the parent, who must not find it closed.
        record.dbapi_connection = proxy.dbapi_connection = None
        raise DisconnectionError("opened by the parent process")
    if _may_be_dead(connection, record):
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError("closed by the server") from error


def _may_be_dead(connection: Any, record: Any) -> bool:
    """Whether a connection is worth a ping, which costs as much as an update."""
    if isinstance(connection, sqlite3.Connection):
        return False
    if time.monotonic() - record.info.get("idle_since_s", math.inf) > _TRUSTED_S:
        return True
    # A server that closes a connection says so on it; otherwise it speaks only when it is asked.
    said = select.poll()
    said.register(connection, select.POLLIN)
    return bool(said.poll(0))


# -- failures -------------------------------------------------------------------------------------


@contextmanager
def _translated(engine: Engine) -> Iterator[None]:
    """The only place where an unreachable database becomes `DatabaseUnavailable`."""
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseUnavailable(f"{_name(engine.url)} is busy: no connection came free.") from error
    except DBAPIError as error:
        reason = _reason(error)
        if reason is None:
            raise
        raise DatabaseUnavailable(f"{_name(engine.url)} {reason}.") from error
    except NoSuchModuleError as error:
        raise InvalidRequest(f"There is no driver for {engine.url.drivername}.") from error


def _name(url: URL) -> str:
    """The database as its operator knows it, without credentials."""
    if url.get_backend_name() == "sqlite":
        return f"The database {url.database}"
    # An unescaped @ in a password ends up in front of the host.
    host = str(url.host or url.query.get("host") or "localhost").rpartition("@")[2]
    return f"The database at {host}" + (f":{url.port}" if url.port else "")


_SQLITE_REASONS = {
    sqlite3.SQLITE_BUSY: "is busy: another process has been writing for too long",
    sqlite3.SQLITE_LOCKED: "is busy: another process has been writing for too long",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_PERM: "cannot be opened",
    sqlite3.SQLITE_AUTH: "cannot be opened",
    sqlite3.SQLITE_READONLY: "cannot be written to",
    sqlite3.SQLITE_FULL: "cannot be written to, because its disk is full",
    sqlite3.SQLITE_IOERR: "cannot be read or written: its disk reports an error",
    sqlite3.SQLITE_NOTADB: "is not a database file",
    sqlite3.SQLITE_CORRUPT: "is damaged",
}

#: SQLSTATE classes of a server that cannot serve now: connection, resources, intervention, system, rollback.
_STATE_REASONS = {
    "08": "could not be reached",
    "28": "refused the login",
    "3D": "does not have the database that was asked for",
    "40": "was too busy: two transactions got in each other's way",
    "53": "has run out of connections, memory or disk",
    "55": "is busy: a lock did not come free",
    "57": "is shutting down or starting up",
    "58": "reports an error of its machine",
}

#: libpq gives no SQLSTATE for what happens before there is a session.
_TEXT_REASONS = {
    "refused": "could not be reached: nothing listens there",
    "authentication failed": "refused the login",
    "no pg_hba.conf entry": "refused the login",
    "does not support SSL": "does not speak TLS, which its address asks for",
    "root certificate file": "is to be checked by a root certificate that is not there",
    "certificate verify failed": "has a certificate that is not trusted",
    "does not match host name": "has a certificate for another name",
    "does not exist": "does not have the database or role that was asked for",
    "translate host name": "could not be reached: its host name is not known",
    "timeout": "could not be reached: it did not answer in time",
    "starting up": "is starting up",
    "shutting down": "is shutting down",
    "too many": "has no connection left",
    "remaining connection slots": "has no connection left",
}


def _reason(error: DBAPIError) -> str | None:
    """Why the database cannot serve, in words; None where the statement itself is at fault."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return _SQLITE_REASONS.get(code & 0xFF)
    state = getattr(error.orig, "pgcode", None)
    if state:
        return _STATE_REASONS.get(state[:2])
    if error.connection_invalidated:
        return "closed the connection"
    if type(error).__name__ not in ("OperationalError", "InterfaceError"):
        return None
    said = str(error.orig)
    return next((words for sign, words in _TEXT_REASONS.items() if sign in said), "could not be reached")
