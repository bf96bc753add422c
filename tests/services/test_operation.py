"""Prefect in operation: whoever is killed or told to stop, batches come to their end and nothing is left behind."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import psutil
import pytest

from mixdown.items import Defaults, items_of, requests_of
from mixdown.model import AudioFormat, OutputSpec, Priority, Status, Transform
from mixdown.studio import Studio
from mixdown.submission import accept
from tests.services.served import Served
from tests.signals import recording

#: The least work there is: read, and written again.
COPIED = Defaults(work=Transform(steps=()), outputs=(OutputSpec(format=AudioFormat.wav),))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for the tests of this file, warm and at work."""
    home = tmp_path_factory.mktemp("served") / "home"
    home.mkdir()
    server = Served(home)
    server.deployment("continue-batch/default")
    server.wait_until(lambda: any(shift.batch_id is None for shift in server.studio().jobs.shifts()))
    yield server
    server.close()


def _batch(studio: Studio, folder: Path, clips: int, priority: Priority = Priority.normal) -> UUID:
    """A batch of different short clips, accepted."""
    files = [str(recording(folder / f"{n}.wav", seconds=0.5, seed=uuid4().int % 2**31)) for n in range(clips)]
    batch_id = studio.jobs.open_batch(folder.name, priority=priority)
    accept(studio, requests_of(items_of(files), COPIED), batch_id=batch_id)
    return batch_id


def _done(studio: Studio, batch_id: UUID) -> int:
    return studio.jobs.counts(batch_id)[Status.succeeded]


def _run_of(served: Served, batch_id: UUID) -> str:
    """The flow run that works on a batch."""
    found: list[str] = []

    def is_there() -> bool:
        found[:] = [
            str(shift.flow_run_id)
            for shift in served.studio().jobs.shifts()
            if shift.batch_id == batch_id and shift.flow_run_id
        ]
        return bool(found)

    served.wait_until(is_there)
    return found[0]


def test_an_urgent_batch_is_done_in_front_of_one_that_is_running(served: Served, tmp_path: Path) -> None:
    """A job that somebody waits for ends while the batch that was there first goes on."""
    studio = served.studio()
    large = _batch(studio, tmp_path / "large", 150)
    served.wait_until(lambda: _done(studio, large) > 0)

    urgent = _batch(studio, tmp_path / "urgent", 1, Priority.urgent)
    served.wait_until(lambda: _done(studio, urgent) == 1)

    assert _done(studio, large) < 150
    studio.jobs.cancel_batch(large)


def test_a_batch_called_off_in_the_ledger_ends_its_run_as_cancelled(served: Served, tmp_path: Path) -> None:
    """`mixdown batch cancel`: the run that worked on it is Cancelled in Prefect, and its processes are gone."""
    studio = served.studio()
    batch = _batch(studio, tmp_path / "clips", 200)
    run = _run_of(served, batch)

    studio.jobs.cancel_batch(batch)

    served.wait_until(lambda: served.state(run) == "Cancelled")
    served.wait_until(lambda: not served.processes("prefect.engine"))


def test_a_run_cancelled_in_prefect_calls_its_batch_off(served: Served, tmp_path: Path) -> None:
    """The button Cancel: nothing of the batch stays queued or running, nobody is sent again, no process is left."""
    studio = served.studio()
    batch = _batch(studio, tmp_path / "clips", 200)
    run = _run_of(served, batch)

    served.cancel(run)

    served.wait_until(lambda: served.state(run) == "Cancelled")
    served.wait_until(lambda: studio.jobs.batch(batch).cancelled_at is not None)
    served.wait_until(lambda: sum(studio.jobs.left(batch)) == 0)
    served.wait_until(lambda: not served.processes("prefect.engine"))


def test_a_run_in_the_warm_process_can_be_cancelled(served: Served, tmp_path: Path) -> None:
    """Its thread cannot be killed: the batch is called off, and the run ends as Cancelled."""
    studio = served.studio()
    files = [str(recording(tmp_path / f"{n}.wav", seconds=0.5, seed=n + 500)) for n in range(150)]
    run = served.run("transform-audio/default", sources=files, outputs=[{"format": "wav"}])
    served.wait_until(lambda: served.state(run) == "Running")
    _run_of(served, UUID(run))

    served.cancel(run)

    served.wait_until(lambda: served.state(run) == "Cancelled")
    assert sum(studio.jobs.left(UUID(run))) == 0


def test_whoever_is_killed_a_batch_comes_to_its_end(served: Served, tmp_path: Path) -> None:
    """`kill -9` of the run, of Prefect's runner, of its server, of the warm process: no person is needed."""
    studio = served.studio()
    batch = _batch(studio, tmp_path / "clips", 120)

    for words in ("prefect.engine", "flows.served", "prefect server", "flows.warm"):
        before = _done(studio, batch)
        served.kill(words)
        served.wait_until(lambda before=before: _done(studio, batch) > before)  # type: ignore[misc]

    served.wait_until(lambda: _done(studio, batch) == 120)


def test_prefect_and_the_ledger_agree_afterwards(served: Served) -> None:
    """Runs whose process was killed are not shown as running, and task runs below them neither."""
    served.deployment("continue-batch/default")  # the server answers again
    served.wait_until(lambda: not served.runs(state={"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}))


def test_nothing_outlives_a_killed_supervisor(served: Served, tmp_path: Path) -> None:
    """`kill -9` of `mixdown serve` itself: server, runner, warm process, runs and hands end with it."""
    batch = _batch(served.studio(), tmp_path / "clips", 100)
    _run_of(served, batch)
    everyone = served.processes()

    served.process.send_signal(signal.SIGKILL)
    served.process.wait()

    _, alive = psutil.wait_procs(everyone, timeout=60)
    assert alive == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{served.url}/health", timeout=5)


def test_ctrl_c_puts_everything_back_into_the_queue(tmp_path: Path) -> None:
    """Stopped gently, no job is left running and nobody is signed in."""
    home = tmp_path / "home"
    home.mkdir()
    served = Served(home)
    studio = served.studio()
    batch = _batch(studio, tmp_path / "clips", 150)
    served.wait_until(lambda: _done(studio, batch) > 0)
    everyone = served.processes()

    assert served.stop() == 0

    assert studio.jobs.counts(batch)[Status.running] == 0
    assert studio.jobs.shifts() == []
    assert not [each for each in everyone if each.is_running()]
