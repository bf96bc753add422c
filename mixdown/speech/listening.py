"""A performance heard by a recogniser, in stretches of half a minute: what was not said, or twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mixdown.dsp.processor import run
from mixdown.dsp.resample import Resampler
from mixdown.intermediate import Intermediate
from mixdown.progress import Tick
from mixdown.speech.hearing import Judged, judged
from mixdown.speech.recogniser import RATE_HZ, Ears
from mixdown.speech.timing import SpokenLine

#: Whisper hears half a minute at once, whatever there is in it.
_LONGEST_S = 28.0
_MARGIN_S = 0.15


def unheard(
    audio: Intermediate, lines: Sequence[SpokenLine], ears: Ears, language: str, tick: Tick = lambda _: None
) -> list[Judged]:
    """The lines that are missing or doubled, by their place among all of them; memory does not grow with length."""
    faults: list[Judged] = []
    for first, stretch in _stretches(lines):
        start_s, end_s = max(0.0, stretch[0].start_s - _MARGIN_S), stretch[-1].end_s + _MARGIN_S
        frame = round(start_s * audio.sample_rate_hz)
        samples = audio.read(frame, round((end_s - start_s) * audio.sample_rate_hz))
        tick(len(samples))
        resampler = Resampler(audio.sample_rate_hz, RATE_HZ, audio.channels)
        resampled = np.concatenate(list(run([resampler], [samples])))
        heard = ears.words(resampled.mean(axis=1, keepdims=True), language)
        said = [line.line.said for line in stretch]
        faults += [Judged(first + each.index, each.fault) for each in judged(said, heard)]
    return faults


def _stretches(lines: Sequence[SpokenLine]) -> Iterator[tuple[int, Sequence[SpokenLine]]]:
    """Runs of lines that are heard at once, and the place of the first of each."""
    first = 0
    for index, line in enumerate(lines):
        if index > first and line.end_s - lines[first].start_s > _LONGEST_S:
            yield first, lines[first:index]
            first = index
    if lines:
        yield first, lines[first:]
