"""Edits that leave something out: trim, shorten silences, split."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mixdown.dsp.pauses import kept_spans
from mixdown.dsp.voice_map import MUSIC, SPEECH, Span, VoiceMap
from mixdown.editing.desk import Desk
from mixdown.editing.hearing import heard
from mixdown.editing.marks import Move, moved
from mixdown.editing.timeline import Clip
from mixdown.errors import BeyondTheEnd, NoChapters, NothingLeft, TooManyParts
from mixdown.intermediate import Intermediate, Recording
from mixdown.model import Mark, Silence, Split, Tags, Trim

#: Length of the crossfade over a cut within a pause, and how far a cut may move to where it is quietest.
SEAM_S = 0.015
_SEARCH_S = 0.03

#: What is shorter than this is no part of its own.
_SHORTEST_PART_S = 0.1
MOST_PARTS = 999


def trimmed(step: Trim, recording: Recording, desk: Desk) -> Recording:
    """What lies between two times, to the sample."""
    audio = recording.audio
    start = round(step.start_s * audio.sample_rate_hz)
    end = audio.frames if step.end_s is None else min(audio.frames, round(step.end_s * audio.sample_rate_hz))
    if start >= audio.frames:
        raise NothingLeft(
            f"Nothing would be left of {desk.name}: it is {audio.duration_s:.1f} s long,"
            f" and what lies before {step.start_s:.1f} s was to be cut."
        )
    if start >= end:
        raise NothingLeft(f"Nothing would be left of {desk.name}: the end to keep lies before the start.")
    return _between(start, end, recording, desk)


def shortened(step: Silence, recording: Recording, desk: Desk) -> Recording:
    """The recording with its silence trimmed and its long pauses shortened.

    A cut is a short crossfade of equal power, as the noise on its two sides is not the same noise, placed where
    both sides are quietest; moving it moves both sides alike, so the length stays as planned.
    """
    audio, rate_hz = recording.audio, recording.audio.sample_rate_hz
    spans = kept_spans(
        heard(audio, desk), audio.duration_s, trim=step.trim, keep_s=step.keep_s, shorten_to_s=step.shorten_to_s
    )
    edges = [(round(span.start_s * rate_hz), min(audio.frames, round(span.end_s * rate_hz))) for span in spans]
    if not edges:
        raise NothingLeft(f"Nothing would be left of {desk.name}: all of it is silence.")
    clips, moves = kept(edges, audio)
    return _relabelled(recording, desk.mixed(clips, like=audio), moves)


def kept(edges: Sequence[tuple[int, int]], audio: Intermediate) -> tuple[list[Clip], list[Move]]:
    """Clips of what lies between each pair of frames, crossfaded over every cut, and where they come to lie."""
    rate_hz = audio.sample_rate_hz
    seam = round(SEAM_S * rate_hz)
    cuts = [_quiet_cut(before[1], after[0], audio) for before, after in itertools.pairwise(edges)]
    starts = [edges[0][0], *(after for _, after in cuts)]
    ends = [*(before for before, _ in cuts), edges[-1][1]]
    clips, moves, at = [], [], 0
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        # Half of each seam lies before the cut, half behind it.
        lead = seam // 2 if index else 0
        tail = seam - seam // 2 if index < len(cuts) else 0
        clips.append(
            Clip(
                audio=audio,
                start_frame=start - lead,
                frames=end + tail - (start - lead),
                at_frame=at - lead,
                fade_in_frames=seam if index else 0,
                fade_out_frames=seam if index < len(cuts) else 0,
            )
        )
        moves.append(Move(start / rate_hz, end / rate_hz, at / rate_hz))
        at += end - start
    return clips, moves


def split(step: Split, recording: Recording, desk: Desk) -> list[Recording]:
    """The parts of a recording, each with the chapter marks that lie in it and a title of its own."""
    audio, rate_hz = recording.audio, recording.audio.sample_rate_hz
    shortest = round(_SHORTEST_PART_S * rate_hz)
    cuts = [0]
    for cut_s in sorted(_cuts_s(step, recording, desk)):
        cut = round(cut_s * rate_hz)
        if cut - cuts[-1] >= shortest and audio.frames - cut >= shortest:
            cuts.append(cut)
    if len(cuts) > MOST_PARTS:
        raise TooManyParts(f"{desk.name} would become {len(cuts):,} parts; at most {MOST_PARTS} are made.")
    cuts.append(audio.frames)
    parts = []
    for number, (start, end) in enumerate(itertools.pairwise(cuts), start=1):
        part = _between(start, end, recording, desk)
        title = _chapter_title(recording.labels.marks, start / rate_hz) if step.at_chapters else ""
        # As many digits as the last one has: files are listed by name.
        title = title or f"Part {number:0{len(str(len(cuts) - 1))}}"
        marks = part.labels.marks
        labels = replace(
            part.labels,
            tags=_tags_of_part(part.labels.tags, title, number, len(cuts) - 1),
            marks=() if len(marks) == 1 and marks[0].start_s == 0.0 else marks,
        )
        parts.append(Recording(audio=part.audio, labels=labels, title=title))
    return parts


def _cuts_s(step: Split, recording: Recording, desk: Desk) -> Sequence[float]:
    """Where to cut, in seconds."""
    audio = recording.audio
    if step.at_s:
        if (last_s := max(step.at_s)) > audio.duration_s:
            raise BeyondTheEnd(f"{desk.name} is {audio.duration_s:.1f} s long: it cannot be cut at {last_s:.1f} s.")
        return step.at_s
    if step.every_s is not None:
        every_s = step.every_s
        return [number * every_s for number in range(1, int(audio.duration_s / every_s) + 1)]
    if step.at_chapters:
        if not recording.labels.marks:
            raise NoChapters(f"{desk.name} has no chapter marks to be cut at.")
        return [mark.start_s for mark in recording.labels.marks]
    return [(pause.start_s + pause.end_s) / 2.0 for pause in _pauses(heard(audio, desk), step.silence_s)]


def _pauses(voice_map: VoiceMap, at_least_s: float) -> list[Span]:
    """The stretches between sounds in which nobody speaks and no music plays."""
    sounds = sorted(voice_map.spans(SPEECH) + voice_map.spans(MUSIC))
    between = (Span(before.end_s, after.start_s) for before, after in itertools.pairwise(sounds))
    return [pause for pause in between if pause.duration_s >= at_least_s - 1e-9]


def _between(start: int, end: int, recording: Recording, desk: Desk) -> Recording:
    audio, rate_hz = recording.audio, recording.audio.sample_rate_hz
    part = desk.mixed([Clip(audio=audio, start_frame=start, frames=end - start)], like=audio)
    return _relabelled(recording, part, [Move(start / rate_hz, end / rate_hz, 0.0)])


def _relabelled(recording: Recording, audio: Intermediate, moves: Sequence[Move]) -> Recording:
    labels = replace(recording.labels, marks=moved(recording.labels.marks, moves))
    return replace(recording, audio=audio, labels=labels)


def _quiet_cut(end: int, start: int, audio: Intermediate) -> tuple[int, int]:
    """A cut from ``end`` to ``start``, both moved alike to where the crossfade meets the least sound."""
    seam, search = round(SEAM_S * audio.sample_rate_hz), round(_SEARCH_S * audio.sample_rate_hz)
    reach = search + seam
    if end < reach or start + reach > audio.frames or start - end < 2 * reach:
        return end, start
    energy = sum(np.square(audio.read(at - reach, 2 * reach)).sum(axis=1) for at in (end, start))
    around = np.convolve(energy, np.ones(seam), "valid")  # its k-th value is centred on k + seam / 2 − reach
    first = reach - seam // 2 - search
    moved_by = int(around[first : first + 2 * search + 1].argmin()) - search
    return end + moved_by, start + moved_by


def _chapter_title(marks: Sequence[Mark], at_s: float) -> str:
    """Title of the chapter that goes on at a time; nothing before the first."""
    return next((mark.title for mark in reversed(marks) if mark.start_s <= at_s + 1e-3), "")


def _tags_of_part(tags: Tags, title: str, number: int, parts: int) -> Tags:
    """The title becomes that of the part, the whole's own the album where there is none."""
    whole = {"album": tags["title"]} if "title" in tags and "album" not in tags else {}
    return {**tags, **whole, "title": title, "track": f"{number}/{parts}"}
