"""The ledger, on SQLite and on PostgreSQL: asking for jobs, and looking them up."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, text, update
from sqlalchemy.exc import IntegrityError

from mixdown.db.engine import writing
from mixdown.db.tables import Job
from mixdown.errors import IllegalTransition, InvalidRequest, JobNotFound
from mixdown.jobs import JobStore
from mixdown.model import JobSpec, Source, Stage, Status
from tests.services.ledger_samples import (
    LEASE_S,
    SILENCE,
    Clock,
    claimed,
    delivery,
    result,
    spec,
    stored,
    submit,
    submit_one,
)


def test_a_job_is_queued_as_it_was_asked_for(job_store: JobStore) -> None:
    """Submitting writes a queued job down, and answers with what is written."""
    wanted = spec("interview.wav")

    (job,) = job_store.submit([(wanted, "key-1")])

    assert job_store.get(job.id) == job
    assert (job.status, job.spec, job.idempotency_key) == (Status.queued, wanted, "key-1")
    assert (job.attempts, job.fence, job.progress, job.work) == (0, 0, 0.0, {})
    assert [event.kind for event in job_store.events(job.id)] == ["queued"]


def test_jobs_come_back_in_the_order_asked(job_store: JobStore) -> None:
    """New jobs, known jobs and repeated keys: the answer has one record for each request, in its order."""
    (known,) = submit(job_store, "m")

    jobs = submit(job_store, "z", "m", "a", "z")

    assert [job.idempotency_key for job in jobs] == ["z", "m", "a", "z"]
    assert jobs[1] == known
    assert jobs[0] == jobs[3]
    assert len(job_store.list()) == 3


def test_nothing_asked_is_nothing_written(job_store: JobStore) -> None:
    """An empty request is an empty answer."""
    assert job_store.submit([]) == []
    assert job_store.list() == []


def test_the_same_key_gives_the_same_job(job_store: JobStore) -> None:
    """A job that is queued, running or done is given back as it is, whoever asks again."""
    queued, running, done = submit(job_store, "queued", "running", "done")
    claimed(job_store, running)
    job_store.succeed(claimed(job_store, done), result())
    before = [job_store.get(job.id) for job in (queued, running, done)]

    again = submit(job_store, "queued", "running", "done", batch_id=uuid4())

    assert again == before


@pytest.mark.parametrize("ending", ["failed", "cancelled"])
def test_a_job_without_a_result_is_tried_again_when_asked_again(job_store: JobStore, ending: str) -> None:
    """A failed or cancelled job goes back to the queue, clean, with the spec of the new request."""
    job = submit_one(job_store)
    claim = claimed(job_store, job)
    job_store.advance(claim, Stage.validate, sha256="abc")
    if ending == "failed":
        job_store.fail(claim, code="unreadable_audio", detail="No decoder.", stage=Stage.process)
    else:
        job_store.cancel(job.id)

    (again,) = job_store.submit([(spec("other name.wav"), "one")])

    assert again == job_store.get(job.id)
    assert again.status is Status.queued
    assert again == replace(job, spec=spec("other name.wav"), fence=1)
    assert [event.kind for event in job_store.events(job.id)] == [
        "queued",
        "claimed",
        "validated",
        ending,
        "requeued",
    ]


def test_a_job_whose_result_is_no_longer_kept_is_worked_again(job_store: JobStore) -> None:
    """When a result was forgotten or has expired, asking again makes it again."""
    forgotten, kept = submit(job_store, "forgotten", "kept")
    job_store.succeed(claimed(job_store, forgotten), result("a"))
    job_store.succeed(claimed(job_store, kept), result("b"))
    job_store.forget_result("a")

    again = submit(job_store, "forgotten", "kept")

    assert [job.status for job in again] == [Status.queued, Status.succeeded]
    assert again[0].result is None
    assert again[1].result == result("b")


@pytest.mark.parametrize(
    "name",
    [
        "naïve café.wav",
        "🎙 мир.wav",
        "two\nlines.wav",
        "nul\x00inside.wav",
        "-rf ../../x.wav",
        "\x1a0000.wav",
        "NaN",
    ],
)
def test_any_name_comes_back_unchanged(job_store: JobStore, name: str) -> None:
    """Whatever people call their files is kept letter by letter, in a spec, in findings and in errors."""
    wanted = JobSpec(source=Source(uri=f"/recordings/{name}", filename=name))
    (job,) = job_store.submit([(wanted, f"key of {name}")])
    claim = claimed(job_store, job)
    job_store.advance(claim, Stage.validate, tags={name: name})
    job_store.fail(claim, code="bad_header", detail=f"{name} has a bad header.")

    kept = job_store.get(job.id)

    assert (kept.spec, kept.idempotency_key) == (wanted, f"key of {name}")
    assert kept.work == {"tags": {name: name}}
    assert kept.error_detail == f"{name} has a bad header."


def test_a_result_comes_back_unchanged(job_store: JobStore) -> None:
    """Levels of silence are minus infinity, and stay that."""
    job = submit_one(job_store)

    ended = job_store.succeed(claimed(job_store, job), result(delivered_uri="/out/talk.mp3"))

    assert ended.result == result(delivered_uri="/out/talk.mp3")
    assert job_store.get(job.id) == ended
    assert ended.result is not None
    assert ended.result.before.integrated_lufs == -math.inf


def test_findings_of_stages_add_up(job_store: JobStore) -> None:
    """Each stage adds to the job's work; what it names again replaces what was there, whole."""
    claim = claimed(job_store, submit_one(job_store))
    job_store.advance(
        claim, Stage.validate, source=stored("source"), levels=SILENCE, tags={"title": "A", "year": "1"}
    )

    job = job_store.advance(claim, Stage.process, tags={"title": "B"}, warning=None)

    assert set(job.work) == {"source", "levels", "tags", "warning"}
    assert job.work["source"]["uri"] == "memory://masters/source"
    assert job.work["levels"]["integrated_lufs"] == -math.inf
    assert job.work["tags"] == {"title": "B"}
    assert job.work["warning"] is None
    assert job.stage is Stage.process


def test_moments_are_aware_and_in_utc(job_store: JobStore) -> None:
    """Every moment of a job comes back in UTC, to the microsecond, and never naive."""
    job = submit_one(job_store)
    job_store.succeed(claimed(job_store, job), result())

    ended = job_store.get(job.id)
    moments = [ended.created_at, ended.started_at, ended.heartbeat_at, ended.finished_at]

    assert [moment.tzinfo for moment in moments if moment] == [UTC] * 4
    assert ended.created_at == job.created_at
    assert all(event.at.tzinfo is UTC for event in job_store.events(job.id))


def test_a_naive_moment_is_a_bug(database: Engine) -> None:
    """A clock without a time zone is refused rather than guessed at."""
    store = JobStore(database, clock=lambda: Clock()().replace(tzinfo=None))

    with pytest.raises(Exception, match="time zone"):
        submit_one(store)


def test_newest_first_page_by_page(job_store: JobStore) -> None:
    """A list goes from the newest job to the oldest, also within one request, and continues after any job."""
    submit(job_store, *"abc")
    submit(job_store, *"de")

    first = job_store.list(limit=2)
    second = job_store.list(limit=2, after=first[-1].id)
    third = job_store.list(limit=2, after=second[-1].id)

    assert [[job.idempotency_key for job in page] for page in (first, second, third)] == [
        ["e", "d"],
        ["c", "b"],
        ["a"],
    ]
    with pytest.raises(JobNotFound):
        job_store.list(after=uuid4())


def test_lists_and_counts_of_a_batch(job_store: JobStore) -> None:
    """A batch has the jobs made for it and those it found there; its counts name every status."""
    first, second = uuid4(), uuid4()
    a, b = submit(job_store, "a", "b", batch_id=first)
    job_store.succeed(claimed(job_store, a), result())
    job_store.cancel(b.id)
    submit(job_store, "a", "b", "c", batch_id=second)
    submit(job_store, "a", "b", "c", batch_id=second)
    submit(job_store, "d")

    assert [job.idempotency_key for job in job_store.list(batch_id=second)] == ["c", "b", "a"]
    assert [job.idempotency_key for job in job_store.list(batch_id=first)] == ["b", "a"]
    assert [job.idempotency_key for job in job_store.list(batch_id=second, status=Status.succeeded)] == ["a"]
    assert job_store.counts(second) == {**dict.fromkeys(Status, 0), Status.succeeded: 1, Status.queued: 2}
    assert job_store.counts(first)[Status.succeeded] == 1
    assert job_store.counts(uuid4()) == dict.fromkeys(Status, 0)
    assert job_store.get(a.id).batch_id == first


def test_a_batch_can_be_opened_with_a_title(job_store: JobStore) -> None:
    """Opening a batch gives its id; opening it again changes nothing."""
    batch_id = job_store.open_batch("Season 3")

    assert job_store.open_batch("Another", batch_id=batch_id) == batch_id
    assert submit(job_store, "a", batch_id=batch_id)[0].batch_id == batch_id


def test_jobs_are_found_by_their_keys(job_store: JobStore) -> None:
    """Looking keys up gives the jobs that are there, and makes none."""
    (job,) = submit(job_store, "there")

    assert job_store.find(["there", "not there"]) == {"there": job}
    assert len(job_store.list()) == 1


def test_people_name_a_job_by_the_beginning_of_its_id(job_store: JobStore) -> None:
    """Eight digits, the whole id, with dashes or without, in any case: all name the job."""
    job = submit(job_store, *map(str, range(200)))[100]
    text = str(job.id)

    for name in (text, text[:8], text[:13], text.replace("-", ""), f" {text[:8].upper()} "):
        assert job_store.resolve(name) == job.id


def test_a_beginning_that_fits_several_jobs_names_them(job_store: JobStore, database: Engine) -> None:
    """Who typed too little is told which jobs it could be."""
    first, second, other = submit(job_store, "first", "second", "other")
    chosen = {first.id: UUID("abcdef00" + "1" * 24), second.id: UUID("abcdef01" + "2" * 24)}
    with writing(database) as connection:
        for old, new in chosen.items():
            job = connection.execute(update(Job).where(Job.id == old).values(batch_id=None).returning(Job)).one()
            connection.execute(
                Job.__table__.insert(), {**job._asdict(), "id": new, "idempotency_key": f"{old}", "result": None}
            )

    with pytest.raises(InvalidRequest, match=r"abcdef00-.*first\.wav.*abcdef01-.*second\.wav"):
        job_store.resolve("abcdef")

    assert job_store.resolve("abcdef01") == chosen[second.id]
    assert job_store.resolve(str(other.id)) == other.id


def test_a_name_that_fits_no_job(job_store: JobStore) -> None:
    """An id that does not exist is not found; what is no beginning of an id is refused."""
    submit_one(job_store)

    with pytest.raises(JobNotFound):
        job_store.resolve(str(uuid4()))
    for rubbish in ("", "abc", "talk.wav", "%" * 8, "a" * 33):
        with pytest.raises(InvalidRequest):
            job_store.resolve(rubbish)


def test_an_unknown_job_is_not_found(job_store: JobStore) -> None:
    """Reading, claiming or cancelling what does not exist says so."""
    with pytest.raises(JobNotFound):
        job_store.get(uuid4())
    with pytest.raises(JobNotFound):
        job_store.claim(uuid4(), owner="worker", lease_s=LEASE_S)
    with pytest.raises(JobNotFound):
        job_store.cancel(uuid4())
    assert job_store.events(uuid4()) == []
    assert job_store.find_result("unknown") is None


def test_calling_a_job_off(job_store: JobStore) -> None:
    """A job that has not ended can be cancelled, twice over; one that has ended cannot."""
    queued, running, done = submit(job_store, "queued", "running", "done")
    claimed(job_store, running)
    job_store.succeed(claimed(job_store, done), result())

    for job in (queued, running):
        ended = job_store.cancel(job.id)
        assert (ended.status, ended.owner) == (Status.cancelled, None)
        assert ended.finished_at is not None
        assert job_store.cancel(job.id) == ended
    with pytest.raises(IllegalTransition, match="succeeded"):
        job_store.cancel(done.id)


def test_ten_thousand_jobs_in_one_request(job_store: JobStore) -> None:
    """A large batch is written whole, and asking again finds all of it."""
    keys = [f"clip-{number:05}" for number in range(10_000)]
    batch_id = uuid4()

    jobs = submit(job_store, *keys, batch_id=batch_id)
    again = submit(job_store, *keys, batch_id=uuid4())

    assert [job.idempotency_key for job in jobs] == keys
    assert len({job.id for job in jobs}) == len(keys)
    assert again == jobs
    assert job_store.counts(batch_id)[Status.queued] == len(keys)


def test_results_are_shared_without_what_is_one_jobs_own(job_store: JobStore) -> None:
    """A result found by its key has no named copy and is not marked as used again; the first one stays."""
    first, second = submit(job_store, "first", "second")
    job_store.succeed(claimed(job_store, first), result("k", delivered_uri="/out/first.mp3"))
    job_store.succeed(claimed(job_store, second), replace(result("k"), reused=True, elapsed_s=99.0))

    assert job_store.find_result("k") == result("k")


def test_results_expire_when_nobody_uses_them(database: Engine) -> None:
    """A result unused for long is forgotten, and its objects are named so that they can be deleted."""
    clock = Clock()
    store = JobStore(database, clock=clock)
    old, used = submit(store, "old", "used")
    store.succeed(claimed(store, old), result("old"))
    store.succeed(claimed(store, used), result("used"))
    clock.advance(10 * 86_400)
    assert store.find_result("used") is not None
    clock.advance(10 * 86_400)

    gone = store.expire(timedelta(days=15))

    assert sorted(gone) == [
        f"memory://masters/old/{name}" for name in ("one.mp3", "picture.png", "report.json", "two.mp3")
    ]
    assert store.find_result("old") is None
    assert store.find_result("used") is not None
    assert store.events(old.id)[-1].kind == "expired"
    assert store.get(old.id).result == result("old")
    assert store.expire(timedelta(days=15)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "sleeping"},
        {"status": "running"},
        {"status": "succeeded"},
        {"status": "failed"},
        {"stage": "polish"},
        {"progress": 1.5},
    ],
    ids=lambda values: next(iter(values.items())),
)
def test_the_database_itself_refuses_what_cannot_be(
    job_store: JobStore, database: Engine, wrong: dict[str, object]
) -> None:
    """An unknown status or stage, a running job without an owner, an end without its reason: no row can say so."""
    job = submit_one(job_store)
    ((column, value),) = wrong.items()

    with pytest.raises(IntegrityError), writing(database) as connection:
        connection.execute(text(f"UPDATE jobs SET {column} = :value"), {"value": value})

    assert job_store.get(job.id) == job


def test_a_delivery_belongs_to_a_job(job_store: JobStore) -> None:
    """A notification about a job that does not exist is refused, with everything written beside it."""
    job = submit_one(job_store)
    claim = claimed(job_store, job)

    with pytest.raises(IntegrityError):
        job_store.succeed(claim, result(), [replace(delivery(job), job_id=uuid4())])

    assert job_store.get(job.id).status is Status.running
