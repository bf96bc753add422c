"""Edits that keep all the sound in its place, or turn it round: fade, gain, channels, reverse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mixdown.dsp.processor import Block
from mixdown.editing.desk import Desk
from mixdown.editing.marks import reversed_marks
from mixdown.editing.timeline import Clip
from mixdown.intermediate import BLOCK_FRAMES, Intermediate, Recording
from mixdown.model import ChannelChoice, Channels, Fade, Gain


def faded(step: Fade, recording: Recording, desk: Desk) -> Recording:
    """The beginning faded in and the end out; a fade is at most as long as the recording."""
    audio = recording.audio
    clip = Clip(
        audio=audio,
        frames=audio.frames,
        fade_in_frames=min(audio.frames, round(step.in_s * audio.sample_rate_hz)),
        fade_out_frames=min(audio.frames, round(step.out_s * audio.sample_rate_hz)),
        curve=step.curve,
    )
    return replace(recording, audio=desk.mixed([clip], like=audio))


def louder(step: Gain, recording: Recording, desk: Desk) -> Recording:
    """Everything louder or softer; what passes full scale is kept, floating point has room for it."""
    audio = recording.audio
    clip = Clip(audio=audio, frames=audio.frames, gain=10.0 ** (step.gain_db / 20.0))
    return replace(recording, audio=desk.mixed([clip], like=audio))


def reversed_in_time(recording: Recording, desk: Desk) -> Recording:
    """The recording from its end to its start."""
    audio = recording.audio
    labels = replace(recording.labels, marks=reversed_marks(recording.labels.marks, audio.duration_s))
    return replace(recording, audio=desk.made(_backwards(audio), like=audio), labels=labels)


def rechannelled(step: Channels, recording: Recording, desk: Desk) -> Recording:
    """One channel, the mean or half the difference of both, or two."""
    audio = recording.audio
    two = step.take is ChannelChoice.stereo or (step.take is ChannelChoice.swap and audio.channels == 2)
    channels = 2 if two else 1
    taken = (_taken(step.take, block) for block in audio.blocks())
    return replace(recording, audio=desk.made(taken, like=audio, channels=channels))


def _taken(take: ChannelChoice, block: Block) -> Block:
    """The channels asked for. What is mono already is its own left, right and mid; it has no side."""
    left, right = block[:, :1], block[:, -1:]
    match take:
        case ChannelChoice.stereo:
            return np.concatenate([left, right], axis=1)
        case ChannelChoice.swap:
            return np.ascontiguousarray(block[:, ::-1])
        case ChannelChoice.left:
            return left
        case ChannelChoice.right:
            return right
        case ChannelChoice.side:
            return np.float32(0.5) * (left - right)
        case ChannelChoice.mono | ChannelChoice.mid:
            return np.float32(0.5) * (left + right)


def _backwards(audio: Intermediate) -> Iterator[Block]:
    for end in range(audio.frames, 0, -BLOCK_FRAMES):
        start = max(0, end - BLOCK_FRAMES)
        yield audio.read(start, end - start)[::-1]
