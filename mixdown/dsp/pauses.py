"""Where a recording may be cut: its pauses, from the map of who speaks when."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from mixdown.dsp.voice_map import MUSIC, NOISE, SILENCE, SPEECH, Span, VoiceMap, gated_lufs, runs

__all__ = ["Span", "kept_spans", "quietest_span", "speech_extent"]

#: Left before and after every word, whatever is asked for: soft onsets, releases and the room's answer.
MARGIN_S = 0.15

#: What is this much louder than the pauses usually are is an event (a laugh, a breath, a door): it is not cut.
_EVENT_DB = 10.0

#: Where more of the pauses than this is digital silence, noise is part of them only so far below the programme.
_MUTED_SHARE, _FAINT_LU = 0.5, 45.0

#: A cut that saves less than this is not worth its seam.
_LEAST_CUT_S = 0.1

#: Room tone may be this much louder than the loudest step of its quietest stretch.
_STEADY_DB = 2.0


def kept_spans(
    voice_map: VoiceMap, duration_s: float, *, trim: bool, keep_s: float, shorten_to_s: float | None
) -> list[Span]:
    """What remains of a recording when its silence is trimmed and its pauses are shortened.

    Parameters
    ----------
    voice_map : VoiceMap
    duration_s : float
        Of the recording.
    trim : bool
        Whether to cut before the first and after the last sound.
    keep_s : float
        Left at each end when trimming; `MARGIN_S` at least.
    shorten_to_s : float or None
        Longer pauses between sounds become this long, `MARGIN_S` on either side at least; None leaves them.

    Returns
    -------
    list of Span
        In order, apart from each other; never inside speech, music or anything that stands out of
        the pauses, such as a breath or a laugh: half a breath is worse than a whole one. The whole
        recording where nothing stands out at all: then silence cannot be told from programme.
    """
    step_s = voice_map.step_s
    sounds = [Span(start * step_s, end * step_s) for start, end in runs(_stands_out(voice_map))]
    if not sounds:
        return [Span(0.0, duration_s)] if duration_s > 0.0 else []
    keep_s = max(keep_s, MARGIN_S)
    start_s = max(0.0, sounds[0].start_s - keep_s) if trim else 0.0
    end_s = min(duration_s, sounds[-1].end_s + keep_s) if trim else duration_s
    kept = []
    if shorten_to_s is not None:
        side_s = max(shorten_to_s / 2.0, MARGIN_S)
        for before, after in itertools.pairwise(sounds):
            if after.start_s - before.end_s - 2.0 * side_s >= _LEAST_CUT_S:
                kept.append(Span(start_s, before.end_s + side_s))
                start_s = after.start_s - side_s
    kept.append(Span(start_s, end_s))
    return kept


def speech_extent(voice_map: VoiceMap) -> Span | None:
    """From the first word to the end of the last; None where nobody speaks."""
    spoken = voice_map.spans(SPEECH)
    return Span(spoken[0].start_s, spoken[-1].end_s) if spoken else None


def quietest_span(voice_map: VoiceMap, at_least_s: float) -> Span | None:
    """The best stretch of room tone: the one whose loudest step is quietest, and what is like it around it.

    Parameters
    ----------
    voice_map : VoiceMap
    at_least_s : float
        Length that is needed; above 0.

    Returns
    -------
    Span or None
        `MARGIN_S` away from words and music; None where there is no such stretch. Digital silence is
        taken only where there is no room to be heard.
    """
    margin = int(np.ceil(MARGIN_S / voice_map.step_s))
    length = max(1, int(np.ceil(at_least_s / voice_map.step_s - 1e-9)))
    sound = (voice_map.kinds == SPEECH) | (voice_map.kinds == MUSIC)
    if len(sound) < length:
        return None
    near = np.convolve(sound, np.ones(2 * margin + 1), "full")[margin : margin + len(sound)] > 0.5
    for usable in (~near & (voice_map.kinds == NOISE), ~near):
        level_lufs = np.where(usable, voice_map.level_lufs, np.inf)
        loudest = np.lib.stride_tricks.sliding_window_view(level_lufs, length).max(axis=1)
        best = int(loudest.argmin())
        if np.isfinite(loudest[best]):
            start, end = best, best + length
            alike = level_lufs <= loudest[best] + _STEADY_DB
            while start > 0 and alike[start - 1]:
                start -= 1
            while end < len(alike) and alike[end]:
                end += 1
            return Span(start * voice_map.step_s, end * voice_map.step_s)
    return None


def _stands_out(voice_map: VoiceMap) -> NDArray[np.bool_]:
    """The steps that are not pause."""
    sound = (voice_map.kinds == SPEECH) | (voice_map.kinds == MUSIC)
    noise = voice_map.kinds == NOISE
    if not noise.any() or not sound.any():
        return sound
    # The lower quarter, so that applause does not become the measure of a pause.
    usual_lufs = float(np.quantile(voice_map.level_lufs[noise], 0.25))
    if np.mean(voice_map.kinds[~sound] == SILENCE) > _MUTED_SHARE:
        # Where pauses are digitally silent, what is in between was left there on purpose.
        usual_lufs = min(usual_lufs, gated_lufs(voice_map.level_lufs[sound]) - _FAINT_LU)
    return sound | (noise & (voice_map.level_lufs > usual_lufs + _EVENT_DB))
