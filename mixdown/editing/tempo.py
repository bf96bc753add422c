"""Edits that change the pace, the pitch, or both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from mixdown.dsp.processor import Block
from mixdown.dsp.resample import VariableSpeed
from mixdown.dsp.stretch import PitchShift, TimeStretch, stretched_frames
from mixdown.editing.desk import Desk
from mixdown.editing.marks import Move, moved
from mixdown.intermediate import Intermediate, Recording
from mixdown.model import Pitch, Speed, Stretch


def sped(step: Speed, recording: Recording, desk: Desk) -> Recording:
    """The recording played faster or slower, like a tape."""
    audio = recording.audio
    speed = VariableSpeed(step.factor, sample_rate_hz=audio.sample_rate_hz, channels=audio.channels)
    return _at_pace(step.factor, _through(speed, audio.blocks()), recording, desk)


def stretched(step: Stretch, recording: Recording, desk: Desk) -> Recording:
    """The recording faster or slower at its own pitch."""
    audio = recording.audio
    stretch = TimeStretch(factor=step.factor, sample_rate_hz=audio.sample_rate_hz, channels=audio.channels)
    return _at_pace(step.factor, _through(stretch, audio.blocks()), recording, desk)


def repitched(step: Pitch, recording: Recording, desk: Desk) -> Recording:
    """The recording higher or lower at its own pace."""
    audio = recording.audio
    shift = PitchShift(semitones=step.semitones, sample_rate_hz=audio.sample_rate_hz, channels=audio.channels)
    return replace(recording, audio=desk.made(_through(shift, audio.blocks()), like=audio))


def _at_pace(factor: float, blocks: Iterable[Block], recording: Recording, desk: Desk) -> Recording:
    audio: Intermediate = recording.audio
    desk.check_length(stretched_frames(audio.frames, factor), audio.sample_rate_hz)
    made = desk.made(blocks, like=audio)
    marks = moved(recording.labels.marks, [Move(0.0, audio.duration_s, 0.0, factor)])
    return replace(recording, audio=made, labels=replace(recording.labels, marks=marks))


def _through(changer: TimeStretch | PitchShift | VariableSpeed, blocks: Iterable[Block]) -> Iterator[Block]:
    for block in blocks:
        if len(result := changer.process(block)):
            yield result
    if len(result := changer.flush()):
        yield result
