"""The meter against the test signals of EBU Tech 3341 and 3342, made as their texts describe them.

Numbers are those of EBU Tech 3341 (2016), table 1, EBU Tech 3342 (2016), table 1, and ITU-R BS.1770-4,
Annex 1. Cases 3341-7 and -8 (3342-5 and -6) are recordings and are not here.
"""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import firwin, oaconvolve

from mixdown.dsp.kweighting import coefficients
from mixdown.dsp.loudness import LoudnessMeter
from mixdown.dsp.processor import Block
from mixdown.model import LevelReport

#: Signals are defined for any rate; 11.025 kHz has no whole number of samples in 10 or 100 ms.
RATES_HZ = [48_000, 44_100, 22_050, 11_025, 96_000]

LUFS_TOLERANCE = 0.1
LRA_TOLERANCE = 1.0

#: Levels in dBFS and durations in s of the tones that follow each other.
Tones = list[tuple[float, float]]


def tones(levels: Tones, rate_hz: int, *, channels: int = 2) -> Block:
    """1000 Hz in phase in every channel, with the given peak levels one after the other."""
    ends = np.rint(np.cumsum([duration_s for _, duration_s in levels]) * rate_hz).astype(int)
    lengths = np.diff(ends, prepend=0)
    amplitude = np.repeat([10.0 ** (level_dbfs / 20.0) for level_dbfs, _ in levels], lengths)
    sine = amplitude * np.sin(2.0 * np.pi * 1000.0 * np.arange(ends[-1]) / rate_hz)
    return np.repeat(sine[:, None], channels, axis=1).astype(np.float32)


def measure(signal: NDArray[np.floating], rate_hz: int) -> LevelReport:
    """The report on a signal that comes in blocks."""
    meter = LoudnessMeter(rate_hz, signal.shape[1])
    for start in range(0, len(signal), 65_536):
        meter.push(signal[start : start + 65_536].astype(np.float32))
    return meter.report()


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize(
    ("case", "levels", "integrated_lufs"),
    [
        (1, [(-23.0, 20.0)], -23.0),
        (2, [(-33.0, 20.0)], -33.0),
        (3, [(-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0)], -23.0),
        (4, [(-72.0, 10.0), (-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0), (-72.0, 10.0)], -23.0),
        (5, [(-26.0, 20.0), (-20.0, 20.1), (-26.0, 20.0)], -23.0),
    ],
)
def test_tech_3341_integrated(case: int, levels: Tones, integrated_lufs: float, rate_hz: int):
    """Cases 1 to 5: integrated loudness, gated, of tones in stereo."""
    report = measure(tones(levels, rate_hz), rate_hz)

    assert report.integrated_lufs == pytest.approx(integrated_lufs, abs=LUFS_TOLERANCE)
    if case <= 2:
        assert report.momentary_max_lufs == pytest.approx(integrated_lufs, abs=LUFS_TOLERANCE)
        assert report.short_term_max_lufs == pytest.approx(integrated_lufs, abs=LUFS_TOLERANCE)


@pytest.mark.parametrize("lfe_dbfs", [None, -10.0])
def test_tech_3341_case_6_surround(lfe_dbfs: float | None):
    """Case 6: 5.0 with -28, -28, -24, -30, -30 dBFS reads -23 LUFS; in 5.1 the LFE does not count."""
    levels_dbfs = [-28.0, -28.0, -24.0, -30.0, -30.0]
    if lfe_dbfs is not None:
        levels_dbfs.insert(3, lfe_dbfs)

    signal = np.hstack([tones([(level, 20.0)], 48_000, channels=1) for level in levels_dbfs])

    assert measure(signal, 48_000).integrated_lufs == pytest.approx(-23.0, abs=LUFS_TOLERANCE)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_tech_3341_case_9_short_term(rate_hz: int):
    """Case 9: the highest short-term loudness of levels that alternate within the window is -23."""
    signal = tones([(-20.0, 1.34), (-30.0, 1.66)] * 5, rate_hz)

    assert measure(signal, rate_hz).short_term_max_lufs == pytest.approx(-23.0, abs=LUFS_TOLERANCE)


@pytest.mark.parametrize("index", range(20))
def test_tech_3341_case_10_short_term(index: int):
    """Case 10: a tone of 3 s reads -23 LUFS wherever it begins."""
    signal = tones([(-200.0, index * 0.15), (-23.0, 3.0), (-200.0, 1.0)], 48_000)

    assert measure(signal, 48_000).short_term_max_lufs == pytest.approx(-23.0, abs=LUFS_TOLERANCE)


def test_tech_3341_case_11_short_term_live():
    """Case 11: read after each of 20 ever louder tones, the highest short-term loudness is that tone's."""
    meter = LoudnessMeter(48_000, 2)

    for index in range(20):
        silence_s = index * 0.15
        meter.push(tones([(-200.0, silence_s), (-38.0 + index, 3.0), (-200.0, 3.0 - silence_s)], 48_000))

        assert meter.report().short_term_max_lufs == pytest.approx(-38.0 + index, abs=LUFS_TOLERANCE)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_tech_3341_case_12_momentary(rate_hz: int):
    """Case 12: the highest momentary loudness of levels that alternate within the window is -23."""
    signal = tones([(-20.0, 0.18), (-30.0, 0.22)] * 25, rate_hz)

    assert measure(signal, rate_hz).momentary_max_lufs == pytest.approx(-23.0, abs=LUFS_TOLERANCE)


@pytest.mark.parametrize("rate_hz", [48_000, 11_025])
@pytest.mark.parametrize("index", range(20))
def test_tech_3341_case_13_momentary(index: int, rate_hz: int):
    """Case 13: a tone of 400 ms reads -23 LUFS wherever it begins."""
    signal = tones([(-200.0, index * 0.02), (-23.0, 0.4), (-200.0, 1.0)], rate_hz)

    assert measure(signal, rate_hz).momentary_max_lufs == pytest.approx(-23.0, abs=LUFS_TOLERANCE)


def test_tech_3341_case_14_momentary_live():
    """Case 14: read after each of 20 ever louder tones, the highest momentary loudness is that tone's."""
    meter = LoudnessMeter(48_000, 2)

    for index in range(20):
        silence_s = index * 0.02
        meter.push(tones([(-200.0, silence_s), (-38.0 + index, 0.4), (-200.0, 0.4 - silence_s)], 48_000))

        assert meter.report().momentary_max_lufs == pytest.approx(-38.0 + index, abs=LUFS_TOLERANCE)


def faded(signal: NDArray[np.float64], frames: int) -> NDArray[np.float64]:
    """A signal in two channels, faded in and out over some frames."""
    ramp = np.minimum(1.0, np.arange(1, len(signal) + 1) / frames)
    return np.repeat((signal * ramp * ramp[::-1])[:, None], 2, axis=1)


@pytest.mark.parametrize("rate_hz", [48_000, 44_100, 16_000])
@pytest.mark.parametrize(
    ("case", "divisor", "amplitude", "phase_deg", "true_peak_dbtp"),
    [
        (15, 4, 0.50, 0.0, -6.0),
        (16, 4, 0.50, 45.0, -6.0),
        (17, 6, 0.50, 60.0, -6.0),
        (18, 8, 0.50, 67.5, -6.0),
        (19, 4, 1.41, 45.0, 3.0),
    ],
)
def test_tech_3341_true_peak_of_a_tone(
    case: int, divisor: int, amplitude: float, phase_deg: float, true_peak_dbtp: float, rate_hz: int
):
    """Cases 15 to 19: the true peak of a tone whose samples miss its peaks, within +0.2 and -0.4 dB."""
    phase = 2.0 * np.pi * np.arange(rate_hz) / divisor + np.radians(phase_deg)

    report = measure(faded(amplitude * np.sin(phase), rate_hz // 100), rate_hz)

    assert true_peak_dbtp - 0.4 <= report.true_peak_dbtp <= true_peak_dbtp + 0.2
    if case in (16, 19):
        assert report.sample_peak_dbfs < report.true_peak_dbtp - 2.9


@pytest.mark.parametrize(("case", "offset"), [(20, 0), (21, 1), (22, 2), (23, 3)])
def test_tech_3341_true_peak_of_a_single_period(case: int, offset: int):
    """Cases 20 to 23: one period of fs/4 at full scale within fs/6 at half scale, whatever samples it hits."""
    around = 0.5 * np.sin(2.0 * np.pi * np.arange(24 * 500) / 24)  # whole periods: continuous in phase
    period = np.sin(2.0 * np.pi * np.arange(16) / 16)
    oversampled = np.concatenate([around, period, around])
    band_limited = oaconvolve(oversampled, firwin(513, 20_000.0, fs=192_000.0), mode="same")

    report = measure(faded(band_limited[offset::4], 480), 48_000)

    assert -0.4 <= report.true_peak_dbtp <= 0.2


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize(
    ("levels_dbfs", "range_lu"),
    [
        ([-20.0, -30.0], 10.0),
        ([-20.0, -15.0], 5.0),
        ([-40.0, -20.0], 20.0),
        ([-50.0, -35.0, -20.0, -35.0, -50.0], 15.0),
    ],
)
def test_tech_3342_range(levels_dbfs: list[float], range_lu: float, rate_hz: int):
    """Cases 1 to 4: the loudness range of tones of 20 s each, within 1 LU."""
    signal = tones([(level, 20.0) for level in levels_dbfs], rate_hz)

    assert measure(signal, rate_hz).range_lu == pytest.approx(range_lu, abs=LRA_TOLERANCE)


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_bs_1770_calibration(channel: int):
    """997 Hz at 0 dBFS in the left, right or centre channel reads -3.01 LKFS (BS.1770-4, Annex 1)."""
    signal = np.zeros((10 * 48_000, 5))
    signal[:, channel] = np.sin(2.0 * np.pi * 997.0 * np.arange(len(signal)) / 48_000)

    assert measure(signal, 48_000).integrated_lufs == pytest.approx(-3.01, abs=0.01)


def test_bs_1770_coefficients():
    """At 48 kHz the K-weighting has the coefficients that BS.1770-4 tabulates (tables 1 and 2)."""
    expected = [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.69065929318241, -0.73248077421585]
    expected += [1.99004745483398, -0.99007225036621]

    assert coefficients(48_000) == pytest.approx(expected, abs=1e-8)
