"""A programme performed: its chunks joined, its music laid under it, written to one file with chapters."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np

from mixdown.codec.encode import open_writer
from mixdown.dsp.limiter import TruePeakLimiter
from mixdown.dsp.processor import Block, run
from mixdown.editing import Desk
from mixdown.intermediate import Intermediate
from mixdown.model import (
    AudioFormat,
    EffectCue,
    Generate,
    Item,
    Labels,
    Limits,
    MusicCue,
    OutputSpec,
    Pause,
    Script,
    Source,
)
from mixdown.programme import Programme
from mixdown.progress import Tick
from mixdown.speech.captions import srt, webvtt
from mixdown.speech.joining import Performance, performed
from mixdown.speech.levelling import VOICE_LUFS
from mixdown.speech.plan import Chunk
from mixdown.speech.port import Spoken
from mixdown.speech.timing import SpokenLine

if TYPE_CHECKING:
    from mixdown.speech.scoring import PlacedCue

#: Music wants more than the rates of speech.
_MUSIC_RATE_HZ = 48_000
#: Of the performance where nothing but speech is heard; the engines speak at no more.
_SPEECH_RATE_HZ = 24_000

#: The file has whole numbers: what would exceed them is turned down, and the rest is left alone.
_CEILING_DBTP = -0.5

_AS_IT_IS = OutputSpec(format=AudioFormat.wav, bit_depth=24)


def check_sounds(script: Script, work: Generate) -> None:
    """Refuse beds and sounds that there are not, before anything is said; UnknownSound or InvalidRequest."""
    cues = [item for item in script.items if isinstance(item, MusicCue | EffectCue)]
    if not cues and work.music is None:
        return
    from mixdown.music import BEDS, SOUNDS, bed, sound

    beds = [cue.bed for cue in cues if isinstance(cue, MusicCue) and cue.bed]
    if work.music is not None and work.music.source is None:
        beds.append(work.music.bed)
    for name in beds:
        if name not in BEDS:
            bed(name, seed=1, sample_rate_hz=_MUSIC_RATE_HZ)
    for cue in cues:
        if isinstance(cue, EffectCue) and not cue.uri and (cue.name not in SOUNDS or cue.parameters):
            sound(cue.name, cue.parameters, sample_rate_hz=_MUSIC_RATE_HZ, seed=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A programme as a file, and what goes with it."""

    audio: Path  #: WAV with chapters and tags
    attachments: Mapping[str, str]  #: captions and timings, by their filenames


@dataclass(frozen=True, slots=True, kw_only=True)
class Performer:
    """Performs one programme, as often as it takes."""

    programme: Programme
    work: Generate
    read: Callable[[str], Spoken]
    materials: Mapping[str, Path]
    folder: Path
    limits: Limits
    tick: Tick
    name: str

    def perform(self) -> Performance:
        """What is said, with the sounds between, without music.

        Raises
        ------
        UnknownSound
            There is no sound of the name that the script plays.
        SourceError, AudioError
            A recording that it plays cannot be used.
        TooLong, ScratchFull
        """
        desk = self._desk()
        return performed(
            replace(self.programme.script, items=tuple(self._items())),
            self._chunks(),
            self.read,
            self.folder,
            sample_rate_hz=_MUSIC_RATE_HZ if self._has_more_than_speech() else _SPEECH_RATE_HZ,
            effects=lambda cue, rate_hz: self._effect(cue, rate_hz, desk),
            limits=self.limits,
            tick=self.tick,
            name=self.name,
        )

    def write(self, performance: Performance) -> Written:
        """The performance with its music, as a file; UnknownSound where there is no bed of a name."""
        cues = list(self._placed(performance)) if self.work.music or performance.cues else []
        audio = performance.audio
        if cues:
            from mixdown.speech.scoring import scored

            spans = [(line.start_s, line.end_s) for line in performance.lines]
            audio = scored(audio, performance.voice_lufs, spans, cues, self._desk())
        limiter = TruePeakLimiter(
            gain_db=0.0, ceiling_dbtp=_CEILING_DBTP, sample_rate_hz=audio.sample_rate_hz, channels=audio.channels
        )
        path = self.folder / "programme.wav"
        labels = Labels(tags=self._tags(), marks=performance.marks)
        with open_writer(
            path,
            _AS_IT_IS,
            sample_rate_hz=audio.sample_rate_hz,
            channels=audio.channels,
            labels=labels,
            durable=False,
        ) as writer:
            for block in run([limiter], audio.blocks()):
                self.tick(len(block))
                writer.write(block)
        for each in (audio, performance.audio):
            each.discard()
        texts = {
            "captions.srt": srt(performance.lines),
            "captions.vtt": webvtt(performance.lines),
            "timings.json": _timings(performance.lines),
        }
        return Written(audio=path, attachments=texts)

    def _items(self) -> Iterator[Item]:
        """The script, with room for music before and after it."""
        music = self.work.music
        if music is not None:
            yield Pause(music.lead_in_s)
        yield from self.programme.script.items
        if music is not None:
            yield Pause(music.lead_out_s)

    def _chunks(self) -> list[Chunk]:
        shift = 1 if self.work.music is not None else 0
        return [replace(chunk, item=chunk.item + shift) for chunk in self.programme.chunks]

    def _placed(self, performance: Performance) -> Iterator[PlacedCue]:
        """Music, and from when to when: that of the job under all of it, unless the script brings its own."""
        from mixdown.speech.scoring import PlacedCue

        end_s, music = performance.audio.duration_s, self.work.music
        duck_db = music.duck_db if music else 8.0
        stops_s = [*(start_s for start_s, _ in performance.cues[1:]), end_s]
        for (start_s, cue), stop_s in zip(performance.cues, stops_s, strict=False):
            if cue.bed:
                level_lu = cue.level_lu if cue.level_lu is not None else music.level_lu if music else -16.0
                yield PlacedCue(
                    bed=cue.bed, start_s=start_s, end_s=stop_s, level_lu=level_lu, duck_db=duck_db, seed=1
                )
        if music is not None and not performance.cues:
            yield PlacedCue(
                bed=music.bed,
                source=music.source,
                start_s=0.0,
                end_s=end_s,
                level_lu=music.level_lu,
                duck_db=music.duck_db,
                seed=music.seed,
            )

    def _has_more_than_speech(self) -> bool:
        cues = (MusicCue, EffectCue)
        return self.work.music is not None or any(isinstance(item, cues) for item in self.programme.script.items)

    def _effect(self, cue: EffectCue, rate_hz: int, desk: Desk) -> Iterator[Block]:
        """A sound as it is made; a recording as loud as the voices."""
        if not cue.uri:
            from mixdown.music import sound  # here, as below: most scripts have no music

            yield sound(cue.name, cue.parameters, sample_rate_hz=rate_hz, seed=1)
            return
        like = Intermediate(self.folder / "effect", sample_rate_hz=rate_hz, channels=1)
        audio = desk.material(Source(uri=cue.uri), like=like).audio
        gain = np.float32(desk.matching_gain(audio, VOICE_LUFS))
        for block in audio.blocks():
            yield block * gain
        desk.discard(audio)  # it is asked for once

    def _tags(self) -> dict[str, str]:
        script = self.programme.script
        title = self.work.title or script.title or PurePath(self.name).stem
        return {**script.tags, "title": title}

    def _desk(self) -> Desk:
        return Desk(self.folder, self.materials, self.limits, self.tick, name=self.name)


def _timings(lines: Sequence[SpokenLine]) -> str:
    """When everything is said, for programs."""
    return json.dumps(
        [
            {
                "start_s": line.start_s,
                "end_s": line.end_s,
                "speaker": line.line.speaker or None,
                "text": line.line.text,
                "line": line.line.line_number or None,
            }
            for line in lines
        ],
        ensure_ascii=False,
        indent=1,
    )
