"""The resampler keeps time, length and tone, however the stream is cut into blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixdown.dsp.processor import Block
from mixdown.dsp.resample import Resampler, resampled_frames

RATES_HZ = [4_000, 8_000, 16_000, 22_050, 44_000, 44_100, 48_000, 96_000, 192_000, 384_000]


def resample(signal: Block, from_hz: int, to_hz: int, block_frames: int = 65_536) -> Block:
    resampler = Resampler(from_hz, to_hz, signal.shape[1])
    starts = range(0, len(signal), block_frames)
    blocks = [resampler.process(signal[start : start + block_frames]) for start in starts]
    return np.concatenate([*blocks, resampler.flush()])


def tone(frequency_hz: float, rate_hz: int, duration_s: float = 1.0) -> Block:
    time_s = np.arange(int(rate_hz * duration_s)) / rate_hz
    return np.sin(2 * np.pi * frequency_hz * time_s).astype(np.float32)[:, None]


@given(
    frames=st.integers(0, 3_000),
    from_hz=st.sampled_from(RATES_HZ),
    to_hz=st.sampled_from(RATES_HZ),
    block_frames=st.integers(1, 3_000),
)
@settings(deadline=None, max_examples=80)
def test_any_split_gives_the_same_samples(frames, from_hz, to_hz, block_frames):
    """Cutting the stream into blocks changes no bit, and the length is the rounded ratio."""
    signal = np.random.default_rng(frames).uniform(-1, 1, (frames, 2)).astype(np.float32)

    whole = resample(signal, from_hz, to_hz)
    split = resample(signal, from_hz, to_hz, block_frames)

    assert whole.shape == (resampled_frames(frames, from_hz, to_hz), 2)
    assert np.array_equal(whole, split)


def test_length_is_the_rounded_ratio_of_a_long_stream():
    """Ten minutes at an odd rate end on the exact frame: no drift, no tail, no missing frame."""
    resampler = Resampler(44_101, 48_000, 1)
    block = np.zeros((44_101, 1), np.float32)

    frames = sum(len(resampler.process(block)) for _ in range(600)) + len(resampler.flush())

    assert frames == 600 * 48_000


@pytest.mark.parametrize(("frames", "expected"), [(0, 0), (1, 1), (2, 1), (3, 2), (100_001, 50_001)])
def test_half_a_frame_counts_as_one(frames, expected):
    """Halving the rate of an odd number of frames rounds up."""
    assert resampled_frames(frames, 96_000, 48_000) == expected
    assert len(resample(np.zeros((frames, 1), np.float32), 96_000, 48_000)) == expected


@pytest.mark.parametrize(("from_hz", "to_hz"), [(44_100, 48_000), (48_000, 44_100), (16_000, 48_000)])
def test_a_tone_keeps_its_time_pitch_and_level(from_hz, to_hz):
    """A 1 kHz tone comes out as the same tone, in phase: no latency, nothing above −100 dB added."""
    middle = slice(to_hz // 10, -to_hz // 10)  # the signal begins and ends abruptly, which rings

    converted = resample(tone(1_000, from_hz), from_hz, to_hz)

    assert np.abs(converted - tone(1_000, to_hz))[middle].max() < 1e-5


def test_what_the_lower_rate_cannot_hold_is_removed():
    """A 20 kHz tone is gone at 16 kHz instead of folding down to an audible 4 kHz."""
    converted = resample(tone(20_000, 48_000), 48_000, 16_000)

    assert np.abs(converted[1_600:-1_600]).max() < 1e-5


def test_equal_rates_pass_through():
    """Nothing is touched, copied or held back where there is nothing to convert."""
    block = tone(440, 48_000)
    resampler = Resampler(48_000, 48_000, 1)

    assert resampler.process(block) is block
    assert resampler.flush().shape == (0, 1)
