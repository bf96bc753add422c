"""Captions: SubRip and WebVTT of what is said."""

from __future__ import annotations

import html
import itertools
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mixdown.speech.timing import SpokenLine

#: Two lines of so many letters, for so many seconds at most and at least.
_LETTERS, _LINES = 42, 2
_LONGEST_S, _SHORTEST_S = 7.0, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Caption:
    start_s: float
    end_s: float
    rows: tuple[str, ...]
    speaker: str


def srt(lines: Sequence[SpokenLine]) -> str:
    """Captions as SubRip."""
    return "\n".join(
        f"{number}\n{_clock(each.start_s, ',')} --> {_clock(each.end_s, ',')}\n" + "\n".join(each.rows) + "\n"
        for number, each in enumerate(_captions(lines), 1)
    )


def webvtt(lines: Sequence[SpokenLine]) -> str:
    """Captions as WebVTT (W3C), with who speaks."""
    cues = []
    for each in _captions(lines):
        text = html.escape("\n".join(each.rows), quote=False)
        speaker = html.escape(" ".join(each.speaker.split()), quote=False)
        voiced = f"<v {speaker}>{text}" if speaker else text
        cues.append(f"{_clock(each.start_s, '.')} --> {_clock(each.end_s, '.')}\n{voiced}\n")
    return "\n".join(["WEBVTT\n", *cues])


def _captions(lines: Sequence[SpokenLine]) -> list[_Caption]:
    captions = [caption for line in lines if line.line.text.strip() for caption in _of_line(line)]
    longer = []
    for index, each in enumerate(captions):
        ends_s = captions[index + 1].start_s if index + 1 < len(captions) else each.end_s + _SHORTEST_S
        wanted_s = max(each.end_s, each.start_s + _SHORTEST_S)
        longer.append(replace(each, end_s=max(each.start_s, min(wanted_s, ends_s))))
    return longer


def _of_line(line: SpokenLine) -> list[_Caption]:
    """A sentence in captions that can be read: in equal parts where it is too long."""
    rows = textwrap.wrap(" ".join(line.line.text.split()), _LETTERS)
    duration_s = line.end_s - line.start_s
    parts = max(-(-len(rows) // _LINES), int(-(-duration_s // _LONGEST_S)), 1)
    parts = min(parts, len(rows))
    cuts = [round(part * len(rows) / parts) for part in range(parts + 1)]
    shares = [rows[first:last] for first, last in itertools.pairwise(cuts)]
    letters = sum(map(len, rows))
    captions, at_s = [], line.start_s
    for share in shares:
        end_s = at_s + duration_s * sum(map(len, share)) / letters
        captions.append(_Caption(start_s=at_s, end_s=end_s, rows=tuple(share), speaker=line.line.speaker))
        at_s = end_s
    return captions


def _clock(moment_s: float, point: str) -> str:
    milliseconds = round(moment_s * 1000)
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{rest:03}"
