"""Music under a voice."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mixdown.dsp.ducking import Ducking
from mixdown.dsp.fade import fade_in_gains, fade_out_gains
from mixdown.dsp.processor import Block
from mixdown.dsp.voice_map import SPEECH
from mixdown.editing.desk import LARGEST_MATCH_DB, Desk
from mixdown.editing.hearing import voice_heard
from mixdown.editing.marks import Move, moved
from mixdown.editing.timeline import Clip, mixed
from mixdown.intermediate import Intermediate, Recording
from mixdown.model import Bed, FadeCurve

#: Where the music begins again it runs into its own beginning for so long.
_LOOP_CROSSFADE_S = 2.0

#: What is shorter than this is no music to be begun again.
_SHORTEST_LOOP_S = 0.5


def laid_on_bed(step: Bed, recording: Recording, desk: Desk) -> Recording:
    """The recording over music that makes room for it."""
    audio, rate_hz = recording.audio, recording.audio.sample_rate_hz
    lead_in = round(step.lead_in_s * rate_hz)
    frames = lead_in + audio.frames + round(step.lead_out_s * rate_hz)
    desk.check_length(frames, rate_hz)
    voice_map, voice_lufs = voice_heard(audio, desk)
    music = desk.material(step.source, like=audio).audio
    level_db = voice_lufs + step.level_lu - desk.loudness_lufs(music)
    if not math.isfinite(level_db):  # one of them is silent
        level_db = step.level_lu
    level_db = max(-2.0 * LARGEST_MATCH_DB, min(2.0 * LARGEST_MATCH_DB, level_db))
    loops = list(looped(music, frames, 10.0 ** (level_db / 20.0), loop=step.loop))
    sounding = min(frames, loops[-1].end_frame)
    ducking = Ducking(
        [(span.start_s + step.lead_in_s, span.end_s + step.lead_in_s) for span in voice_map.spans(SPEECH)],
        depth_db=step.duck_db,
        look_ahead_s=step.look_ahead_s,
        release_s=step.release_s,
        sample_rate_hz=rate_hz,
    )
    bed = shaped(
        mixed(loops, frames=frames, channels=audio.channels),
        ducking,
        sounding,
        fade_in=min(sounding, round(step.fade_in_s * rate_hz)),
        fade_out=min(sounding, round(step.fade_out_s * rate_hz)),
    )
    voice = mixed(
        [Clip(audio=audio, frames=audio.frames, at_frame=lead_in)], frames=frames, channels=audio.channels
    )
    made = desk.made((under + over for under, over in zip(bed, voice, strict=True)), like=audio)
    marks = moved(recording.labels.marks, [Move(0.0, audio.duration_s, lead_in / rate_hz)])
    return replace(recording, audio=made, labels=replace(recording.labels, marks=marks))


def looped(music: Intermediate, frames: int, gain: float, *, loop: bool) -> Iterator[Clip]:
    """The music from the start on, begun again where it is too short and that is wanted."""
    rate_hz = music.sample_rate_hz
    again = loop and music.frames >= _SHORTEST_LOOP_S * rate_hz
    crossfade = min(round(_LOOP_CROSSFADE_S * rate_hz), music.frames // 4)
    at = 0
    while True:
        goes_on = again and at + music.frames < frames
        yield Clip(
            audio=music,
            frames=music.frames,
            at_frame=at,
            gain=gain,
            fade_in_frames=crossfade if at else 0,
            fade_out_frames=crossfade if goes_on else 0,
        )
        if not goes_on:
            return
        at += music.frames - crossfade


def shaped(
    blocks: Iterator[Block],
    ducking: Ducking,
    frames: int,
    *,
    fade_in: int,
    fade_out: int,
    curve: FadeCurve = FadeCurve.sine,
) -> Iterator[Block]:
    """Music ducked, and faded at both ends of what is so many frames long."""
    at = 0
    for block in blocks:
        gains = ducking.gains(at, len(block))
        if at < fade_in:
            faded = min(len(block), fade_in - at)
            gains[:faded] *= fade_in_gains(curve, at, faded, fade_in)
        fade_from = frames - fade_out
        first, last = max(at, fade_from), min(at + len(block), frames)
        if first < last:
            gains[first - at : last - at] *= fade_out_gains(curve, first - fade_from, last - first, fade_out)
        yield np.multiply(block, gains[:, None])
        at += len(block)
