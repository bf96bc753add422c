"""A sentence that is too long for an engine, in parts: at its clauses, else between words."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import replace

from mixdown.errors import InvalidScript
from mixdown.model import Gap, Line

#: Behind these somebody who reads aloud takes a breath.
_CLAUSES = re.compile(r"[,;:…–—)\]”»]['\"”’»)]*\s+|\s+(?=[–—(\[“«])|[、，；：。！？]")
#: Between words; and between letters, where no spaces are written (Chinese, Japanese, Thai, Lao, Burmese, Khmer).
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORDS = re.compile(rf"\s+|(?<=[{_UNSPACED}])(?=[{_UNSPACED}])")
#: A clause shorter than so much of what is allowed is not worth a breath of its own.
_LEAST = 1 / 4
_LONGEST_TOLD = 60


def divided(line: Line, longest_chars: int) -> list[Line]:
    """A line as lines whose `said` is at most so long: itself, where it is short enough.

    Parameters
    ----------
    line : Line
        What is said.
    longest_chars : int
        The longest `said`, at least 1.

    Returns
    -------
    list of Line
        The first has the gap of the line, the others `Gap.none`. What is said and the text are there once, in
        order; a part has no text where there are fewer words written than parts to be said.

    Raises
    ------
    InvalidScript
        A word is longer than that.
    """
    if len(line.said) <= longest_chars:
        return [line]
    parts = _parts(line, longest_chars)
    texts = _texts(line, parts)
    return [
        replace(
            line,
            said=said,
            text=text,
            ipa={word: sounds for word, sounds in line.ipa.items() if word in said},
            gap=Gap.none if index else line.gap,
        )
        for index, (said, text) in enumerate(zip(parts, texts, strict=True))
    ]


def _parts(line: Line, longest: int) -> list[str]:
    rest, parts = line.said.strip(), []
    while len(rest) > longest:
        ideal = len(rest) / math.ceil(len(rest) / longest)
        at = _best(_CLAUSES, rest, longest, ideal, least=longest * _LEAST) or _best(_WORDS, rest, longest, ideal)
        if not at:
            raise InvalidScript(
                f"{_place(line)} has a word of more than {longest:,} characters, which no engine can say at once: "
                f"“{line.text[:_LONGEST_TOLD]}…”."
            )
        parts.append(rest[:at].rstrip())
        rest = rest[at:].lstrip()
    return [*parts, rest]


def _best(where: re.Pattern[str], text: str, longest: int, ideal: float, least: float = 1) -> int:
    """The place to divide that is nearest to the ideal; 0: there is none."""
    window = text[: longest + 1]
    ends = (found.end() for found in where.finditer(window))
    fitting = [end for end in ends if end >= least and end < len(text) and len(text[:end].rstrip()) <= longest]
    return min(fitting, key=lambda end: abs(end - ideal), default=0)


def _texts(line: Line, parts: Sequence[str]) -> list[str]:
    """What is written for each part: the words that are the same show where one ends."""
    if line.text.strip() == line.said.strip():
        return list(parts)
    written, said = line.text.split(), [part.split() for part in parts]
    same = difflib.SequenceMatcher(None, [word for part in said for word in part], written, autojunk=False)
    blocks = same.get_matching_blocks()  # ends with one of no length, behind both
    ends, words = [], 0
    for part in said[:-1]:
        words += len(part)
        ends.append(_counterpart(words, blocks))
    starts = [0, *ends]
    return [" ".join(written[start:end]) for start, end in zip(starts, [*ends, len(written)], strict=True)]


def _counterpart(at: int, blocks: Sequence[difflib.Match]) -> int:
    """The place in the text that belongs to one in what is said, in words."""
    said_at = text_at = 0
    for block in blocks:
        if at <= block.a:  # between two runs of the same words: in proportion
            share = (at - said_at) / (block.a - said_at) if block.a > said_at else 1.0
            return text_at + round(share * (block.b - text_at))
        said_at, text_at = block.a + block.size, block.b + block.size
        if at <= said_at:
            return block.b + at - block.a
    return text_at


def _place(line: Line) -> str:
    return f"The sentence in line {line.line_number}" if line.line_number else "A sentence"
