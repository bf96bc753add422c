"""Samples as whole numbers."""

import numpy as np
import pytest
from hypothesis import given, settings

from mixdown.dsp.dither import Dither, quantize
from tests.unit.signals import block_lengths, cut, noise, sine


@pytest.mark.parametrize("bit_depth", [16, 24])
@given(lengths=block_lengths)
@settings(deadline=None, max_examples=30)
def test_any_split_gives_the_same_numbers(bit_depth: int, lengths: list[int]):
    """However a signal is cut into blocks, and each time anew, the numbers are the same."""
    signal = noise(3_000)
    signal[1_000:1_100] = 0.0
    dither = Dither()

    split = np.concatenate([quantize(block, bit_depth, dither) for block in cut(signal, lengths)])

    assert np.array_equal(split, quantize(signal, bit_depth, Dither()))


@pytest.mark.parametrize(
    ("bit_depth", "dtype", "largest_error"), [(16, np.int16, 1.5 / 2**15), (24, np.int32, 0.5 / 2**23)]
)
def test_the_numbers_are_the_samples(bit_depth: int, dtype: type, largest_error: float):
    """24 bit are rounded, 16 bit are off by one and a half at most; 24 bit are left-justified."""
    signal = noise(50_000)

    numbers = quantize(signal, bit_depth, Dither())

    assert numbers.dtype == dtype
    back = numbers / (2.0**15 if bit_depth == 16 else 2.0**31)
    assert np.abs(back - signal).max() <= largest_error
    if bit_depth == 24:
        assert not (numbers & 0xFF).any()


@pytest.mark.parametrize(
    ("bit_depth", "lowest", "highest"), [(16, -(2**15), 2**15 - 1), (24, -(2**31), 2**31 - 256)]
)
def test_full_scale_is_the_limit(bit_depth: int, lowest: int, highest: int):
    """What is too loud is clipped, it does not wrap around."""
    signal = np.float32([[-100.0], [-1.1], [-1.0], [1.0], [1.1], [100.0]])

    numbers = quantize(signal, bit_depth, Dither())[:, 0]

    assert numbers[:2].tolist() == [lowest] * 2
    assert numbers[-2:].tolist() == [highest] * 2
    assert (numbers[2] < 0 < numbers[3]).all()


def test_digital_silence_stays_silent():
    """Frames of nothing get no dither; a quiet channel beside a sounding one does."""
    signal = np.zeros((2_000, 2), np.float32)
    signal[1_000:, 0] = 0.1

    numbers = quantize(signal, 16, Dither())

    assert not numbers[:1_000].any()
    assert numbers[1_000:, 1].any()


def test_the_error_does_not_depend_on_the_signal():
    """A tone smaller than one step is kept under the noise instead of lost, without harmonics."""
    tone = sine(100.0, 8_000, 60.0, peak=0.4 / 2**15)

    numbers = quantize(tone, 16, Dither())[:, 0].astype(np.float64)

    spectrum = np.abs(np.fft.rfft(numbers)) / (len(numbers) / 2)
    assert spectrum[6_000] == pytest.approx(0.4, abs=0.02)
    assert spectrum[[12_000, 18_000, 30_000]].max() < 0.02


def test_the_noise_is_triangular():
    """The error has a mean of 0 and a power of a quarter of a step squared: rounding and two uniform noises."""
    signal = noise(200_000, 1)

    error = quantize(signal, 16, Dither()) - signal.astype(np.float64) * 2.0**15

    assert error.mean() == pytest.approx(0.0, abs=0.01)
    assert error.var() == pytest.approx(0.25, abs=0.005)
