"""How each step that works on blocks is set up: what it has to hear first, and the processor it becomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from mixdown.dsp import dc
from mixdown.dsp.channel_balance import ChannelBalance, ChannelSurvey, SideToBoth
from mixdown.dsp.denoise import Denoiser
from mixdown.dsp.dynamics import Compressor
from mixdown.dsp.filters import HighPassFilter
from mixdown.dsp.loudness import LoudnessMeter
from mixdown.dsp.processor import Processor, Survey
from mixdown.model import Compress, DcRemoval, Denoise, DualMono, HighPass, LevelReport, Step
from mixdown.render.mastering import is_silent


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What every processor of a chain has to know."""

    sample_rate_hz: int
    channels: int
    providers: tuple[str, ...]  #: ONNX Runtime execution providers


class Hears(Enum):
    """What a step has to hear to its end before it can begin."""

    nothing = 0
    source = 1  #: the recording as it comes in: what harms it is found best there
    before = 2  #: the recording as the steps before leave it


@dataclass(frozen=True, slots=True)
class Fitted:
    """A step made ready for one recording."""

    processor: Processor | None  #: None: there is nothing for it to do here
    note: Callable[[], str | None] = lambda: None  #: what it found, known when the recording has gone through


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """One kind of step."""

    fit: Callable[[Any, Signal, Any], Fitted]  #: from the step, the signal, and what was heard
    hears: Hears = Hears.nothing
    survey: Callable[[Any, Signal], Survey[Any]] | None = None


def _dc_removal(_: DcRemoval, signal: Signal, __: None) -> Fitted:
    return Fitted(dc.DcRemoval(sample_rate_hz=signal.sample_rate_hz, channels=signal.channels))


def _balance(_: DualMono, signal: Signal) -> Survey[ChannelBalance]:
    return ChannelSurvey(signal.channels)


def _dual_mono(_: DualMono, signal: Signal, balance: ChannelBalance) -> Fitted:
    if balance.silent_side is None:
        return Fitted(None)
    side = ("left", "right")[balance.silent_side]
    return Fitted(
        SideToBoth(balance, channels=signal.channels),
        lambda: f"The {side} side was silent: the other is on both",
    )


def _high_pass(step: HighPass, signal: Signal, _: None) -> Fitted:
    return Fitted(HighPassFilter(step.cutoff_hz, sample_rate_hz=signal.sample_rate_hz, channels=signal.channels))


def _denoise(step: Denoise, signal: Signal, _: None) -> Fitted:
    return Fitted(
        Denoiser(
            limit_db=step.reduction.limit_db,
            sample_rate_hz=signal.sample_rate_hz,
            channels=signal.channels,
            providers=signal.providers,
        )
    )


def _loudness_meter(_: Compress, signal: Signal) -> Survey[LevelReport]:
    return LoudnessMeter(signal.sample_rate_hz, signal.channels, true_peak=False)


def _compress(step: Compress, signal: Signal, level: LevelReport) -> Fitted:
    if is_silent(level):
        return Fitted(None)
    return Fitted(
        Compressor(
            threshold_dbfs=level.integrated_lufs + step.threshold_lu,
            ratio=step.ratio,
            knee_db=step.knee_db,
            attack_s=step.attack_s,
            release_s=step.release_s,
            sample_rate_hz=signal.sample_rate_hz,
            channels=signal.channels,
        )
    )


_WORKINGS: dict[type, Working] = {
    DcRemoval: Working(fit=_dc_removal),
    DualMono: Working(fit=_dual_mono, hears=Hears.source, survey=_balance),
    HighPass: Working(fit=_high_pass),
    Denoise: Working(fit=_denoise),
    Compress: Working(fit=_compress, hears=Hears.before, survey=_loudness_meter),
}


def working_of(step: Step) -> Working:
    """How this step is set up."""
    return _WORKINGS[type(step)]
