"""Music turned down while somebody speaks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: It goes down in this time: slow enough to be no step, fast enough to be over before the voice begins.
FALL_S = 0.3

#: It stays down so long behind a word: pauses between words are no reason to come up.
HOLD_S = 0.4

#: Gains are worked out for so many frames at once and are straight between them.
_STEP_FRAMES = 64


class Ducking:
    """The gain of music under a voice that is known from start to end.

    Parameters
    ----------
    spans : sequence of (float, float)
        Start and end of everything spoken, in seconds, in order.
    depth_db : float
        How far the music is turned down, 0 or more.
    look_ahead_s : float
        It is down so long before the voice begins.
    release_s : float
        It takes so long to come back.
    sample_rate_hz : int

    Notes
    -----
    The gain moves along raised cosines in dB, so neither its level nor its pace ever jumps. Pauses in which it
    could not come all the way back are passed over: half a swell is the pumping that ducking is disliked for.
    """

    def __init__(
        self,
        spans: Sequence[tuple[float, float]],
        *,
        depth_db: float,
        look_ahead_s: float,
        release_s: float,
        sample_rate_hz: int,
    ) -> None:
        self._depth_db = depth_db
        self._release_s = release_s
        self._sample_rate_hz = sample_rate_hz
        down: list[tuple[float, float]] = []  # while it is all the way down
        for start_s, end_s in spans:
            start_s, end_s = start_s - look_ahead_s, end_s + HOLD_S
            if down and start_s - FALL_S < down[-1][1] + release_s:
                down[-1] = (down[-1][0], max(down[-1][1], end_s))
            else:
                down.append((start_s, end_s))
        self._starts_s = np.array([start_s for start_s, _ in down])
        self._ends_s = np.array([end_s for _, end_s in down])

    def gains(self, frame: int, frames: int) -> NDArray[np.float32]:
        """Gains of so many frames from one on, as factors, shape (frames,)."""
        first = frame // _STEP_FRAMES
        steps = np.arange(first, (frame + frames) // _STEP_FRAMES + 2)
        factors = 10.0 ** (-self._depth_db / 20.0 * self._share(steps * (_STEP_FRAMES / self._sample_rate_hz)))
        if (factors == factors[0]).all():
            return np.full(frames, factors[0], np.float32)
        return np.interp(np.arange(frame, frame + frames), steps * _STEP_FRAMES, factors).astype(np.float32)

    def _share(self, times_s: NDArray[np.floating]) -> NDArray[np.floating]:
        """How much of the depth there is at these times, 0 to 1."""
        if not len(self._starts_s):
            return np.zeros(len(times_s))
        upcoming = np.searchsorted(self._starts_s, times_s, side="right")
        last = np.maximum(upcoming - 1, 0)
        coming = np.minimum(upcoming, len(self._starts_s) - 1)
        ago_s = np.where(upcoming > 0, times_s - self._ends_s[last], math.inf)
        ahead_s = np.where(upcoming < len(self._starts_s), self._starts_s[coming] - times_s, math.inf)
        return np.maximum(_raised_cosine(1.0 - ago_s / self._release_s), _raised_cosine(1.0 - ahead_s / FALL_S))


def _raised_cosine(position: NDArray[np.floating]) -> NDArray[np.floating]:
    return 0.5 - 0.5 * np.cos(math.pi * np.clip(position, 0.0, 1.0))
