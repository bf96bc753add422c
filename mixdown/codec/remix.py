"""Channels to fewer or more channels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_HALF_POWER = 1.0 / math.sqrt(2.0)

#: Left and right share of each channel, by channel count, in the order of WAVE masks: L R C LFE Ls Rs …
#: ITU-R BS.775-4, annex 4, table 2; the low-frequency channel is left out, as the recommendation allows.
_TO_STEREO: dict[int, list[tuple[float, float]]] = {
    3: [(1, 0), (0, 1), (_HALF_POWER, _HALF_POWER)],
    4: [(1, 0), (0, 1), (_HALF_POWER, 0), (0, _HALF_POWER)],
    5: [(1, 0), (0, 1), (_HALF_POWER, _HALF_POWER), (_HALF_POWER, 0), (0, _HALF_POWER)],
    6: [(1, 0), (0, 1), (_HALF_POWER, _HALF_POWER), (0, 0), (_HALF_POWER, 0), (0, _HALF_POWER)],
    7: [(1, 0), (0, 1), (_HALF_POWER, _HALF_POWER), (0, 0), (0.5, 0.5), (_HALF_POWER, 0), (0, _HALF_POWER)],
    8: [
        *((1, 0), (0, 1), (_HALF_POWER, _HALF_POWER), (0, 0)),
        *((_HALF_POWER, 0), (0, _HALF_POWER), (_HALF_POWER, 0), (0, _HALF_POWER)),
    ],
}


def remix(block: NDArray[np.float32], channels_out: int) -> NDArray[np.float32]:
    """The same sound in another number of channels.

    Parameters
    ----------
    block : ndarray of float32, shape (frames, channels), full scale ±1.0
        Channels in the order of WAVE masks (L R C LFE Ls Rs …).
    channels_out : int
        Any count for a mono source or an equal one; else 1 or 2.

    Returns
    -------
    ndarray of float32, shape (frames, channels_out)
        Levels are not turned down: a down-mix may pass full scale, and floating point keeps it. Mono to stereo is
        a copy to both; stereo to mono is the mean.

    Raises
    ------
    ValueError
        A mix to more than two channels that is not a copy of one.

    Notes
    -----
    ITU-R BS.775-4, annex 4: L' = L + 0.7071 C + 0.7071 Ls, R' likewise, mono = (L' + R') / 2. Beyond eight
    channels no layout is implied: odd ones go left and even ones right, each side's mean.
    """
    channels_in = block.shape[1]
    if channels_in == channels_out:
        return block
    if channels_in == 1:
        return np.repeat(block, channels_out, axis=1)
    if channels_out not in (1, 2):
        raise ValueError(f"no down-mix from {channels_in} to {channels_out} channels is defined")
    return np.ascontiguousarray(block @ _matrix(channels_in, channels_out))


def _matrix(channels_in: int, channels_out: int) -> NDArray[np.float32]:
    """Gains, shape (channels_in, channels_out)."""
    if channels_in == 2:
        stereo = np.eye(2)
    elif channels_in in _TO_STEREO:
        stereo = np.array(_TO_STEREO[channels_in])
    else:
        sides = np.arange(channels_in) % 2
        stereo = np.stack([sides == 0, sides == 1], axis=1) / np.array([sum(sides == 0), sum(sides == 1)])
    matrix = stereo if channels_out == 2 else stereo.mean(axis=1, keepdims=True)
    return matrix.astype(np.float32)
