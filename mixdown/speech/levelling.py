"""Speakers brought to one loudness, each measured over everything that it says."""

from __future__ import annotations

import math

from mixdown.dsp.loudness import LoudnessMeter
from mixdown.dsp.processor import Block

#: What every speaker is brought to; the loudness of the master comes later.
VOICE_LUFS = -23.0
_LARGEST_GAIN_DB = 20.0


class Levels:
    """The loudness of each speaker: pooled, because a word alone is too short to be measured.

    Parameters
    ----------
    sample_rate_hz : int
        Of everything that is pushed.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._meters: dict[str, LoudnessMeter] = {}
        self._gains: dict[str, float] = {}

    def push(self, speaker: str, samples: Block) -> None:
        """Take what a speaker says next, shape (frames, 1)."""
        if speaker not in self._meters:
            self._meters[speaker] = LoudnessMeter(self._rate_hz, 1, true_peak=False)
        self._meters[speaker].push(samples)

    def gain(self, speaker: str) -> float:
        """The factor that brings a speaker to `VOICE_LUFS`, within ±20 dB; 1 for silence."""
        if speaker not in self._gains:
            loudness_lufs = self._meters[speaker].report().integrated_lufs
            gain_db = VOICE_LUFS - loudness_lufs if math.isfinite(loudness_lufs) else 0.0
            self._gains[speaker] = 10.0 ** (max(-_LARGEST_GAIN_DB, min(_LARGEST_GAIN_DB, gain_db)) / 20.0)
        return self._gains[speaker]
