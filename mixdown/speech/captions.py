"""Captions: SubRip and WebVTT of what is said."""

from __future__ import annotations

import html
import itertools
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mixdown.speech.timing import SpokenLine

#: Two rows so wide: letters of Latin; those of Chinese and Japanese are twice as wide.
_ROW = 42

#: On show for so long at most, and at least where there is room, in seconds.
_LONGEST_S, _SHORTEST_S = 7.0, 1.0

#: What a division costs where no clause ends, beside the square of how far it is from equal parts.
_WITHIN_A_CLAUSE = 0.3

_CLAUSE_END = re.compile(r"[,;:.!?…–—)\]”»、，；：。！？」』）]['\"”’»]*\s*$")
#: Written without spaces: Chinese, Japanese, Thai, Lao, Burmese, Khmer.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_BREAKS = re.compile(
    rf"(?<=\s)(?=\S)|(?<=[、，；：。！？」』）])(?=[^\s、，；：。！？」』）])"
    rf"|(?<=[{_UNSPACED}])(?<![\u0e40-\u0e44])(?=[{_UNSPACED}「『（])"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Caption:
    start_ms: int
    end_ms: int
    rows: tuple[str, ...]
    speaker: str


def srt(lines: Sequence[SpokenLine]) -> str:
    """Captions as SubRip."""
    return "\n".join(
        f"{number}\n{_clock(each.start_ms, ',')} --> {_clock(each.end_ms, ',')}\n"
        + "\n".join(each.rows).replace("-->", "→")
        + "\n"
        for number, each in enumerate(_captions(lines), 1)
    )


def webvtt(lines: Sequence[SpokenLine]) -> str:
    """Captions as WebVTT (W3C), with who speaks."""
    cues = []
    for each in _captions(lines):
        text = html.escape("\n".join(each.rows), quote=False)
        speaker = html.escape(" ".join(each.speaker.split()), quote=False)
        voiced = f"<v {speaker}>{text}" if speaker else text
        cues.append(f"{_clock(each.start_ms, '.')} --> {_clock(each.end_ms, '.')}\n{voiced}\n")
    return "\n".join(["WEBVTT\n", *cues])


def _captions(lines: Sequence[SpokenLine]) -> list[_Caption]:
    """In order, none beside another, each for a millisecond at least."""
    parts = [part for line in lines for part in _of_line(line)]
    starts = list(
        itertools.accumulate((round(start_s * 1000) for start_s, *_ in parts), lambda a, b: max(a + 1, b))
    )
    captions = []
    for index, (start_s, end_s, rows, speaker) in enumerate(parts):
        wanted_ms = round(min(max(end_s, start_s + _SHORTEST_S), start_s + _LONGEST_S) * 1000)
        end_ms = max(starts[index] + 1, wanted_ms)
        if index + 1 < len(starts):
            end_ms = min(end_ms, starts[index + 1])
        captions.append(_Caption(start_ms=starts[index], end_ms=end_ms, rows=rows, speaker=speaker))
    return captions


def _of_line(line: SpokenLine) -> Iterator[tuple[float, float, tuple[str, ...], str]]:
    """A sentence in captions that can be read, the time shared by their width: from when to when, rows, speaker."""
    words = _words(" ".join(_printable(line.line.text).split()))
    if not words:
        return
    duration_s = max(0.0, line.end_s - line.start_s)
    width = sum(map(_width, words))
    start_s = line.start_s
    for rows in _divided(words, duration_s):
        share = sum(_width(word) for row in rows for word in row) / max(1, width)
        end_s = start_s + duration_s * share
        yield start_s, end_s, tuple("".join(row).strip() for row in rows), line.line.speaker
        start_s = end_s


def _divided(words: Sequence[str], duration_s: float) -> list[tuple[Sequence[str], ...]]:
    """Words in captions of one or two rows: about equal, at clauses rather than anywhere."""
    ends = [0, *itertools.accumulate(map(_width, words))]
    whole = ends[-1]
    widest = min(2 * _ROW, whole * _LONGEST_S / duration_s if duration_s > _LONGEST_S else math.inf)
    if whole <= _ROW and whole <= widest:
        return [(words,)]
    ideal = whole / math.ceil(whole / widest)
    # The cheapest way to each word, and where its last caption begins.
    costs, begins = [0.0], [0]
    for end in range(1, len(words) + 1):
        best, begin = math.inf, end - 1
        for start in range(end - 1, -1, -1):
            width = ends[end] - ends[start]
            if start < end - 1 and (width > widest or not _rows(words[start:end])):
                break
            cost = costs[start] + (width / ideal - 1.0) ** 2
            if cost < best:
                best, begin = cost, start
        at_clause = end == len(words) or _CLAUSE_END.search(words[end - 1])
        costs.append(best + (0.0 if at_clause else _WITHIN_A_CLAUSE))
        begins.append(begin)
    captions, end = [], len(words)
    while end:
        captions.append(_rows(words[begins[end] : end]) or (words[begins[end] : end],))
        end = begins[end]
    return captions[::-1]


def _rows(words: Sequence[str]) -> tuple[Sequence[str], ...]:
    """One row or two, as equal as they can be, at a clause rather than anywhere; () where they do not fit."""
    ends = [0, *itertools.accumulate(map(_width, words))]
    if _width("".join(words).strip()) <= _ROW:
        return (words,)
    fitting = [at for at in range(1, len(words)) if ends[at] <= _ROW + 1 and ends[-1] - ends[at] <= _ROW + 1]
    fitting = [
        at for at in fitting if all(_width("".join(row).strip()) <= _ROW for row in (words[:at], words[at:]))
    ]
    if not fitting:
        return ()

    def cost(at: int) -> float:
        return abs(2 * ends[at] - ends[-1]) - (_ROW / 2 if _CLAUSE_END.search(words[at - 1]) else 0)

    at = min(fitting, key=cost)
    return words[:at], words[at:]


def _words(text: str) -> list[str]:
    """What may stand at the end of a row, with the space behind it; no word is wider than a row."""
    words: list[str] = []
    for word in _BREAKS.split(text):
        part = ""
        for letter in word:
            if _width(part + letter) > _ROW and not letter.isspace():
                words.append(part)
                part = ""
            part += letter
        words.append(part)
    merged: list[str] = []
    for word in words:  # what stands above or below a letter stays with it
        if merged and word and unicodedata.combining(word[0]) | unicodedata.category(word[0]).startswith("M"):
            merged[-1] += word
        elif word:
            merged.append(word)
    return merged


def _printable(text: str) -> str:
    return "".join(" " if letter.isspace() or unicodedata.category(letter) == "Cc" else letter for letter in text)


def _width(text: str) -> int:
    """How wide it is, in letters of Latin."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def _clock(milliseconds: int, point: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{rest:03}"
