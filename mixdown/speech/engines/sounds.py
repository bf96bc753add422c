"""Texts cut where a word's sounds are given."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text, or a word whose sounds are known."""

    text: str
    ipa: str = ""


def pieces_of(text: str, ipa: Mapping[str, str]) -> Iterator[Piece]:
    """The text in order, cut at the words whose sounds are given; a word within a longer one is not meant."""
    given = {word: sounds.strip(" /[]") for word, sounds in ipa.items() if word and sounds.strip(" /[]")}
    if not given:
        yield Piece(text)
        return
    words = "|".join(re.escape(word) for word in sorted(given, key=len, reverse=True))
    position = 0
    for found in re.finditer(rf"(?<!\w)(?:{words})(?!\w)", text):
        if between := text[position : found.start()]:
            yield Piece(between)
        yield Piece(found[0], given[found[0]])
        position = found.end()
    if rest := text[position:]:
        yield Piece(rest)
