"""`mixdown watch`: a process that is told of what arrives, works on it, and stops when it is asked to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.services.ctrl_c import heed_ctrl_c
from tests.signals import recording

WATCH = [sys.executable, "-m", "mixdown.cli", "watch"]


class Watching:
    """The command in a folder of its own."""

    def __init__(self, home: Path) -> None:
        self.home, self.inbox = home, home / "inbox"
        self.inbox.mkdir()
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MIXDOWN_")}
        self.env = {**clean, "MIXDOWN_HOME": str(home / "home")}
        self.process: subprocess.Popen[str] | None = None

    def start(self, *options: str) -> None:
        """Start it."""
        self.process = subprocess.Popen(
            [*WATCH, "inbox", "--format", "flac", "--settle", "0.5", *options],
            cwd=self.home,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_ctrl_c,
        )

    def end(self, *signals: signal.Signals) -> tuple[int, str, str]:
        """Send signals, and what it printed by then: exit code, stdout, stderr."""
        assert self.process is not None
        for each in signals:
            self.process.send_signal(each)
        said, complained = self.process.communicate(timeout=90)
        return self.process.returncode, said, complained

    def files(self) -> list[str]:
        """What lies in the inbox."""
        return sorted(str(path.relative_to(self.inbox)) for path in self.inbox.rglob("*") if path.is_file())

    def wait_for(self, name: str) -> None:
        """Wait until something lies there."""
        _wait_until(lambda: (self.inbox / name).exists(), f"{name} in {self.files()}")


def _wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.1)


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Watching]:
    """The command, not started yet."""
    found = Watching(tmp_path)
    yield found
    if found.process is not None and found.process.poll() is None:
        found.process.kill()
        found.process.communicate()


def test_what_arrives_is_done(watching: Watching) -> None:
    """What is there at first, what comes later and what comes in a new folder is done; Ctrl-C ends it."""
    recording(watching.inbox / "first.wav")
    # Only a change of the folder can make it look again within this test.
    watching.start("--every", "3600")
    watching.wait_for("done/first.wav")
    recording(watching.inbox / "new folder" / "second.wav", seed=2)
    watching.wait_for("done/new folder/second.wav")
    (watching.inbox / "broken.mp3").write_bytes(b"ID3" + bytes(5000))
    watching.wait_for("failed/broken.mp3")

    code, said, complained = watching.end(signal.SIGINT)

    assert code == 130
    assert "Nothing is lost" in complained
    assert said.splitlines()[:2] == ["first.wav: succeeded", "new folder/second.wav: succeeded"]
    assert said.splitlines()[2].startswith("broken.mp3: failed")
    assert (watching.home / "masters/new folder/second.flac").exists()
    assert len(watching.files()) == 6


def test_after_a_kill_the_next_one_goes_on(watching: Watching) -> None:
    """SIGKILL in the midst of the work: the next one does what was taken in, and what has come since."""
    for number in range(4):
        recording(watching.inbox / f"{number}.wav", seconds=8.0, seed=number)
    watching.start()
    _wait_until(lambda: any(name.startswith("processing/") for name in watching.files()), "nothing is taken in")
    time.sleep(1.0)
    watching.end(signal.SIGKILL)
    recording(watching.inbox / "late.wav", seed=9)

    watching.start("--once")
    code, _, complained = watching.end()

    assert code == 0, complained
    names = [*(f"{number}.wav" for number in range(4)), "late.wav"]
    assert watching.files() == sorted([f"done/{name}{suffix}" for name in names for suffix in ("", ".json")])
    assert len(list((watching.home / "masters").iterdir())) == 5


def test_once_tells_by_its_exit_code(watching: Watching) -> None:
    """For cron: nothing there is 0, a recording that failed is 1, a folder that is not there is 2."""
    watching.start("--once")
    assert watching.end()[0] == 0
    (watching.inbox / "broken.mp3").write_text("This is no sound. " * 100)
    (watching.inbox / "notes.txt").write_text("Bring milk.")
    watching.start("--once")

    code, said, complained = watching.end()

    assert (code, said.split(":")[0]) == (1, "broken.mp3")
    assert "notes.txt" in complained
    watching.inbox.rename(watching.home / "elsewhere")
    watching.start("--once")
    assert watching.end()[0] == 2
