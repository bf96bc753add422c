"""Signals that several tests of the signal processing need, and how to feed them."""

import numpy as np
from hypothesis import strategies as st

from mixdown.dsp.processor import Block, Processor, run

RATES_HZ = [4_000, 8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000, 384_000]


def noise(frames: int, channels: int = 2, *, rms: float = 0.1, seed: int = 0) -> Block:
    """White noise, different in every channel."""
    return (np.random.default_rng(seed).standard_normal((frames, channels)) * rms).astype(np.float32)


def sine(frequency_hz: float, rate_hz: int, duration_s: float = 1.0, *, peak: float = 1.0) -> Block:
    """A sine in one channel."""
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    return (peak * np.sin(2.0 * np.pi * frequency_hz * time_s)).astype(np.float32)[:, None]


def bursts(rate_hz: int, duration_s: float = 2.0, *, seed: int = 0) -> Block:
    """Like speech: a buzz of harmonics and noise, in syllables, with pauses, in two unlike channels."""
    generator = np.random.default_rng(seed)
    frames = round(duration_s * rate_hz)
    time_s = np.arange(frames) / rate_hz
    pitch = 2.0 * np.pi * np.cumsum(110.0 + 20.0 * np.sin(2.0 * np.pi * 0.7 * time_s)) / rate_hz
    harmonics = range(1, min(30, int(rate_hz / 2 / 135)))
    buzz = sum(np.sin(k * pitch + k * k) / k for k in harmonics)
    syllables = np.clip(np.sin(2.0 * np.pi * 3.1 * time_s) + 0.3 * np.sin(2.0 * np.pi * 0.9 * time_s), 0.0, 1.0)
    breath = 0.05 * generator.standard_normal(frames)
    voice = 0.2 * (buzz + breath) * syllables**2
    return np.stack([voice, 0.6 * np.roll(voice, 9) + 0.01 * breath], axis=1).astype(np.float32)


def processed(processor: Processor, *blocks: Block) -> Block:
    """The whole signal after a processor."""
    results = list(run([processor], blocks))
    return np.concatenate(results) if results else np.zeros((0, blocks[0].shape[1]), np.float32)


def cut(signal: Block, lengths: list[int]) -> list[Block]:
    """A signal in blocks of these lengths, the rest in one more."""
    return np.split(signal, np.cumsum(lengths))


#: Lengths of blocks, empty and single-frame ones among them.
block_lengths = st.lists(st.one_of(st.integers(0, 3), st.integers(0, 900)), max_size=12)
