"""DC removal."""

import numpy as np
import pytest

from mixdown.dsp.dc import DcRemoval
from tests.unit.signals import RATES_HZ, bursts, noise, processed, sine


def without_offset(signal, rate_hz: int = 48_000):
    return processed(DcRemoval(sample_rate_hz=rate_hz, channels=signal.shape[1]), signal)


def level_db(signal) -> float:
    return 20.0 * np.log10(np.sqrt(np.mean(signal.astype(np.float64) ** 2)))


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_an_offset_is_gone_from_the_first_sample_on(rate_hz: int):
    """An offset of each channel leaves no trace and no thump at the start."""
    signal = bursts(rate_hz, 3.0)
    offset = np.array([0.25, -0.1], np.float32)

    result = without_offset(signal + offset, rate_hz)

    assert abs(result - without_offset(signal, rate_hz)).max() < 1e-6
    assert abs(result.mean(axis=0)).max() < 2e-4


def test_a_sound_that_begins_in_the_middle_of_a_wave_does_not_thump():
    """The first sample of a sound is not taken for an offset."""
    tone = sine(50.0, 48_000, 2.25)[12_240:]

    result = without_offset(tone)

    assert abs(tone[0]) == pytest.approx(1.0, abs=0.01)
    assert abs(result[:24_000].mean()) < 0.01
    assert abs(result).max() < 1.06


def test_a_slow_drift_is_followed():
    """An offset that wanders over tens of seconds is taken out as well."""
    drift = sine(0.02, 48_000, 50.0, peak=0.3)

    assert level_db(without_offset(drift)) < level_db(drift) - 35.0


@pytest.mark.parametrize(("frequency_hz", "loss_db"), [(20.0, 0.1), (40.0, 0.03), (1_000.0, 0.002)])
def test_it_is_inaudible(frequency_hz: float, loss_db: float):
    """The lowest note loses less than a tenth of a decibel."""
    tone = sine(frequency_hz, 48_000, 4.0, peak=0.5)

    assert level_db(without_offset(tone)) == pytest.approx(level_db(tone), abs=loss_db)


def test_a_signal_shorter_than_the_opening_loses_its_offset():
    """A tenth of a second is enough to know it."""
    short = noise(4_800) * np.float32(0.01) + np.float32(0.2)

    result = without_offset(short)

    assert result.shape == short.shape
    assert abs(result.mean()) < 1e-3
