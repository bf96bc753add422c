"""The de-esser."""

import itertools

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from mixdown.dsp.deess import DeEsser
from mixdown.dsp.processor import Block
from tests.signals import speech_like
from tests.unit.signals import noise, processed

RATE_HZ = 48_000


def band(signal: Block, low_hz: float, high_hz: float, rate_hz: int = RATE_HZ) -> np.ndarray:
    return sosfiltfilt(butter(4, [low_hz, high_hz], "bandpass", fs=rate_hz, output="sos"), signal, axis=0)


def hiss(frames: int, rate_hz: int = RATE_HZ, seed: int = 5) -> np.ndarray:
    """An s: noise from 4.5 to 9.5 kHz, in a swell, RMS 1."""
    burst = band(
        np.random.default_rng(seed).standard_normal((frames, 1)), 4_500, min(9_500, 0.49 * rate_hz), rate_hz
    )
    burst *= np.hanning(frames)[:, None] ** 0.5
    return burst / np.sqrt(np.mean(burst**2))


def sentence(s_level_db: float, *, rate_hz: int = RATE_HZ, gain_db: float = 0.0) -> tuple[Block, list[slice]]:
    """Vowels, every 0.7 s an s of 150 ms that is so loud against them; and where these are."""
    voice = speech_like(7.0, rate_hz=rate_hz, level_dbfs=-20.0).astype(np.float64)
    length = round(0.15 * rate_hz)
    places = [
        slice(start, start + length) for start in range(rate_hz // 2, len(voice) - length, round(0.7 * rate_hz))
    ]
    for index, place in enumerate(places):
        voice[place] = hiss(length, rate_hz, index) * 10 ** ((s_level_db - 20.0) / 20)
    return (voice * 10 ** (gain_db / 20)).astype(np.float32), places


def de_essed(signal: Block, reduction_db: float = 6.0, rate_hz: int = RATE_HZ) -> Block:
    return processed(DeEsser(reduction_db=reduction_db, sample_rate_hz=rate_hz, channels=signal.shape[1]), signal)


def change_db(before: np.ndarray, after: np.ndarray) -> float:
    return float(10.0 * np.log10(np.sum(np.square(after)) / np.sum(np.square(before))))


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("s_level_db", [-6.0, 0.0])
def test_a_sharp_s_is_turned_down(s_level_db: float, rate_hz: int):
    """An s nearly as loud as the vowels loses 3 to 6 dB between 5 and 9 kHz, at any rate that holds it."""
    signal, places = sentence(s_level_db, rate_hz=rate_hz)

    before, after = (band(x, 5_000, 9_000, rate_hz) for x in (signal, de_essed(signal, rate_hz=rate_hz)))

    for place in places:
        assert -6.0 <= change_db(before[place], after[place]) <= -3.0


def test_a_soft_s_is_left_alone():
    """An s 26 dB below the vowels is how it should be, once it is known how loud these are."""
    signal, places = sentence(-26.0)
    result = de_essed(signal)

    assert all(abs(change_db(signal[place], result[place])) < 0.2 for place in places[2:])


@pytest.mark.parametrize("reduction_db", [1.0, 3.0, 12.0])
def test_no_more_than_was_asked_for(reduction_db: float):
    """The reduction is the most that is taken away, and a very sharp s comes near it."""
    signal, places = sentence(3.0)

    before, after = (band(x, 6_000, 7_000) for x in (signal, de_essed(signal, reduction_db)))

    changes_db = [change_db(before[place], after[place]) for place in places]
    assert min(changes_db) >= -reduction_db - 0.1
    assert np.median(changes_db) < -0.7 * reduction_db


@pytest.mark.parametrize("gain_db", [-40.0, -20.0, 10.0])
def test_the_level_of_the_recording_does_not_matter(gain_db: float):
    """Everything is a ratio: softer in, as much softer out."""
    signal, _ = sentence(-6.0)
    moved, _ = sentence(-6.0, gain_db=gain_db)

    expected = de_essed(signal) * 10 ** (gain_db / 20)

    assert np.abs(de_essed(moved) - expected).max() < 1e-3 * np.abs(expected).max()


def test_vowels_are_left_bit_for_bit():
    """Where no s is near, the samples are those that went in."""
    signal = speech_like(5.0, level_dbfs=-20.0)

    assert np.array_equal(de_essed(signal), signal)


def test_vowels_between_sharp_sounds_change_by_less_than_a_fifth_of_a_decibel():
    """The gain is back when the vowel comes."""
    signal, places = sentence(0.0)
    result = de_essed(signal)

    for first, second in itertools.pairwise(places):
        between = slice(first.stop + 2_400, second.start - 480)
        assert abs(change_db(signal[between], result[between])) < 0.2


def test_music_with_cymbals_is_not_dulled():
    """Chords with a hi-hat over them keep their highs."""
    rng = np.random.default_rng(2)
    time_s = np.arange(4 * RATE_HZ) / RATE_HZ
    chord = sum(np.sin(2 * np.pi * hz * time_s) for hz in (110.0, 220.0, 277.2, 329.6, 440.0))
    strokes = np.exp(-((time_s % 0.25) / 0.05)) * rng.standard_normal(len(time_s))
    music = (0.06 * chord + 0.03 * strokes).astype(np.float32)[:, None]

    before, after = band(music, 5_000, 16_000), band(de_essed(music), 5_000, 16_000)

    assert change_db(before, after) > -0.3


def test_steady_hiss_is_no_s():
    """Noise that goes on is let through after a moment."""
    signal = noise(4 * RATE_HZ, 1)

    assert np.array_equal(de_essed(signal)[2 * RATE_HZ :], signal[2 * RATE_HZ :])


def test_channels_are_turned_down_alike():
    """An s on the left does not pull the image to the right: what is the same on both sides stays so."""
    signal, _ = sentence(0.0)
    both = np.concatenate([signal, signal * 0.5], axis=1)

    result = de_essed(both)

    assert np.allclose(result[:, 1], result[:, 0] * 0.5, atol=1e-6)


@pytest.mark.parametrize(("reduction_db", "rate_hz"), [(0.0, 48_000), (12.0, 8_000), (12.0, 11_025)])
def test_nothing_to_do_leaves_every_sample(reduction_db: float, rate_hz: int):
    """No reduction, or a rate that holds no sharp sounds."""
    signal = noise(5_000)

    assert np.array_equal(de_essed(signal, reduction_db, rate_hz), signal)


@pytest.mark.parametrize("reduction_db", [-1.0, float("nan")])
def test_a_negative_reduction_is_refused(reduction_db: float):
    """A de-esser does not sharpen."""
    with pytest.raises(ValueError, match="at least 0"):
        DeEsser(reduction_db=reduction_db, sample_rate_hz=48_000, channels=1)
