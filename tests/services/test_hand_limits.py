"""A job that takes more than it may ends with a code of its own; its neighbours do not notice."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from mixdown.errand import Errand, run_errand
from mixdown.errors import HandDied
from mixdown.hands import Hands
from mixdown.model import JobSpec, Source, Status, digest
from mixdown.runner import run_batch, run_jobs, through
from mixdown.settings import Settings
from mixdown.strangers import from_outside
from mixdown.studio import open_studio
from mixdown.submission import submit
from tests.recordings import RECORDINGS
from tests.services.raw_server import Connection, raw_server


def _never_ends(connection: Connection) -> None:
    """Sound that trickles in for as long as anyone waits for it."""
    connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    connection.drip(b"\0" * 100_000, every_s=0.2)


def _hands_talking_to(url: str) -> list[psutil.Process]:
    """The children of this process, and theirs, that are connected to this server."""
    port = urlsplit(url).port
    found = []
    for child in psutil.Process().children(recursive=True):
        if any(each.raddr and each.raddr.port == port for each in child.net_connections("tcp")):
            found.append(child)
    return found


@pytest.mark.parametrize(
    ("limit", "code"),
    [({"job_time_s": 8.0}, "timed_out"), ({"job_memory_bytes": 2**26}, "needs_too_much_memory")],
    ids=["time", "memory"],
)
def test_a_job_that_takes_too_much_fails_once(limit: dict[str, float], code: str, tmp_path: Path) -> None:
    """Its hand is killed, its error says why, it is not tried again, and nothing else is held up by it."""
    RECORDINGS["16.wav"].make(tmp_path / "talk.wav")
    studio = open_studio(Settings(home=tmp_path / "home", workers=1, **limit))
    hands = Hands(studio.settings)
    try:
        with raw_server(_never_ends) as (url, _):
            names = [f"{url}/endless.wav"] + ([str(tmp_path / "talk.wav")] if "job_time_s" in limit else [])
            jobs = submit(studio, [JobSpec(source=Source(uri=name)) for name in names])
            endless, *others = run_jobs(studio, [job.id for job in jobs], bench=hands)
    finally:
        hands.close()

    assert endless.error_code == code
    assert "endless.wav" in (endless.error_detail or "")
    assert endless.tries <= 1
    assert endless.deaths == 0
    assert [other.error_code for other in others] == [None] * len(others)


def test_a_hand_that_hangs_is_killed_and_its_neighbours_go_on(tmp_path: Path) -> None:
    """One that neither runs nor hears signals, as a decoder stuck in its own code: its job alone has failed."""
    studio = open_studio(Settings(home=tmp_path / "home", workers=1, job_time_s=8.0))
    names = [str(tmp_path / f"{n}.wav") for n in range(4)]
    for name in names:
        RECORDINGS["16.wav"].make(Path(name))
    hands = Hands(studio.settings)
    stuck: list[psutil.Process] = []
    try:
        with raw_server(_never_ends) as (url, _):

            def freeze() -> None:
                for hand in [] if stuck else _hands_talking_to(url):
                    os.kill(hand.pid, signal.SIGSTOP)
                    stuck.append(hand)

            specs = [JobSpec(source=Source(uri=name)) for name in (f"{url}/stuck.wav", *names)]
            jobs = submit(studio, specs)
            run_batch(studio, studio.jobs.gather([job.id for job in jobs]), bench=hands, look=freeze)
    finally:
        hands.close()

    hung, *others = studio.jobs.read([job.id for job in jobs])
    assert len(stuck) == 1
    assert hung.error_code == "timed_out"
    assert hung.deaths == 0
    assert [other.status for other in others] == [Status.succeeded] * len(names)
    assert not stuck[0].is_running()


@pytest.mark.parametrize("cluster", ["", "threads"])
def test_what_strangers_send_is_never_opened_by_the_process_itself(cluster: str, tmp_path: Path) -> None:
    """A single job, or one beside a job of one's own, in a process without hands: one is found for it."""
    RECORDINGS["16.wav"].make(tmp_path / "talk.wav")
    settings = Settings(home=tmp_path / "home", cluster=cluster, job_time_s=3.0, allow_internal_sources="127.0.0.1")
    studio = open_studio(settings)
    with raw_server(_never_ends) as (url, _):
        specs = [from_outside(JobSpec(source=Source(uri=f"{url}/endless.wav")))]
        if cluster:
            specs.append(JobSpec(source=Source(uri=str(tmp_path / "talk.wav"))))
        jobs = submit(studio, specs)
        run_batch(studio, studio.jobs.gather([job.id for job in jobs]))

    endless, *others = studio.jobs.read([job.id for job in jobs])
    assert endless.error_code == "timed_out"
    assert "Given up after 3 s of work" in (endless.error_detail or "")  # so says who kills hands
    assert [other.error_code for other in others] == [None] * len(others)


def test_limits_hold_on_the_machines_of_a_cluster(tmp_path: Path) -> None:
    """Whoever is sent for work has it done by a hand, which is killed where a job takes too long."""
    RECORDINGS["16.wav"].make(tmp_path / "talk.wav")
    studio = open_studio(Settings(home=tmp_path / "home", job_time_s=6.0))
    with raw_server(_never_ends) as (url, _):
        names = [f"{url}/endless.wav", str(tmp_path / "talk.wav")]
        jobs = submit(studio, [JobSpec(source=Source(uri=name)) for name in names])
        batch_id = studio.jobs.gather([job.id for job in jobs])
        errand = Errand(
            batch_id=batch_id,
            results=digest(studio.objects.root),
            flow_run_id=None,
            most_jobs=2,
            work_bytes=10**9,
        )
        run_errand(studio, errand, through)

    endless, other = studio.jobs.read([job.id for job in jobs])
    assert endless.error_code == "timed_out"
    assert other.status is Status.succeeded


def test_a_hand_that_dies_on_an_errand_is_blamed_on_its_job(tmp_path: Path) -> None:
    """The shard goes back into the queue, the death is counted, and whoever sent for work is told.

    What it was working on is gone from the scratch disk at once: others need the room.
    """
    studio = open_studio(Settings(home=tmp_path / "home"))
    with raw_server(_never_ends) as (url, connections):
        [job] = submit(studio, [JobSpec(source=Source(uri=f"{url}/deadly.wav"))])
        errand = Errand(
            batch_id=studio.jobs.gather([job.id]),
            results=digest(studio.objects.root),
            flow_run_id=None,
            most_jobs=2,
            work_bytes=10**9,
        )

        def kill() -> None:
            until_s = time.monotonic() + 120
            while not connections and time.monotonic() < until_s:
                time.sleep(0.05)
            for hand in _hands_talking_to(url):
                hand.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(HandDied):
            run_errand(studio, errand, through)
        killer.join()

    back = studio.jobs.get(job.id)
    assert (back.status, back.deaths) == (Status.queued, 1)
    assert studio.jobs.shifts() == []
    assert list(studio.settings.effective_scratch.iterdir()) == []
