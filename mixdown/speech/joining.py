"""Chunks joined to one performance: trimmed, each speaker at one loudness, with pauses between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mixdown.codec.remix import remix
from mixdown.dsp.processor import Block, run
from mixdown.dsp.resample import Resampler
from mixdown.editing.timeline import Clip, mixed
from mixdown.errors import TooLong
from mixdown.intermediate import HELD_BYTES, Intermediate
from mixdown.model import ChapterStart, EffectCue, Gap, Limits, Line, Mark, MusicCue, Pause, Script
from mixdown.progress import Tick
from mixdown.speech.levelling import VOICE_LUFS, Levels
from mixdown.speech.plan import Chunk
from mixdown.speech.port import Spoken
from mixdown.speech.timing import SpokenLine, lines_within

#: Sound begins and ends where it passes this, below full scale once it is at its loudness.
_SILENCE_DBFS = -50.0
#: Kept beside it, in seconds: breath before, decay after.
_HEAD_S, _TAIL_S = 0.02, 0.06
_FADE_S = 0.005

#: More than this, of full scale, is an offset: it would click, and hide where sound ends.
_OFFSET = 0.001

#: Pauses between sentences, in seconds.
PAUSES_S = {
    Gap.none: 0.06,
    Gap.sentence: 0.35,
    Gap.paragraph: 0.7,
    Gap.speaker: 0.25,
    Gap.heading: 1.0,
}
_BESIDE_AN_EFFECT_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """A script as it sounds."""

    audio: Intermediate  #: one channel
    lines: tuple[SpokenLine, ...]
    marks: tuple[Mark, ...]  #: chapters
    cues: tuple[tuple[float, MusicCue], ...]  #: music, and when it begins, in seconds
    voice_lufs: float = VOICE_LUFS
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Take:
    """The sound of a chunk, where it lies among all of them."""

    start_frame: int
    frames: int
    speaker: str


def performed(
    script: Script,
    chunks: Sequence[Chunk],
    read: Callable[[str], Spoken],
    folder: Path,
    *,
    sample_rate_hz: int,
    effects: Callable[[EffectCue, int], Iterable[Block]],
    limits: Limits,
    tick: Tick = lambda _: None,
    name: str = "The script",
) -> Performance:
    """The chunks of a script, one after the other, in constant memory.

    Parameters
    ----------
    script, chunks
        The chunks are those of the script, in order.
    read : callable
        The sound of a chunk by its key.
    folder : Path
        Scratch: gets `performance.f32`, unless it is short, and nothing else that stays.
    sample_rate_hz : int
        Of the performance.
    effects : callable
        The sound of a cue at a rate in Hz, as blocks of any number of channels; asked once for each sound.
    limits : Limits
        How long it may become.
    tick : callable
        Told of every frame; what it raises ends the work.

    Raises
    ------
    TooLong, ScratchFull
    """
    audio, voice = (
        Intermediate(folder / name, sample_rate_hz=sample_rate_hz, channels=1, held_bytes=HELD_BYTES)
        for name in ("performance.f32", "voice.f32")
    )
    levels = Levels(sample_rate_hz)
    takes: list[_Take] = []
    course = _Course(voice, levels, effects, folder, name, limits, tick)
    complete = False
    try:
        voice.fill(_taken(chunks, read, sample_rate_hz, takes, levels, tick))
        course.run(script, chunks, takes)
        audio.fill(_ticked(mixed(course.clips, frames=max(1, course.end), channels=1), tick))
        complete = True
    finally:
        for spent in (voice, *course.effects.values(), *(() if complete else (audio,))):
            spent.discard()
    return Performance(audio=audio, lines=tuple(course.lines), marks=tuple(course.marks), cues=tuple(course.cues))


@dataclass
class _Course:
    """A performance as it takes shape."""

    voice: Intermediate
    levels: Levels
    sound_of: Callable[[EffectCue, int], Iterable[Block]]
    folder: Path
    name: str
    limits: Limits
    tick: Tick
    clips: list[Clip] = field(default_factory=list)
    effects: dict[tuple[object, ...], Intermediate] = field(default_factory=dict)
    lines: list[SpokenLine] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    cues: list[tuple[float, MusicCue]] = field(default_factory=list)
    end: int = 0  #: frames so far
    paused_s: float | None = None  #: silence that was asked for, before the next sound
    title: str | None = None  #: of the chapter that begins with it
    behind_heading: bool = False
    behind_effect: bool = False

    @property
    def rate_hz(self) -> int:
        return self.voice.sample_rate_hz

    def run(self, script: Script, chunks: Sequence[Chunk], takes: Sequence[_Take]) -> None:
        """Everything in the script, in order."""
        by_item: dict[int, list[tuple[Chunk, _Take]]] = {}
        for chunk, take in zip(chunks, takes, strict=True):
            by_item.setdefault(chunk.item, []).append((chunk, take))
        for index, item in enumerate(script.items):
            match item:
                case Pause():
                    self.pause(item.duration_s)
                case ChapterStart():
                    self.title = item.title
                case MusicCue():
                    self.music(item)
                case EffectCue():
                    self.effect(item)
                case Line():
                    for chunk, take in by_item.get(index, ()):
                        self.speak(chunk, take)
        self._silence(self.paused_s or 0.0)

    def pause(self, duration_s: float) -> None:
        self.paused_s = (self.paused_s or 0.0) + duration_s

    def music(self, cue: MusicCue) -> None:
        self._silence(self.paused_s or 0.0)
        self.paused_s = None if self.paused_s is None else 0.0
        self.cues.append((self.end / self.rate_hz, cue))

    def effect(self, cue: EffectCue) -> None:
        audio = self._effect(cue)
        self._begin(_BESIDE_AN_EFFECT_S)
        self._lay(Clip(audio=audio, frames=audio.frames, at_frame=self.end))
        self.behind_heading, self.behind_effect = False, True

    def _effect(self, cue: EffectCue) -> Intermediate:
        """A sound in one channel, however often it is played."""
        key = (cue.uri,) if cue.uri else (cue.name, *sorted(cue.parameters.items()))
        if key not in self.effects:
            path = self.folder / f"effect-{len(self.effects)}.f32"
            audio = self.effects[key] = Intermediate(path, sample_rate_hz=self.rate_hz, channels=1)
            audio.fill(_ticked((remix(block, 1) for block in self.sound_of(cue, self.rate_hz)), self.tick))
        return self.effects[key]

    def speak(self, chunk: Chunk, take: _Take) -> None:
        self._begin(self._gap_s(chunk.lines[0]))
        gain = self.levels.gain(take.speaker)
        samples = self.voice.read(take.start_frame, take.frames)
        first, last = _heard(samples, gain, self.rate_hz)
        frames = last - first
        fade = min(round(_FADE_S * self.rate_hz), frames // 2)
        clip = Clip(
            audio=self.voice,
            start_frame=take.start_frame + first,
            frames=frames,
            at_frame=self.end,
            gain=gain,
            fade_in_frames=fade,
            fade_out_frames=fade,
        )
        self.lines += lines_within(
            chunk.lines, self.end / self.rate_hz, frames / self.rate_hz, samples[first:last], self.rate_hz
        )
        self._lay(clip)
        self.behind_heading, self.behind_effect = chunk.lines[-1].heading, False

    def _gap_s(self, line: Line) -> float:
        if self.behind_effect:
            return _BESIDE_AN_EFFECT_S
        if self.behind_heading and line.gap is not Gap.none:
            return max(PAUSES_S[Gap.paragraph], PAUSES_S[line.gap])
        return PAUSES_S[line.gap]

    def _begin(self, usual_s: float) -> None:
        """What lies before the next sound: what was asked for, else the usual, and nothing before the first."""
        silence_s = self.paused_s if self.paused_s is not None else usual_s if self.clips else 0.0
        self._silence(silence_s)
        self.paused_s = None
        if self.title is not None:
            self.marks.append(Mark(self.end / self.rate_hz, self.title))
            self.title = None

    def _silence(self, duration_s: float) -> None:
        self._reach(self.end + round(duration_s * self.rate_hz))

    def _lay(self, clip: Clip) -> None:
        self.clips.append(clip)
        self._reach(clip.end_frame)

    def _reach(self, end: int) -> None:
        self.end = end
        if self.end / self.rate_hz > self.limits.duration_s:
            raise TooLong(f"“{self.name}” would become longer than {self.limits.duration_s / 3600:.1f} hours.")


def _taken(
    chunks: Sequence[Chunk],
    read: Callable[[str], Spoken],
    sample_rate_hz: int,
    takes: list[_Take],
    levels: Levels,
    tick: Tick,
) -> Iterator[Block]:
    """The sound of every chunk, without offset, at the rate of the performance."""
    at = 0
    for chunk in chunks:
        spoken = read(chunk.key)
        samples = _at_rate(_without_offset(spoken.samples), spoken.sample_rate_hz, sample_rate_hz)
        tick(len(samples))
        speaker = f"{chunk.lines[0].speaker.casefold()}\0{chunk.utterance.voice}"
        levels.push(speaker, samples.copy())
        takes.append(_Take(at, len(samples), speaker))
        at += len(samples)
        yield samples


def _without_offset(samples: Block) -> Block:
    """Speech itself leans to one side, and its silence does not: both have an offset, or there is none."""
    if not len(samples) or abs(samples.mean(dtype=np.float64)) < _OFFSET:
        return samples
    offset = np.float32(np.median(samples))
    return samples - offset if abs(offset) > _OFFSET else samples


def _at_rate(samples: Block, from_hz: int, to_hz: int) -> Block:
    if from_hz == to_hz or not len(samples):
        return samples
    return np.concatenate(list(run([Resampler(from_hz, to_hz, 1)], [samples])))


def _heard(samples: Block, gain: float, sample_rate_hz: int) -> tuple[int, int]:
    """From which frame to which a take can be heard; all of it where nothing can."""
    heard = np.flatnonzero(np.abs(samples[:, 0]) * gain > 10.0 ** (_SILENCE_DBFS / 20.0))
    if not len(heard):
        return 0, len(samples)
    first = max(0, int(heard[0]) - round(_HEAD_S * sample_rate_hz))
    return first, min(len(samples), int(heard[-1]) + 1 + round(_TAIL_S * sample_rate_hz))


def _ticked(blocks: Iterator[Block], tick: Tick) -> Iterator[Block]:
    for block in blocks:
        tick(len(block))
        yield block
