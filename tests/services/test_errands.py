"""Sending processes for work: what comes back, what is waited for, when it ends. Here threads stand for them."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from uuid import UUID

import pytest

from mixdown.cluster import cluster_of, refuse_unreachable_server, work_on_cluster
from mixdown.crew import Shard
from mixdown.errand import Errand, Worked, run_errand
from mixdown.errors import BatchCancelled, ClusterUnavailable, DatabaseUnavailable, InvalidRequest
from mixdown.items import Defaults, items_of, requests_of
from mixdown.model import AudioFormat, OutputSpec, Status, digest
from mixdown.owner import this_process
from mixdown.runner import through
from mixdown.settings import Settings
from mixdown.step_text import parse_steps
from mixdown.studio import Studio, open_studio
from mixdown.submission import accept
from tests.signals import recording

CLIPS = 6
POSTGRES, BUCKET = "postgresql+psycopg2://db/mixdown", "s3://bucket/mixdown"


class Threads:
    """A cluster of two threads that counts its errands."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.sent = 0
        self.first_fails: BaseException | None = None
        self._pool = ThreadPoolExecutor(2)
        self._back: SimpleQueue[Future[Worked]] = SimpleQueue()

    def width(self) -> int:
        """Two."""
        return 2

    def send(self, errand: Errand) -> None:
        """Have a thread run it."""
        self.sent += 1
        self._pool.submit(self._run, errand).add_done_callback(self._back.put)

    def back(self, timeout_s: float) -> Worked | BaseException | None:
        """What came of the next one that is done."""
        with suppress(Empty):
            done = self._back.get(timeout=timeout_s)
            return done.exception() or done.result()
        return None

    def _run(self, errand: Errand) -> Worked:
        if self.first_fails is not None:
            failure, self.first_fails = self.first_fails, None
            raise failure
        return run_errand(self.studio, errand, self.through)

    def through(self, shard: Shard) -> None:
        """Take a shard through its stages."""
        through(shard)


@pytest.fixture
def studio(tmp_path: Path, database_url: str) -> Studio:
    """A studio, its ledger on each kind of database."""
    return open_studio(Settings(home=tmp_path / "home", database_url=database_url))


@pytest.fixture
def batch_id(studio: Studio, tmp_path: Path) -> UUID:
    """A batch of short clips."""
    for n in range(CLIPS):
        recording(tmp_path / "clips" / f"{n}.wav", seconds=1.0, seed=n)
    asked = Defaults(steps=parse_steps(["loudness"]), outputs=(OutputSpec(format=AudioFormat.flac),))
    found = studio.jobs.open_batch("clips")
    accept(studio, requests_of(items_of([str(tmp_path / "clips")]), asked), batch_id=found)
    return found


def test_a_batch_is_worked_on_to_its_end(studio: Studio, batch_id: UUID) -> None:
    """Errands are sent until nothing is left, and no more; the batch is closed then, and nobody is at work."""
    cluster = Threads(studio)

    work_on_cluster(studio, batch_id, cluster)

    assert studio.jobs.counts(batch_id)[Status.succeeded] == CLIPS
    assert cluster.sent <= 3 * CLIPS
    assert studio.jobs.batch(batch_id).closed_at is not None
    assert studio.jobs.shifts() == []


@pytest.mark.parametrize("failure", [RuntimeError("its process died"), DatabaseUnavailable()])
def test_an_errand_that_fails_is_not_the_end(studio: Studio, batch_id: UUID, failure: Exception) -> None:
    """What kills one process, or the database for a moment, keeps nothing from being done."""
    cluster = Threads(studio)
    cluster.first_fails = failure

    work_on_cluster(studio, batch_id, cluster)

    assert studio.jobs.counts(batch_id)[Status.succeeded] == CLIPS


def test_a_bug_on_the_way_gives_the_jobs_back(studio: Studio, batch_id: UUID) -> None:
    """A shard that met a bug goes back into the queue, and the bug is counted against its jobs."""

    class Buggy(Threads):
        def through(self, shard: Shard) -> None:
            raise ZeroDivisionError

    errand = Errand(batch_id=batch_id, results=_digest(studio), flow_run_id=None, most_jobs=2, work_bytes=10**6)
    with pytest.raises(ZeroDivisionError):
        run_errand(studio, errand, Buggy(studio).through)

    records = studio.jobs.list(batch_id=batch_id)
    assert {record.status for record in records} == {Status.queued}
    assert sorted(record.attempts for record in records)[-2:] == [1, 1]
    assert studio.jobs.shifts() == []


def test_a_batch_that_is_called_off_ends(studio: Studio, batch_id: UUID) -> None:
    """Cancelling stops whoever sends and whoever works; nothing of it stays running."""

    class Slow(Threads):
        def through(self, shard: Shard) -> None:
            studio.jobs.cancel_batch(batch_id)
            super().through(shard)

    with pytest.raises(BatchCancelled):
        work_on_cluster(studio, batch_id, Slow(studio))

    assert studio.jobs.counts(batch_id)[Status.cancelled] == CLIPS
    assert studio.jobs.shifts() == []


def test_nobody_is_sent_while_a_batch_is_paused(studio: Studio, batch_id: UUID) -> None:
    """A paused batch is waited for, and gone on with when it is resumed."""
    cluster, looks = Threads(studio), 0
    studio.jobs.pause_batch(batch_id)

    def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 4:
            assert cluster.sent == 0
            studio.jobs.resume_batch(batch_id)

    work_on_cluster(studio, batch_id, cluster, look=look)

    assert studio.jobs.counts(batch_id)[Status.succeeded] == CLIPS


def test_what_dead_processes_left_is_swept(studio: Studio, batch_id: UUID) -> None:
    """On a machine of a cluster nobody but the next process cleans up after one that was killed."""
    host, boot, pid, _ = this_process().split(":")
    left_behind = studio.settings.effective_scratch / "~".join([host, boot, pid, "1"])
    (left_behind / "work").mkdir(parents=True)

    work_on_cluster(studio, batch_id, Threads(studio))

    assert not left_behind.exists()


def test_an_errand_for_a_paused_batch_is_not_run(studio: Studio, batch_id: UUID) -> None:
    """Who was sent before the pause finds it, and takes nothing."""
    studio.jobs.pause_batch(batch_id)
    errand = Errand(batch_id=batch_id, results=_digest(studio), flow_run_id=None, most_jobs=2, work_bytes=10**6)

    assert run_errand(studio, errand, through) == Worked()


def test_a_machine_with_another_store_or_ledger_is_refused(studio: Studio, batch_id: UUID, tmp_path: Path) -> None:
    """Masters in the folder of whichever machine made them would be nobody's: the run ends with a sentence."""
    other = open_studio(Settings(home=tmp_path / "other", database_url=studio.settings.database_url))
    stranger = open_studio(Settings(home=tmp_path / "other", results_url=studio.settings.effective_results_url))

    with pytest.raises(InvalidRequest, match="MIXDOWN_RESULTS_URL differs"):
        work_on_cluster(studio, batch_id, Threads(other))
    with pytest.raises(InvalidRequest, match="MIXDOWN_DATABASE_URL differs"):
        work_on_cluster(studio, batch_id, Threads(stranger))

    assert studio.jobs.counts(batch_id)[Status.queued] == CLIPS


def test_a_cluster_that_is_gone_ends_the_run_and_not_the_batch(studio: Studio, batch_id: UUID) -> None:
    """Its jobs stay in the queue, for whoever takes the batch up next."""

    class Gone(Threads):
        def send(self, errand: Errand) -> None:
            self.sent += 1

        def back(self, timeout_s: float) -> Worked | BaseException | None:
            raise ClusterUnavailable

    with pytest.raises(ClusterUnavailable):
        work_on_cluster(studio, batch_id, Gone(studio))

    assert studio.jobs.batch(batch_id).closed_at is None


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"cluster": "kubernetes"}, "dask, ray"),
        ({"cluster": "dask://"}, "dask, ray"),
        ({"cluster": "dask://hub"}, "host:port"),
        ({"cluster": "dask://hub:8786", "database_url": POSTGRES}, "MIXDOWN_RESULTS_URL"),
        ({"cluster": "ray://hub:10001", "results_url": BUCKET}, "PostgreSQL"),
        ({"cluster": "dask", "results_url": "memory://x"}, "memory"),
    ],
)
def test_a_cluster_that_cannot_work_is_refused(tmp_path: Path, settings: dict[str, str], says: str) -> None:
    """What the machines of a cluster could not reach is said before anything begins."""
    with pytest.raises(InvalidRequest, match=says):
        cluster_of(Settings.model_validate({"home": tmp_path, **settings}))


def test_a_shared_folder_will_do_for_results(tmp_path: Path) -> None:
    """A folder that every machine sees under the same path is as good as a bucket."""
    shared = Settings(
        cluster="dask://hub:8786",
        database_url=POSTGRES,
        results_url=str(tmp_path / "results"),
        shared_folders=str(tmp_path),
    )

    name = cluster_of(shared)

    assert name is not None
    assert (name.kind, name.address, name.host) == ("dask", "hub:8786", "hub")


def test_machines_have_to_reach_the_prefect_server() -> None:
    """A server that listens to its own machine only hears nothing of a cluster elsewhere."""
    settings = Settings(cluster="ray://hub:10001", database_url=POSTGRES, results_url=BUCKET)
    name = cluster_of(settings)
    assert name is not None

    with pytest.raises(InvalidRequest, match="PREFECT_API_URL"):
        refuse_unreachable_server(name, "http://127.0.0.1:4200/api")
    refuse_unreachable_server(name, "http://prefect.example:4200/api")


def _digest(studio: Studio) -> str:
    return digest(studio.objects.root)
