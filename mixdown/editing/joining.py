"""Edits that bring recordings together: one after another, before, behind, or in between."""

from __future__ import annotations

import itertools
from dataclasses import replace

from mixdown.editing.desk import Desk
from mixdown.editing.marks import Move, moved
from mixdown.editing.timeline import Clip
from mixdown.errors import BeyondTheEnd, NoChapters
from mixdown.intermediate import Intermediate, Recording
from mixdown.model import Concatenate, Insert, Intro, Mark, Outro

#: Where something is put in, the recording fades out and in again over this long: a cut would click.
_SPLICE_S = 0.005


def concatenated(step: Concatenate, recording: Recording, desk: Desk) -> Recording:
    """This recording and the others after it; their chapters too."""
    first = recording.audio
    target_lufs = desk.loudness_lufs(first) if step.match_loudness else 0.0
    clips = [Clip(audio=first, frames=first.frames)]
    marks = list(recording.labels.marks)
    for source in step.sources:
        material = desk.material(source, like=first)
        audio, before = material.audio, clips[-1]
        crossfade = min(round(step.crossfade_s * first.sample_rate_hz), before.frames // 2, audio.frames // 2)
        clips[-1] = replace(before, fade_out_frames=crossfade)
        at = before.end_frame - crossfade
        desk.check_length(at + audio.frames, first.sample_rate_hz)
        clips.append(
            Clip(
                audio=audio,
                frames=audio.frames,
                at_frame=at,
                gain=desk.matching_gain(audio, target_lufs) if step.match_loudness else 1.0,
                fade_in_frames=crossfade,
            )
        )
        at_s = at / first.sample_rate_hz
        marks += [Mark(round(at_s + mark.start_s, 6), mark.title) for mark in material.labels.marks]
    labels = replace(recording.labels, marks=tuple(sorted(marks, key=lambda mark: mark.start_s)))
    return replace(recording, audio=desk.mixed(clips, like=first), labels=labels)


def with_intro(step: Intro, recording: Recording, desk: Desk) -> Recording:
    """The recording behind another that fades out under its beginning."""
    audio = recording.audio
    intro = desk.material(step.source, like=audio).audio
    overlap = min(round(step.overlap_s * audio.sample_rate_hz), intro.frames, audio.frames)
    clips = [
        Clip(
            audio=intro,
            frames=intro.frames,
            gain=_gain(intro, audio, desk, wanted=step.match_loudness),
            fade_out_frames=overlap,
        ),
        Clip(audio=audio, frames=audio.frames, at_frame=intro.frames - overlap),
    ]
    to_s = clips[1].at_frame / audio.sample_rate_hz
    labels = replace(recording.labels, marks=moved(recording.labels.marks, [Move(0.0, audio.duration_s, to_s)]))
    return replace(recording, audio=desk.mixed(clips, like=audio), labels=labels)


def with_outro(step: Outro, recording: Recording, desk: Desk) -> Recording:
    """The recording before another that fades in under its end."""
    audio = recording.audio
    outro = desk.material(step.source, like=audio).audio
    overlap = min(round(step.overlap_s * audio.sample_rate_hz), outro.frames, audio.frames)
    clips = [
        Clip(audio=audio, frames=audio.frames),
        Clip(
            audio=outro,
            frames=outro.frames,
            at_frame=audio.frames - overlap,
            gain=_gain(outro, audio, desk, wanted=step.match_loudness),
            fade_in_frames=overlap,
        ),
    ]
    return replace(recording, audio=desk.mixed(clips, like=audio))


def with_inserts(step: Insert, recording: Recording, desk: Desk) -> Recording:
    """The recording with another put in at times or at its chapters; a chapter's mark stands behind it."""
    audio, rate_hz = recording.audio, recording.audio.sample_rate_hz
    at_s = sorted(set(_places_s(step, recording, desk)))
    if at_s[-1] > audio.duration_s:
        raise BeyondTheEnd(
            f"{desk.name} is {audio.duration_s:.1f} s long: nothing can be put in at {at_s[-1]:.1f} s."
        )
    insert = desk.material(step.source, like=audio).audio
    desk.check_length(audio.frames + len(at_s) * insert.frames, rate_hz)
    gain = _gain(insert, audio, desk, wanted=step.match_loudness)
    edges = [0, *(round(place_s * rate_hz) for place_s in at_s), audio.frames]
    splice = round(_SPLICE_S * rate_hz)
    clips, moves, at = [], [], 0
    for number, (start, end) in enumerate(itertools.pairwise(edges)):
        if number:
            clips.append(Clip(audio=insert, frames=insert.frames, at_frame=at, gain=gain))
            at += insert.frames
        fade = min(splice, (end - start) // 2)
        clips.append(
            Clip(
                audio=audio,
                start_frame=start,
                frames=end - start,
                at_frame=at,
                fade_in_frames=fade if start else 0,
                fade_out_frames=fade if end < audio.frames else 0,
            )
        )
        moves.append(Move(start / rate_hz, end / rate_hz, at / rate_hz))
        at += end - start
    labels = replace(recording.labels, marks=moved(recording.labels.marks, moves))
    return replace(recording, audio=desk.mixed(clips, like=audio), labels=labels)


def _places_s(step: Insert, recording: Recording, desk: Desk) -> list[float]:
    """Where to put something in, in seconds."""
    if not step.at_chapters:
        return list(step.at_s)
    places_s = [mark.start_s for mark in recording.labels.marks[1:]]
    if not places_s:
        raise NoChapters(f"{desk.name} has no chapter mark after the first to put something in at.")
    return places_s


def _gain(material: Intermediate, recording: Intermediate, desk: Desk, *, wanted: bool) -> float:
    return desk.matching_gain(material, desk.loudness_lufs(recording)) if wanted else 1.0
