"""Clipping: found, and peaks rebuilt."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfilt

from mixdown.dsp.declip import Clipping, ClipRepair, ClipSurvey
from mixdown.dsp.limiter import TruePeakLimiter
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


def in_8_bits(signal: Block) -> Block:
    return (np.round(signal * 127.0) / 128.0).astype(np.float32)


def square(frequency_hz: float = 220.0, *, duty: float = 0.5, level: float = 0.5) -> Block:
    """The wave of a synthesizer, its edges from one sample to the next."""
    phase = np.arange(3 * RATE_HZ) * frequency_hz / RATE_HZ % 1.0
    return np.where(phase < duty, level, -level).astype(np.float32)[:, None]


def harmonics(frequency_hz: float, weights: str) -> Block:
    """A square or sawtooth with no harmonics above half the sample rate: it overshoots at its edges."""
    orders = range(1, int(0.475 * RATE_HZ / frequency_hz), 2 if weights == "odd" else 1)
    return sum(
        (sine(order * frequency_hz, RATE_HZ, 3.0) / order for order in orders), np.float32(0.0)
    ) * np.float32(0.4)


def rounded(signal: Block, cutoff_hz: float) -> Block:
    """Behind a gentle low-pass."""
    return sosfilt(butter(2, cutoff_hz, fs=RATE_HZ, output="sos"), signal, axis=0).astype(np.float32)


def mu_law(signal: Block) -> Block:
    """As a telephone sends it: 256 levels, close together near zero and far apart at the top."""
    compressed = np.sign(signal) * np.log1p(255.0 * abs(signal)) / np.log(256.0)
    steps = (np.floor(compressed * 128.0) + 0.5) / 128.0
    return (np.sign(steps) * np.expm1(abs(steps) * np.log(256.0)) / 255.0).astype(np.float32)


def melody() -> Block:
    """Square waves in 16 steps of loudness, with rests."""
    time_s = np.arange(6 * RATE_HZ) / RATE_HZ
    pitch_hz = np.array([220.0, 262.0, 330.0, 392.0, 440.0])[(time_s / 0.25).astype(int) % 5]
    envelope = np.round(15.0 * np.clip(1.0 - 3.0 * (time_s % 0.25), 0.0, 1.0)) / 15.0
    return (0.25 * envelope * np.sign(np.sin(2.0 * np.pi * np.cumsum(pitch_hz) / RATE_HZ))).astype(np.float32)[
        :, None
    ]


def limited(signal: Block, gain_db: float) -> Block:
    limiter = TruePeakLimiter(
        gain_db=gain_db, ceiling_dbtp=-1.0, sample_rate_hz=RATE_HZ, channels=1, look_ahead_s=0.001, release_s=0.05
    )
    return processed(limiter, signal)


def rumble(peak: float) -> Block:
    return sine(8.0, RATE_HZ, 3.0, peak=peak) + noise(3 * RATE_HZ, 1, rms=0.3 * peak)


def dither() -> Block:
    return noise(3 * RATE_HZ, rms=0.5 / 32_768.0)


@pytest.mark.parametrize(
    "make",
    [
        speech,
        music,
        lambda: noise(3 * RATE_HZ, rms=0.2),
        lambda: in_16_bits(noise(3 * RATE_HZ, rms=1e-3)),
        lambda: in_16_bits(dither()),
        lambda: in_8_bits(noise(3 * RATE_HZ, rms=0.01)),
        lambda: in_8_bits(rumble(0.02)),
        lambda: in_8_bits(speech()),
        lambda: in_8_bits(0.1 * music()),
        lambda: mu_law(speech()),
        lambda: limited(speech(), 12.0),
        lambda: in_16_bits(limited(music(), 9.0)),
        square,
        lambda: square(440.0, level=0.01),
        lambda: square(110.0, duty=0.1, level=0.3),
        lambda: square(1_000.0, duty=0.25, level=0.3),
        lambda: square(220.0) + square(277.0, level=0.4),
        lambda: harmonics(220.0, "odd"),
        lambda: harmonics(440.0, "odd"),
        lambda: harmonics(440.0, "all"),
        lambda: rounded(square(50.0), 300.0),
        lambda: rounded(square(440.0), 3_000.0),
        lambda: rounded(square(2_093.0), 3_000.0),
        melody,
        lambda: np.zeros((RATE_HZ, 2), np.float32),
        lambda: np.zeros((0, 2), np.float32),
    ],
)
def test_no_false_alarm(make):
    """Whole peaks, coarse steps, limited peaks, and what a synthesizer made flat, are not clipped."""
    assert_unclipped(make())


@pytest.mark.parametrize("peak", [0.01, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("frequency_hz", [20.0, 50.0, 440.0, 997.0, 1_000.0, 3_000.0, 7_000.0, 12_000.0, 15_000.0])
def test_a_pure_tone_is_not_clipped(frequency_hz: float, peak: float):
    """At any frequency and level; as it was computed, in 16 bits, and in 8, where it is a staircase."""
    tone = sine(frequency_hz, RATE_HZ, 2.0, peak=peak)

    for signal in (tone, in_16_bits(tone), in_8_bits(tone)):
        assert_unclipped(signal)


@pytest.mark.parametrize("frequency_hz", [50.0, 220.0, 440.0])
def test_a_tone_on_the_telephone_is_not_clipped(frequency_hz: float):
    """Steps of μ-law that grow with the level are flat at the top as well."""
    for peak in (0.03, 0.25, 0.95):
        assert_unclipped(mu_law(sine(frequency_hz, RATE_HZ, 3.0, peak=peak)))


def assert_unclipped(signal: Block) -> None:
    clipping = surveyed(signal)

    assert clipping.level_dbfs is None
    assert clipping.runs == clipping.samples == clipping.share == 0
    assert np.array_equal(repaired(signal, clipping), signal)


@pytest.mark.parametrize("by_db", [1.0, 3.0, 6.0])
@pytest.mark.parametrize("frequency_hz", [50.0, 200.0, 997.0, 1_000.0, 3_000.0])
def test_a_clipped_tone_is_found(frequency_hz: float, by_db: float):
    """Both tops of every period, as long as half of it is not flat."""
    tone = sine(frequency_hz, RATE_HZ, 2.0, peak=10.0 ** (by_db / 20.0))

    clipping = surveyed(in_16_bits(0.5 * np.clip(tone, -1.0, 1.0)))

    assert clipping.level_dbfs == pytest.approx(-6.02, abs=0.06)
    assert clipping.runs == pytest.approx(2 * 2 * frequency_hz, rel=0.02)


@pytest.mark.parametrize("make", [speech, music])
def test_clipping_in_8_bits_is_found(make):
    """Where the wave is much higher than a step, coarse steps hide nothing."""
    signal, _ = clipped(make(), 6.0)

    clipping = surveyed(in_8_bits(signal / abs(signal).max()))

    assert clipping.level_dbfs == pytest.approx(-0.07, abs=0.1)
    assert clipping.runs > 20


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
