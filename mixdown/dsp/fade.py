"""Fades and crossfades: gains that run from nothing to one."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mixdown.model import FadeCurve

#: How far down an exponential fade begins.
_EXPONENTIAL_DB = 60.0


def fade_in_gains(curve: FadeCurve, start: int, frames: int, length: int) -> NDArray[np.float32]:
    """Part of a fade from silence to full level.

    Parameters
    ----------
    curve : FadeCurve
        ``linear`` in amplitude; ``sine``, the quarter of one; ``exponential``, straight in dB down to
        −60 and on to nothing from there.
    start : int
        First frame wanted, counted from the start of the fade.
    frames : int
        How many are wanted.
    length : int
        Of the whole fade, in frames; 1 at least.

    Returns
    -------
    ndarray of float32, shape (frames,)
        Above 0 and below 1, rising. `fade_out_gains` are the same backwards.

    Notes
    -----
    Frame k stands for the middle of its own interval, x = (k + ½) / length, so that a fade in and a fade out over
    the same frames are mirror images: the squares of ``sine`` add up to one exactly (sin² + cos²: equal power,
    right for two signals that have nothing to do with each other), the values of ``linear`` do (equal gain,
    right for two takes of the same signal).
    """
    position = (np.arange(start, start + frames, dtype=np.float64) + 0.5) / length
    if curve is FadeCurve.linear:
        gains = position
    elif curve is FadeCurve.sine:
        gains = np.sin(0.5 * math.pi * position)
    else:
        steepness = _EXPONENTIAL_DB / 20.0 * math.log(10.0)
        gains = np.expm1(steepness * position) / math.expm1(steepness)
    return gains.astype(np.float32)


def fade_out_gains(curve: FadeCurve, start: int, frames: int, length: int) -> NDArray[np.float32]:
    """Part of a fade from full level to silence: `fade_in_gains`, backwards."""
    return fade_in_gains(curve, length - start - frames, frames, length)[::-1]
