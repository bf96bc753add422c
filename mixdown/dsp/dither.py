"""Samples as whole numbers."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mixdown.dsp.processor import Block

#: Seed of the dither: any, but always the same, so that the same work gives the same bytes.
_SEED = 1770


class Dither:
    """A stream of triangular noise of ±1: the same numbers for every signal, however it is cut.

    Notes
    -----
    The difference of two uniform values, the halves of one raw output of PCG64, whose stream numpy
    guarantees.
    """

    def __init__(self, seed: int = _SEED) -> None:
        self._generator = np.random.PCG64(seed)

    def draw(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """The next values, in C order."""
        halves = self._generator.random_raw(int(np.prod(shape))).view(np.uint32).astype(np.float64)
        return ((halves[0::2] - halves[1::2]) * 2.0**-32).reshape(shape)


def quantize(block: Block, bit_depth: Literal[16, 24], dither: Dither) -> NDArray[np.int16] | NDArray[np.int32]:
    """Samples as integers, clipped at full scale.

    Parameters
    ----------
    block : Block, shape (frames, channels)
    bit_depth : 16 or 24
        16 bit are dithered (triangular, 2 LSB wide); frames of digital silence stay silent.
    dither : Dither
        One for a signal: its values follow each other from block to block.

    Returns
    -------
    ndarray of int16, or of int32 with 24 bit left-justified (the low 8 bit are 0)
        Same shape; -1.0 is the lowest number.

    Notes
    -----
    S. P. Lipshitz, R. A. Wannamaker, J. Vanderkooy, "Quantization and Dither: A Theoretical Survey",
    JAES 40(5), 1992: triangular noise of 2 LSB makes the error's mean and variance independent of
    the signal.
    """
    if bit_depth == 24:
        scaled = np.clip(np.rint(block.astype(np.float64) * 2.0**23), -(2.0**23), 2.0**23 - 1.0)
        return scaled.astype(np.int32) << 8
    noise = dither.draw(block.shape)
    noise[_silent(block)] = 0.0
    scaled = np.clip(np.rint(block * 2.0**15 + noise), -(2.0**15), 2.0**15 - 1.0)
    return scaled.astype(np.int16)


def _silent(block: Block) -> NDArray[np.bool_]:
    """Which frames are digital silence in every channel."""
    silent = block[:, 0] == 0.0
    for channel in range(1, block.shape[1]):  # ten times as fast as a reduction over so short an axis
        silent &= block[:, channel] == 0.0
    return silent
