"""Watching jobs on a real PostgreSQL: woken at once, in order, across outages."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import Engine, text

from mixdown.api.events import EventHub
from mixdown.db.bell import Bell
from mixdown.db.engine import writing
from mixdown.errors import DatabaseUnavailable
from mixdown.jobs import JobStore, migrate, open_engine
from mixdown.jobs.event_log import EventLog, Subject
from mixdown.jobs.rows import note
from tests.services.ledger_samples import Clock, claimed, submit, submit_one
from tests.services.postgres_server import PostgresServer

PATIENCE_S = 60.0


def told(database: Engine, subject: Subject, work: Callable[[], None]) -> list[tuple[int, str]]:
    """The lines that a listener is told while work is done, to the end of the subject: id and kind."""
    hub = EventHub(EventLog(database))

    async def listen() -> bytes:
        listener = hub.join(subject)
        await listener.head
        done = asyncio.create_task(asyncio.to_thread(work))
        stream = b"".join([messages async for messages in listener.messages()])
        await done
        return stream

    stream = asyncio.run(asyncio.wait_for(listen(), PATIENCE_S)).decode()
    hub.close()
    lines = []
    for block in stream.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if fields.get("event") == "job":
            lines.append((int(fields["id"]), json.loads(fields["data"])["kind"]))
    return lines


def test_lines_are_told_in_order_however_they_are_committed(postgres_url: str) -> None:
    """The line that was written first and committed last is told first."""
    engine = open_engine(postgres_url)
    migrate(engine)
    store = JobStore(engine)
    job = submit_one(store)
    claim = claimed(store, job)
    now = Clock()()

    def work() -> None:
        with writing(engine) as slow:
            note(slow, [job.id], "first", now)
            with writing(engine) as quick:
                note(quick, [job.id], "second", now)
        store.fail(claim, code="unreadable_audio", detail="no audio")

    lines = told(engine, Subject("job", job.id), work)

    assert [kind for _, kind in lines] == ["first", "second", "failed"]
    assert lines == sorted(lines)
    engine.dispose()


def test_a_line_that_was_rolled_back_holds_nothing_up_for_long(postgres_url: str) -> None:
    """Its id is never seen; what is behind it comes all the same, and so does the end."""
    engine = open_engine(postgres_url)
    migrate(engine)
    store = JobStore(engine)
    job = submit_one(store)
    claim = claimed(store, job)

    def work() -> None:
        with suppress(ZeroDivisionError), writing(engine) as connection:
            note(connection, [job.id], "never", Clock()())
            raise ZeroDivisionError
        store.fail(claim, code="unreadable_audio", detail="no audio")

    assert [kind for _, kind in told(engine, Subject("job", job.id), work)] == ["failed"]
    engine.dispose()


def test_listeners_stay_while_the_database_is_away(own_postgres: PostgresServer) -> None:
    """A server that crashes and comes back costs no line."""
    engine = open_engine(own_postgres.url)
    migrate(engine)
    store = JobStore(engine)
    batch_id = store.open_batch("through a crash")
    jobs = submit(store, "before", "after", batch_id=batch_id)

    def work() -> None:
        store.fail(claimed(store, jobs[0]), code="unreadable_audio", detail="no audio")
        own_postgres.stop(signal.SIGQUIT)
        own_postgres.start()
        for attempt in range(3):
            with suppress(DatabaseUnavailable):
                store.fail(claimed(store, jobs[1]), code="unreadable_audio", detail=f"{attempt}")
                break
        store.close_batch(batch_id)

    kinds = [kind for _, kind in told(engine, Subject("batch", batch_id), work)]

    assert kinds.count("failed") == 2
    engine.dispose()


def test_the_bell_rings_at_a_commit(postgres_url: str) -> None:
    """PostgreSQL tells of new lines; nobody has to look for them."""
    engine = open_engine(postgres_url)
    migrate(engine)
    bell = Bell(engine)
    bell.wait(0.0)  # from here on it listens
    heard = threading.Event()

    def wait() -> None:
        while not bell.heard:
            bell.wait(PATIENCE_S)
        heard.set()

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    submit_one(JobStore(engine))

    assert heard.wait(PATIENCE_S)
    waiting.join(PATIENCE_S)
    bell.close()
    with writing(engine) as connection:  # its connection was its own: the pool lacks none
        assert connection.scalar(text("SELECT 1")) == 1
    engine.dispose()
