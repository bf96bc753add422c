"""The queue of a batch, on SQLite and on PostgreSQL: taken together, written together, nothing taken twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine

from mixdown.errors import BatchNotFound, IllegalTransition, InvalidRequest
from mixdown.jobs import Asked, JobStore, Taken
from mixdown.model import Advanced, Claim, Deferred, Failed, Priority, Stage, Status, Succeeded
from tests.services.ledger_samples import Clock, delivery, result, spec

HERE = "here"


@pytest.fixture
def clock() -> Clock:
    """The time of the ledger."""
    return Clock()


@pytest.fixture
def store(database: Engine, clock: Clock) -> JobStore:
    """A ledger whose clock the test sets."""
    return JobStore(database, clock=clock)


def batch_of(store: JobStore, count: int, *, origin: str = "", size_bytes: int = 10, tag: str = "") -> UUID:
    """A batch of so many jobs."""
    batch_id = store.open_batch("a batch")
    names = [f"{tag}{number}" for number in range(count)]
    asked = [Asked(spec=spec(f"{n}.wav"), key=n, origin=origin, size_bytes=size_bytes) for n in names]
    store.accept(asked, batch_id=batch_id)
    return batch_id


def taken_by(store: JobStore, batch_id: UUID, owner: str = "worker", **limits: int) -> Taken:
    """A shard, which there is."""
    taken = store.take(batch_id, owner=owner, host=HERE, **limits)
    assert taken is not None
    return taken


def names(store: JobStore, claims: tuple[Claim, ...]) -> list[str]:
    """What these jobs are called."""
    return [store.get(claim.job_id).spec.filename for claim in claims]


def test_jobs_are_taken_in_their_order(store: JobStore) -> None:
    """A shard is the next few jobs; they are running then, and the same owner's."""
    batch_id = batch_of(store, 5)

    taken = taken_by(store, batch_id, most_jobs=3)

    assert names(store, taken.claims) == ["0.wav", "1.wav", "2.wav"]
    assert (taken.first.spec.filename, taken.size_bytes) == ("0.wav", 30)
    assert {store.get(claim.job_id).owner for claim in taken.claims} == {"worker"}
    assert names(store, taken_by(store, batch_id).claims) == ["3.wav", "4.wav"]
    assert store.take(batch_id, owner="worker", host=HERE) is None


def test_a_shard_is_cut_by_the_work_in_it(store: JobStore) -> None:
    """Long recordings go alone, short ones together."""
    batch_id = batch_of(store, 6, size_bytes=40)

    assert len(taken_by(store, batch_id, work_bytes=100).claims) == 2
    assert len(taken_by(store, batch_id, work_bytes=1).claims) == 1


def test_nothing_is_taken_twice(store: JobStore) -> None:
    """Eight crews that take at once share the jobs out, each job once."""
    batch_id = batch_of(store, 60)

    def crew(number: int) -> list[UUID]:
        mine: list[UUID] = []
        while taken := store.take(batch_id, owner=f"crew-{number}", host=HERE, most_jobs=4):
            mine += [claim.job_id for claim in taken.claims]
        return mine

    with ThreadPoolExecutor(8) as pool:
        taken = [job_id for mine in pool.map(crew, range(8)) for job_id in mine]

    assert len(taken) == len(set(taken)) == 60


def test_what_came_of_a_shard_is_written_together(store: JobStore) -> None:
    """One call ends some jobs, moves others on, and puts one back."""
    batch_id = batch_of(store, 4)
    claims = taken_by(store, batch_id).claims
    job = store.get(claims[1].job_id)
    until = store.batch(batch_id).created_at + timedelta(seconds=9)

    lost = store.write(
        [
            Advanced(claim=claims[0], stage=Stage.validate, work={"found": 1}),
            Succeeded(claim=claims[1], result=result(), deliveries=(delivery(job),)),
            Failed(claim=claims[2], code="empty_file", detail="Empty.", stage=Stage.validate),
            Deferred(claim=claims[3], code="source_unavailable", detail="Down.", until=until),
        ]
    )

    jobs = [store.get(claim.job_id) for claim in claims]
    assert lost == []
    assert [job.status.value for job in jobs] == ["running", "succeeded", "failed", "queued"]
    assert (jobs[0].stage, jobs[0].work) == (Stage.validate, {"found": 1})
    assert len(store.deliveries(jobs[1].id)) == 1
    assert (jobs[3].not_before, jobs[3].tries, jobs[3].attempts) == (until, 1, 0)
    assert jobs[3].error_detail == "Down."


def test_whoever_lost_a_claim_writes_nothing(store: JobStore) -> None:
    """A process that was thought dead does not overwrite its successor; its neighbors' results count."""
    batch_id = batch_of(store, 2)
    claims = taken_by(store, batch_id).claims
    store.requeue_lost(lease_s=60, is_alive=lambda owner: False)
    again = taken_by(store, batch_id, "successor", most_jobs=1).claims

    lost = store.write([Succeeded(claim=claim, result=result()) for claim in claims])

    assert set(lost) == set(claims)
    assert store.get(again[0].job_id).owner == "successor"
    assert store.write([Succeeded(claim=again[0], result=result())]) == []


def test_a_job_that_was_put_off_waits_for_its_time(store: JobStore, clock: Clock) -> None:
    """Nobody takes it before; then it is the first."""
    batch_id = batch_of(store, 1)
    [claim] = taken_by(store, batch_id).claims
    store.write([Deferred(claim=claim, code="x", detail="y", until=clock.now + timedelta(seconds=30))])

    assert store.take(batch_id, owner="worker", host=HERE) is None
    assert store.batch_progress(batch_id).waiting == 1
    clock.advance(31)
    assert taken_by(store, batch_id).claims[0].job_id == claim.job_id


def test_what_is_lost_is_made_from_the_start(store: JobStore, clock: Clock) -> None:
    """A job whose staged work is damaged forgets it."""
    batch_id = batch_of(store, 1)
    [claim] = taken_by(store, batch_id).claims
    store.write([Advanced(claim=claim, stage=Stage.process, work={"a": 1})])

    store.write([Deferred(claim=claim, code="x", detail="y", until=clock.now, from_start=True)])

    job = store.get(claim.job_id)
    assert (job.stage, job.work, job.status) == (None, {}, Status.queued)


def test_jobs_of_the_dead_go_back(store: JobStore, clock: Clock) -> None:
    """A killed process is known by its name, one on another machine by its silence."""
    batch_id = batch_of(store, 3)
    taken_by(store, batch_id, "killed", most_jobs=1)
    taken_by(store, batch_id, "alive", most_jobs=1)

    assert len(store.requeue_lost(lease_s=60, is_alive=lambda owner: owner != "killed")) == 1
    clock.advance(61)
    assert len(store.requeue_lost(lease_s=60, is_alive=lambda owner: True)) == 1
    assert store.left(batch_id) == (3, 0)


def test_suspects_go_alone(store: JobStore, clock: Clock) -> None:
    """Jobs over which a process died are taken one by one, and after the others: one of them is to blame."""
    batch_id = batch_of(store, 3)
    claims = taken_by(store, batch_id).claims
    store.give_back(claims, why="died", blamed=[claim.job_id for claim in claims[:2]])
    clock.advance(1)
    store.accept([Asked(spec=spec("fresh.wav"), key="fresh")], batch_id=batch_id)

    shards = [names(store, taken_by(store, batch_id).claims) for _ in range(3)]

    assert shards == [["2.wav", "fresh.wav"], ["0.wav"], ["1.wav"]]


def test_jobs_are_not_to_blame_for_the_death_of_who_only_coordinates(store: JobStore) -> None:
    """Where children do the work, a killed flow process says nothing against its jobs; else it does."""
    batch_id = batch_of(store, 2)
    apart = taken_by(store, batch_id, "host:1:2:3#a+hands", most_jobs=1).claims[0]
    itself = taken_by(store, batch_id, "host:1:2:3#b", most_jobs=1).claims[0]

    store.requeue_lost(lease_s=60, is_alive=lambda owner: False)

    assert [store.get(each.job_id).deaths for each in (apart, itself)] == [0, 1]


def test_a_local_recording_is_for_its_machine(store: JobStore) -> None:
    """Another machine does not take what only this one can read."""
    batch_id = batch_of(store, 2, origin=f"file://{HERE}")

    assert store.take(batch_id, owner="worker", host="elsewhere") is None
    assert len(taken_by(store, batch_id).claims) == 2


def down(store: JobStore, batch_id: UUID, dependency: str) -> None:
    """Five jobs find out that something is down."""
    for job in store.list(batch_id=batch_id, limit=5):
        store.not_served(dependency, job.id, code="source_unavailable", detail="It is down.")


def test_a_server_that_is_down_is_waited_for(store: JobStore, clock: Clock) -> None:
    """After five jobs nobody asks it; when it is time one job alone tries; when it serves, all go on."""
    batch_id = batch_of(store, 9, origin="https://example.org")
    down(store, batch_id, "https://example.org")

    assert store.take(batch_id, owner="worker", host=HERE) is None
    assert store.batch_progress(batch_id).waiting == 9
    clock.advance(6)
    probe = taken_by(store, batch_id)
    assert len(probe.claims) == 1
    assert store.take(batch_id, owner="other", host=HERE) is None
    store.served(["https://example.org"])
    assert len(taken_by(store, batch_id).claims) == 8


def test_others_are_served_meanwhile(store: JobStore) -> None:
    """Only jobs that need what is down wait for it."""
    batch_id = batch_of(store, 5, origin="https://example.org")
    others = [Asked(spec=spec(f"o{n}.wav"), key=f"o{n}", origin="https://example.com") for n in range(3)]
    store.accept(others, batch_id=batch_id)
    down(store, batch_id, "https://example.org")

    assert {store.get(c.job_id).origin for c in taken_by(store, batch_id).claims} == {"https://example.com"}


def test_what_no_job_of_a_batch_needs_is_not_tried_by_it(store: JobStore, clock: Clock) -> None:
    """When it is time to see whether a server is back, a batch that has no job for it goes on as ever."""
    gone = batch_of(store, 5, tag="gone", origin="https://example.org")
    down(store, gone, "https://example.org")
    store.cancel_batch(gone)
    batch_id = batch_of(store, 4, tag="other")

    clock.advance(6)

    assert len(taken_by(store, batch_id).claims) == 4


def test_without_a_store_nothing_is_begun(store: JobStore, clock: Clock) -> None:
    """Results have to go somewhere: while the store is down no job is taken, then one to try."""
    batch_id = batch_of(store, 9)
    down(store, batch_id, "results")

    assert store.take(batch_id, owner="worker", host=HERE) is None
    clock.advance(6)
    assert len(taken_by(store, batch_id).claims) == 1


def test_a_probe_in_vain_makes_the_next_one_later(store: JobStore, clock: Clock) -> None:
    """What stays down is asked ever more rarely."""
    batch_id = batch_of(store, 9)
    down(store, batch_id, "results")
    waits_s = []
    for _ in range(3):
        [outage] = store.outages()
        assert outage.next_probe_at is not None
        waits_s.append((outage.next_probe_at - clock.now).total_seconds())
        clock.now = outage.next_probe_at
        [claim] = taken_by(store, batch_id).claims
        store.not_served("results", claim.job_id, code="storage_unavailable", detail="Still down.")

    assert waits_s == [5.0, 10.0, 20.0]


def test_what_no_job_was_held_back_for_is_asked_ever_more_rarely_too(store: JobStore, clock: Clock) -> None:
    """A server that is met on the way, as that of an engine: who fails when it was time to look was the probe."""
    batch_id = batch_of(store, 9)
    down(store, batch_id, "https://speech.example.org")
    [job, *_] = store.list(batch_id=batch_id, limit=1)
    waits_s = []
    for _ in range(3):
        [outage] = store.outages()
        assert outage.next_probe_at is not None
        waits_s.append((outage.next_probe_at - clock.now).total_seconds())
        clock.now = outage.next_probe_at
        store.not_served("https://speech.example.org", job.id, code="engine_unavailable", detail="Still down.")

    assert waits_s == [5.0, 10.0, 20.0]


def test_an_outage_may_end_while_it_is_noted(store: JobStore) -> None:
    """Some meet a server that is down while others are served by it: each of them writes down what it met."""

    def meet(number: int) -> int:
        for round_ in range(60):
            if number % 2:
                store.served(["results"])
            else:
                outage = store.not_served("results", UUID(int=1000 * number + round_), code="x", detail="y")
                assert outage.dependency == "results"
        return number

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(meet, range(6))) == list(range(6))


def test_one_job_proves_nothing(store: JobStore) -> None:
    """One job that fails again and again does not make the others wait."""
    batch_id = batch_of(store, 3, origin="https://example.org")
    [first, *_] = store.list(batch_id=batch_id)
    for _ in range(9):
        store.not_served("https://example.org", first.id, code="x", detail="y")

    assert len(taken_by(store, batch_id).claims) == 3


def test_a_batch_without_a_crew_is_unattended(store: JobStore, clock: Clock) -> None:
    """Somebody is sent to it once; a crew at work attends it, a dead one does not; urgent ones come first."""
    usual = batch_of(store, 1, tag="a")
    urgent = store.open_batch("now", priority=Priority.urgent)
    store.accept([Asked(spec=spec("b.wav"), key="b")], batch_id=urgent)

    def waiting() -> list[UUID]:
        found = store.unattended(grace_s=10, lease_s=60, is_alive=lambda owner: owner != "dead")
        return [batch.id for batch in found]

    assert waiting() == [urgent, usual]
    assert [store.note_dispatch(urgent, grace_s=10) for _ in range(2)] == [True, False]
    assert waiting() == [usual]
    store.begin_shift("crew", batch_id=usual, flow_run_id=None)
    clock.advance(11)
    assert waiting() == [urgent]
    store.begin_shift("dead", batch_id=urgent, flow_run_id=None)
    assert waiting() == [urgent]
    store.end_shift("crew")
    assert waiting() == [urgent, usual]


def test_an_attached_batch_is_its_process_own(store: JobStore) -> None:
    """Nobody is sent to work on what somebody does in a terminal."""
    batch_id = store.open_batch(attached=True)
    store.accept([Asked(spec=spec(), key="a")], batch_id=batch_id)

    assert store.unattended(grace_s=10, lease_s=60, is_alive=lambda owner: True) == []


def test_a_batch_is_paused_and_resumed(store: JobStore) -> None:
    """A paused batch is left alone until it is resumed."""
    batch_id = batch_of(store, 1)

    assert store.pause_batch(batch_id).paused_at is not None
    assert store.unattended(grace_s=0, lease_s=60, is_alive=lambda owner: True) == []
    assert store.resume_batch(batch_id).paused_at is None
    assert [b.id for b in store.unattended(grace_s=0, lease_s=60, is_alive=lambda owner: True)] == [batch_id]


def test_a_batch_is_called_off(store: JobStore) -> None:
    """What has ended stays as it is; all else is cancelled, and whoever works on it loses its claim."""
    batch_id = batch_of(store, 3)
    [done, running] = taken_by(store, batch_id, most_jobs=2).claims
    store.write([Succeeded(claim=done, result=result())])

    assert store.cancel_batch(batch_id) == 2
    assert store.write([Advanced(claim=running, stage=Stage.validate, work={})]) == [running]
    assert store.left(batch_id) == (0, 0)
    with pytest.raises(IllegalTransition):
        store.pause_batch(batch_id)


def test_only_what_failed_is_tried_again(store: JobStore) -> None:
    """All of it, or what failed with one code; what succeeded is left alone."""
    batch_id = batch_of(store, 3)
    claims = taken_by(store, batch_id).claims
    store.write(
        [
            Succeeded(claim=claims[0], result=result()),
            Failed(claim=claims[1], code="empty_file", detail="e", stage=Stage.validate),
            Failed(claim=claims[2], code="source_not_found", detail="s", stage=Stage.validate),
        ]
    )
    store.close_batch(batch_id)

    assert store.retry_batch(batch_id, code="empty_file") == 1
    assert store.retry_batch(batch_id) == 1
    assert store.left(batch_id) == (2, 0)
    assert store.batch(batch_id).closed_at is None
    assert store.get(claims[1].job_id).error_code is None


def test_progress_tells_rate_and_time_left(store: JobStore, clock: Clock) -> None:
    """Counts by state, how many end in a second of late, and how long the rest will take at that rate."""
    batch_id = batch_of(store, 10)
    claims = taken_by(store, batch_id, most_jobs=4).claims
    clock.advance(20)
    store.write([Succeeded(claim=claim, result=result(str(n))) for n, claim in enumerate(claims)])

    progress = store.batch_progress(batch_id)

    assert (progress.total, progress.ended, progress.share) == (10, 4, 0.4)
    assert progress.counts[Status.queued] == 6
    assert progress.rate_per_s == pytest.approx(0.2)
    assert progress.time_left_s == pytest.approx(30)


def test_a_batch_is_found_by_the_beginning_of_its_id(store: JobStore) -> None:
    """Four digits are enough where they are clear."""
    batch_id = batch_of(store, 1)

    assert store.resolve_batch(str(batch_id)[:13]) == batch_id
    with pytest.raises(InvalidRequest):
        store.resolve_batch("xyz")
    store.cancel_batch(batch_id)
    with pytest.raises(BatchNotFound):
        store.resolve_batch(f"{(batch_id.int >> 96) ^ 1:08x}")
