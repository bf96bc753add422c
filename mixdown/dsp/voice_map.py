"""Where somebody speaks: what a survey for voices tells, step by step."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: What is heard in a step. Noise is all that is neither speech nor music: room, breath, clatter.
SILENCE, NOISE, SPEECH, MUSIC = range(4)

#: Level of a step in which there is nothing at all, in LUFS.
SILENT_LUFS = -120.0

#: Speech this far below the mean of all speech does not count for its loudness, as in BS.1770-4.
_RELATIVE_GATE_LU = -10.0


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a recording, its end not included."""

    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """How long it is, in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True, eq=False)
class VoiceMap:
    """What is heard in every step of a recording, and how loud it is.

    Attributes
    ----------
    step_s : float
        Length of a step. What is left of a recording after its last whole step is not in the map.
    kinds : ndarray of uint8, shape (steps,)
        `SILENCE`, `NOISE`, `SPEECH` or `MUSIC`.
    level_lufs : ndarray of float32, shape (steps,)
        K-weighted level of each step, all channels together; `SILENT_LUFS` at least.
    noise_floor_dbfs : float
        RMS level of what goes on where nobody speaks and no music plays; ``-inf`` for silence.
    """

    step_s: float
    kinds: NDArray[np.uint8]
    level_lufs: NDArray[np.float32]
    noise_floor_dbfs: float

    def spans(self, kind: int, min_s: float = 0.0) -> list[Span]:
        """Every stretch of one kind that lasts at least ``min_s``, in order."""
        return [
            Span(start * self.step_s, end * self.step_s)
            for start, end in runs(self.kinds == kind)
            if (end - start) * self.step_s >= min_s - 1e-9
        ]

    def share(self, kind: int) -> float:
        """The part of the recording that is of this kind, 0 to 1."""
        return float(np.mean(self.kinds == kind)) if len(self.kinds) else 0.0

    @property
    def speech_lufs(self) -> float:
        """Loudness of the speech alone, gated at −10 LU; ``-inf`` where nobody speaks."""
        return gated_lufs(self.level_lufs[self.kinds == SPEECH])


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and one past the last index of every run of true values."""
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def gated_lufs(level_lufs: NDArray[np.floating]) -> float:
    """Mean loudness of the steps that are not more than 10 LU below the mean of all; ``-inf`` for none."""
    if not len(level_lufs):
        return -math.inf
    power = 10.0 ** (np.asarray(level_lufs, np.float64) / 10.0)
    gate = power.mean() * 10.0 ** (_RELATIVE_GATE_LU / 10.0)
    return float(10.0 * np.log10(power[power >= gate].mean()))
