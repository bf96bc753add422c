"""Clips on a timeline, mixed block by block: what every cut, join and fade is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from mixdown.dsp.fade import fade_in_gains, fade_out_gains
from mixdown.dsp.processor import Block
from mixdown.intermediate import BLOCK_FRAMES, Intermediate
from mixdown.model import FadeCurve


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """Part of a recording, where it sounds and how."""

    audio: Intermediate
    frames: int
    start_frame: int = 0  #: where it begins in `audio`
    at_frame: int = 0  #: where it begins on the timeline
    gain: float = 1.0  #: a factor
    fade_in_frames: int = 0  #: at most `frames`
    fade_out_frames: int = 0
    curve: FadeCurve = FadeCurve.sine

    @property
    def end_frame(self) -> int:
        """Where it ends on the timeline."""
        return self.at_frame + self.frames

    def between(self, start: int, end: int) -> Block:
        """Its samples between two frames of the timeline that lie within it."""
        start, end = start - self.at_frame, end - self.at_frame
        block = self.audio.read(self.start_frame + start, end - start)
        if self.gain != 1.0:
            block *= np.float32(self.gain)
        if start < self.fade_in_frames:
            faded = min(end, self.fade_in_frames) - start
            block[:faded] *= fade_in_gains(self.curve, start, faded, self.fade_in_frames)[:, None]
        fade_out = self.frames - self.fade_out_frames
        if end > fade_out:
            first = max(start, fade_out)
            gains = fade_out_gains(self.curve, first - fade_out, end - first, self.fade_out_frames)
            block[first - start :] *= gains[:, None]
        return block


def mixed(
    clips: Iterable[Clip], *, frames: int, channels: int, block_frames: int = BLOCK_FRAMES
) -> Iterator[Block]:
    """The sum of all clips, block by block, as long as the timeline; silence where there is none.

    Parameters
    ----------
    clips : iterable of Clip
        In the order in which they begin, all with as many channels; taken as they are needed, so there may be
        any number. What lies beyond the end of the timeline is not heard.
    frames : int
        Length of the timeline.
    channels : int
        Of every clip.
    block_frames : int
        Length of the blocks; the samples do not depend on it.

    Yields
    ------
    ndarray of float32, shape (≤ block_frames, channels)
        The caller's own.
    """
    waiting = iter(clips)
    upcoming = next(waiting, None)
    sounding: list[Clip] = []
    for start in range(0, frames, block_frames):
        end = min(start + block_frames, frames)
        while upcoming is not None and upcoming.at_frame < end:
            sounding.append(upcoming)
            upcoming = next(waiting, None)
        sounding = [clip for clip in sounding if clip.end_frame > start]
        if len(sounding) == 1 and sounding[0].at_frame <= start and sounding[0].end_frame >= end:
            yield sounding[0].between(start, end)
            continue
        block = np.zeros((end - start, channels), np.float32)
        for clip in sounding:
            first, last = max(start, clip.at_frame), min(end, clip.end_frame)
            block[first - start : last - start] += clip.between(first, last)
        yield block


def joined(clips: Iterable[Clip]) -> tuple[list[Clip], int]:
    """Clips in the order in which they begin, without empty ones, and the end of the last to end, in frames."""
    ordered = sorted((clip for clip in clips if clip.frames > 0), key=lambda clip: clip.at_frame)
    return ordered, max((clip.end_frame for clip in ordered), default=0)
