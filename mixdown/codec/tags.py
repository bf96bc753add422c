"""Metadata and names: one small vocabulary, and nothing in a value that could hurt a reader of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from mixdown.model import Tags

#: What is kept, under FFmpeg's generic names.
KEPT = (
    *("title", "artist", "album", "album_artist", "composer", "genre", "date", "track", "disc", "comment"),
    *("copyright", "publisher", "language", "isrc"),
)

#: Other names of the same thing.
_ALIASES = {
    "year": "date",
    "tracknumber": "track",
    "discnumber": "disc",
    "albumartist": "album_artist",
    "album artist": "album_artist",
    "description": "comment",
    "organization": "publisher",
    "tsrc": "isrc",
}

#: What MP4 says where it knows no language (ISO 639-2).
_UNDETERMINED = ("language", "und")

#: Longest value kept, in characters; a comment may be longer than the rest.
_LONGEST = 512
_LONGEST_COMMENT = 4096
_LONGEST_NAME = 100


def clean(tags: Mapping[str, str]) -> Tags:
    """The tags that survive mastering, safe to write, print and store.

    Keys are folded to the names of `KEPT`, others are dropped; an exact name wins over an alias. Control and
    surrogate characters are removed (a comment keeps its line breaks), values are cut to a sane length and
    composed (NFC); empty ones are dropped.
    """
    folded: dict[str, str] = {}
    for key, value in tags.items():
        name = key.strip().lower()
        if name in KEPT:
            folded[name] = value
        elif name in _ALIASES:
            folded.setdefault(_ALIASES[name], value)
    cleaned = {name: _clean_value(name, folded[name]) for name in KEPT if name in folded}
    return {name: value for name, value in cleaned.items() if value and (name, value) != _UNDETERMINED}


def clean_title(title: str) -> str:
    """The title of a chapter, on one line, without what is no text; cut to a sane length."""
    return _clean_value("title", title)


def one_line(name: str) -> str:
    """A file name as it may stand in a sentence: one line, no control characters, not endless."""
    return _clean_value("title", name)[:_LONGEST_NAME] or "The recording"


def _clean_value(name: str, value: str) -> str:
    """One value without what is no text."""
    longest, line_break = (_LONGEST_COMMENT, "\n") if name == "comment" else (_LONGEST, " ")
    value = value[: 4 * longest].replace("\r\n", "\n").replace("\r", "\n")
    value = "".join(_clean_character(character, line_break) for character in value)
    value = unicodedata.normalize("NFC", re.sub(" {2,}", " ", value)).strip()
    return value[:longest].rstrip()


def _clean_character(character: str, line_break: str) -> str:
    if character == "\n":
        return line_break
    if character.isspace():
        return " "
    # Cc control, Cs surrogate, Cn unassigned; Cf stays: emoji and right-to-left text need it.
    return "" if unicodedata.category(character) in ("Cc", "Cs", "Cn") else character
