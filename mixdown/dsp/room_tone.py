"""More of a room's own tone than there is of it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from mixdown.dsp.processor import Block

#: Length of a grain: long enough to tell hum from hiss, short enough that a few fit into a breath's pause.
_GRAIN_S = 0.17

_SEED = 20_261_101


def room_tone(sample: Block, frames: int, *, sample_rate_hz: int) -> Iterator[Block]:
    """Noise that sounds like a sample of a room, for as long as it is wanted.

    Parameters
    ----------
    sample : ndarray of float32, shape (frames, channels)
        The room, and nothing but it: a fifth of a second at least, better some seconds.
    frames : int
        How much is wanted.
    sample_rate_hz : int

    Yields
    ------
    ndarray of float32, shape (frames of half a grain, channels)
        Silence from a sample that is silent. The same every time.

    Notes
    -----
    Grains are taken at random places, and every partial of each is given a random phase, the same one in every
    channel: the spectrum and the stereo picture stay, what is recognisable and could be heard coming back does
    not. They overlap by half under windows whose squares add up to one, so the power is constant. A Hann window
    keeps rumble out of the upper partials while the grain is analysed; √(8/3) gives its power back.
    """
    length = min(round(_GRAIN_S * sample_rate_hz), len(sample)) // 2 * 2
    if length < 2:
        raise ValueError("no sample of the room")
    half = length // 2
    random = np.random.default_rng(_SEED)
    analysis = (math.sqrt(8.0 / 3.0) * np.hanning(length + 1)[:length, None]).astype(np.float32)
    window = np.sin(math.pi * (np.arange(length) + 0.5) / length)[:, None]
    before = np.zeros((half, sample.shape[1]))
    for number in range(math.ceil(frames / half) + 1):
        place = int(random.integers(0, len(sample) - length + 1))
        partials = np.fft.rfft(sample[place : place + length] * analysis, axis=0)
        partials *= np.exp(2j * math.pi * random.random((half + 1, 1)))
        grain = np.fft.irfft(partials, length, axis=0) * window
        if number:  # the first has no predecessor under it
            yield (before + grain[:half])[: frames - (number - 1) * half].astype(np.float32)
        before = grain[half:]
