"""What the channels have to do with each other."""

import math

import numpy as np
import pytest
from hypothesis import given, settings

from mixdown.dsp.channel_balance import ChannelBalance, ChannelSurvey, SideToBoth
from mixdown.dsp.processor import Block
from tests.unit.signals import block_lengths, bursts, cut, noise, processed, sine


def surveyed(*blocks: Block) -> ChannelBalance:
    survey = ChannelSurvey(blocks[0].shape[1])
    for block in blocks:
        survey.push(block)
    return survey.report()


def test_levels_are_rms():
    """A full-scale sine lies 3 dB below full scale, a silent channel at minus infinity."""
    tone = sine(1_000.0, 48_000)

    balance = surveyed(np.hstack([tone, 0.0 * tone]))

    assert balance.level_dbfs == (pytest.approx(-3.01, abs=0.01), -math.inf)


@pytest.mark.parametrize(
    ("left_to_right", "expected"), [((1.0, 1.0), 1.0), ((1.0, -1.0), -1.0), ((1.0, 0.1), 1.0), ((1.0, 0.0), 0.0)]
)
def test_correlation(left_to_right: tuple[float, float], expected: float):
    """The same sound correlates fully at any level, and negatively where one side is inverted."""
    signal = bursts(48_000)[:, :1] * np.array(left_to_right, np.float32)

    assert surveyed(signal).correlation == pytest.approx(expected, abs=1e-6)


def test_unlike_sides_are_uncorrelated():
    """Two noises have nothing to do with each other."""
    balance = surveyed(noise(48_000))

    assert balance.correlation == pytest.approx(0.0, abs=0.02)
    assert not balance.identical
    assert balance.silent_side is None


def test_identical_sides_are_told_with_dither_between_them():
    """Dual mono stays dual mono when each side was dithered to 16 bits of its own."""
    both = np.repeat(bursts(48_000)[:, :1], 2, axis=1)

    assert surveyed(both).identical
    assert surveyed(both + noise(len(both), rms=1e-5)).identical
    assert not surveyed(both * np.array([1.0, 0.9], np.float32)).identical


@pytest.mark.parametrize("dead", [0, 1])
@pytest.mark.parametrize("hiss_dbfs", [-math.inf, -110.0, -75.0])
def test_a_dead_side_is_found_and_filled(dead: int, hiss_dbfs: float):
    """A side with nothing, or with noise far below the other, gets what the other carries."""
    signal = np.repeat(bursts(48_000)[:, :1], 2, axis=1)
    signal[:, dead] = noise(len(signal), 1, rms=10.0 ** (hiss_dbfs / 20.0))[:, 0]

    balance = surveyed(signal)
    result = processed(SideToBoth(balance, channels=2), signal)

    assert balance.silent_side == dead
    assert np.array_equal(result[:, dead], signal[:, 1 - dead])
    assert np.array_equal(result[:, 1 - dead], signal[:, 1 - dead])


@pytest.mark.parametrize("quiet_db", [-30.0, -50.0])
def test_a_quiet_side_with_the_same_sound_is_not_dead(quiet_db: float):
    """A side that leaks the other, however faintly, was meant or can be balanced: it is left alone."""
    signal = np.repeat(bursts(48_000)[:, :1], 2, axis=1)
    signal[:, 1] *= np.float32(10.0 ** (quiet_db / 20.0))

    balance = surveyed(signal)

    assert balance.silent_side is None
    assert np.array_equal(processed(SideToBoth(balance, channels=2), signal), signal)


def test_silence_and_mono_have_no_dead_side():
    """Where nothing is on either side, or there is one channel only, there is nothing to fill."""
    assert surveyed(np.zeros((1_000, 2), np.float32)).silent_side is None
    assert surveyed(np.zeros((0, 2), np.float32)).silent_side is None
    assert surveyed(noise(1_000, 1)) == ChannelBalance(
        level_dbfs=(pytest.approx(-20.0, abs=0.5),), correlation=1.0, identical=True, silent_side=None
    )


@given(lengths=block_lengths)
@settings(deadline=None, max_examples=30)
def test_any_split_gives_the_same_report(lengths: list[int]):
    """However a signal is cut into blocks, the same is found."""
    signal = noise(9_000, rms=0.3)

    assert surveyed(*cut(signal, lengths)) == surveyed(signal)
