"""The ledger, on SQLite and on PostgreSQL: one process at a time works on a job."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from mixdown.errors import ClaimLost
from mixdown.jobs import JobStore
from mixdown.model import Claim, JobRecord, Stage, Status
from mixdown.owner import is_alive, this_process
from tests.services.ledger_processes import (
    claim_at_once,
    die_holding,
    start_working,
    submit_at_once,
    together,
    work_until_none_is_left,
)
from tests.services.ledger_samples import LEASE_S, Clock, claimed, delivery, result, submit, submit_one

#: Everything that the holder of a claim may do.
WRITES: dict[str, Callable[[JobStore, Claim], object]] = {
    "progress": lambda store, claim: store.progress(claim, 0.5),
    "advance": lambda store, claim: store.advance(claim, Stage.validate, found=1),
    "succeed": lambda store, claim: store.succeed(claim, result()),
    "fail": lambda store, claim: store.fail(claim, code="bad_header", detail="The header is bad."),
    "release": lambda store, claim: store.release(claim),
}


@pytest.fixture
def clock() -> Clock:
    """The time of the ledger."""
    return Clock()


@pytest.fixture
def store(database: Engine, clock: Clock) -> JobStore:
    """A ledger whose clock the test sets."""
    return JobStore(database, clock=clock)


@pytest.fixture
def job(store: JobStore) -> JobRecord:
    """A queued job."""
    return submit_one(store)


def take(store: JobStore, job: JobRecord, owner: str, *, alive: bool | None = None) -> Claim | None:
    """Try to claim a job, knowing of its owner that it lives, that it is dead, or nothing."""
    return store.claim(
        job.id, owner=owner, lease_s=LEASE_S, is_alive=None if alive is None else lambda _: bool(alive)
    )


def test_a_claimed_job_is_running(store: JobStore, job: JobRecord, clock: Clock) -> None:
    """A claim says who works on the job, since when, and for which flow run."""
    run = uuid4()

    claim = store.claim(job.id, owner="worker", lease_s=LEASE_S, flow_run_id=run)

    running = store.get(job.id)
    assert claim == Claim(job_id=job.id, fence=1)
    assert (running.status, running.owner, running.flow_run_id) == (Status.running, "worker", run)
    assert (running.attempts, running.fence) == (1, 1)
    assert running.started_at == running.heartbeat_at == clock.now
    assert [(event.kind, event.detail) for event in store.events(job.id)][-1] == ("claimed", "worker")


def test_a_living_owner_keeps_its_job(store: JobStore, job: JobRecord) -> None:
    """Nobody else gets a job whose owner lives, or is not known to be dead, within its lease."""
    claimed(store, job)

    assert take(store, job, "other") is None
    assert take(store, job, "other", alive=True) is None
    assert store.get(job.id).owner == "worker"


def test_the_owner_may_claim_again(store: JobStore, job: JobRecord) -> None:
    """A second claim by the same owner is no new attempt, but it makes the first one void."""
    first = claimed(store, job)

    second = claimed(store, job)

    assert second.fence == first.fence + 1
    assert store.get(job.id).attempts == 1
    with pytest.raises(ClaimLost):
        store.advance(first, Stage.validate)
    store.advance(second, Stage.validate)


def test_a_dead_owner_loses_its_job_at_once(store: JobStore, job: JobRecord) -> None:
    """When the owner is known to be dead nobody waits for its lease."""
    old = claimed(store, job)
    started_at = store.get(job.id).started_at

    new = take(store, job, "other", alive=False)

    taken = store.get(job.id)
    assert new == Claim(job_id=job.id, fence=old.fence + 1)
    assert (taken.owner, taken.attempts, taken.started_at) == ("other", 2, started_at)


def test_a_silent_owner_loses_its_job_after_the_lease(store: JobStore, job: JobRecord, clock: Clock) -> None:
    """Without a heartbeat for the length of a lease a job is free, whatever is known of its owner."""
    claimed(store, job)
    clock.advance(LEASE_S)
    assert take(store, job, "other", alive=True) is None

    clock.advance(0.001)

    assert take(store, job, "other", alive=True) is not None


def test_heartbeats_keep_all_jobs_of_an_owner(store: JobStore, clock: Clock) -> None:
    """One heartbeat keeps every job of its owner, and only those."""
    mine, mine_too, ended, other = submit(store, "mine", "mine too", "ended", "other")
    claims = {job.id: claimed(store, job) for job in (mine, mine_too, ended)}
    store.succeed(claims[ended.id], result())
    claimed(store, other, "neighbor")
    clock.advance(LEASE_S / 2)

    assert store.heartbeat("worker") == 2

    clock.advance(LEASE_S / 2 + 1)
    assert store.heartbeat("nobody") == 0
    assert take(store, mine, "third") is None
    assert take(store, mine_too, "third") is None
    assert take(store, other, "third") is not None


@pytest.mark.parametrize("write", ["progress", "advance"])
def test_work_is_a_heartbeat_too(store: JobStore, job: JobRecord, clock: Clock, write: str) -> None:
    """A job whose worker reports is not silent."""
    claim = claimed(store, job)
    clock.advance(LEASE_S)
    WRITES[write](store, claim)

    clock.advance(LEASE_S)

    assert take(store, job, "other") is None


@pytest.mark.parametrize("ending", ["succeed", "fail"])
def test_a_job_that_has_ended_is_not_claimed(store: JobStore, job: JobRecord, ending: str) -> None:
    """There is nothing to do for an ended job, not even for the one who ended it."""
    WRITES[ending](store, claimed(store, job))

    assert take(store, job, "worker", alive=False) is None
    assert take(store, job, "other", alive=False) is None


@pytest.mark.parametrize("write", WRITES)
def test_who_was_taken_over_writes_nothing(store: JobStore, job: JobRecord, write: str) -> None:
    """Whatever a process does that was thought dead and is not: the ledger keeps what its successor wrote."""
    old = claimed(store, job)
    new = take(store, job, "other", alive=False)
    assert new is not None
    before, history = store.get(job.id), store.events(job.id)

    with pytest.raises(ClaimLost):
        WRITES[write](store, old)

    assert store.get(job.id) == before
    assert store.events(job.id) == history
    assert store.find_result("key") is None
    store.succeed(new, result())


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("event", ["cancelled", "succeeded", "silent"])
def test_who_no_longer_holds_a_job_writes_nothing(
    store: JobStore, job: JobRecord, clock: Clock, write: str, event: str
) -> None:
    """Work on a job that was called off, has ended or went back to the queue is told so."""
    claim = claimed(store, job)
    if event == "cancelled":
        store.cancel(job.id)
    elif event == "succeeded":
        store.succeed(claim, result())
    else:
        clock.advance(LEASE_S + 1)
        store.requeue_lost(lease_s=LEASE_S, is_alive=lambda _: True)
    before = store.get(job.id)
    if (event, write) == ("succeeded", "succeed"):
        assert store.succeed(claim, result()) == before
        return

    with pytest.raises(ClaimLost):
        WRITES[write](store, claim)

    assert store.get(job.id) == before


def test_the_end_of_a_job(store: JobStore, job: JobRecord, clock: Clock) -> None:
    """A job that ended says how, when, and has no owner any more."""
    clock.advance(5)
    ended = store.succeed(claimed(store, job), result())

    assert (ended.status, ended.stage, ended.progress) == (Status.succeeded, Stage.store, 1.0)
    assert (ended.owner, ended.finished_at, ended.result) == (None, clock.now, result())


def test_the_failure_of_a_job(store: JobStore, job: JobRecord, clock: Clock) -> None:
    """A job that failed says at which stage, with which code, and what that means."""
    ended = store.fail(claimed(store, job), code="too_long", detail="It is too long.", stage=Stage.validate)

    assert (ended.status, ended.failed_stage, ended.finished_at) == (Status.failed, Stage.validate, clock.now)
    assert (ended.error_code, ended.error_detail) == ("too_long", "It is too long.")
    assert store.get(job.id) == ended


@pytest.mark.parametrize("ending", ["succeed", "fail"])
def test_ending_twice_is_ending_once(store: JobStore, job: JobRecord, clock: Clock, ending: str) -> None:
    """A worker whose connection broke at the last moment says it again, and nothing is written twice."""
    claim = claimed(store, job)
    ended = WRITES[ending](store, claim)
    history = store.events(job.id)
    clock.advance(1)

    assert WRITES[ending](store, claim) == ended
    assert store.events(job.id) == history


def test_progress_stays_between_zero_and_one(store: JobStore, job: JobRecord) -> None:
    """Progress is a fraction of the current stage; a new stage begins at zero."""
    claim = claimed(store, job)
    seen = []
    for fraction in (0.25, 1.7, -0.3):
        store.progress(claim, fraction)
        seen.append(store.get(job.id).progress)
    store.progress(claim, 0.9)

    assert seen == [0.25, 1.0, 0.0]
    assert store.advance(claim, Stage.process).progress == 0.0


def test_a_job_given_back_is_anyones(store: JobStore, job: JobRecord) -> None:
    """A released job is queued, without an owner, and its work so far stays."""
    claim = claimed(store, job)
    store.advance(claim, Stage.validate, found=1)

    given_back = store.release(claim)

    assert (given_back.status, given_back.owner, given_back.work) == (Status.queued, None, {"found": 1})
    assert take(store, job, "other") is not None
    assert [event.kind for event in store.events(job.id)][-2:] == ["released", "claimed"]


def test_an_owner_gives_back_all_it_holds(store: JobStore) -> None:
    """Who stops leaves no job running, and touches nobody else's."""
    mine, mine_too, other = submit(store, "mine", "mine too", "other")
    claimed(store, mine)
    claimed(store, mine_too)
    claimed(store, other, "neighbor")

    assert set(store.release_all("worker")) == {mine.id, mine_too.id}
    assert [store.get(job.id).status for job in (mine, mine_too, other)] == [
        Status.queued,
        Status.queued,
        Status.running,
    ]
    assert store.release_all("worker") == []


# -- real processes -------------------------------------------------------------------------------


def test_of_two_processes_one_gets_a_job(job_store: JobStore, database_url: str) -> None:
    """Processes that claim the same jobs at the same moment share them, each job to exactly one."""
    jobs = submit(job_store, *map(str, range(60)))

    won = together(2, claim_at_once, database_url, [job.id for job in jobs])

    assert Counter(job_id for one in won for job_id in one) == Counter(job.id for job in jobs)
    assert {job.attempts for job in job_store.list()} == {1}


def test_two_processes_that_ask_for_the_same_get_the_same(job_store: JobStore, database_url: str) -> None:
    """The same keys at the same moment, in whatever order, make each job once."""
    keys = [f"key-{number}" for number in range(900)]

    first, second = together(2, submit_at_once, database_url, keys)

    assert first == second
    assert len(job_store.list(limit=9000)) == 3 * len(keys)


def test_a_killed_process_loses_its_job_at_once(job_store: JobStore, database_url: str) -> None:
    """After kill -9 the next process goes on without waiting for the lease."""
    job = submit_one(job_store)
    die_holding(database_url, job.id)
    held = job_store.get(job.id)

    claim = job_store.claim(job.id, owner=this_process(), lease_s=LEASE_S, is_alive=is_alive)

    assert held.status is Status.running
    assert claim == Claim(job_id=job.id, fence=2)


def test_from_another_host_a_dead_process_is_only_silent(database: Engine) -> None:
    """What runs elsewhere cannot be seen: its job is free when its lease has run out, not before."""
    clock = Clock()
    store = JobStore(database, clock=clock)
    job = submit_one(store)
    claimed(store, job, f"elsewhere:{this_process().partition(':')[2]}")

    def attempt() -> Claim | None:
        return store.claim(job.id, owner=this_process(), lease_s=LEASE_S, is_alive=is_alive)

    assert attempt() is None
    clock.advance(LEASE_S + 1)
    assert attempt() is not None


def test_eight_threads_write_at_once(job_store: JobStore) -> None:
    """However many threads write, none is told that the database is busy, and nothing is lost."""
    jobs = submit(job_store, *map(str, range(80)))
    start = threading.Barrier(8)

    def work(number: int) -> None:
        start.wait()
        for job in jobs[number::8]:
            claim = claimed(job_store, job, f"worker {number}")
            job_store.heartbeat(f"worker {number}")
            job_store.advance(claim, Stage.validate, number=number)
            job_store.progress(claim, 0.5)
            submit(job_store, f"more {job.idempotency_key}")
            job_store.succeed(claim, result("shared"), [delivery(job)])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))

    ended = [job_store.get(job.id) for job in jobs]
    assert {job.status for job in ended} == {Status.succeeded}
    assert [job.work["number"] for job in ended] == [number % 8 for number in range(80)]
    assert len(job_store.list(limit=1000, status=Status.queued)) == 80


def test_processes_share_the_work(job_store: JobStore, database_url: str) -> None:
    """Two processes at the same jobs end each job once, with one notification each."""
    jobs = submit(job_store, *map(str, range(60)))

    done = together(2, work_until_none_is_left, database_url, [job.id for job in jobs])

    assert sum(done) == len(jobs)
    for job in jobs:
        assert [event.kind for event in job_store.events(job.id)].count("succeeded") == 1
        assert len(job_store.deliveries(job.id)) == 1


def test_work_survives_being_killed(job_store: JobStore, database_url: str) -> None:
    """Workers killed in the middle leave nothing lost, nothing ended twice and nobody told twice."""
    jobs = submit(job_store, *map(str, range(60)))
    killed = 0
    while any(job.status is not Status.succeeded for job in job_store.list()):
        ended_before = sum(job.status is Status.succeeded for job in job_store.list())
        worker = start_working(database_url)
        while sum(job.status is Status.succeeded for job in job_store.list()) < min(ended_before + 20, 60):
            assert worker.is_alive()
        worker.kill()
        worker.join()
        killed += 1

    assert killed >= 1
    for job in jobs:
        history = [event.kind for event in job_store.events(job.id)]
        assert (history[0], history[-1], history.count("succeeded")) == ("queued", "succeeded", 1)
        assert len(job_store.deliveries(job.id)) == 1
        assert job_store.find_result(str(job.id)) == result(str(job.id))
