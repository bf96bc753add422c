"""The closed loop: find the gain with which a recording, limited, has its loudness."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from mixdown.codec.remix import remix
from mixdown.dsp.limiter import TruePeakLimiter
from mixdown.dsp.loudness import LoudnessMeter
from mixdown.dsp.processor import Block, run
from mixdown.intermediate import Intermediate
from mixdown.model import LevelReport, Loudness, RmsLevel
from mixdown.overlap import ahead
from mixdown.progress import Tick

#: More than this is noise turned up, not a quiet recording mended.
LARGEST_GAIN_DB = 40.0

#: Near enough, and how often to try: a limiter eats some of each dB it is driven by.
TOLERANCE_LU = 0.03
_MOST_ROUNDS = 5

#: What a limiter eats grows about with this power of the drive beyond where it begins to work: 0.8 to 2.4 over
#: speech, noise and music. The first run so tells what the next dB is worth, mostly well enough to need no second.
_LOSS_EXPONENT = 1.5

#: Yet of a limiter that works hard, no more than this part of a dB is foreseen to be lost: a leap is no guess.
_MOST_FORESEEN = 0.4

#: The least part of a dB of drive that is taken to become loudness, so that no step is a leap.
_LEAST_KEPT = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """Gain into the limiter, and the ceiling it holds."""

    gain_db: float
    ceiling_dbtp: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a delivered file is brought to."""

    level: float  #: to reach
    ceiling_dbtp: float
    unit: str
    measured: Callable[[LevelReport], float]  #: that level of a file

    def moved(self, level_db: float, ceiling_db: float) -> Aim:
        """The aim that far off, to make up for what a codec does."""
        return replace(self, level=self.level + level_db, ceiling_dbtp=self.ceiling_dbtp + ceiling_db)


def aim_of(step: Loudness | RmsLevel, channels: int) -> Aim:
    """The aim of the last step of a chain, for a file with so many channels."""
    if isinstance(step, RmsLevel):
        return Aim(level=step.target_rms_dbfs, ceiling_dbtp=step.ceiling_dbtp, unit="dB", measured=_rms_dbfs)
    target_lufs = step.target_for(channels)
    return Aim(level=target_lufs, ceiling_dbtp=step.ceiling_dbtp, unit="LU", measured=_integrated_lufs)


def _integrated_lufs(report: LevelReport) -> float:
    return report.integrated_lufs


def _rms_dbfs(report: LevelReport) -> float:
    return -math.inf if report.rms_dbfs is None else report.rms_dbfs


class Mastering:
    """One recording with one number of channels, on its way to a loudness.

    Measuring the recording once tells the gain exactly where no peak needs limiting; otherwise the
    limiter is run, its loss measured and made up for, until the loudness is met.
    """

    def __init__(
        self, recording: Intermediate, *, channels: int, tick: Tick, level: LevelReport | None = None
    ) -> None:
        self.channels = channels
        self._recording = recording
        self._tick = tick
        self._level = level or self._measure(self._blocks(), true_peak=True)

    @property
    def level(self) -> LevelReport:
        """The recording before any gain."""
        return self._level

    def drive_for(self, aim: Aim) -> Drive:
        """The drive that meets this aim.

        Parameters
        ----------
        aim : level to reach, and the ceiling

        Returns
        -------
        Drive
            Within `TOLERANCE_LU` where the ceiling and `LARGEST_GAIN_DB` let it.
        """
        ceiling_dbtp = aim.ceiling_dbtp
        gain_db = min(aim.level - aim.measured(self._level), LARGEST_GAIN_DB)
        if self._level.true_peak_dbtp + gain_db <= ceiling_dbtp:
            return Drive(gain_db=gain_db, ceiling_dbtp=ceiling_dbtp)
        idle_gain_db = ceiling_dbtp - self._level.true_peak_dbtp
        gain_before_db: float | None = None
        short_before_lu = 0.0
        for _ in range(_MOST_ROUNDS):
            limited = self._measure(ahead(self.limited(Drive(gain_db=gain_db, ceiling_dbtp=ceiling_dbtp))))
            short_lu = aim.level - aim.measured(limited)
            if abs(short_lu) <= TOLERANCE_LU or gain_db >= LARGEST_GAIN_DB:
                break
            if gain_before_db is None:
                lost = min(_MOST_FORESEEN, _LOSS_EXPONENT * short_lu / (gain_db - idle_gain_db))
            else:
                lost = 1.0 - (short_before_lu - short_lu) / (gain_db - gain_before_db)
            lost = min(1.0 - _LEAST_KEPT, max(0.0, lost))
            gain_before_db, short_before_lu = gain_db, short_lu
            gain_db = min(gain_db + short_lu / (1.0 - lost), LARGEST_GAIN_DB)
            if lost * abs(short_lu) <= TOLERANCE_LU:
                break  # even if twice as much is lost, or nothing
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

    def gained(self, gain_db: float) -> Iterator[Block]:
        """The recording with this gain and nothing else; with none, the very same samples."""
        gain = np.float32(10.0 ** (gain_db / 20.0))
        return self._blocks() if gain_db == 0.0 else (block * gain for block in self._blocks())

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
