"""Whether a chunk sounds as speech does: told from its samples, whatever engine made them."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from mixdown.speech.port import Spoken, Utterance

#: Rates that an engine may speak at, in Hz.
_RATES_HZ = range(8_000, 96_001)

#: Speech is louder than this, in dBFS, at its peak; and full scale for so many samples in a row is clipped.
_QUIETEST_PEAK_DBFS, _CLIPPED_RUN, _FULL = -45.0, 8, 0.9995

#: Nobody says a letter faster or slower than this, in seconds, at the voice's own pace; figures are words.
_FASTEST_S, _SLOWEST_S, _SPARE_S = 0.02, 0.35, 3.0
_LETTERS_PER_FIGURE = 6

#: So far below the peak there is nothing, and so long at most within what is said, or at its ends.
_NOTHING_DB, _LONGEST_NOTHING_S, _LONGEST_END_S = -50.0, 2.5, 4.0

#: Frames that are looked at, in seconds; and a sound that stays the same for so long is no speech.
_FRAME_S, _STUCK_S, _ALIKE = 0.02, 1.5, 0.995

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
    if _longest_run(np.abs(samples) >= _FULL) > _CLIPPED_RUN:
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
    return "it hangs on one sound." if _is_stuck(frames, level, peak) else None


def _is_stuck(frames: NDArray[np.float32], level: NDArray[np.float32], peak: float) -> bool:
    """Whether the spectrum stays what it is while there is sound."""
    spectra = np.abs(np.fft.rfft(frames * np.hanning(frames.shape[1]).astype(np.float32), axis=1))
    norms = np.linalg.norm(spectra, axis=1)
    alike = np.einsum("ij,ij->i", spectra[1:], spectra[:-1]) > _ALIKE * norms[1:] * norms[:-1]
    loud = level[1:] > 0.05 * peak
    return _longest_run(alike & loud) * _FRAME_S > _STUCK_S


def _longest_run(flags: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max(initial=0))
