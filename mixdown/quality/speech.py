"""How the speech of two recordings scores at the same places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mixdown.dsp.dnsmos import RATE_HZ, DnsMos, dnsmos
from mixdown.dsp.voice import VoiceSurvey
from mixdown.dsp.voice_map import SPEECH
from mixdown.model import SegmentScores
from mixdown.quality.hearing import Heard

#: Places that are scored at most: each costs a quarter of a second of CPU, twice.
MOST_SCORED = 4

#: Speech is brought to the level that the networks know best: scores depend on it (docs/decisions/0011).
SPEECH_LEVEL_DBFS = -26.0

_STEP_FRAMES = RATE_HZ // 50
_ACTIVE_DB = 15.0


def speech_scores(
    before: Heard, after: Heard, *, least_speech: float, providers: Sequence[str]
) -> tuple[SegmentScores, ...]:
    """Scores of the places where the source has speech, `MOST_SCORED` at most, evenly spread.

    Parameters
    ----------
    before, after : what was heard of the source and of the master
    least_speech : the share of a place that must be speech, 0 to 1
    providers : ONNX Runtime execution providers, in order of preference
    """
    places = sorted(before.excerpts.keys() & after.excerpts.keys())
    spoken = [start_s for start_s in places if speech_share(before.excerpts[start_s]) >= least_speech]
    chosen = np.unique(np.linspace(0, len(spoken) - 1, min(MOST_SCORED, len(spoken))).round().astype(int))
    found = []
    for start_s in (spoken[index] for index in chosen):
        was, became = _scored(before, start_s, providers), _scored(after, start_s, providers)
        found.append(
            SegmentScores(
                start_s=float(start_s),
                signal_before=round(was.signal, 3),
                signal_after=round(became.signal, 3),
                background_before=round(was.background, 3),
                background_after=round(became.background, 3),
                overall_before=round(was.overall, 3),
                overall_after=round(became.overall, 3),
            )
        )
    return tuple(found)


def speech_share(excerpt: NDArray[np.float32]) -> float:
    """The part of an excerpt that is speech, 0 to 1."""
    survey = VoiceSurvey(RATE_HZ, 1)
    survey.push(excerpt[:, None])
    return survey.report().share(SPEECH)


def _scored(heard: Heard, start_s: int, providers: Sequence[str]) -> DnsMos:
    """The scores of one place. They are kept: a source is held against one master after another."""
    if start_s not in heard.scores:
        excerpt = heard.excerpts[start_s]
        heard.scores[start_s] = dnsmos(_at_speech_level(excerpt), providers=providers)
    return heard.scores[start_s]


def _at_speech_level(excerpt: NDArray[np.float32]) -> NDArray[np.float32]:
    """The excerpt with what is active in it at `SPEECH_LEVEL_DBFS`: steps at most 15 dB below the loud ones."""
    steps = max(1, len(excerpt) // _STEP_FRAMES)
    power = np.mean(np.resize(excerpt, (steps, min(_STEP_FRAMES, len(excerpt)))).astype(np.float64) ** 2, axis=1)
    active = power[power >= np.quantile(power, 0.95) * 10 ** (-_ACTIVE_DB / 10)]
    level = float(np.sqrt(active.mean()))
    return excerpt if level == 0.0 else (excerpt * (10 ** (SPEECH_LEVEL_DBFS / 20) / level)).astype(np.float32)
