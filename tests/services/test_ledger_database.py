"""The database under the ledger: away, back again, forked, and asked in a way that scales."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import OperationalError

from mixdown.db.engine import now, reading, writing
from mixdown.errors import DatabaseUnavailable, InvalidRequest, RetryableError
from mixdown.jobs import JobStore, migrate, open_engine
from mixdown.model import Stage, Status
from tests.services.ledger_samples import LEASE_S, Clock, claimed, delivery, result, submit, submit_one
from tests.services.postgres_server import PostgresServer

SECRET = "hunter2"


def unused_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def said(url: str) -> str:
    """What a person is told when this database is asked for."""
    with pytest.raises(DatabaseUnavailable) as raised:
        JobStore(open_engine(url)).list()
    assert isinstance(raised.value, RetryableError)
    assert raised.value.__cause__ is not None
    return raised.value.message


# -- away -----------------------------------------------------------------------------------------


def test_nothing_listens() -> None:
    """A server that is not there is named with its host and port, in one sentence and without the password."""
    port = unused_port()

    message = said(f"postgresql://mixdown:{SECRET}@127.0.0.1:{port}/mixdown")

    assert message == f"The database at 127.0.0.1:{port} could not be reached: nothing listens there."


def test_an_unescaped_password_is_not_told() -> None:
    """An @ in a password makes a wrong host of its second half, and even that is not shown."""
    message = said(f"postgresql://mixdown:part@{SECRET}@127.0.0.1:{unused_port()}/mixdown")

    assert SECRET not in message
    assert "part" not in message


def test_a_host_without_a_name() -> None:
    """A host that no name server knows says so."""
    assert said("postgresql://nowhere.invalid/mixdown") == (
        "The database at nowhere.invalid could not be reached: its host name is not known."
    )


def test_a_database_that_was_never_made(postgres_server_url: str) -> None:
    """A server without the database that was asked for says so."""
    assert "does not have the database" in said(f"{postgres_server_url}_{uuid4().hex}")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
def test_a_server_that_goes_and_comes_back(own_postgres: PostgresServer, how: signal.Signals) -> None:
    """While PostgreSQL is away every call says so; when it is back the same ledger goes on."""
    engine = open_engine(own_postgres.url)
    migrate(engine)
    store = JobStore(engine)
    job = submit_one(store)
    claim = claimed(store, job)
    calls: list[Callable[[], object]] = [
        lambda: store.get(job.id),
        lambda: store.advance(claim, Stage.validate),
        lambda: store.heartbeat("worker"),
        lambda: submit(store, "two"),
    ]

    own_postgres.stop(how)
    for call in calls:
        with pytest.raises(DatabaseUnavailable):
            call()
    own_postgres.start()

    for call in calls:
        call()
    assert store.succeed(claim, result()).status is Status.succeeded
    engine.dispose()


def test_a_server_that_restarts_between_two_calls(own_postgres: PostgresServer) -> None:
    """Connections that died while nobody used them are replaced without a word."""
    engine = open_engine(own_postgres.url)
    migrate(engine)
    store = JobStore(engine)
    job = submit_one(store)

    own_postgres.stop()
    own_postgres.start()

    assert store.get(job.id) == job
    engine.dispose()


def test_a_server_that_goes_within_a_transaction(own_postgres: PostgresServer) -> None:
    """A write that the server dies under has not happened."""
    engine = open_engine(own_postgres.url)
    migrate(engine)
    store = JobStore(engine)
    job = submit_one(store)

    def delete_everything() -> None:
        with writing(engine) as connection:
            connection.execute(text("DELETE FROM job_events"))
            connection.execute(text("DELETE FROM jobs"))
            own_postgres.stop(signal.SIGQUIT)
            connection.execute(text("DELETE FROM batches"))

    with pytest.raises(DatabaseUnavailable):
        delete_everything()
    own_postgres.start()

    assert store.get(job.id) == job
    engine.dispose()


def test_too_many_connections(own_postgres: PostgresServer) -> None:
    """A server without a connection left says so, and can be asked again."""
    owner = open_engine(own_postgres.url)
    with writing(owner) as connection:
        connection.execute(text("CREATE ROLE guest LOGIN CONNECTION LIMIT 1"))
    guest = open_engine(own_postgres.url.replace("postgres@", "guest@"))

    with reading(guest):
        message = said(own_postgres.url.replace("postgres@", "guest@"))

    assert message.endswith("has no connection left.")
    guest.dispose()
    owner.dispose()


def test_a_lock_that_does_not_come_free(postgres_url: str) -> None:
    """A row that somebody keeps locked is waited for, but not for ever."""
    engine = open_engine(postgres_url)
    migrate(engine)
    store = JobStore(engine)
    job = submit_one(store)
    impatient = open_engine(postgres_url)
    event.listen(impatient, "connect", lambda connection, _: connection.cursor().execute("SET lock_timeout = 20"))

    with writing(engine) as connection:
        connection.execute(text("UPDATE jobs SET fence = fence"))
        with pytest.raises(DatabaseUnavailable, match="a lock did not come free"):
            claimed(JobStore(impatient), job)

    assert claimed(JobStore(impatient), job).fence == 1
    engine.dispose()
    impatient.dispose()


# -- SQLite ---------------------------------------------------------------------------------------


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """Who names a recording as the database is told."""
    path = tmp_path / "talk.mp3"
    path.write_bytes(b"ID3" + bytes(5000))

    assert said(f"sqlite:///{path}") == f"The database {path} is not a database file."


def test_a_folder_that_is_no_database(tmp_path: Path) -> None:
    """A database that cannot be opened is named."""
    assert said(f"sqlite:///{tmp_path}") == f"The database {tmp_path} cannot be opened."


def test_the_folder_of_a_database_is_made(tmp_path: Path) -> None:
    """The first start needs no preparation."""
    engine = open_engine(f"sqlite:///{tmp_path / 'new' / 'folder' / 'mixdown.db'}")
    migrate(engine)

    assert JobStore(engine).list() == []
    engine.dispose()


def test_a_writer_that_never_ends(tmp_path: Path) -> None:
    """When somebody blocks the file for longer than we wait, that is said, and reading goes on."""
    path = tmp_path / "mixdown.db"
    engine = open_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 20"))
    migrate(engine)
    store = JobStore(engine)
    job = submit_one(store)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")

    with pytest.raises(DatabaseUnavailable, match="is busy"):
        submit_one(store, "two")
    assert store.list() == [job]
    blocker.execute("COMMIT")

    assert submit_one(store, "two").status is Status.queued
    blocker.close()
    engine.dispose()


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """When there is no room the request is refused whole, and taken when there is room again."""
    engine = open_engine(f"sqlite:///{tmp_path / 'mixdown.db'}")
    migrate(engine)
    store = JobStore(engine)
    with writing(engine) as connection:
        connection.execute(text("PRAGMA max_page_count = 60"))
    keys = [str(number) for number in range(1000)]

    with pytest.raises(DatabaseUnavailable, match="disk is full"):
        submit(store, *keys)
    assert store.list() == []
    with writing(engine) as connection:
        connection.execute(text("PRAGMA max_page_count = 1000000"))

    assert len(submit(store, *keys)) == len(keys)
    engine.dispose()


def test_a_database_that_may_only_be_read(tmp_path: Path) -> None:
    """Reading goes on where writing is refused."""
    path = tmp_path / "mixdown.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    job = submit_one(JobStore(engine))
    reader = open_engine(f"sqlite:///file:{path}?mode=ro&uri=true")

    assert JobStore(reader).get(job.id) == job
    with pytest.raises(DatabaseUnavailable, match="cannot be written to"):
        submit_one(JobStore(reader), "two")
    engine.dispose()
    reader.dispose()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A file where the folder of the database should be is told at once."""
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(DatabaseUnavailable, match="its folder cannot be made"):
        open_engine(f"sqlite:///{tmp_path / 'file' / 'mixdown.db'}")


def test_the_place_of_a_database_does_not_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative address and a home folder mean what they meant when the database was opened."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    relative, at_home = open_engine("sqlite:///mixdown.db"), open_engine("sqlite:///~/mixdown.db")

    assert relative.url.database == at_home.url.database == str(tmp_path / "mixdown.db")


def test_a_new_file_that_somebody_writes_to(tmp_path: Path) -> None:
    """Who opens a database while another process is preparing it waits for that."""
    path = tmp_path / "mixdown.db"
    first = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    first.execute("CREATE TABLE other (id INTEGER)")
    first.execute("BEGIN IMMEDIATE")
    end = threading.Timer(0.2, first.execute, ["COMMIT"])
    end.start()
    engine = open_engine(f"sqlite:///{path}")

    migrate(engine)

    end.join()
    first.close()
    assert JobStore(engine).list() == []
    engine.dispose()


def test_what_was_read_is_still_true_when_it_is_written(tmp_path: Path) -> None:
    """A transaction that reads first and then writes is alone from its beginning."""
    engine = open_engine(f"sqlite:///{tmp_path / 'mixdown.db'}")
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE counter AS SELECT 0 AS value"))

    def count(_: int) -> None:
        with writing(engine) as connection:
            value = connection.scalar(text("SELECT value FROM counter"))
            connection.execute(text("UPDATE counter SET value = :value"), {"value": value + 1})

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(count, range(100)))

    with reading(engine) as connection:
        assert connection.scalar(text("SELECT value FROM counter")) == 100
    engine.dispose()


def test_sqlite_keeps_every_commit(tmp_path: Path) -> None:
    """The embedded database is in WAL, syncs each commit and honours references."""
    engine = open_engine(f"sqlite:///{tmp_path / 'mixdown.db'}")

    with reading(engine) as connection:
        found = {
            name: connection.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }

    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    engine.dispose()


# -- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["", "mixdown.db", "postgresql://host:port/db", "mysql://localhost/x", "sqlite://", "sqlite:///:memory:"]
)
def test_addresses_that_are_refused(url: str) -> None:
    """What is no address, or of no database that can keep jobs, is refused."""
    with pytest.raises(InvalidRequest):
        open_engine(url)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg"])
def test_every_way_to_write_postgresql(scheme: str) -> None:
    """PostgreSQL is reached through the driver that is installed, however its address is written."""
    engine = open_engine(f"{scheme}://mixdown:{SECRET}@db.example.com:5433/mixdown")

    assert engine.url.render_as_string(hide_password=False) == (
        f"postgresql+psycopg2://mixdown:{SECRET}@db.example.com:5433/mixdown"
    )


def test_errors_do_not_tell_parameters(job_store: JobStore, database: Engine) -> None:
    """Even an error that is a bug does not print what was to be written: it may be a signed address."""
    job = submit_one(job_store)
    claim = claimed(job_store, job)
    twice = delivery(job)

    with pytest.raises(Exception, match="deliveries") as raised:
        job_store.succeed(claim, result(), [twice, twice])

    assert twice.target.url not in str(raised.value)


def test_a_wrong_statement_is_a_bug_and_not_an_outage(database: Engine) -> None:
    """What trying again cannot mend is not dressed up as an unreachable database."""
    with pytest.raises(Exception, match="no_such_table") as raised, reading(database) as connection:
        connection.execute(text("SELECT * FROM no_such_table"))

    assert not isinstance(raised.value, DatabaseUnavailable)
    assert isinstance(raised.value, OperationalError) or raised.value.__class__.__name__ == "ProgrammingError"


# -- processes and machines -----------------------------------------------------------------------


def test_a_forked_child_opens_its_own_connections(job_store: JobStore, database: Engine) -> None:
    """After a fork parent and child both go on, each over connections of its own."""
    job = submit_one(job_store)
    opened: list[object] = []
    event.listen(database, "connect", lambda connection, _: opened.append(connection))
    child = os.fork()
    if child == 0:
        in_order = job_store.get(job.id) == job and job_store.heartbeat("child") == 0
        os._exit(0 if in_order and opened else 1)

    _, state = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(state) == 0
    assert not opened
    assert job_store.get(job.id) == job
    assert submit_one(job_store, "two").status is Status.queued


def test_machines_that_share_a_database_share_its_clock(postgres_url: str) -> None:
    """Where the server's clock is far from ours, moments are the server's."""
    engine = open_engine(postgres_url)

    with reading(engine) as connection:
        assert abs(now(connection) - datetime.now(UTC)) < timedelta(seconds=30)
        connection.info["ahead_s"] = 3600.0
        assert timedelta(minutes=59) < now(connection) - datetime.now(UTC) < timedelta(minutes=61)
    engine.dispose()


# -- queries that scale ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda store: store.requeue_lost(lease_s=LEASE_S, is_alive=lambda _: True), "ix_jobs_status_created_at"),
        (lambda store: store.heartbeat("worker"), "ix_jobs_status_created_at"),
        (lambda store: store.release_all("worker"), "ix_jobs_status_created_at"),
        (lambda store: store.due_deliveries(Clock()()), "ix_deliveries_due"),
        (lambda store: store.counts(uuid4()), "ix_jobs_batch_id_status"),
        (lambda store: store.find(["a", "b"]), "uq_jobs_idempotency_key|sqlite_autoindex_jobs_2"),
        (lambda store: store.list(limit=10), "ix_jobs_created_at_id"),
        (lambda store: store.list(limit=10, status=Status.failed), "ix_jobs_status_created_at"),
        (lambda store: store.resolve(str(submit_one(store).id)), "pk_jobs|sqlite_autoindex_jobs_1"),
        (lambda store: store.expire(timedelta(days=1)), "ix_results_last_used_at"),
        (lambda store: store.events(uuid4()), "ix_job_events_job_id_id"),
    ],
    ids=lambda part: part.split("|")[0] if isinstance(part, str) else "",
)
def test_frequent_questions_have_an_index(
    job_store: JobStore, database: Engine, ask: Callable[[JobStore], Any], index: str
) -> None:
    """What is asked often does not read the whole table."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if re.match("SELECT|UPDATE|DELETE", statement):
            asked.append((statement, parameters))

    event.listen(database, "before_cursor_execute", note)
    ask(job_store)
    event.remove(database, "before_cursor_execute", note)
    statement, parameters = asked[-1]
    on_sqlite = database.dialect.name == "sqlite"
    with reading(database) as connection:
        if not on_sqlite:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN QUERY PLAN " if on_sqlite else "EXPLAIN "
        plan = str(connection.exec_driver_sql(explain + statement, parameters).all())

    assert re.search(index, plan), plan
