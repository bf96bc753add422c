"""Who speaks when in a recording at work, and how loud that is."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from mixdown.dsp.loudness import LoudnessMeter
from mixdown.dsp.processor import Block
from mixdown.dsp.voice import VoiceSurvey
from mixdown.dsp.voice_map import SPEECH, VoiceMap
from mixdown.editing.desk import Desk
from mixdown.intermediate import Intermediate


def heard(audio: Intermediate, desk: Desk, *taps: Callable[[Block], None]) -> VoiceMap:
    """Who speaks when; each block is shown to the taps as well."""
    survey = VoiceSurvey(audio.sample_rate_hz, audio.channels)
    for block in audio.blocks():
        desk.tick(len(block))
        survey.push(block)
        for tap in taps:
            tap(block)
    return survey.report()


def voice_heard(audio: Intermediate, desk: Desk) -> tuple[VoiceMap, float]:
    """Who speaks when, and the loudness of that in LUFS; of everything where nobody does."""
    meter = LoudnessMeter(audio.sample_rate_hz, audio.channels, true_peak=False)
    voice_map = heard(audio, desk, meter.push)
    spoken = voice_map.level_lufs[voice_map.kinds == SPEECH]
    if not len(spoken):
        return voice_map, meter.report().integrated_lufs
    # Not gated: the spans leave out the pauses, and BS.1770's own blocks are longer than the gaps within words.
    return voice_map, 10.0 * math.log10(float(np.mean(10.0 ** (spoken.astype(np.float64) / 10.0))))
