"""Crews and their hands: real child processes that are killed, stopped and left without a parent."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from uuid import UUID

import psutil
import pytest

from mixdown.errors import BatchCancelled, HandDied
from mixdown.hands import Hands, Here
from mixdown.model import Claim, NoiseReduction, Stage, Status
from mixdown.runner import run_batch
from mixdown.settings import Settings
from mixdown.studio import Studio, open_studio
from mixdown.submission import enhance_specs, sources, submit
from tests.signals import recording

PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """A studio with two hands at work."""
    return open_studio(Settings(home=tmp_path_factory.mktemp("studio"), workers=2))


@pytest.fixture(scope="module")
def hands(studio: Studio) -> Iterator[Hands]:
    """Hands that are let go at the end: the foreman takes seconds to load."""
    hands = Hands(studio.settings)
    yield hands
    hands.close()


def batch_of(studio: Studio, folder: Path, count: int, seconds: float = 1.0) -> UUID:
    """A batch of recordings that are all different."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        recording(folder / f"{number}.wav", seconds=seconds + number / 100)
    batch_id = studio.jobs.open_batch("test", attached=True)
    submit(studio, enhance_specs(sources([str(folder)]), "podcast", NoiseReduction.off), batch_id=batch_id)
    return batch_id


def until(happened: Callable[[], object]) -> None:
    """Wait for something; it is an error if it does not happen."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def children() -> list[psutil.Process]:
    """Every process below this one that works for a bench."""
    below = psutil.Process().children(recursive=True)
    return [each for each in below if "mixdown.hand" in " ".join(each.cmdline())]


def foreman_and_hands() -> tuple[psutil.Process, list[psutil.Process]]:
    """The process that forks, and those that were forked."""
    [foreman] = [each for each in children() if each.ppid() == os.getpid()]
    return foreman, foreman.children()


def test_a_batch_is_done_by_hands(studio: Studio, hands: Hands, tmp_path: Path) -> None:
    """Child processes do the work, and what they log is heard here; no scratch is left."""
    batch_id = batch_of(studio, tmp_path / "in", 5)

    run_batch(studio, batch_id, bench=hands)

    assert studio.jobs.counts(batch_id)[Status.succeeded] == 5
    assert studio.jobs.batch(batch_id).closed_at is not None
    scratch = studio.settings.effective_scratch
    assert not scratch.exists() or list(scratch.iterdir()) == []


def test_a_hand_that_dies_takes_nobody_along(
    studio: Studio, hands: Hands, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its jobs go back into the queue and are done by another one, each once."""
    batch_id = batch_of(studio, tmp_path / "in", 6, seconds=4.0)
    killed: list[int] = []

    def kill_one() -> None:
        if not killed and children() and (busy := foreman_and_hands()[1]):
            killed.append(busy[0].pid)
            busy[0].kill()

    with caplog.at_level(logging.WARNING):
        run_batch(studio, batch_id, bench=hands, look=kill_one)

    jobs = studio.jobs.list(batch_id=batch_id)
    assert killed
    assert {job.status for job in jobs} == {Status.succeeded}
    assert all([event.kind for event in studio.jobs.events(job.id)].count("succeeded") == 1 for job in jobs)


def test_a_batch_that_is_called_off_stops_within_seconds(studio: Studio, hands: Hands, tmp_path: Path) -> None:
    """Running jobs stop at their next block; the crew says why it ends."""
    batch_id = batch_of(studio, tmp_path / "in", 2, seconds=120.0)

    def call_off() -> None:
        until(lambda: any(job.progress > 0 for job in studio.jobs.list(batch_id=batch_id)))
        studio.jobs.cancel_batch(batch_id)

    caller = threading.Thread(target=call_off)
    caller.start()
    with pytest.raises(BatchCancelled):
        run_batch(studio, batch_id, bench=hands)
    caller.join()

    counts = studio.jobs.counts(batch_id)
    assert (counts[Status.cancelled], counts[Status.running]) == (2, 0)
    assert studio.jobs.shifts() == []


def test_a_paused_batch_waits(studio: Studio, hands: Hands, tmp_path: Path) -> None:
    """Nothing is begun while it is paused; when it is resumed it goes on by itself."""
    batch_id = batch_of(studio, tmp_path / "in", 2)
    studio.jobs.pause_batch(batch_id)
    worker = threading.Thread(target=lambda: run_batch(studio, batch_id, bench=hands))
    worker.start()
    until(lambda: studio.jobs.shifts())
    time.sleep(1.5)
    before = studio.jobs.left(batch_id)
    studio.jobs.resume_batch(batch_id)
    worker.join(PATIENCE_S)

    assert before == (2, 0)
    assert studio.jobs.counts(batch_id)[Status.succeeded] == 2


def test_hands_end_with_their_parent(tmp_path: Path) -> None:
    """After `kill -9` of whoever they work for, no process is left, busy or not."""
    home, folder = tmp_path / "home", tmp_path / "in"
    studio = open_studio(Settings(home=home, workers=2))
    batch_id = batch_of(studio, folder, 2, seconds=90.0)
    program = (
        "import sys, uuid; from mixdown.runner import run_batch; from mixdown.settings import Settings;"
        "from mixdown.studio import open_studio;"
        "run_batch(open_studio(Settings(home=sys.argv[1], workers=2)), uuid.UUID(sys.argv[2]))"
    )
    command = subprocess.Popen([sys.executable, "-c", program, str(home), str(batch_id)])
    until(lambda: any(job.progress > 0 for job in studio.jobs.list(batch_id=batch_id)))
    below = psutil.Process(command.pid).children(recursive=True)

    command.send_signal(signal.SIGKILL)
    command.wait()

    assert below
    until(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in below))


def test_two_crews_share_a_batch(studio: Studio, hands: Hands, tmp_path: Path) -> None:
    """Each job is done once, and both leave when nothing is left."""
    batch_id = batch_of(studio, tmp_path / "in", 12)
    crews = [threading.Thread(target=lambda: run_batch(studio, batch_id, bench=hands)) for _ in range(2)]
    for crew in crews:
        crew.start()
    for crew in crews:
        crew.join(PATIENCE_S)

    jobs = studio.jobs.list(batch_id=batch_id)
    assert [job.attempts for job in jobs] == [1] * 12
    assert {job.status for job in jobs} == {Status.succeeded}


def test_hands_that_are_let_go_are_gone(studio: Studio, tmp_path: Path) -> None:
    """Closing leaves no process, and a bench without hands says so."""
    others = {each.pid for each in children()}
    hands = Hands(studio.settings)
    run_batch(studio, batch_of(studio, tmp_path / "in", 1), bench=hands)
    assert {each.pid for each in children()} > others

    hands.close()

    until(lambda: {each.pid for each in children()} <= others)


def test_a_shard_whose_hands_always_die_is_given_up(studio: Studio, tmp_path: Path) -> None:
    """A recording over which five processes died is left alone, with a code; the others are done."""
    batch_id = batch_of(studio, tmp_path / "in", 3)
    [poison, *_] = studio.jobs.list(batch_id=batch_id)

    class Deadly(Here):
        """A bench whose hands die over one job, as over a file that crashes the decoder."""

        def run(self, stage: Stage, claims: Sequence[Claim]) -> list[Claim]:
            if poison.id in {claim.job_id for claim in claims} and studio.jobs.get(poison.id).deaths < 5:
                error = HandDied()
                error.job_id = poison.id
                raise error
            return super().run(stage, claims)

    run_batch(studio, batch_id, bench=Deadly)

    assert studio.jobs.get(poison.id).error_code == "keeps_crashing"
    assert studio.jobs.counts(batch_id)[Status.succeeded] == 2
