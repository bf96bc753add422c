"""Room tone: a recording's own quiet before its first word and after its last."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mixdown.dsp.pauses import kept_spans, quietest_span, speech_extent
from mixdown.dsp.processor import Block
from mixdown.dsp.room_tone import room_tone
from mixdown.dsp.voice_map import Span, VoiceMap
from mixdown.editing.desk import Desk
from mixdown.editing.hearing import heard
from mixdown.editing.marks import Move, moved
from mixdown.editing.timeline import Clip
from mixdown.intermediate import BLOCK_FRAMES, Intermediate, Recording
from mixdown.model import RoomTone

#: Stretches of room to look for, the longest first, and the most of one that is used.
_SAMPLES_S = (2.0, 1.0, 0.5, 0.2)
_LONGEST_SAMPLE_S = 6.0

#: Tone and recording run into each other for so long; for so long at least where the recording begins with a word.
_CROSSFADE_S = 0.05
_SHORTEST_CROSSFADE_S = 0.005

#: What is this much below the room is no room any more: a gate, or silence put in by an editor.
_GATED_DB = 12.0


def with_room_tone(step: RoomTone, recording: Recording, desk: Desk) -> Recording:
    """The recording with so much room before its first word and after its last.

    Its own pauses there are kept; what is missing of them is made of its room, never of digital silence.
    """
    audio, rate_hz = recording.audio, recording.audio.sample_rate_hz
    voice_map = heard(audio, desk)
    extent = speech_extent(voice_map) or _sounding(voice_map, audio.duration_s)
    sample, room_lufs = _room(audio, voice_map)
    head, tail = round(step.head_s * rate_hz), round(step.tail_s * rate_hz)
    first = min(audio.frames, round(extent.start_s * rate_hz))
    last = min(audio.frames, max(first, round(extent.end_s * rate_hz)))
    own_head = min(head, _own_room(voice_map, room_lufs, first, rate_hz, backwards=True))
    own_tail = min(tail, audio.frames - last, _own_room(voice_map, room_lufs, last, rate_hz, backwards=False))
    start, end = first - own_head, last + own_tail
    added_head, added_tail = head - own_head, tail - own_tail
    fade_in = _crossfade(own_head, end - start, rate_hz) if added_head else 0
    fade_out = _crossfade(own_tail, end - start, rate_hz) if added_tail else 0
    tone_frames = added_head + fade_in + added_tail + fade_out
    body = Clip(
        audio=audio,
        start_frame=start,
        frames=end - start,
        at_frame=added_head,
        fade_in_frames=fade_in,
        fade_out_frames=fade_out,
    )
    clips, tone = [body], None
    if tone_frames:
        tone = desk.made(room_tone(sample, tone_frames, sample_rate_hz=rate_hz), like=audio)
        before = Clip(audio=tone, frames=added_head + fade_in, fade_out_frames=fade_in)
        after = Clip(
            audio=tone,
            start_frame=before.frames,
            frames=added_tail + fade_out,
            at_frame=body.end_frame - fade_out,
            fade_in_frames=fade_out,
        )
        clips += [before, after]
    made = desk.mixed(clips, like=audio)
    if tone is not None:
        desk.discard(tone)
    marks = moved(recording.labels.marks, [Move(start / rate_hz, end / rate_hz, added_head / rate_hz)])
    return replace(recording, audio=made, labels=replace(recording.labels, marks=marks))


def _sounding(voice_map: VoiceMap, duration_s: float) -> Span:
    """From the first sound to the last, where nobody speaks."""
    spans = kept_spans(voice_map, duration_s, trim=True, keep_s=0.0, shorten_to_s=None)
    return Span(spans[0].start_s, spans[-1].end_s) if spans else Span(0.0, duration_s)


def _room(audio: Intermediate, voice_map: VoiceMap) -> tuple[Block, float]:
    """A sample of the room, and its level in LUFS; the quietest moment where there is no pause."""
    for at_least_s in _SAMPLES_S:
        if (span := quietest_span(voice_map, at_least_s)) is not None:
            start = round(span.start_s * audio.sample_rate_hz)
            length = min(span.duration_s, _LONGEST_SAMPLE_S)
            steps = voice_map.level_lufs[int(span.start_s / voice_map.step_s) : int(span.end_s / voice_map.step_s)]
            level_lufs = float(np.median(steps)) if len(steps) else -np.inf
            return audio.read(start, max(2, round(length * audio.sample_rate_hz))), level_lufs
    return _quietest_moment(audio), -np.inf


def _quietest_moment(audio: Intermediate) -> Block:
    """The quietest tenth of a second."""
    length = max(2, audio.sample_rate_hz // 10)
    quietest, least = audio.read(0, max(2, min(length, audio.frames))), np.inf
    for start in range(0, audio.frames - length + 1, BLOCK_FRAMES):
        block = audio.read(start, BLOCK_FRAMES + length)
        for place in range(0, min(BLOCK_FRAMES, len(block) - length + 1), length // 2):
            moment = block[place : place + length]
            if (energy := float(np.square(moment).mean())) < least:
                quietest, least = moment.copy(), energy
    return quietest


def _own_room(voice_map: VoiceMap, room_lufs: float, frame: int, rate_hz: int, *, backwards: bool) -> int:
    """Frames of the recording's own pause from a frame on, up to where it is gated or ends."""
    step_frames = voice_map.step_s * rate_hz
    levels = voice_map.level_lufs
    at = round(frame / step_frames)
    outward = levels[:at][::-1] if backwards else levels[at:]
    gated = np.flatnonzero(outward < room_lufs - _GATED_DB)
    steps = int(gated[0]) if len(gated) else len(outward)
    if steps == len(outward):  # up to the very end
        return frame if backwards else 2**62
    return min(frame, round(steps * step_frames)) if backwards else round(steps * step_frames)


def _crossfade(own: int, body: int, rate_hz: int) -> int:
    """Length of a crossfade: within the recording's own pause, or hardly into the word."""
    longest, shortest = round(_CROSSFADE_S * rate_hz), round(_SHORTEST_CROSSFADE_S * rate_hz)
    return min(body // 2, max(shortest, min(own, longest)))
