"""Piper: the real model says the same every time; what is asked of espeak-ng, by a stand-in for that program."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from mixdown.errors import EngineRefused, NoSuchEngine
from mixdown.speech.engines import piper
from mixdown.speech.engines.espeak import Espeak
from mixdown.speech.engines.piper import Piper
from mixdown.speech.engines.seeded import with_noise_given
from mixdown.speech.models import piper_voices
from mixdown.speech.port import Utterance

JOE = "en_US-joe-medium"

#: Spells: each letter is its own sound. Cuts a line at "cut", tells of a switch at "merci", dies over "die".
STAND_IN = f"""#!{sys.executable}
import json, pathlib, sys
if "--version" in sys.argv:
    print("eSpeak NG text-to-speech: 1.52.0  Data at: /nowhere")
    sys.exit()
asked = sys.stdin.buffer.read().decode()
with pathlib.Path(__file__).with_name("asked").open("a") as file:
    file.write(json.dumps([sys.argv[1:], asked]) + "\\n")
if "die" in asked:
    sys.exit(1)
for line in asked.splitlines():
    print(line.lower().replace("merci", "(fr)merci(en)").replace("cut", "c\\nut"))
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path that holds the stand-in."""
    place = tmp_path / "bin" / "espeak-ng"
    place.parent.mkdir()
    place.write_text(STAND_IN)
    place.chmod(0o755)
    monkeypatch.setenv("PATH", str(place.parent))
    return place


def _asked(program: Path) -> list[list[object]]:
    return [json.loads(line) for line in program.with_name("asked").read_text().splitlines()]


def test_it_says_the_same_every_time(program: Path) -> None:
    """Mono float32 at the voice's rate, the same samples again and in another engine; another attempt differs."""
    engine, other = Piper(), Piper()
    hello = Utterance(text="Hello there.", voice=JOE)
    first = engine.speak(hello)
    engine.speak(Utterance(text="Something else.", voice=JOE))

    assert first.sample_rate_hz == 22_050
    assert first.samples.dtype == np.float32
    assert first.samples.shape == (len(first.samples), 1)
    assert 0.4 < len(first.samples) / 22_050 < 3
    assert 0.05 < np.abs(first.samples).max() <= 0.99
    assert np.array_equal(first.samples, engine.speak(hello).samples)
    assert np.array_equal(first.samples, other.speak(hello).samples)
    again = engine.speak(Utterance(text="Hello there.", voice=JOE, attempt=1)).samples
    assert not np.array_equal(first.samples, again)
    quick = engine.speak(Utterance(text="Hello there.", voice=JOE, rate=2.0)).samples
    assert len(quick) < 0.7 * len(first.samples)


def test_nothing_to_say_is_refused(program: Path) -> None:
    """A text without a sound is refused."""
    with pytest.raises(EngineRefused, match="no way to say"):
        Piper().speak(Utterance(text="… —", voice=JOE))


def test_each_clause_keeps_its_mark(program: Path) -> None:
    """One process is asked for all clauses of an utterance, a line each; marks are put back behind them."""
    sounds = Espeak().ipa_of("Well, Dr. No: “really?” he\nsaid… merci!", "en-us", {})

    assert sounds == 'well, dr. no: "really? he said. merci!'
    assert _asked(program) == [
        [["-q", "--ipa", "-b", "1", "-v", "en-us"], 'Well\nDr. No\n"really\nhe said\nmerci\n'],
    ]


def test_a_text_is_never_an_option_or_markup(program: Path) -> None:
    """Texts go through stdin; what espeak-ng would take for sounds is no longer that."""
    Espeak().ipa_of("--path=/etc [[h@l]] -v fr", "en-us", {})

    assert _asked(program) == [[["-q", "--ipa", "-b", "1", "-v", "en-us"], "--path=/etc h@l -v fr\n"]]


def test_a_voice_cannot_name_an_option(program: Path) -> None:
    """The name of a language comes from a file of somebody else's."""
    with pytest.raises(NoSuchEngine, match="no name of a language"):
        Espeak().ipa_of("Hello", "--path=/etc", {})


def test_a_line_cut_in_two_is_one_clause(program: Path) -> None:
    """Where more lines come back than were asked for, each clause is asked for by itself."""
    assert Espeak().ipa_of("One cut, two.", "en", {}) == "one c ut, two."
    assert [text for _, text in _asked(program)] == ["One cut\ntwo\n", "One cut\n", "two\n"]


def test_given_sounds_are_used(program: Path) -> None:
    """A word whose sounds are given is not asked for."""
    assert Espeak().ipa_of("Say tomato, now.", "en", {"tomato": "təˈmɑːtəʊ"}) == "say təˈmɑːtəʊ, now."
    assert [text for _, text in _asked(program)] == ["Say\nnow\n"]


def test_a_program_that_fails(program: Path) -> None:
    """It dies over a sentence: that is refused. It is not there, or does not run: there is no such engine."""
    with pytest.raises(EngineRefused, match="fails over “Do not die"):
        Espeak().ipa_of("Do not die", "en", {})
    assert piper.missing(None) == ""

    program.write_text(f"#!{shutil.which('false', path='/bin:/usr/bin')}\n")
    with pytest.raises(NoSuchEngine, match="does not run"):
        Piper()

    program.unlink()
    assert "espeak-ng" in piper.missing(None)
    with pytest.raises(NoSuchEngine, match="not installed"):
        Piper()


def test_voices_of_ones_own(program: Path, tmp_path: Path) -> None:
    """Voices lie in the folder under Piper's own names; their files are part of the identity."""
    folder = tmp_path / "piper"
    folder.mkdir()
    (joe,) = piper_voices(None)
    shutil.copy(joe.model, folder / "de_DE-mine-low.onnx")
    shutil.copy(joe.settings, folder / "de_DE-mine-low.onnx.json")
    (folder / "without-settings.onnx").write_bytes(b"")

    engine = Piper(tmp_path)

    assert [(voice.name, voice.language) for voice in engine.voices] == [
        ("de_DE-mine-low", "de-DE"),
        (JOE, "en-US"),
    ]
    assert engine.voice_for("", "de") == "de_DE-mine-low"
    assert engine.identity != Piper().identity


@pytest.mark.parametrize("content", [b"", b"not a model", bytes([0xFF] * 40), b"\x3a\x7f"])
def test_a_damaged_model_is_found(program: Path, tmp_path: Path, content: bytes) -> None:
    """What is no model makes no voice, and says so."""
    (joe,) = piper_voices(None)
    folder = tmp_path / "piper"
    folder.mkdir()
    (folder / "en_GB-bad-low.onnx").write_bytes(content)
    shutil.copy(joe.settings, folder / "en_GB-bad-low.onnx.json")

    with pytest.raises(NoSuchEngine):
        Piper(tmp_path).speak(Utterance(text="Hello", voice="en_GB-bad-low"))


def test_noise_comes_from_outside() -> None:
    """Both sources of random numbers of a voice become inputs; a model without any stays as it is."""
    (joe,) = piper_voices(None)

    assert with_noise_given(joe.model.read_bytes())[1] == ["noise_0", "noise_1"]
    assert with_noise_given(b"") == (b"", [])
