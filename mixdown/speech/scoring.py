"""Music under speech: beds from cue to cue, and room made for what is said."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mixdown.codec.remix import remix
from mixdown.dsp.ducking import Ducking
from mixdown.dsp.processor import Block
from mixdown.editing import Desk
from mixdown.editing.bed import looped, shaped
from mixdown.editing.timeline import Clip, mixed
from mixdown.intermediate import Intermediate
from mixdown.model import FadeCurve, Source
from mixdown.music import LOUDNESS_LUFS, bed

#: Music rises and goes in these times, and one piece gives way to the next in this one.
_FADE_IN_S, _FADE_OUT_S, _CROSSFADE_S = 1.0, 3.0, 2.0

#: It is down so long before a word, and takes so long to come back.
_LOOK_AHEAD_S, _RELEASE_S = 0.2, 1.2

#: Cues so close are one after the other.
_TOGETHER_S = 0.05

_LARGEST_CHANGE_DB = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedCue:
    """Music, and from when to when it plays."""

    bed: str = ""  #: name of one that is made here
    source: Source | None = None  #: or a recording, which goes first
    start_s: float
    end_s: float
    level_lu: float  #: of the music alone, against the voice
    duck_db: float  #: so much less while somebody speaks
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """A cue with its fades, in frames."""

    cue: PlacedCue
    start: int
    frames: int
    fade_in: int
    fade_out: int
    curve: FadeCurve
    skipped: int  #: of its loop, which goes on from the cue before


def scored(
    voice: Intermediate,
    voice_lufs: float,
    spans_s: Sequence[tuple[float, float]],
    cues: Sequence[PlacedCue],
    desk: Desk,
) -> Intermediate:
    """Speech over its music, in stereo, as long as the speech.

    Parameters
    ----------
    voice : Intermediate
        One or two channels; it is kept.
    voice_lufs : float
        Its loudness, against which that of the music is set.
    spans_s : sequence of (float, float)
        When somebody speaks, in order.
    cues : sequence of PlacedCue
        What plays when, in the order in which it begins.
    desk : Desk
        Has the recordings that cues name.

    Raises
    ------
    UnknownSound
        There is no bed of a name.
    SourceError, AudioError, ScratchFull
    """
    stereo = Intermediate(voice.path, sample_rate_hz=voice.sample_rate_hz, channels=2)  # never read: only its shape
    made: dict[tuple[str, int], Intermediate] = {}
    with desk.replacing(voice) as kept:
        kept.append(voice)
        try:
            stretches = list(_stretches(cues, voice.frames, voice.sample_rate_hz))
            for stretch in stretches:
                if stretch.cue.source is None:
                    _bed(stretch.cue, made, stereo, desk)
            playing = [
                _Playing(stretch.start, _music(stretch, made, stereo, voice_lufs, spans_s, desk))
                for stretch in stretches
            ]
            kept.append(desk.made(_laid(voice, playing), like=stereo))
        finally:
            for audio in made.values():
                desk.discard(audio)
    return kept[-1]


def _stretches(cues: Sequence[PlacedCue], frames: int, rate_hz: int) -> Iterator[_Stretch]:
    ordered = sorted((cue for cue in cues if cue.end_s > cue.start_s), key=lambda cue: cue.start_s)
    skipped = 0
    for index, cue in enumerate(ordered):
        before = ordered[index - 1] if index else None
        after = ordered[index + 1] if index + 1 < len(ordered) else None
        from_it = before is not None and cue.start_s - before.end_s < _TOGETHER_S
        into_it = after is not None and after.start_s - cue.end_s < _TOGETHER_S
        goes_on = from_it and before is not None and _material(before) == _material(cue)
        kept_on = into_it and after is not None and _material(after) == _material(cue)
        start = max(0, round(cue.start_s * rate_hz))
        end = min(frames, round((cue.end_s + (_CROSSFADE_S if into_it else 0.0)) * rate_hz))
        if end <= start:
            continue
        skipped = skipped + start - round(before.start_s * rate_hz) if goes_on and before is not None else 0
        fade_in = round((_CROSSFADE_S if from_it else _FADE_IN_S) * rate_hz)
        fade_out = round((_CROSSFADE_S if into_it else _FADE_OUT_S) * rate_hz)
        yield _Stretch(
            cue=cue,
            start=start,
            frames=end - start,
            fade_in=min(fade_in, (end - start) // 2),
            fade_out=min(fade_out, (end - start) // 2),
            # One piece that goes on at another level is the same on both sides of the crossfade.
            curve=FadeCurve.linear if goes_on or kept_on else FadeCurve.sine,
            skipped=skipped,
        )


def _material(cue: PlacedCue) -> tuple[object, ...]:
    return (cue.source.uri,) if cue.source is not None else (cue.bed, cue.seed)


def _bed(cue: PlacedCue, made: dict[tuple[str, int], Intermediate], like: Intermediate, desk: Desk) -> Intermediate:
    """A bed, made once."""
    key = (cue.bed, cue.seed)
    if key not in made:
        made[key] = desk.made([bed(cue.bed, seed=cue.seed, sample_rate_hz=like.sample_rate_hz)], like=like)
    return made[key]


def _music(
    stretch: _Stretch,
    made: dict[tuple[str, int], Intermediate],
    like: Intermediate,
    voice_lufs: float,
    spans_s: Sequence[tuple[float, float]],
    desk: Desk,
) -> Iterator[Block]:
    """The blocks of one cue, from where it begins."""
    cue, rate_hz = stretch.cue, like.sample_rate_hz
    total = stretch.skipped + stretch.frames
    if cue.source is not None:
        music = desk.material(cue.source, like=like).audio
        clips = list(looped(music, total, _gain(cue, voice_lufs, desk.loudness_lufs(music)), loop=True))
    else:
        music = _bed(cue, made, like, desk)
        gain = _gain(cue, voice_lufs, LOUDNESS_LUFS)
        clips = [
            Clip(audio=music, frames=music.frames, at_frame=at, gain=gain) for at in range(0, total, music.frames)
        ]
    ducking = Ducking(
        [(start_s - stretch.start / rate_hz, end_s - stretch.start / rate_hz) for start_s, end_s in spans_s],
        depth_db=cue.duck_db,
        look_ahead_s=_LOOK_AHEAD_S,
        release_s=_RELEASE_S,
        sample_rate_hz=rate_hz,
    )
    return shaped(
        _without(mixed(clips, frames=total, channels=like.channels), stretch.skipped),
        ducking,
        stretch.frames,
        fade_in=stretch.fade_in,
        fade_out=stretch.fade_out,
        curve=stretch.curve,
    )


def _gain(cue: PlacedCue, voice_lufs: float, music_lufs: float) -> float:
    change_db = voice_lufs + cue.level_lu - music_lufs
    if not math.isfinite(change_db):  # one of them is silent
        change_db = cue.level_lu
    return float(10.0 ** (max(-_LARGEST_CHANGE_DB, min(_LARGEST_CHANGE_DB, change_db)) / 20.0))


def _without(blocks: Iterator[Block], skipped: int) -> Iterator[Block]:
    for block in blocks:
        if skipped < len(block):
            yield block[skipped:]
        skipped = max(0, skipped - len(block))


class _Playing:
    """Music taken as it is needed."""

    def __init__(self, start: int, blocks: Iterator[Block]) -> None:
        self.start = start
        self.over = False
        self._blocks = blocks
        self._rest: Block = np.zeros((0, 2), np.float32)

    def lay_under(self, block: Block, at: int) -> None:
        """Add what sounds in a block of the programme that begins at a frame."""
        first = max(0, self.start - at)
        while first < len(block) and not self.over:
            if not len(self._rest):
                following = next(self._blocks, None)
                if following is None:
                    self.over = True
                    return
                self._rest = following
            taken = self._rest[: len(block) - first]
            block[first : first + len(taken)] += taken
            self._rest = self._rest[len(taken) :]
            first += len(taken)


def _laid(voice: Intermediate, playing: Sequence[_Playing]) -> Iterator[Block]:
    at = 0
    for spoken in voice.blocks():
        block = remix(spoken, 2)
        block = block.copy() if block is spoken else block
        for music in playing:
            if not music.over and music.start < at + len(block):
                music.lay_under(block, at)
        at += len(block)
        yield block
