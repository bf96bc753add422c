"""Clipping: found, and peaks rebuilt."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixdown.dsp.declip import Clipping, ClipRepair, ClipSurvey
from mixdown.dsp.processor import Block
from tests.signals import speech_like
from tests.unit.signals import cut, noise, processed, sine

RATE_HZ = 48_000


def surveyed(*blocks: Block) -> Clipping:
    survey = ClipSurvey(blocks[0].shape[1])
    for block in blocks:
        survey.push(block)
    return survey.report()


def repaired(signal: Block, clipping: Clipping) -> Block:
    return processed(ClipRepair(clipping, sample_rate_hz=RATE_HZ, channels=signal.shape[1]), signal)


def nearness_db(clean: Block, other: Block) -> float:
    """Signal-to-distortion ratio."""
    error = clean.astype(np.float64) - other
    return float(10.0 * np.log10(np.sum(clean.astype(np.float64) ** 2) / np.sum(error**2)))


def speech() -> Block:
    voice = speech_like(6.0, rate_hz=RATE_HZ) + noise(6 * RATE_HZ, 1, rms=1e-4)
    return voice * np.float32(0.9 / abs(voice).max())


def music() -> Block:
    time_s = np.arange(6 * RATE_HZ) / RATE_HZ
    swell = 0.6 + 0.4 * np.sin(2.0 * np.pi * 0.7 * time_s)
    chord = sum(np.sin(2.0 * np.pi * hz * time_s + hz) for hz in (196.0, 246.9, 293.7, 392.0, 1_174.0))
    signal = (chord * swell)[:, None] + noise(len(time_s), 1, rms=0.01)
    return (0.9 * signal / abs(signal).max()).astype(np.float32)


def clipped(signal: Block, by_db: float) -> tuple[Block, float]:
    """The signal with its peaks cut off this far below the highest, and that level."""
    level = float(abs(signal).max()) * 10.0 ** (-by_db / 20.0)
    return np.clip(signal, -level, level), level


def in_16_bits(signal: Block) -> Block:
    return (np.round(signal * 32_767.0) / 32_767.0).astype(np.float32)


@pytest.mark.parametrize("make", [speech, music])
@pytest.mark.parametrize(("by_db", "nearer_db"), [(1.0, 5.0), (3.0, 6.0), (6.0, 6.0), (10.0, 4.0)])
def test_peaks_are_rebuilt(make, by_db: float, nearer_db: float):
    """What comes out is much nearer to the sound before it was clipped, and turned down since."""
    clean = make()
    cut_off, level = clipped(clean, by_db)
    signal = in_16_bits(cut_off * np.float32(0.5))

    clipping = surveyed(signal)
    result = repaired(signal, clipping)

    assert clipping.level_dbfs == pytest.approx(20.0 * np.log10(level * 0.5), abs=0.06)
    assert nearness_db(clean, 2.0 * result) > nearness_db(clean, 2.0 * signal) + nearer_db


def test_only_what_was_cut_off_changes():
    """Samples below the level come out bit for bit; those at it move outwards only."""
    signal, level = clipped(speech(), 6.0)

    result = repaired(signal, surveyed(signal))

    below = abs(signal) < 0.99 * level
    assert np.array_equal(result[below], signal[below])
    assert (np.sign(signal[~below]) * (result - signal)[~below] >= 0.0).all()


@pytest.mark.parametrize("by_db", [6.0, 20.0, 40.0])
def test_peaks_rise_by_12_db_at_most(by_db: float):
    """However much was cut off."""
    signal, level = clipped(speech(), by_db)

    result = repaired(signal, surveyed(signal))

    assert np.isfinite(result).all()
    assert abs(result).max() <= 4.1 * level


def test_each_polarity_and_channel_has_its_level():
    """A stage that clips on one side of zero, and of one channel, is found there only."""
    both = np.repeat(speech(), 2, axis=1)
    signal = both.copy()
    signal[:, 0] = np.minimum(signal[:, 0], 0.4)

    clipping = surveyed(signal)
    result = repaired(signal, clipping)

    ((above, below), right) = clipping.tops
    assert above is not None
    assert above.level == pytest.approx(0.4, rel=0.01)
    assert below is None
    assert right == (None, None)
    assert np.array_equal(result[:, 1], signal[:, 1])
    assert np.array_equal(result[signal[:, 0] < 0.0], signal[signal[:, 0] < 0.0])


def test_tops_that_are_only_nearly_flat_are_found():
    """A ripple on flat tops, as a filter or a lossy coder leaves it, does not hide them."""
    clean = speech()
    cut_off, level = clipped(clean, 6.0)
    signal = cut_off + (0.006 * np.sin(np.arange(len(cut_off)) * 1.9))[:, None].astype(np.float32)

    clipping = surveyed(signal)

    assert clipping.level_dbfs == pytest.approx(20.0 * np.log10(level), abs=0.5)
    assert nearness_db(clean, repaired(signal, clipping)) > nearness_db(clean, signal) + 3.0


def square() -> Block:
    return np.sign(sine(220.0, RATE_HZ, 3.0)) * np.float32(0.5)


@pytest.mark.parametrize(
    "make",
    [
        speech,
        music,
        lambda: noise(3 * RATE_HZ, rms=0.2),
        lambda: sine(50.0, RATE_HZ, 3.0, peak=0.9),
        lambda: sine(440.0, RATE_HZ, 3.0, peak=0.9),
        lambda: in_16_bits(sine(997.0, RATE_HZ, 3.0)),
        lambda: in_16_bits(noise(3 * RATE_HZ, rms=1e-3)),
        square,
        lambda: np.zeros((RATE_HZ, 2), np.float32),
        lambda: np.zeros((0, 2), np.float32),
    ],
    ids=["speech", "music", "noise", "50 Hz", "440 Hz", "997 Hz", "faint", "square", "silence", "nothing"],
)
def test_no_false_alarm(make):
    """Sound with whole peaks, sines at full scale, faint noise in 16 bits and square waves are not clipped."""
    signal = make()

    clipping = surveyed(signal)

    assert clipping.level_dbfs is None
    assert clipping.runs == clipping.samples == clipping.share == 0
    assert np.array_equal(repaired(signal, clipping), signal)


def test_what_was_cut_off_is_counted():
    """Runs and samples of flat tops, and their share of the recording."""
    signal, level = clipped(music(), 3.0)

    clipping = surveyed(signal)

    at_the_level = int((abs(signal) >= 0.9999 * level).sum())
    assert 0.7 * at_the_level <= clipping.samples <= at_the_level * 1.1
    assert clipping.share == clipping.samples / len(signal)
    assert 0 < clipping.runs < clipping.samples


@given(lengths=st.lists(st.integers(0, 20_000), max_size=6))
@settings(deadline=None, max_examples=20)
def test_any_split_gives_the_same_report(lengths: list[int]):
    """However a signal is cut into blocks, the same is found."""
    signal, _ = clipped(speech()[: 2 * RATE_HZ], 6.0)

    assert surveyed(*cut(signal, lengths)) == surveyed(signal)
