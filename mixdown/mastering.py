"""The closed loop: find the gain with which a recording, limited, has its loudness."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from mixdown.codec.remix import remix
from mixdown.dsp.limiter import TruePeakLimiter
from mixdown.dsp.loudness import LoudnessMeter
from mixdown.dsp.processor import Block, run
from mixdown.intermediate import Intermediate
from mixdown.model import LevelReport

#: Called for every block: tells how far the work is and is the place where it can be stopped.
Tick = Callable[[int], None]

#: More than this is noise turned up, not a quiet recording mended.
LARGEST_GAIN_DB = 40.0

#: Near enough, and how often to try: a limiter eats some of each dB it is driven by.
TOLERANCE_LU = 0.03
_MOST_ROUNDS = 5

#: The least part of a dB of drive that is taken to become loudness, so that no step is a leap.
_LEAST_KEPT = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """Gain into the limiter, and the ceiling it holds."""

    gain_db: float
    ceiling_dbtp: float


class Mastering:
    """One recording with one number of channels, on its way to a loudness.

    Measuring the recording once tells the gain exactly where no peak needs limiting; otherwise the
    limiter is run, its loss measured and made up for, until the loudness is met.
    """

    def __init__(self, recording: Intermediate, *, channels: int, tick: Tick) -> None:
        self.channels = channels
        self._recording = recording
        self._tick = tick
        self._level = self._measure(self._blocks(), true_peak=True)

    @property
    def level(self) -> LevelReport:
        """The recording before any gain."""
        return self._level

    def drive_for(self, target_lufs: float, ceiling_dbtp: float) -> Drive:
        """The drive that gives this integrated loudness under this ceiling.

        Parameters
        ----------
        target_lufs : integrated loudness to reach, in LUFS
        ceiling_dbtp : highest true peak, in dBTP

        Returns
        -------
        Drive
            Within `TOLERANCE_LU` where the ceiling and `LARGEST_GAIN_DB` let it.
        """
        gain_db = min(target_lufs - self._level.integrated_lufs, LARGEST_GAIN_DB)
        if self._level.true_peak_dbtp + gain_db <= ceiling_dbtp:
            return Drive(gain_db=gain_db, ceiling_dbtp=ceiling_dbtp)
        gain_before_db, short_before_lu, kept = gain_db, 0.0, 1.0
        for _ in range(_MOST_ROUNDS):
            limited = self._measure(self.limited(Drive(gain_db=gain_db, ceiling_dbtp=ceiling_dbtp)))
            short_lu = target_lufs - limited.integrated_lufs
            if abs(short_lu) <= TOLERANCE_LU or gain_db >= LARGEST_GAIN_DB:
                break
            if gain_db != gain_before_db:
                kept = (short_before_lu - short_lu) / (gain_db - gain_before_db)
                kept = min(1.0, max(_LEAST_KEPT, kept))
            gain_before_db, short_before_lu = gain_db, short_lu
            gain_db = min(gain_db + short_lu / kept, LARGEST_GAIN_DB)
        return Drive(gain_db=gain_db, ceiling_dbtp=ceiling_dbtp)

    def limited(self, drive: Drive) -> Iterator[Block]:
        """The recording under this drive, block by block."""
        limiter = TruePeakLimiter(
            gain_db=drive.gain_db,
            ceiling_dbtp=drive.ceiling_dbtp,
            sample_rate_hz=self._recording.sample_rate_hz,
            channels=self.channels,
        )
        return run([limiter], self._blocks())

    def _blocks(self) -> Iterator[Block]:
        for block in self._recording.blocks():
            self._tick(len(block))
            yield remix(block, self.channels)

    def _measure(self, blocks: Iterable[Block], *, true_peak: bool = False) -> LevelReport:
        meter = LoudnessMeter(self._recording.sample_rate_hz, self.channels, true_peak=true_peak)
        for block in blocks:
            meter.push(block)
        return meter.report()


def is_silent(level: LevelReport) -> bool:
    """Whether a recording has no loudness at all."""
    return math.isinf(level.integrated_lufs)
