"""How each step that works on blocks is set up: what it has to hear first, and the processor it becomes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixdown.dsp import dc
from mixdown.dsp.channel_balance import ChannelBalance, ChannelSurvey, SideToBoth
from mixdown.dsp.declick import ClickRepair
from mixdown.dsp.declip import Clipping, ClipRepair, ClipSurvey
from mixdown.dsp.deess import DeEsser
from mixdown.dsp.denoise import Denoiser
from mixdown.dsp.dynamics import Compressor
from mixdown.dsp.filters import HighPassFilter
from mixdown.dsp.hum import Hum, HumSurvey
from mixdown.dsp.hum_notches import HumNotches
from mixdown.dsp.leveller import GainRide, ride
from mixdown.dsp.logmmse import LogMmse
from mixdown.dsp.loudness import LoudnessCourse, LoudnessMeter
from mixdown.dsp.processor import Block, Processor, Survey
from mixdown.dsp.voice import VoiceSurvey
from mixdown.dsp.voice_map import VoiceMap
from mixdown.model import (
    Compress,
    DcRemoval,
    DeClick,
    DeClip,
    DeEss,
    DeHum,
    Denoise,
    DenoiseMethod,
    DualMono,
    HighPass,
    Level,
    Step,
)

#: A ride that stays within this is not heard.
_LEAST_RIDE_DB = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What every processor of a chain has to know."""

    sample_rate_hz: int
    channels: int
    providers: tuple[str, ...]  #: ONNX Runtime execution providers

    @property
    def shape(self) -> dict[str, int]:
        """Rate and channels, as every processor takes them."""
        return {"sample_rate_hz": self.sample_rate_hz, "channels": self.channels}


class Hears(Enum):
    """What a step has to hear to its end before it can begin."""

    nothing = 0
    source = 1  #: the recording as it comes in: what harms it is found best there
    before = 2  #: the recording as the steps before leave it


@dataclass(frozen=True, slots=True)
class Ride:
    """Gains for the middle of each step of so many seconds, in dB."""

    gains_db: NDArray[np.float32]
    step_s: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """A step made ready for one recording."""

    processor: Processor | None  #: None: there is nothing for it to do here
    note: Callable[[], str | None] = lambda: None  #: what it found, known when the recording has gone through
    ride: Ride | None = None  #: all that it does, where that is a gain known beforehand


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """One kind of step."""

    fit: Callable[[Any, Signal, Any], Fitted]  #: from the step, the signal, and what was heard
    hears: Hears = Hears.nothing
    survey: Callable[[Any, Signal], Survey[Any]] | None = None
    #: What would have been heard after a gain, from what was heard before it; else a pass is needed in between.
    ridden: Callable[[Any, Ride], Any] | None = None

    @property
    def rides(self) -> bool:
        """Whether all it does is a gain that is known beforehand."""
        return self.fit is _level


def working_of(step: Step) -> Working:
    """How this step is set up."""
    return _WORKINGS[type(step)]


# -- what was heard -------------------------------------------------------------------------------


def _hear_hum(step: DeHum, signal: Signal) -> Survey[Hum]:
    mains_hz = None if step.mains_hz == "auto" else float(step.mains_hz)
    return HumSurvey(signal.sample_rate_hz, signal.channels, mains_hz=mains_hz)


def _hear_channels(_: DualMono, signal: Signal) -> Survey[ChannelBalance]:
    return ChannelSurvey(signal.channels)


def _hear_clipping(_: DeClip, signal: Signal) -> Survey[Clipping]:
    return ClipSurvey(signal.channels)


def _hear_voices(_: Level, signal: Signal) -> Survey[VoiceMap]:
    return VoiceSurvey(signal.sample_rate_hz, signal.channels)


def _hear_loudness(_: Compress, signal: Signal) -> Survey[LoudnessCourse]:
    return _CourseSurvey(signal)


class _CourseSurvey:
    """Hears how loud a programme is."""

    def __init__(self, signal: Signal) -> None:
        self._meter = LoudnessMeter(signal.sample_rate_hz, signal.channels, true_peak=False)

    def push(self, block: Block) -> None:
        self._meter.push(block)

    def report(self) -> LoudnessCourse:
        return self._meter.course()


# -- what is done ---------------------------------------------------------------------------------


def _dc_removal(_: DcRemoval, signal: Signal, __: None) -> Fitted:
    return Fitted(dc.DcRemoval(**signal.shape))


def _dual_mono(_: DualMono, signal: Signal, balance: ChannelBalance) -> Fitted:
    if balance.silent_side is None:
        return Fitted(None)
    side = ("left", "right")[balance.silent_side]
    repair = SideToBoth(balance, channels=signal.channels)
    return Fitted(repair, lambda: f"The {side} side was silent: the other is on both")


def _high_pass(step: HighPass, signal: Signal, _: None) -> Fitted:
    return Fitted(HighPassFilter(step.cutoff_hz, **signal.shape))


def _de_hum(_: DeHum, signal: Signal, hum: Hum) -> Fitted:
    if not hum.lines:
        return Fitted(None)
    loudest = max(hum.lines, key=lambda line: line.level_dbfs)
    found = f"Mains hum of {hum.mains_hz:.1f} Hz at {len(hum.lines)} harmonics, up to {loudest.level_dbfs:.0f} dBFS"
    return Fitted(HumNotches(hum, **signal.shape), lambda: found.replace("-", "−"))


def _de_clip(_: DeClip, signal: Signal, clipping: Clipping) -> Fitted:
    if clipping.level_dbfs is None:
        return Fitted(None)
    return Fitted(ClipRepair(clipping, **signal.shape), lambda: f"{clipping.runs:,} clipped peaks rebuilt")


def _de_click(step: DeClick, signal: Signal, _: None) -> Fitted:
    repair = ClickRepair(sensitivity=step.sensitivity, **signal.shape)
    return Fitted(repair, lambda: f"{repair.repaired:,} clicks repaired" if repair.repaired else None)


def _denoise(step: Denoise, signal: Signal, _: None) -> Fitted:
    limit_db = step.reduction.limit_db
    if step.method is DenoiseMethod.log_mmse:
        return Fitted(LogMmse(limit_db=limit_db, **signal.shape))
    return Fitted(
        Denoiser(
            limit_db=limit_db,
            sample_rate_hz=signal.sample_rate_hz,
            channels=signal.channels,
            providers=signal.providers,
        )
    )


def _de_ess(step: DeEss, signal: Signal, _: None) -> Fitted:
    return Fitted(DeEsser(reduction_db=step.reduction_db, **signal.shape))


def _level(step: Level, signal: Signal, heard: VoiceMap) -> Fitted:
    gains_db = ride(heard, amount=step.amount, largest_gain_db=step.largest_gain_db)
    if np.abs(gains_db).max(initial=0.0) < _LEAST_RIDE_DB:
        return Fitted(None)
    note = f"Levelled by {gains_db.min():+.1f} to {gains_db.max():+.1f} dB".replace("-", "−")
    ride_ = Ride(gains_db, heard.step_s)
    return Fitted(GainRide(gains_db, heard.step_s, **signal.shape), lambda: note, ride_)


def _compress(step: Compress, signal: Signal, heard: LoudnessCourse) -> Fitted:
    if math.isinf(heard.integrated_lufs):
        return Fitted(None)
    return Fitted(
        Compressor(
            threshold_dbfs=heard.integrated_lufs + step.threshold_lu,
            ratio=step.ratio,
            knee_db=step.knee_db,
            attack_s=step.attack_s,
            release_s=step.release_s,
            **signal.shape,
        )
    )


_WORKINGS: dict[type, Working] = {
    DcRemoval: Working(fit=_dc_removal),
    DualMono: Working(fit=_dual_mono, hears=Hears.source, survey=_hear_channels),
    HighPass: Working(fit=_high_pass),
    DeHum: Working(fit=_de_hum, hears=Hears.source, survey=_hear_hum),
    DeClip: Working(fit=_de_clip, hears=Hears.source, survey=_hear_clipping),
    DeClick: Working(fit=_de_click),
    Denoise: Working(fit=_denoise),
    DeEss: Working(fit=_de_ess),
    Level: Working(fit=_level, hears=Hears.before, survey=_hear_voices),
    Compress: Working(
        fit=_compress,
        hears=Hears.before,
        survey=_hear_loudness,
        ridden=lambda heard, ride: heard.ridden(ride.gains_db, ride.step_s),
    ),
}
