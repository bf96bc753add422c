"""The outbox, on SQLite and on PostgreSQL: written with the end of a job, delivered at least once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from mixdown.jobs import JobStore
from mixdown.jobs.outbox import Attempt
from mixdown.model import Delivery, JobRecord, Status, WebhookTarget
from tests.services.ledger_samples import Clock, claimed, delivery, result, submit, submit_one

ELSEWHERE = WebhookTarget(url="https://example.org/other")


@pytest.fixture
def clock() -> Clock:
    """The time of the ledger."""
    return Clock()


@pytest.fixture
def store(database: Engine, clock: Clock) -> JobStore:
    """A ledger whose clock the test sets."""
    return JobStore(database, clock=clock)


def ended_with(store: JobStore, key: str, *targets: WebhookTarget) -> tuple[JobRecord, list[Delivery]]:
    """A job that has succeeded, and its notifications."""
    job = submit_one(store, key)
    store.succeed(claimed(store, job), result(key), [delivery(job, target) for target in targets])
    return job, store.deliveries(job.id)


def test_notifications_are_written_with_the_end_of_a_job(store: JobStore, clock: Clock) -> None:
    """Whoever is to be told is written down, due at once, with the very text that will be sent."""
    job = submit_one(store)
    wanted = [delivery(job), delivery(job, ELSEWHERE)]

    store.succeed(claimed(store, job), result(), wanted)

    kept = store.deliveries(job.id)
    assert {one.id: (one.job_id, one.target, one.payload) for one in kept} == {
        one.id: (job.id, one.target, one.payload) for one in wanted
    }
    assert {(one.attempts, one.next_attempt_at, one.delivered_at) for one in kept} == {(0, clock.now, None)}
    assert [one.id for one in store.due_deliveries(clock.now)] == [one.id for one in kept]


def test_a_failure_is_told_too(store: JobStore, clock: Clock) -> None:
    """A failed job has its notifications, at the moment that they ask for."""
    job = submit_one(store)
    later = clock.now + timedelta(minutes=5)
    wanted = Delivery(id=uuid4(), job_id=job.id, target=ELSEWHERE, payload="{}", next_attempt_at=later)

    store.fail(claimed(store, job), code="empty_file", detail="The file is empty.", deliveries=[wanted])

    assert store.deliveries(job.id) == [wanted]
    assert store.due_deliveries(clock.now) == []
    assert [one.id for one in store.due_deliveries(later)] == [wanted.id]


@pytest.mark.parametrize("ending", ["succeed", "fail"])
def test_the_end_and_its_notifications_are_one(store: JobStore, ending: str) -> None:
    """When a notification cannot be written the job has not ended, and nothing of its end is there."""
    _, (taken,) = ended_with(store, "earlier", ELSEWHERE)
    job = submit_one(store)
    claim = claimed(store, job)
    before, history = store.get(job.id), store.events(job.id)
    impossible = [delivery(job, ELSEWHERE), delivery(job, named=taken.id)]

    def end() -> None:
        if ending == "succeed":
            store.succeed(claim, result("new"), impossible)
        else:
            store.fail(claim, code="empty_file", detail="The file is empty.", deliveries=impossible)

    with pytest.raises(IntegrityError):
        end()

    assert store.get(job.id) == before
    assert store.events(job.id) == history
    assert store.deliveries(job.id) == []
    assert store.find_result("new") is None
    assert store.succeed(claim, result("new"), impossible[:1]).status is Status.succeeded


def test_a_target_is_told_once_of_one_end(store: JobStore) -> None:
    """Two notifications to the same address about the same end are refused."""
    job = submit_one(store)

    with pytest.raises(IntegrityError):
        store.succeed(claimed(store, job), result(), [delivery(job), delivery(job)])


def test_a_job_that_ends_again_is_told_again(store: JobStore) -> None:
    """A job that failed, was asked for again and then succeeded tells both, to the same address."""
    job = submit_one(store)
    store.fail(claimed(store, job), code="empty_file", detail="It is empty.", deliveries=[delivery(job)])
    submit_one(store)

    store.succeed(claimed(store, job), result(), [delivery(job)])

    assert len(store.deliveries(job.id)) == 2


def test_saying_twice_that_a_job_has_ended_tells_once(store: JobStore) -> None:
    """A worker that repeats itself, with notifications of other ids, adds none."""
    job = submit_one(store)
    claim = claimed(store, job)
    store.succeed(claim, result(), [delivery(job)])

    store.succeed(claim, result(), [delivery(job)])

    assert len(store.deliveries(job.id)) == 1


def test_what_was_delivered_is_done(store: JobStore, clock: Clock) -> None:
    """A delivered notification is never due again, and no late failure takes that back."""
    job, (sent,) = ended_with(store, "one", ELSEWHERE)
    clock.advance(1)

    store.record_attempt(sent.id, delivered=True, answer="204 No Content")
    store.record_attempt(sent.id, delivered=False, answer="timed out", next_attempt_at=clock.now)

    (kept,) = store.deliveries(job.id)
    assert (kept.attempts, kept.delivered_at, kept.next_attempt_at) == (1, clock.now, None)
    assert kept.last_answer == "204 No Content"
    assert store.due_deliveries(clock.now + timedelta(days=9)) == []
    assert [event.kind for event in store.events(job.id)].count("notified") == 1


def test_what_was_not_delivered_is_tried_again_later(store: JobStore, clock: Clock) -> None:
    """A failed attempt is noted with its answer, and due when its next attempt is."""
    job, (sent,) = ended_with(store, "one", ELSEWHERE)
    later = clock.now + timedelta(seconds=5)

    store.record_attempt(sent.id, delivered=False, answer="503 Service Unavailable", next_attempt_at=later)

    (kept,) = store.deliveries(job.id)
    assert (kept.attempts, kept.next_attempt_at, kept.last_answer) == (1, later, "503 Service Unavailable")
    assert store.due_deliveries(later - timedelta(seconds=1)) == []
    assert [one.id for one in store.due_deliveries(later)] == [kept.id]
    assert store.get(job.id).status is Status.succeeded


def test_what_is_given_up_stays_visible(store: JobStore, clock: Clock) -> None:
    """A notification without a next attempt is not due, not delivered, and the job's history says so."""
    job, (sent,) = ended_with(store, "one", ELSEWHERE)

    store.record_attempt(sent.id, delivered=False, answer="410 Gone")

    (kept,) = store.deliveries(job.id)
    assert (kept.delivered_at, kept.next_attempt_at, kept.last_answer) == (None, None, "410 Gone")
    assert store.due_deliveries(clock.now + timedelta(days=9)) == []
    last = store.events(job.id)[-1]
    assert (last.kind, last.detail) == ("unnotified", "410 Gone")


def test_the_longest_due_come_first(store: JobStore, clock: Clock) -> None:
    """Due notifications come in the order of their time, as many as asked for."""
    for key in "abc":
        ended_with(store, key, ELSEWHERE)
        clock.advance(10)
    jobs = {job.id: job.idempotency_key for job in store.list()}

    assert [jobs[one.job_id] for one in store.due_deliveries(clock.now - timedelta(seconds=25))] == ["a"]
    assert [jobs[one.job_id] for one in store.due_deliveries(clock.now, 1)] == ["b"]
    assert [jobs[one.job_id] for one in store.due_deliveries(clock.now)] == ["c"]


def test_an_attempt_at_nothing_known_is_nothing(store: JobStore) -> None:
    """A notification that is no longer there is not written to."""
    submit(store, "one")

    store.record_attempt(uuid4(), delivered=True, answer="200 OK")

    assert store.due_deliveries(Clock()() + timedelta(days=999)) == []


# -- taking ---------------------------------------------------------------------------------------


def test_what_is_taken_is_nobody_elses(store: JobStore, clock: Clock) -> None:
    """A notification that somebody is sending is not due; when that one dies it is, after the lease."""
    _, (sent,) = ended_with(store, "one", ELSEWHERE)
    (taken,) = store.due_deliveries(clock.now, lease_s=60)

    assert store.due_deliveries(clock.now + timedelta(seconds=59)) == []
    assert taken.next_attempt_at == clock.now + timedelta(seconds=60)
    assert [one.id for one in store.due_deliveries(clock.now + timedelta(seconds=60))] == [sent.id]


def test_the_notifications_of_some_jobs_are_taken(store: JobStore, clock: Clock) -> None:
    """Those of the jobs that were named, all of them, once; of the others none."""
    other = WebhookTarget(url="https://example.org/third")
    first, sent = ended_with(store, "first", ELSEWHERE, other)
    second, (also_sent,) = ended_with(store, "second", ELSEWHERE)
    _, (left,) = ended_with(store, "third", ELSEWHERE)

    taken = store.take_deliveries([first.id, second.id], clock.now)

    assert {one.id for one in taken} == {also_sent.id, *(one.id for one in sent)}
    assert store.take_deliveries([first.id, second.id], clock.now) == []
    assert [one.id for one in store.due_deliveries(clock.now)] == [left.id]
    assert store.take_deliveries([], clock.now) == []


def test_what_waits_for_its_next_attempt_is_not_taken(store: JobStore, clock: Clock) -> None:
    """Taking the notifications of a job leaves alone what is delivered, given up or not yet due."""
    targets = [WebhookTarget(url=f"https://example.org/{number}") for number in range(3)]
    job, (done, given_up, waiting) = ended_with(store, "one", *targets)
    later = clock.now + timedelta(seconds=5)

    store.record_attempts(
        [
            Attempt(done.id, True, "204 No Content"),
            Attempt(given_up.id, False, "410 Gone"),
            Attempt(waiting.id, False, "503 Service Unavailable", later),
        ]
    )

    assert store.take_deliveries([job.id], clock.now) == []
    assert [one.id for one in store.take_deliveries([job.id], later)] == [waiting.id]
    assert {event.kind for event in store.events(job.id)} >= {"notified", "unnotified"}


def test_many_notifiers_take_each_notification_once(store: JobStore, clock: Clock) -> None:
    """Threads that take from one outbox at one moment share it out among them."""
    jobs = [ended_with(store, str(number), ELSEWHERE)[0] for number in range(40)]

    def take(number: int) -> list[Delivery]:
        if number % 2:
            return store.take_deliveries([job.id for job in jobs], clock.now)
        return store.due_deliveries(clock.now, 7)

    with ThreadPoolExecutor(8) as pool:
        taken = [one.job_id for some in pool.map(take, range(16)) for one in some]

    assert sorted(taken) == sorted(job.id for job in jobs)
