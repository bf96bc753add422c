"""Chunks joined to one performance: trimmed, each speaker at one loudness, with pauses between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mixdown.dsp.loudness import LoudnessMeter
from mixdown.dsp.processor import Block, run
from mixdown.dsp.resample import Resampler
from mixdown.editing.timeline import Clip, mixed
from mixdown.errors import TooLong
from mixdown.intermediate import Intermediate
from mixdown.model import ChapterStart, EffectCue, Gap, Limits, Line, Mark, MusicCue, Pause, Script
from mixdown.progress import Tick
from mixdown.speech.plan import Chunk
from mixdown.speech.port import Spoken
from mixdown.speech.timing import SpokenLine, lines_within

#: What every speaker is brought to; the loudness of the master comes later.
VOICE_LUFS = -23.0
_LARGEST_GAIN_DB = 20.0

#: Sound begins and ends where it passes this, below full scale once it is at its loudness.
_SILENCE_DBFS = -50.0
#: Kept beside it, in seconds: breath before, decay after.
_HEAD_S, _TAIL_S = 0.02, 0.06
_FADE_S = 0.005

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
    effects: Callable[[EffectCue, int], Block],
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
        Scratch: gets `performance.f32`.
    sample_rate_hz : int
        Of the performance.
    effects : callable
        The sound of a cue at a rate in Hz, shape (frames, 1).
    limits : Limits
        How long it may become.

    Raises
    ------
    TooLong, ScratchFull
    """
    voice = Intermediate(folder / "voice.f32", sample_rate_hz=sample_rate_hz, channels=1)
    levels = _Levels(sample_rate_hz)
    takes: list[_Take] = []
    voice.fill(_taken(chunks, read, sample_rate_hz, takes, levels, tick))
    course = _Course(voice, levels, effects, folder, name, limits)
    by_item: dict[int, list[tuple[Chunk, _Take]]] = {}
    for chunk, take in zip(chunks, takes, strict=True):
        by_item.setdefault(chunk.item, []).append((chunk, take))
    for index, item in enumerate(script.items):
        match item:
            case Pause():
                course.pause(item.duration_s)
            case ChapterStart():
                course.chapter(item.title)
            case MusicCue():
                course.music(item)
            case EffectCue():
                course.effect(item)
            case Line():
                for chunk, take in by_item.get(index, ()):
                    course.speak(chunk, take)
    course.close()
    audio = Intermediate(folder / "performance.f32", sample_rate_hz=sample_rate_hz, channels=1)
    audio.fill(_ticked(mixed(course.clips, frames=max(1, course.end), channels=1), tick))
    for spent in (voice, *course.effects):
        spent.path.unlink()
    return Performance(audio=audio, lines=tuple(course.lines), marks=tuple(course.marks), cues=tuple(course.cues))


@dataclass
class _Course:
    """A performance as it takes shape."""

    voice: Intermediate
    levels: _Levels
    sound_of: Callable[[EffectCue, int], Block]
    folder: Path
    name: str
    limits: Limits
    clips: list[Clip] = field(default_factory=list)
    effects: list[Intermediate] = field(default_factory=list)
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

    def pause(self, duration_s: float) -> None:
        self.paused_s = (self.paused_s or 0.0) + duration_s

    def chapter(self, title: str) -> None:
        self.title = title

    def music(self, cue: MusicCue) -> None:
        self._silence(self.paused_s or 0.0)
        self.paused_s = None if self.paused_s is None else 0.0
        self.cues.append((self.end / self.rate_hz, cue))

    def effect(self, cue: EffectCue) -> None:
        samples = self.sound_of(cue, self.rate_hz)
        audio = Intermediate(
            self.folder / f"effect-{len(self.effects)}.f32", sample_rate_hz=self.rate_hz, channels=1
        )
        audio.fill([samples.mean(axis=1, keepdims=True, dtype=np.float32)])
        self.effects.append(audio)
        self._begin(_BESIDE_AN_EFFECT_S)
        self._lay(Clip(audio=audio, frames=audio.frames, at_frame=self.end))
        self.behind_effect = True

    def speak(self, chunk: Chunk, take: _Take) -> None:
        self._begin(self._gap_s(chunk.lines[0]))
        fade = min(round(_FADE_S * self.rate_hz), take.frames // 2)
        clip = Clip(
            audio=self.voice,
            start_frame=take.start_frame,
            frames=take.frames,
            at_frame=self.end,
            gain=self.levels.gain(take.speaker),
            fade_in_frames=fade,
            fade_out_frames=fade,
        )
        samples = self.voice.read(take.start_frame, take.frames) if len(chunk.lines) > 1 else None
        self.lines += lines_within(
            chunk.lines, self.end / self.rate_hz, take.frames / self.rate_hz, samples, self.rate_hz
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
        self.end += round(duration_s * self.rate_hz)

    def _lay(self, clip: Clip) -> None:
        self.clips.append(clip)
        self.end = clip.end_frame
        if self.end / self.rate_hz > self.limits.duration_s:
            raise TooLong(f"“{self.name}” would become longer than {self.limits.duration_s / 3600:.1f} hours.")

    def close(self) -> None:
        self._silence(self.paused_s or 0.0)


class _Levels:
    """The loudness of each speaker, over everything that one says."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._meters: dict[str, LoudnessMeter] = {}
        self._gains: dict[str, float] = {}

    def push(self, speaker: str, samples: Block) -> None:
        if speaker not in self._meters:
            self._meters[speaker] = LoudnessMeter(self._rate_hz, 1, true_peak=False)
        self._meters[speaker].push(samples)

    def gain(self, speaker: str) -> float:
        """The factor that brings a speaker to `VOICE_LUFS`."""
        if speaker not in self._gains:
            loudness_lufs = self._meters[speaker].report().integrated_lufs
            gain_db = VOICE_LUFS - loudness_lufs if math.isfinite(loudness_lufs) else 0.0
            self._gains[speaker] = 10.0 ** (max(-_LARGEST_GAIN_DB, min(_LARGEST_GAIN_DB, gain_db)) / 20.0)
        return self._gains[speaker]


def _taken(
    chunks: Sequence[Chunk],
    read: Callable[[str], Spoken],
    sample_rate_hz: int,
    takes: list[_Take],
    levels: _Levels,
    tick: Tick,
) -> Iterator[Block]:
    """The sound of every chunk, trimmed, at the rate of the performance."""
    at = 0
    for chunk in chunks:
        spoken = read(chunk.key)
        samples = _trimmed(spoken.samples, spoken.sample_rate_hz)
        if spoken.sample_rate_hz != sample_rate_hz:
            resampler = Resampler(spoken.sample_rate_hz, sample_rate_hz, 1)
            samples = np.concatenate(list(run([resampler], [samples])))
        tick(len(samples))
        speaker = f"{chunk.lines[0].speaker.casefold()}\0{chunk.utterance.voice}"
        levels.push(speaker, samples.copy())
        takes.append(_Take(at, len(samples), speaker))
        at += len(samples)
        yield samples


def _trimmed(samples: Block, sample_rate_hz: int) -> Block:
    """The samples from where they can be heard to where they no longer can."""
    peak = float(np.abs(samples).max(initial=0.0))
    # At its loudness, speech peaks at about -6 dBFS: so far below its own peak the threshold lies.
    heard = np.flatnonzero(np.abs(samples[:, 0]) > peak * 10.0 ** ((_SILENCE_DBFS + 6.0) / 20.0))
    if not len(heard):
        return samples
    first = max(0, int(heard[0]) - round(_HEAD_S * sample_rate_hz))
    last = min(len(samples), int(heard[-1]) + 1 + round(_TAIL_S * sample_rate_hz))
    return samples[first:last]


def _ticked(blocks: Iterator[Block], tick: Tick) -> Iterator[Block]:
    for block in blocks:
        tick(len(block))
        yield block
