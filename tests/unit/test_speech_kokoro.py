"""Kokoro: the real model says the same every time; numbers, sounds and long texts reach it as they should."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixdown.errors import EngineRefused, NoSuchEngine, UnknownLanguage
from mixdown.speech.engines import kokoro
from mixdown.speech.engines.english import read_out
from mixdown.speech.engines.kokoro import Kokoro
from mixdown.speech.engines.kokoro_letters import NUMBERS, british, from_ipa, numbered
from mixdown.speech.models import kokoro_parts
from mixdown.speech.port import Spoken, Utterance


@pytest.fixture(scope="module")
def engine() -> Kokoro:
    """The engine, of the wheels that are in the lock."""
    return Kokoro()


def _said(engine: Kokoro, text: str, voice: str = "af_heart", rate: float = 1.0) -> Spoken:
    return engine.speak(Utterance(text=text, voice=voice, rate=rate))


def test_it_says_the_same_every_time(engine: Kokoro) -> None:
    """Mono float32 at 24 kHz, loud enough, never clipped, the same samples again and in several threads."""
    first = _said(engine, "Good morning.")
    _said(engine, "Something else.", "bm_george")
    again: list[Spoken] = []
    threads = [threading.Thread(target=lambda: again.append(_said(engine, "Good morning."))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert first.sample_rate_hz == 24_000
    assert first.samples.dtype == np.float32
    assert first.samples.shape == (len(first.samples), 1)
    assert 0.7 < len(first.samples) / 24_000 < 3
    assert 0.1 < np.abs(first.samples).max() <= 0.99
    assert len(again) == 3
    assert all(np.array_equal(first.samples, each.samples) for each in again)


def test_voices_and_rates_differ(engine: Kokoro) -> None:
    """Another voice gives another sound; twice as fast is shorter."""
    usual, other = _said(engine, "Good morning."), _said(engine, "Good morning.", "am_michael")
    quick = _said(engine, "Good morning.", rate=2.0)

    assert not np.array_equal(usual.samples, other.samples)
    assert len(quick.samples) < 0.75 * len(usual.samples)


def test_the_voice_for_a_language(engine: Kokoro) -> None:
    """English in two regions, and nothing else."""
    assert engine.voice_for("", "en") == "af_heart"
    assert engine.voice_for("", "en-GB") == "bf_emma"
    assert engine.voice_for("BM_George", "en") == "bm_george"
    with pytest.raises(UnknownLanguage):
        engine.voice_for("", "de")


@pytest.mark.parametrize("text", ["", "…", "日本語", "Привет"])
def test_nothing_to_say_is_refused(engine: Kokoro, text: str) -> None:
    """A text without a letter that it can say is refused rather than made into noise."""
    with pytest.raises(EngineRefused, match="no way to say"):
        _said(engine, text)


def test_a_long_text_is_said_in_parts(engine: Kokoro) -> None:
    """More sounds than the model takes at once are cut between words, and every one is in a part."""
    letters = engine.letters_of("$1,749.99 and " * 25, {})
    parts = list(kokoro._of_bearable_length(letters))

    assert len(letters) > 510
    assert " ".join(parts) == letters
    assert all(0 < len(part) <= 510 for part in parts)
    assert [len(part) for part in kokoro._of_bearable_length("x" * 1_100)] == [510, 510, 80]


def test_given_sounds_are_used(engine: Kokoro) -> None:
    """A word whose sounds are given has them, whole words only; the rest is said as ever."""
    letters = engine.letters_of("Siobhan's tomato, tomatoes.", {"tomato": "/təˈmɑːtəʊ/", "Siobhan": "ʃɪˈvɔːn"})

    assert letters.startswith("ʃɪˈvɔːns")
    assert "təˈmɑːtQ," in letters
    assert letters.count("mɑːtQ") == 1


def test_sounds_in_kokoros_letters() -> None:
    """Diphthongs and affricates are single letters; r is silent in London unless a vowel follows, even a word's."""
    assert from_ipa("t͡ʃeɪndʒ gəʊ boʊt naʊ") == "ʧAnʤ ɡQ bOt nW"
    assert british("fˈɔɹ kˈɑɹz nˈɪɹ ə bˈɜɹd, fˈɔɹ ˈApəlz") == "fˈɔː kˈɑːz nˈɪɹ ə bˈɜːd, fˈɔɹ ˈApəlz"
    assert set(british("".join(NUMBERS))) <= set(NUMBERS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("At 12:30, 9:05 am and 17:00 or 9:00.", "At 12 30, 9 oh 5 A M and 17 hundred or 9 o’clock."),
        ("10€ or $5 million, ¥7 each", "€10 or $5 million, 7 yen each"),
        ("10–12 km at 3.5 km/h and 20 °C", "10 to 12 kilometres at 3.5 kilometres per hour and 20 degrees Celsius"),
        ("16:9, 2½ cups", "16 to 9, 2 and one half cups"),
        ("Mail me@site.com!", "Mail me at site dot com!"),
        ("https://www.example.org/a", "W W W dot example dot org slash a"),
        ("The end. Next, e.g. this.", "The end. Next, e.g. this."),
        ("naïve Łódź Привет 日本", "naïve Łódź"),
        ("1234567890123456 in all", "1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 in all"),
    ],
)
def test_english_as_it_is_read_out(text: str, said: str) -> None:
    """What a dictionary would pass over is put into words."""
    assert read_out(text) == said


@settings(max_examples=25, deadline=None, database=None)
@given(text=st.text(max_size=8))
def test_any_text_has_sounds_or_none(engine: Kokoro, text: str) -> None:
    """Whatever the text, it comes to numbers that the model knows, and never to a crash."""
    assert all(0 < number < 178 for number in numbered(engine.letters_of(text, {})))


def test_a_damaged_model_is_found(tmp_path: Path) -> None:
    """A file of the folder goes before the wheels, and is refused if it is not the model that is known."""
    (tmp_path / "kokoro").mkdir()
    model = tmp_path / "kokoro" / "kokoro-v1.0.int8.onnx"
    model.write_bytes(b"not a model")

    assert kokoro_parts(tmp_path) == ([model], [])
    with pytest.raises(NoSuchEngine, match="damaged"):
        Kokoro(tmp_path)


def test_voices_of_ones_own(tmp_path: Path) -> None:
    """Style files of the folder are voices; one of another size is none; they are part of the identity."""
    (tmp_path / "kokoro").mkdir()
    (tmp_path / "kokoro" / "af_mine.bin").write_bytes(bytes(510 * 256 * 4))
    (tmp_path / "kokoro" / "af_short.bin").write_bytes(bytes(100))

    names = [voice.name for voice in kokoro.voices_in(tmp_path)]

    assert names == ["af_heart", "am_michael", "bf_emma", "bm_george", "af_mine"]
    assert Kokoro(tmp_path).identity != Kokoro().identity
