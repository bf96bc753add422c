"""What the channels of a recording have to do with each other, and one that is on one side only."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from mixdown.dsp.processor import Block, as_block

#: A side this far below the other is dead, where it does not carry the same sound.
_DEAD_DB = 40.0

#: Nothing at all, or the rounding of a 24-bit file.
_SILENT_DBFS = -100.0

#: Sides that share this much of their waveform are one sound at two levels.
_SAME_SOUND = 0.5

#: Sides are identical where what they differ by is this far below them: dither, or the coding of a lossy file.
_IDENTICAL_DB = 60.0

#: Frames added up at a time: between them sums are kept in a precision that hours of sound need.
_PART_FRAMES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelBalance:
    """The levels of the channels, and how alike the first two are."""

    level_dbfs: tuple[float, ...]  #: RMS of each channel; −inf for silence
    correlation: float  #: of left and right, −1 to 1; 1 for mono, 0 where one side is silent
    identical: bool  #: whether both sides carry the same samples, or differ by dither alone
    silent_side: int | None  #: of a stereo recording: the side that carries nothing, where the other does


class ChannelSurvey:
    """Listens to the channels and tells what they have to do with each other.

    Parameters
    ----------
    channels : int
        Two are compared; with more, the first two.

    Notes
    -----
    The correlation is Σlr / √(Σl²·Σr²) over the whole recording, as a correlation meter shows. A side
    is silent where it lies 40 dB below the other and is uncorrelated with it: a quiet copy of the same
    sound is a matter of taste, the noise of an open input is not.
    """

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._sums = np.zeros(channels + 2)  # squares of each channel, left by right, squared difference
        self._part = np.zeros(channels + 2)
        self._frames = 0

    def push(self, block: Block) -> None:
        """Take the next block of the signal."""
        block = as_block(block, self._channels)
        _add(block, self._sums, self._part, self._frames % _PART_FRAMES)
        self._frames += len(block)

    def report(self) -> ChannelBalance:
        """The balance over all that was taken."""
        sums = (self._sums + self._part).tolist()
        squares, product, difference = sums[: self._channels], sums[-2], sums[-1]
        levels_dbfs = tuple(_decibels(square, self._frames) for square in squares)
        if self._channels == 1:
            return ChannelBalance(level_dbfs=levels_dbfs, correlation=1.0, identical=True, silent_side=None)
        scale = math.sqrt(squares[0]) * math.sqrt(squares[1])
        correlation = min(1.0, max(-1.0, product / scale)) if scale > 0.0 else 0.0
        return ChannelBalance(
            level_dbfs=levels_dbfs,
            correlation=correlation,
            identical=difference <= min(squares[0], squares[1]) * 10.0 ** (-_IDENTICAL_DB / 10.0),
            silent_side=_silent_side(levels_dbfs, correlation) if self._channels == 2 else None,
        )


class SideToBoth:
    """Puts the good side of a recording on both, where one carries nothing; else passes it through.

    Parameters
    ----------
    balance : ChannelBalance
        Of the same signal.
    channels : int
    """

    def __init__(self, balance: ChannelBalance, *, channels: int) -> None:
        self._channels = channels
        self._good_side = None if balance.silent_side is None or channels != 2 else 1 - balance.silent_side

    def process(self, block: Block) -> Block:
        """The block; same shape."""
        block = as_block(block, self._channels)
        if self._good_side is None:
            return block.copy()
        return np.repeat(block[:, self._good_side, None], 2, axis=1)

    def flush(self) -> Block:
        """Nothing: no frames are held back."""
        return np.zeros((0, self._channels), np.float32)


def _decibels(square: float, frames: int) -> float:
    return 10.0 * math.log10(square / frames) if frames and square > 0.0 else -math.inf


def _silent_side(levels_dbfs: tuple[float, ...], correlation: float) -> int | None:
    quiet = 0 if levels_dbfs[0] < levels_dbfs[1] else 1
    low_dbfs, high_dbfs = levels_dbfs[quiet], levels_dbfs[1 - quiet]
    if high_dbfs <= _SILENT_DBFS:
        return None
    unlike = abs(correlation) < _SAME_SOUND
    return quiet if low_dbfs <= _SILENT_DBFS or (low_dbfs < high_dbfs - _DEAD_DB and unlike) else None


@njit(nogil=True, cache=True, fastmath={"contract"})
def _add(block, sums, part, phase):  # type: ignore[no-untyped-def]
    """Add a block to the sums of the part that is being taken, and full parts to the whole."""
    frames, channels = block.shape
    start = 0
    while start < frames:
        stop = min(frames, start + _PART_FRAMES - phase)
        # The first two channels together: additions to one sum wait for each other.
        if channels > 1:
            left_square, right_square, product, difference = part[0], part[1], part[channels], part[channels + 1]
            for frame in range(start, stop):
                left, right = np.float64(block[frame, 0]), np.float64(block[frame, 1])
                left_square += left * left
                right_square += right * right
                product += left * right
                difference += (left - right) * (left - right)
            part[0], part[1], part[channels], part[channels + 1] = left_square, right_square, product, difference
        for channel in range(2 if channels > 1 else 0, channels):
            square = part[channel]
            for frame in range(start, stop):
                square += np.float64(block[frame, channel]) * np.float64(block[frame, channel])
            part[channel] = square
        phase += stop - start
        start = stop
        if phase == _PART_FRAMES:
            phase = 0
            for index in range(len(part)):
                sums[index] += part[index]
                part[index] = 0.0
