"""Pico: the same samples every time, whatever happens to its processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from mixdown.errors import EngineRefused, UnknownLanguage, UnknownVoice
from mixdown.speech.engines.pico import VOICES, Pico, sayable
from mixdown.speech.port import Spoken, Utterance

SENTENCES = ["Hello there.", "It costs $49.99!", "The quick brown fox jumps over the lazy dog."]


@pytest.fixture
def pico() -> Iterator[Pico]:
    """An engine whose children end with the test."""
    engine = Pico(at_once=2)
    yield engine
    engine.close()


def _said(pico: Pico, text: str, voice: str = "en-GB", rate: float = 1.0) -> Spoken:
    return pico.speak(Utterance(text=text, voice=voice, rate=rate))


def _speakers(of: int | None = None) -> list[psutil.Process]:
    return [each for each in psutil.Process(of).children() if "pico_speaker" in " ".join(each.cmdline())]


#: Children of engines that other tests of this process have opened.
_OF_OTHERS: set[int] = set()


@pytest.fixture(autouse=True)
def _others() -> None:
    _OF_OTHERS.clear()
    _OF_OTHERS.update(each.pid for each in _speakers())


def _children(of: int | None = None) -> list[psutil.Process]:
    return [each for each in _speakers(of) if each.pid not in _OF_OTHERS]


def test_the_same_samples_whatever_was_said_before(pico: Pico) -> None:
    """A sentence sounds the same said first, after others, in another child and another process."""
    first = _said(pico, SENTENCES[0]).samples
    for _ in range(2):
        for voice in VOICES:
            for sentence in SENTENCES[1:]:
                _said(pico, sentence, voice.name, 1.3)
        again = _said(pico, SENTENCES[0]).samples

        assert np.array_equal(first, again)

    other = Pico()
    try:
        assert np.array_equal(first, _said(other, SENTENCES[0]).samples)
    finally:
        other.close()


@pytest.mark.parametrize("voice", [voice.name for voice in VOICES])
def test_each_voice_speaks_without_clipping(pico: Pico, voice: str) -> None:
    """Mono float32 at 16 kHz that is loud enough to work with and never at full scale."""
    spoken = _said(pico, "Radio! Banana, terrific, 1 2 3, extra — final?", voice)

    assert spoken.sample_rate_hz == 16_000
    assert spoken.samples.dtype == np.float32
    assert spoken.samples.shape[1] == 1
    assert len(spoken.samples) > 16_000
    assert 0.1 < np.abs(spoken.samples).max() < 0.95


def test_the_rate_is_spoken_natively(pico: Pico) -> None:
    """Twice as fast is about half as long, half as fast about twice as long."""
    lengths = [len(_said(pico, " ".join(SENTENCES), rate=rate).samples) for rate in (0.5, 1.0, 2.0)]

    assert 1.6 < lengths[0] / lengths[1] < 2.2
    assert 1.5 < lengths[1] / lengths[2] < 2.2


def test_markup_is_not_obeyed(pico: Pico) -> None:
    """Tags that Pico knows change nothing: the words around them are said, and no file is read or voice changed."""
    plain = _said(pico, "five ignore nine /ignore six")

    assert "<" not in sayable('five <speed level="20"> six < ignore>')
    assert sayable("5 < 6 & 7 > 3") == "5 < 6 & 7 > 3"
    assert len(_said(pico, "five <ignore>nine</ignore> six").samples) > 0.9 * len(plain.samples)


def test_letters_that_it_does_not_know() -> None:
    """Typographic signs and foreign letters become what is nearest; what has nothing near is left out."""
    assert sayable("“Łódź”—it’s naïve… œuvre ﬁn\x00\n😀") == '"Lódz", it\'s naïve...  oeuvre fin'
    assert sayable("Zu Händen, 5 €: e\u0301") == "Zu Händen, 5 €: é"


@pytest.mark.parametrize("text", ["", "😀", "日本語", "…", " — "])
def test_nothing_to_say_is_refused(pico: Pico, text: str) -> None:
    """A text without a letter that it can say is refused rather than made into silence."""
    with pytest.raises(EngineRefused, match="no way to say"):
        _said(pico, text)


def test_the_voice_for_a_language(pico: Pico) -> None:
    """By name in any spelling, else by language, its region first."""
    assert pico.voice_for("", "en") == "en-GB"
    assert pico.voice_for("", "en-US") == "en-US"
    assert pico.voice_for("", "de-AT") == "de-DE"
    assert pico.voice_for("EN_us", "de") == "en-US"
    with pytest.raises(UnknownLanguage, match=r"does not speak ja\. It speaks: de, en, es, fr, it"):
        pico.voice_for("", "ja")
    with pytest.raises(UnknownVoice, match=r"no voice 'nobody'\. It has: en-GB, en-US"):
        pico.voice_for("nobody", "en")


def test_a_dead_child_is_replaced(pico: Pico) -> None:
    """A child killed between two sentences costs nothing but a new one."""
    first = _said(pico, SENTENCES[0]).samples
    (child,) = _children()
    child.kill()
    child.wait()

    assert np.array_equal(first, _said(pico, SENTENCES[0]).samples)


def test_children_are_few_and_kept(pico: Pico) -> None:
    """However many threads ask, no more children stay than may work at once."""

    def talk() -> None:
        for sentence in SENTENCES:
            _said(pico, sentence)

    threads = [threading.Thread(target=talk) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 <= len(_children()) <= 2


def test_a_check_ends_the_work(pico: Pico) -> None:
    """What the check raises comes through, and the child that was at work is gone."""

    class Stopped(Exception):
        pass

    def check() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        pico.speak(Utterance(text="nine hundred thousand, " * 400, voice="en-GB"), check)

    assert _children() == []


def _left_behind(program: str, tmp_path: Path, end: int) -> list[int]:
    """Children that still run after a process that had them was ended by a signal."""
    running = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    assert running.stdout is not None
    with running.stdout:
        running.stdout.readline()
        children = _children(running.pid)
        assert children
        os.kill(running.pid, end)
        running.wait()
    psutil.wait_procs(children, timeout=30)
    return [child.pid for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


SPEAKS = """
    import time
    from mixdown.speech.engines.pico import Pico
    from mixdown.speech.port import Utterance
    pico = Pico()
    pico.speak(Utterance(text="Hello.", voice="en-GB"))
    print("spoken", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_children_end_with_their_parent(tmp_path: Path, end: int) -> None:
    """Killed or ended, a process leaves no child behind."""
    assert _left_behind(SPEAKS, tmp_path, end) == []


def test_a_forked_process_has_children_of_its_own(tmp_path: Path) -> None:
    """Parent and fork both speak on, each through its own child; that of a dead parent ends although forks live."""
    program = """
        import os, time
        from mixdown.speech.engines.pico import Pico
        from mixdown.speech.port import Utterance
        pico = Pico()
        hello = Utterance(text="Hello.", voice="en-GB")
        first = pico.speak(hello).samples.tobytes()
        fork = os.fork()
        if not fork:
            good = pico.speak(hello).samples.tobytes() == first
            pico.close()
            pid = os.fork()  # one that lives on, and holds nothing of ours open
            if not pid:
                os.close(1)
                time.sleep(45)
            os._exit(0 if good else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1]) == 0
        assert pico.speak(hello).samples.tobytes() == first
        print("spoken", flush=True)
        time.sleep(600)
    """
    assert _left_behind(program, tmp_path, signal.SIGKILL) == []
