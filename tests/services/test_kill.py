"""`kill -9` in the middle, then the same command: every job delivered once, nothing redone that was stored."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mixdown.intake import MOST_DEATHS
from mixdown.model import Stage, Status
from mixdown.owner import this_process
from mixdown.settings import Settings
from mixdown.stages import run_stage
from mixdown.studio import Studio, open_studio
from mixdown.submission import enhance_specs, sources, submit
from tests.services.ctrl_c import heed_ctrl_c
from tests.signals import recording

JOBS = 6


class Desk:
    """A folder of recordings, and the command line over it."""

    def __init__(self, home: Path, database_url: str) -> None:
        self.inbox, self.out = home / "inbox", home / "out"
        for n in range(JOBS):
            recording(self.inbox / f"{n}.wav", seconds=6.0, seed=n)
        self.settings = Settings(home=home / "home", database_url=database_url)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MIXDOWN_")}
        self._env = {
            **clean,
            "MIXDOWN_HOME": str(self.settings.home),
            "MIXDOWN_DATABASE_URL": database_url,
            "MIXDOWN_WORKERS": "2",
        }
        self._command = [sys.executable, "-m", "mixdown.cli", "process", str(self.inbox), "--out", str(self.out)]
        self._command += ["--format", "flac", "--json"]

    def start(self) -> subprocess.Popen[bytes]:
        """The command, started."""
        return subprocess.Popen(
            self._command,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=heed_ctrl_c,
        )

    def run(self) -> list[dict[str, Any]]:
        """The command, run to its end."""
        done = subprocess.run(self._command, env=self._env, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    def studio(self) -> Studio:
        """A look at the same ledger and store from here."""
        return open_studio(self.settings)


@pytest.fixture
def desk(tmp_path: Path, database_url: str) -> Desk:
    """A desk on SQLite, and one on PostgreSQL."""
    return Desk(tmp_path, database_url)


def _wait_for(studio: Studio, status: Status, count: int) -> None:
    deadline_s = time.monotonic() + 120
    while len(studio.jobs.list(status=status)) < count:
        assert time.monotonic() < deadline_s, "the command makes no headway"
        time.sleep(0.02)


def test_after_a_kill_the_same_command_goes_on(desk: Desk) -> None:
    """What was stored stays as it is; what was begun is taken over at once; nothing is left lying about."""
    studio = desk.studio()
    command = desk.start()
    _wait_for(studio, Status.succeeded, 2)
    command.send_signal(signal.SIGKILL)
    command.communicate()
    stored = {record.id: record for record in studio.jobs.list(status=Status.succeeded)}
    assert 2 <= len(stored) < JOBS

    delivered = desk.run()

    assert [job["state"] for job in delivered] == ["succeeded"] * JOBS
    assert sorted(path.name for path in desk.out.iterdir()) == [f"{n}.flac" for n in range(JOBS)]
    for record in studio.jobs.list(status=Status.succeeded):
        kinds = [event.kind for event in studio.jobs.events(record.id)]
        assert kinds.count("succeeded") == 1
        if record.id in stored:
            assert record == stored[record.id]
    assert [path for path in desk.settings.effective_scratch.rglob("*") if path.is_file()] == []
    assert list(studio.objects.list("staged/")) == []


def test_ctrl_c_gives_everything_back(desk: Desk) -> None:
    """An interrupt stops at the next block, queues what was begun and says how to go on."""
    studio = desk.studio()
    command = desk.start()
    _wait_for(studio, Status.running, 1)
    command.send_signal(signal.SIGINT)
    _, said = command.communicate(timeout=60)

    assert command.returncode == 130
    assert "run the same command again" in said.decode()
    assert studio.jobs.list(status=Status.running) == []
    assert [job["state"] for job in desk.run()] == ["succeeded"] * JOBS


def test_a_recording_that_kills_its_process_is_left_alone(tmp_path: Path) -> None:
    """After five dead processes a job ends with a code, instead of killing a sixth."""
    studio = open_studio(Settings(home=tmp_path / "home"))
    source = recording(tmp_path / "killer.wav", seconds=1.0)
    [record] = submit(studio, enhance_specs(sources([str(source)]), "podcast"))
    for n in range(MOST_DEATHS):
        assert studio.jobs.claim(record.id, owner=f"dead-{n}", lease_s=0.0) is not None
        time.sleep(0.01)

    claim = studio.jobs.claim(record.id, owner=this_process("last"), lease_s=0.0)
    assert claim is not None
    alive = run_stage(Stage.validate, studio, [claim])

    assert alive == []
    assert studio.jobs.get(record.id).error_code == "keeps_crashing"
    [again] = submit(studio, enhance_specs(sources([str(source)]), "podcast"))
    assert (again.status, again.attempts) == (Status.queued, 0)
