"""The high-pass."""

import numpy as np
import pytest
from scipy.signal import butter, sosfilt, sosfilt_zi

from mixdown.dsp.filters import HighPassFilter
from tests.unit.signals import RATES_HZ, noise, processed, sine


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("cutoff_hz", [10.0, 80.0, 500.0])
def test_it_is_a_fourth_order_butterworth(cutoff_hz: float, rate_hz: int):
    """Same samples as scipy's design, started in the steady state of the first sample."""
    signal = noise(20_000)
    sections = butter(4, cutoff_hz, "highpass", fs=rate_hz, output="sos")
    start = sosfilt_zi(sections)[:, :, None] * signal[0]

    expected, _ = sosfilt(sections, signal.astype(np.float64), axis=0, zi=start)

    result = processed(HighPassFilter(cutoff_hz, sample_rate_hz=rate_hz, channels=2), signal)
    assert result == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize(
    ("frequency_hz", "gain_db", "tolerance_db"),
    [(20, -48.2, 0.5), (40, -24.1, 0.2), (80, -3.01, 0.05), (400, 0, 0.05)],
)
def test_slope(frequency_hz: float, gain_db: float, tolerance_db: float):
    """24 dB per octave below the cutoff, half the power at it, nothing above."""
    tone = sine(frequency_hz, 48_000, 4.0, peak=0.5)

    result = processed(HighPassFilter(80.0, sample_rate_hz=48_000, channels=1), tone)

    settled = slice(96_000, None)
    measured_db = 20.0 * np.log10(np.std(result[settled]) / np.std(tone[settled]))
    assert measured_db == pytest.approx(gain_db, abs=tolerance_db)


def test_an_offset_is_gone_from_the_first_sample_on():
    """A DC offset neither stays nor begins with a thump."""
    offset = np.full((48_000, 2), 0.25, np.float32)

    assert not processed(HighPassFilter(80.0, sample_rate_hz=48_000, channels=2), offset).any()


@pytest.mark.parametrize("cutoff_hz", [0.0, -5.0, 2_000.0, 4_000.0])
def test_an_impossible_cutoff_is_refused(cutoff_hz: float):
    """A cutoff must lie between 0 and half the sample rate."""
    with pytest.raises(ValueError, match="cutoff"):
        HighPassFilter(cutoff_hz, sample_rate_hz=4_000, channels=1)
