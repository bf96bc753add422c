"""What is broken in a chunk is found; honest speech is let through."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from mixdown.dsp.processor import Block
from mixdown.speech.checks import fault_of
from mixdown.speech.engines.pico import Pico
from mixdown.speech.port import Spoken, Utterance

RATE_HZ = 16_000

SENTENCES = {
    "en-GB": ("No!", "Hm.", "7", "Shhhhhhhh!", "Dr. Smith vs. Mr. Jones, Ph.D.", "Wait, wait, wait, wait, wait!"),
    "en-US": ("OK.", "1,234,567,890", "Mmmmmm.", "It costs $1,499.99 (incl. VAT).", "We were away a year ago."),
    "de-DE": ("Ja.", "Psssst!", "1999", "Z. B. d. h. usw.", "Donaudampfschifffahrtsgesellschaftskapitän"),
    "fr-FR": (
        "Où ?",
        "Chut !",
        "42",
        "M. Dupont et Mme Durand.",
        "Les chaussettes de l'archiduchesse sont sèches.",
    ),
    "es-ES": ("Y.", "¡Shhh!", "7", "info@ejemplo.es", "Tres tristes tigres tragaban trigo en un trigal."),
    "it-IT": ("E.", "Ssst!", "100 %", "«E allora?», disse lei…", "Io amo le aiuole."),
}

TEXT = "The quick brown fox jumps over the lazy dog, and nobody knows why."


@pytest.fixture(scope="module")
def pico() -> Iterator[Pico]:
    engine = Pico()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def speech(pico: Pico) -> Block:
    return pico.speak(asked(TEXT)).samples


def asked(text: str, voice: str = "en-GB", rate: float = 1.0) -> Utterance:
    return Utterance(text=text, voice=voice, language=voice, rate=rate)


@pytest.mark.parametrize("rate", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("voice", SENTENCES)
def test_honest_speech_is_let_through(pico: Pico, voice: str, rate: float) -> None:
    """In every language, slow and fast: words, hisses, numbers, abbreviations, sentences."""
    utterances = [asked(text, voice, rate) for text in SENTENCES[voice]]

    assert [fault_of(pico.speak(utterance), utterance) for utterance in utterances] == [None] * len(utterances)


def sine(seconds: float, hz: float = 440.0) -> Block:
    wave = 0.3 * np.sin(2.0 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)
    return wave.astype(np.float32)[:, None]


def silence(seconds: float) -> Block:
    return np.zeros((round(seconds * RATE_HZ), 1), np.float32)


def noise(frames: int) -> Block:
    return (0.1 * np.random.default_rng(1).standard_normal((frames, 1))).astype(np.float32)


def loudest(samples: Block) -> int:
    """In the midst of a vowel."""
    power: NDArray[np.float64] = np.convolve(np.square(samples[:, 0], dtype=np.float64), np.ones(800), "same")
    return int(np.argmax(power))


def with_one(samples: Block, value: float) -> Block:
    changed = samples.copy()
    changed[1_000] = value
    return changed


def normal(samples: Block) -> Block:
    return samples / np.float32(np.abs(samples).max())


MADE: dict[str, tuple[Callable[[Block], Block], str]] = {
    "nothing": (lambda x: x[:0], "there is nothing in it."),
    "silence": (lambda x: 0.0 * x, "it is silent."),
    "too soft": (lambda x: x * np.float32(0.001), "it is silent."),
    "not a number": (lambda x: with_one(x, np.nan), "its samples are no numbers."),
    "infinite": (lambda x: with_one(x, np.inf), "its samples are no numbers."),
    "clipped at full scale": (lambda x: np.clip(3.0 * normal(x), -1.0, 1.0), "it is clipped."),
    "clipped below it": (lambda x: 0.6 * np.clip(3.0 * normal(x), -1.0, 1.0), "it is clipped."),
    "a hole": (lambda x: np.concatenate([x[:20_000], silence(3.0), x[20_000:]]), "silent for 3."),
    "silence behind": (lambda x: np.concatenate([x, silence(5.0)]), "silent for 5."),
    "silence before": (lambda x: np.concatenate([silence(5.0), x]), "silent for 5."),
    "noise": (lambda x: noise(len(x)), "it is noise."),
    "noise in its midst": (lambda x: np.concatenate([x[:20_000], noise(RATE_HZ), x[20_000:]]), "it is noise."),
    "a tone": (lambda x: sine(len(x) / RATE_HZ), "it hangs on one sound."),
    "a buzz": (lambda x: np.sign(sine(len(x) / RATE_HZ, 120.0)) * np.float32(0.3), "it "),
    "stuck": (
        lambda x: np.concatenate([x[:20_000], np.tile(x[19_200:20_000], (50, 1)), x[20_000:]]),
        "it hangs on one sound.",
    ),
    "broken off": (lambda x: x[: loudest(x)], "it breaks off."),
    "a tenth": (lambda x: np.concatenate([x[: len(x) // 10], silence(0.1)]), "it is over after"),
    "endless": (lambda x: np.concatenate([x] * 9), "it goes on for"),
}


@pytest.mark.parametrize("name", MADE)
def test_what_is_broken_is_named(speech: Block, name: str) -> None:
    """By what is wrong with it."""
    broken, fault = MADE[name]
    samples = broken(speech).astype(np.float32)

    assert fault in (fault_of(Spoken(samples=samples, sample_rate_hz=RATE_HZ), asked(TEXT)) or "nothing found")


@pytest.mark.parametrize("rate_hz", [0, 1_000, 384_000])
def test_a_rate_that_no_voice_has_is_named(speech: Block, rate_hz: int) -> None:
    """Before anything is made of it."""
    assert fault_of(Spoken(samples=speech, sample_rate_hz=rate_hz), asked(TEXT)) == (
        f"it has a sample rate of {rate_hz} Hz."
    )


def test_speech_of_the_wrong_rate_is_far_too_short(speech: Block) -> None:
    """What is labelled six times as fast as it is."""
    assert "is over after" in (fault_of(Spoken(samples=speech, sample_rate_hz=96_000), asked(TEXT)) or "")


def test_a_level_is_no_fault(speech: Block) -> None:
    """A soft voice is brought to its loudness, an offset is taken out."""
    for samples in (speech * np.float32(0.05), normal(speech), speech + np.float32(0.05)):
        assert fault_of(Spoken(samples=samples, sample_rate_hz=RATE_HZ), asked(TEXT)) is None
