"""Jobs that were asked for one by one, on SQLite and on PostgreSQL: someone comes for each of them, once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from mixdown.jobs import Asked, JobStore
from mixdown.model import Priority, Status
from tests.services.ledger_samples import spec


@pytest.fixture
def store(database: Engine) -> JobStore:
    """A ledger."""
    return JobStore(database)


def loose(store: JobStore, *names: str) -> list[Asked]:
    """Jobs asked for without a batch."""
    asked = [Asked(spec=spec(f"{name}.wav"), key=name) for name in names]
    store.accept(asked, batch_id=None)
    return asked


def test_loose_jobs_are_gathered_once(store: JobStore) -> None:
    """They become part of one urgent batch; a second look finds nothing."""
    loose(store, "a", "b")

    batch_id = store.gather_loose()

    assert batch_id is not None
    assert store.batch(batch_id).priority is Priority.urgent
    assert store.counts(batch_id)[Status.queued] == 2
    assert store.gather_loose() is None


def test_jobs_of_a_batch_are_left_where_they_are(store: JobStore) -> None:
    """What belongs to a batch is not loose."""
    store.accept([Asked(spec=spec(), key="of a batch")], batch_id=store.open_batch("a batch"))

    assert store.gather_loose() is None


def test_a_loose_job_that_is_asked_for_again_is_gathered_again(store: JobStore) -> None:
    """When its batch is closed, and it has to be done once more, somebody comes for it."""
    asked = loose(store, "a")
    first = store.gather_loose()
    assert first is not None
    [job] = store.list(limit=1)
    store.cancel(job.id)
    assert store.close_batch(first)
    assert store.gather_loose() is None

    store.accept(asked, batch_id=None)

    assert store.gather_loose() not in (None, first)


def test_a_gathered_job_can_be_taken(store: JobStore) -> None:
    """A crew of the batch takes it up."""
    loose(store, "a")
    batch_id = store.gather_loose()
    assert batch_id is not None

    taken = store.take(batch_id, owner="worker", host="here")

    assert taken is not None
    assert taken.first.spec.filename == "a.wav"
    assert taken.first.batch_id is None


def test_several_processes_gather_no_job_twice(store: JobStore) -> None:
    """Ten that look at once share the jobs out among them, or leave them to one."""
    for number in range(40):
        loose(store, f"job {number}")

    with ThreadPoolExecutor(10) as pool:
        gathered = [each for each in pool.map(lambda _: store.gather_loose(most=5), range(30)) if each]
    while more := store.gather_loose(most=5):
        gathered.append(more)

    assert sum(store.counts(batch_id)[Status.queued] for batch_id in gathered) == 40
