"""The room that music sounds in, and what is evened out at the end."""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
from numpy.random import PCG64, Generator
from numpy.typing import NDArray

from mixdown.dsp.processor import Block

#: Edges of a band, and its share of the time the room takes to fall silent: treble is swallowed first.
_BANDS = ((180.0, 700.0, 1.0), (700.0, 2800.0, 0.8), (2800.0, 8000.0, 0.45))


def in_a_room(dry: NDArray[np.float32], *, wet: float, length_s: float, sample_rate_hz: int) -> Block:
    """Sound in a room, its end running into its beginning as that of a loop does.

    Parameters
    ----------
    dry : ndarray of float32, shape (2, frames)
    wet : float
        Level of the room against the sound itself.
    length_s : float
        Until the room is 60 dB down.
    sample_rate_hz : int

    Returns
    -------
    ndarray of float32, shape (frames, 2)

    Notes
    -----
    Convolved in a circle, so that a loop has no seam. What cannot be heard or is in a voice's way is taken out
    on the way: all below 35 Hz, a little around 2.5 kHz.
    """
    frames = dry.shape[1]
    frequencies = scipy.fft.rfftfreq(frames, 1.0 / sample_rate_hz).astype(np.float32)
    spectrum = scipy.fft.rfft(dry, axis=1)
    room = scipy.fft.rfft(_echoes(length_s, sample_rate_hz, frames), frames, axis=1)
    spectrum *= np.complex64(1.0) + np.float32(wet) * room
    spectrum *= _evened(np.maximum(frequencies, 1e-3))
    return np.ascontiguousarray(scipy.fft.irfft(spectrum, frames, axis=1).T)


def _evened(frequencies: NDArray[np.float32]) -> NDArray[np.float32]:
    rumble = 1.0 / (1.0 + (35.0 / frequencies) ** 6)
    rumble[0] = 0.0
    presence = 1.0 - 0.3 * np.exp(-((np.log2(frequencies / 2500.0) / 0.9) ** 2))
    air = 1.0 / np.sqrt(1.0 + (frequencies / 12_000.0) ** 4)
    return np.asarray(rumble * presence * air, np.float32)


def _echoes(length_s: float, sample_rate_hz: int, most_frames: int) -> NDArray[np.float32]:
    """The room's answer to a click, shape (2, frames), energy 1: the same in every piece."""
    random = Generator(PCG64(20))
    frames = scipy.fft.next_fast_len(max(64, round(length_s * sample_rate_hz)), real=True)
    frequencies = np.maximum(scipy.fft.rfftfreq(frames, 1.0 / sample_rate_hz), 1.0)
    time_s = np.arange(frames) / sample_rate_hz
    echoes = np.zeros((2, frames))
    for low_hz, high_hz, share in _BANDS:
        if low_hz > 0.4 * sample_rate_hz:
            break
        band = 1.0 / np.sqrt((1.0 + (low_hz / frequencies) ** 6) * (1.0 + (frequencies / high_hz) ** 6))
        band *= frequencies < 0.45 * sample_rate_hz
        middle, side = scipy.fft.irfft(band * np.exp(2j * math.pi * random.random((2, len(frequencies)))), frames)
        echoes += np.stack([middle + 0.5 * side, middle - 0.5 * side]) * np.exp(-6.9 * time_s / (length_s * share))
    echoes *= 0.5 - 0.5 * np.cos(math.pi * np.clip(time_s / 0.03, 0.0, 1.0))  # no early echo: it would colour
    echoes *= 0.5 + 0.5 * np.cos(math.pi * np.clip((time_s / time_s[-1] - 0.8) / 0.2, 0.0, 1.0))
    echoes /= math.sqrt(float((echoes * echoes).sum()) / 2.0)
    return echoes[:, :most_frames].astype(np.float32)
