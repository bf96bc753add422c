"""Whether a chunk sounds as speech does: told from its samples, whatever engine made them."""

from __future__ import annotations

import re

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from mixdown.speech.port import Spoken, Utterance

#: Rates that an engine may speak at, in Hz.
_RATES_HZ = range(8_000, 96_001)

#: Speech is louder than this, in dBFS, at its peak.
_QUIETEST_PEAK_DBFS = -45.0

#: Tops that are flat for so long, in seconds, so often, are clipped, at whatever height: those of speech are round.
_FLAT_S, _FLAT_TOPS, _TOP = 0.00025, 4, 0.9995

#: Nobody says a letter faster or slower than this, in seconds, at the voice's own pace; figures are words.
_FASTEST_S, _SLOWEST_S, _SPARE_S = 0.02, 0.35, 3.0
_LETTERS_PER_FIGURE = 6

#: So far below the peak there is nothing, and so long at most within what is said, or at its ends.
_NOTHING_DB, _LONGEST_NOTHING_S, _LONGEST_END_S = -50.0, 2.5, 4.0

#: Frames that are looked at, in seconds; and less than this, against the peak, is no sound of speech.
_FRAME_S, _LOUD = 0.02, 0.05

#: What is so much like itself, after so long, in seconds, for this long, is one sound: 0.82 is the most that was
#: found in speech, 0.999 what a stuck engine has.
_ALIKE, _FIRST_LAG_S, _LAST_LAG_S, _STUCK_S, _COARSE_HZ = 0.97, 0.04, 0.4, 1.0, 8_000

#: As flat a spectrum as this (geometric by arithmetic mean) is noise; a hiss lasts 0.1 s in speech.
_NOISE_FLATNESS, _LONGEST_NOISE_S = 0.3, 0.6

#: In its last moments speech is below this, as a share of its peak; 0.164 is the most that was found (a quick “I”).
_CUT, _LAST_S = 0.25, 0.01

_SPOKEN = re.compile(r"[^\W\d_]")
_FIGURE = re.compile(r"\d")


def fault_of(spoken: Spoken, utterance: Utterance) -> str | None:
    """What is wrong with a chunk, as the end of a sentence; None where it sounds as it should.

    Parameters
    ----------
    spoken : Spoken
        Samples of shape (frames, 1).
    utterance : Utterance
        What was to be said.

    Notes
    -----
    Bounds are wide: what every engine says of every text lies within them. They find what is broken, not what is
    mispronounced; that takes a recogniser.
    """
    samples, rate_hz = spoken.samples[:, 0], spoken.sample_rate_hz
    if rate_hz not in _RATES_HZ:
        return f"it has a sample rate of {rate_hz} Hz."
    if not len(samples) or not np.isfinite(samples).all():
        return "its samples are no numbers." if len(samples) else "there is nothing in it."
    peak = float(np.abs(samples).max())
    if peak < 10.0 ** (_QUIETEST_PEAK_DBFS / 20.0):
        return "it is silent."
    tops = _runs(np.abs(samples) >= _TOP * peak)
    if np.count_nonzero(tops > max(4, round(_FLAT_S * rate_hz))) >= _FLAT_TOPS:
        return "it is clipped."
    return _length_fault(len(samples) / rate_hz, utterance) or _course_fault(samples, rate_hz, peak)


def _length_fault(duration_s: float, utterance: Utterance) -> str | None:
    letters = len(_SPOKEN.findall(utterance.text)) + _LETTERS_PER_FIGURE * len(_FIGURE.findall(utterance.text))
    if duration_s > _SPARE_S + _SLOWEST_S * letters / utterance.rate:
        return f"it goes on for {duration_s:.1f} s."
    if duration_s < _FASTEST_S * letters / utterance.rate:
        return f"it is over after {duration_s:.1f} s."
    return None


def _course_fault(samples: NDArray[np.float32], rate_hz: int, peak: float) -> str | None:
    """What is wrong in the course of it: nothing for too long, or the same for too long."""
    frame = max(1, round(_FRAME_S * rate_hz))
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    if not len(frames):
        return None
    level = np.sqrt(np.mean(np.square(frames), axis=1))
    heard = np.flatnonzero(level > peak * 10.0 ** (_NOTHING_DB / 20.0))
    if not len(heard):
        return "it is silent."
    within = float(np.diff(heard).max(initial=0)) * _FRAME_S
    if within > _LONGEST_NOTHING_S:
        return f"it is silent for {within:.1f} s in its midst."
    ends_s = max(int(heard[0]), len(frames) - 1 - int(heard[-1])) * _FRAME_S
    if ends_s > _LONGEST_END_S:
        return f"it is silent for {ends_s:.1f} s at one end."
    if _is_noise(frames, level, peak):
        return "it is noise."
    if _is_stuck(samples, rate_hz, peak):
        return "it hangs on one sound."
    last = samples[-max(1, round(_LAST_S * rate_hz)) :]
    return "it breaks off." if float(last.std()) > _CUT * peak else None


def _is_noise(frames: NDArray[np.float32], level: NDArray[np.float32], peak: float) -> bool:
    """Whether there is nothing but hiss for a while."""
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(frames.shape[1]), axis=1))) + 1e-14
    flatness = np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1)
    noisy = (flatness > _NOISE_FLATNESS) & (level > _LOUD * peak)
    return float(_runs(noisy).max(initial=0)) * _FRAME_S > _LONGEST_NOISE_S


def _is_stuck(samples: NDArray[np.float32], rate_hz: int, peak: float) -> bool:
    """Whether the wave repeats itself: a tone, a buzz, a loop. Its highs are not needed to tell."""
    step = max(1, rate_hz // _COARSE_HZ)
    wave, coarse_hz = samples[::step].astype(np.float64), rate_hz / step
    window, first, last = (round(time_s * coarse_hz) for time_s in (_STUCK_S, _FIRST_LAG_S, _LAST_LAG_S))
    size = scipy.fft.next_fast_len(window + last, real=True)
    for start in range(0, len(wave) - window - last + 1, window // 2):
        whole = wave[start : start + window + last]
        here = whole[:window]
        energy = float(here @ here)
        if energy < window * (_LOUD * peak) ** 2:
            continue
        likeness = scipy.fft.irfft(scipy.fft.rfft(whole, size) * scipy.fft.rfft(here, size).conj(), size)
        sums = np.concatenate(([0.0], np.cumsum(np.square(whole))))
        there = sums[first + window : last + window] - sums[first:last]
        if np.any(likeness[first:last] > _ALIKE * np.sqrt(energy * np.maximum(there, 0.0)) + 1e-12):
            return True
    return False


def _runs(flags: NDArray[np.bool_]) -> NDArray[np.intp]:
    """How long each run of what is true is."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return edges[1::2] - edges[::2]
