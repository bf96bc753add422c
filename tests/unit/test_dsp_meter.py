"""The meter beyond the standard's own signals (those are in golden/)."""

import math
from dataclasses import replace

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from mixdown.dsp import kweighting, true_peak
from mixdown.dsp.loudness import LoudnessMeter
from mixdown.dsp.processor import Block
from mixdown.model import LevelReport
from tests.unit.signals import RATES_HZ, block_lengths, bursts, cut, noise, sine


def measure(*blocks: Block, rate_hz: int = 48_000, true_peak: bool = True) -> LevelReport:
    meter = LoudnessMeter(rate_hz, blocks[0].shape[1], true_peak=true_peak)
    for block in blocks:
        meter.push(block)
    return meter.report()


@given(
    lengths=block_lengths,
    frames=st.integers(0, 30_000),
    channels=st.integers(1, 6),
    rate_hz=st.sampled_from([4_000, 11_025, 22_050, 48_000]),
)
@settings(deadline=None)
def test_any_split_gives_the_same_report(lengths: list[int], frames: int, channels: int, rate_hz: int):
    """However a signal is cut into blocks, every number of the report is the same."""
    signal = noise(frames, channels, seed=frames)

    assert measure(*cut(signal, lengths), rate_hz=rate_hz) == measure(signal, rate_hz=rate_hz)


def test_a_report_in_between_changes_nothing():
    """A meter may be read at any time, and read again."""
    signal = bursts(16_000, 5.0)
    meter = LoudnessMeter(16_000, 2)

    for block in cut(signal, [7_777, 20_001, 3]):
        meter.push(block)
        assert meter.report() == meter.report()

    assert meter.report() == measure(signal, rate_hz=16_000)


@pytest.mark.parametrize("frames", [0, 1, 4_800, 480_000])
@pytest.mark.parametrize("rate_hz", [8_000, 48_000])
def test_silence_has_no_level(frames: int, rate_hz: int):
    """Levels of silence are minus infinity, its range is nothing."""
    report = measure(np.zeros((frames, 2), np.float32), rate_hz=rate_hz)

    assert report == LevelReport(
        integrated_lufs=-math.inf,
        range_lu=0.0,
        momentary_max_lufs=-math.inf,
        short_term_max_lufs=-math.inf,
        true_peak_dbtp=-math.inf,
        sample_peak_dbfs=-math.inf,
        duration_s=frames / rate_hz,
        sample_rate_hz=rate_hz,
        channels=2,
        rms_dbfs=-math.inf,
    )


@pytest.mark.parametrize("duration_s", [0.05, 0.1, 0.2505, 0.39])
@pytest.mark.parametrize("rate_hz", [11_025, 48_000])
def test_a_sting_has_a_loudness(duration_s: float, rate_hz: int):
    """Shorter than one gating block, the loudness is that of the whole, here about that of a long tone."""
    report = measure(sine(1_000.0, rate_hz, duration_s, peak=0.1), rate_hz=rate_hz)

    assert report.integrated_lufs == pytest.approx(-23.0, abs=0.5)
    assert report.momentary_max_lufs == report.short_term_max_lufs == report.integrated_lufs


@pytest.mark.parametrize("duration_s", [1.0, 2.95])
def test_short_term_of_less_than_its_window(duration_s: float):
    """Shorter than 3 s, the short-term loudness is that of the whole."""
    report = measure(sine(1_000.0, 48_000, duration_s, peak=0.1))

    assert report.short_term_max_lufs == pytest.approx(-23.0, abs=0.1)


def test_quieter_than_the_gate_is_nothing():
    """What never rises above -70 LUFS has no integrated loudness, but it has maxima."""
    report = measure(sine(1_000.0, 48_000, 5.0, peak=1e-4))

    assert report.integrated_lufs == -math.inf
    assert report.momentary_max_lufs == pytest.approx(-83.0, abs=0.1)


@given(gain_db=st.floats(-30.0, 30.0))
@settings(deadline=None, max_examples=20)
def test_a_gain_moves_every_level_by_as_much(gain_db: float):
    """Levels follow a gain to a hundredth of a dB; the range does not move."""
    signal = bursts(16_000, 5.0)

    before = measure(signal, rate_hz=16_000)
    after = measure(signal * np.float32(10.0 ** (gain_db / 20.0)), rate_hz=16_000)

    for name in (
        "integrated_lufs",
        "momentary_max_lufs",
        "short_term_max_lufs",
        "true_peak_dbtp",
        "sample_peak_dbfs",
    ):
        assert getattr(after, name) - getattr(before, name) == pytest.approx(gain_db, abs=0.01)
    assert after.range_lu == pytest.approx(before.range_lu, abs=0.01)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_every_rate_reads_alike(rate_hz: int):
    """A tone of 1 kHz reads the same at every sample rate."""
    report = measure(sine(1_000.0, rate_hz, 4.0, peak=0.1), rate_hz=rate_hz)

    assert report.integrated_lufs == pytest.approx(-23.0, abs=0.2 if rate_hz < 11_025 else 0.05)
    assert report.true_peak_dbtp == pytest.approx(-20.0, abs=0.15)
    assert report.duration_s == 4.0


@pytest.mark.parametrize(("channels", "silent"), [(1, ()), (2, ()), (3, ()), (4, ()), (6, (3,)), (8, ()), (16, ())])
def test_channels_add_up(channels: int, silent: tuple[int, ...]):
    """A tone in one channel reads -23 LUFS in any, louder in a surround one, not at all in the LFE."""
    tone = sine(1_000.0, 48_000, 1.0, peak=0.1)

    for channel in range(channels):
        signal = np.zeros((len(tone), channels), np.float32)
        signal[:, channel] = tone[:, 0]
        expected_lufs = -23.0 + (1.5 if channels == 6 and channel >= 4 else 0.0)
        expected_lufs = -math.inf if channel in silent else expected_lufs

        assert measure(signal).integrated_lufs == pytest.approx(expected_lufs, abs=0.05)


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
@pytest.mark.parametrize("seed", range(5))
def test_it_agrees_with_pyloudnorm(rate_hz: int, seed: int):
    """Gated loudness of something like speech is that of another implementation, to 0.1 LU."""
    signal = bursts(rate_hz, 8.0, seed=seed)

    other_lufs = pyloudnorm.Meter(rate_hz).integrated_loudness(signal.astype(np.float64))

    assert measure(signal, rate_hz=rate_hz).integrated_lufs == pytest.approx(other_lufs, abs=0.1)


@pytest.mark.parametrize("rate_hz", [44_100, 96_000, 192_000])
@pytest.mark.parametrize("seed", range(5))
def test_no_true_peak_is_skipped(rate_hz: int, seed: int):
    """Skipping runs of samples loses no peak, wherever it lies: the last samples, a quiet end, a loud start."""
    generator = np.random.default_rng(seed)
    envelope = np.repeat(generator.random(50) ** 4, 1_000)[:, None]
    signal = (generator.standard_normal((50_000, 2)) * envelope).astype(np.float32)

    factor = 4 if rate_hz < 96_000 else 2 if rate_hz < 192_000 else 1
    other_db = 20.0 * np.log10(np.abs(resample_poly(signal.astype(np.float64), factor, 1, axis=0)).max())

    assert measure(signal, rate_hz=rate_hz).true_peak_dbtp == pytest.approx(other_db, abs=0.15)


@pytest.mark.parametrize("frame", [0, 1, 126, 127, 128, 999])
def test_a_single_sample_is_a_peak(frame: int):
    """One sample of 0.5 anywhere, also the first and the last, reads -6.02 dB."""
    signal = np.zeros((1_000, 2), np.float32)
    signal[frame, 1] = -0.5

    report = measure(signal)

    assert report.sample_peak_dbfs == pytest.approx(-6.02, abs=0.01)
    assert report.true_peak_dbtp == pytest.approx(-6.02, abs=0.01)


def test_a_peak_that_the_end_cuts_off_is_seen():
    """A signal that ends in full swing has its highest peak after its last sample's neighbours."""
    signal = np.tile(np.float32([1.0, 1.0, -1.0, -1.0]), 100)[:, None]

    assert measure(signal).true_peak_dbtp > 2.9


def test_without_true_peak_the_rest_is_the_same():
    """A meter that skips the true peak says so and measures all else alike."""
    signal = bursts(44_100, 4.0)

    report = measure(signal, rate_hz=44_100, true_peak=False)

    assert math.isnan(report.true_peak_dbtp)
    assert replace(report, true_peak_dbtp=0.0) == replace(measure(signal, rate_hz=44_100), true_peak_dbtp=0.0)


@pytest.mark.parametrize("kernel", [kweighting.weigh, true_peak._highest_peak], ids=lambda kernel: kernel.__name__)
def test_every_kernel_is_compiled_once(kernel):
    """Whatever layout, precision, channels or rate come in: one machine code, so one wait for the compiler."""
    for channels in (1, 2, 6):
        signal = noise(2_000, channels)
        read_only = signal.copy()
        read_only.flags.writeable = False
        for block in (
            signal,
            signal.astype(np.float64),
            np.asfortranarray(signal),
            read_only,
            signal[:0],
            signal[:1],
        ):
            measure(block, block, rate_hz=np.int32(44_100))
            measure(block, rate_hz=192_000)

    assert len(kernel.signatures) == 1


def test_rms_of_known_signals():
    """A full-scale square reads 0 dBFS, a sine 3.01 dB below its peak, one side alone 3.01 dB less."""
    tone = sine(1_000.0, 48_000, 1.0, peak=0.1)

    assert measure(np.sign(tone) + (tone == 0)).rms_dbfs == pytest.approx(0.0, abs=1e-9)
    assert measure(tone).rms_dbfs == pytest.approx(-23.01, abs=0.001)
    assert measure(np.hstack([tone, 0 * tone])).rms_dbfs == pytest.approx(-26.02, abs=0.001)


@given(lengths=block_lengths)
@settings(deadline=None, max_examples=20)
def test_any_split_gives_the_same_series(lengths: list[int]):
    """Loudness over time does not depend on the blocks, and agrees with the highest values of the report."""
    signal = bursts(8_000, 6.0)

    whole, split = LoudnessMeter(8_000, 2), LoudnessMeter(8_000, 2)
    whole.push(signal)
    for block in cut(signal, lengths):
        split.push(block)
    series = whole.series()

    assert len(series.momentary_lufs) == len(series.short_term_lufs) == 60
    assert np.array_equal(series.momentary_lufs, split.series().momentary_lufs)
    assert np.array_equal(series.short_term_lufs, split.series().short_term_lufs)
    assert np.isinf(series.short_term_lufs[:29]).all()
    assert series.short_term_lufs.max() == pytest.approx(whole.report().short_term_max_lufs, abs=0.3)
