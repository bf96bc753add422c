"""`mixdown analyze` as users run it, and its page in a browser where there is one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.services.chromium import PROGRAM, browser
from tests.signals import recording, speech_like, write_wav

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `mixdown` in a folder with a recording, `talk.wav`, and a louder master of it, `master.wav`."""
    speech = speech_like(6.0, channels=2, level_dbfs=-36.0)
    write_wav(tmp_path / "talk.wav", speech)
    write_wav(tmp_path / "master.wav", speech * np.float32(4.0))
    clean = {**os.environ, "MIXDOWN_HOME": str(tmp_path / "home"), "COLUMNS": "120"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mixdown.cli", "analyze", *words]
        return subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, check=False)

    return run


def test_a_recording_is_told_about(run: Run) -> None:
    """A table for people: measures with units, a verdict for each preset; failing one is no error."""
    done = run("talk.wav")

    assert done.returncode == 0, done.stderr
    assert re.search(r"Integrated loudness +−3\d\.\d LUFS", done.stdout)
    assert "✗ Podcast: fails integrated loudness, −3" in done.stdout
    assert "✗ Audiobook (ACX): fails RMS" in done.stdout


def test_json_and_peaks_for_programs(run: Run, tmp_path: Path) -> None:
    """A document for each file, errors among them, which the exit code tells; only the preset asked for."""
    done = run("talk.wav", "nowhere.wav", "--json", "--preset", "podcast")
    single = run("talk.wav", "--peaks", "peaks.json", "--json")

    assert done.returncode == 1
    found, failed = json.loads(done.stdout)
    assert found["file"] == "talk.wav"
    assert [each["preset"] for each in found["verdicts"]] == ["podcast"]
    assert failed["error"]["code"] == "source_not_found"
    assert single.returncode == 0
    assert json.loads((tmp_path / "peaks.json").read_text())["version"] == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("talk.wav", "master.wav", "--peaks", "x.json"), "one recording at a time"),
        (("talk.wav", "--html", "nowhere/x.html"), "its folder is not there"),
        (("talk.wav", "--html", "home"), "is a folder"),
        (("talk.wav", "--preset", "nonesuch"), "There is no preset"),
    ],
)
def test_wrong_usage_is_a_sentence(run: Run, tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    """What cannot work is refused before any work, and leaves nothing behind."""
    (tmp_path / "home").mkdir()

    done = run(*words)

    assert done.returncode == 2, done.stdout
    assert sentence in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "master.wav", "talk.wav"]


def test_several_recordings_make_one_page(run: Run, tmp_path: Path) -> None:
    """A section each; an existing page is replaced whole."""
    recording(tmp_path / "other.wav", 2.0)
    (tmp_path / "page.html").write_text("old")

    done = run("talk.wav", "other.wav", "--html", "page.html", "--no-music")

    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<article") == 2
    assert "<audio" not in page
    assert not list(tmp_path.glob(".*"))


def test_a_recording_and_its_master_can_be_heard_in_turn(run: Run, tmp_path: Path) -> None:
    """Both are in the page, the louder turned down; in a browser the switch keeps the position."""
    done = run("talk.wav", "--against", "master.wav", "--html", "page.html", "--preset", "podcast")

    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "The master is 12.0 LU louder than the recording" in page
    assert page.count('src="data:audio/mp4;base64,') == 2
    if PROGRAM is None:
        return
    with browser(tmp_path / "profile") as shown:
        shown.open(tmp_path / "page.html")
        assert shown.run("document.querySelector('.plain').hidden") is True
        shown.run("document.querySelector('.play').click()")
        seek = "Number(document.querySelector('.seek').value)"
        deadline_s = time.monotonic() + 30
        while not 0.0 < shown.run(seek) < 5.0 and time.monotonic() < deadline_s:
            time.sleep(0.05)
        before = shown.run(seek)
        assert before > 0.0
        shown.run("document.querySelector('button.b').click()")
        assert shown.run("document.querySelector('button.b').getAttribute('aria-pressed')") == "true"
        assert shown.run(seek) >= before
        press = (
            "document.querySelector('.seek').dispatchEvent(new KeyboardEvent('keydown', {key: 'x', bubbles: true}))"
        )
        shown.run(press)
        assert shown.run("document.querySelector('button.a').getAttribute('aria-pressed')") == "true"
        shown.run("document.querySelector('.play').click()")
        paused = shown.run(seek)
        time.sleep(0.2)
        assert shown.run(seek) == paused
        assert shown.errors == []
