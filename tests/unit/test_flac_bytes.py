"""Short pieces of audio as FLAC in memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixdown.codec.flac_bytes import flac_of, samples_of
from mixdown.errors import UnreadableAudio


def noise(frames: int, channels: int = 1, seed: int = 1) -> np.ndarray:
    return (0.2 * np.random.default_rng(seed).standard_normal((frames, channels))).astype(np.float32)


@given(frames=st.integers(1, 5000), channels=st.integers(1, 2), rate_hz=st.sampled_from([16_000, 22_050, 24_000]))
def test_samples_come_back_to_24_bits(frames: int, channels: int, rate_hz: int) -> None:
    """What is read is what was written, to half a step; written again it is the same bytes."""
    samples = noise(frames, channels)

    body = flac_of(samples, rate_hz)
    read, read_hz = samples_of(body)

    assert read_hz == rate_hz
    assert read.dtype == np.float32
    assert np.abs(read - np.clip(samples, -1, 1)).max() <= 2**-24
    assert flac_of(read, rate_hz) == body


@given(place=st.integers(42, 4000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed_or_changes_no_sample(place: int, bit: int) -> None:
    """Damage never passes for speech."""
    samples = noise(2000)
    body = bytearray(flac_of(samples, 16_000))
    body[place % len(body)] ^= 1 << bit

    try:
        read, _ = samples_of(bytes(body))
    except UnreadableAudio:
        return
    assert np.array_equal(read, samples_of(flac_of(samples, 16_000))[0])


@pytest.mark.parametrize("body", [b"", b"fLaC", b"RIFF....", b"\0" * 100])
def test_what_is_no_flac_is_refused(body: bytes) -> None:
    """With the error that has it made again."""
    with pytest.raises(UnreadableAudio):
        samples_of(body)


def test_what_is_beyond_full_scale_is_clipped() -> None:
    """Never wrapped."""
    read, _ = samples_of(flac_of(np.array([[1.5], [-1.5], [0.0]], np.float32), 16_000))

    assert read[:, 0].tolist() == pytest.approx([1.0, -1.0, 0.0], abs=2e-7)
