"""A job that takes more than it may ends with a code of its own; its neighbours do not notice."""

from __future__ import annotations

from pathlib import Path

import pytest

from mixdown.hands import Hands
from mixdown.model import JobSpec, Source
from mixdown.runner import run_jobs
from mixdown.settings import Settings
from mixdown.studio import open_studio
from mixdown.submission import submit
from tests.recordings import RECORDINGS
from tests.services.raw_server import Connection, raw_server


def _never_ends(connection: Connection) -> None:
    """Sound that trickles in for as long as anyone waits for it."""
    connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    connection.drip(b"\0" * 100_000, every_s=0.2)


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
