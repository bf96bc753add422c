"""The ID3v2.4 tag in front of an MP3 (id3.org: structure, native frames, chapter frame addendum)."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence

from mixdown.codec.cover import FRONT_COVER, picture_type
from mixdown.model import Labels, Mark

#: Text frames by tag name; ``comment`` has a frame of its own kind.
_TEXT_FRAMES = {
    "title": "TIT2",
    "artist": "TPE1",
    "album": "TALB",
    "album_artist": "TPE2",
    "composer": "TCOM",
    "genre": "TCON",
    "date": "TDRC",
    "track": "TRCK",
    "disc": "TPOS",
    "copyright": "TCOP",
    "publisher": "TPUB",
    "language": "TLAN",
    "isrc": "TSRC",
}

_UTF8 = b"\x03"

#: What a TDRC frame may hold (ID3v2.4.0 structure, section 4), as far as dates go.
_TIMESTAMP = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")

#: A table of contents counts its entries in a byte.
_MOST_ENTRIES = 255

_NO_OFFSET = 0xFFFFFFFF
_TOP_LEVEL, _ORDERED = 2, 1


def id3_tag(labels: Labels, *, ends_at_s: float) -> bytes:
    """An ID3v2.4 tag in UTF-8; nothing at all where nothing is written on the recording.

    Parameters
    ----------
    labels : Labels
    ends_at_s : float
        Where the last chapter ends, in seconds. The length of the tag does not depend on it.
    """
    frames = b"".join(_frame(name, value) for name, value in sorted(labels.tags.items()))
    frames += _picture(labels.cover) + _chapters(labels.marks, ends_at_s)
    return b"ID3\x04\x00\x00" + _synchsafe(len(frames)) + frames if frames else b""


def _frame(name: str, value: str) -> bytes:
    if name == "comment":
        return _sized("COMM", _UTF8 + b"XXX" + b"\x00" + value.encode())
    if name == "date":
        stated = _TIMESTAMP.match(value)
        return _sized("TDRC", _UTF8 + stated.group().encode()) if stated else b""
    return _sized(_TEXT_FRAMES[name], _UTF8 + value.encode()) if name in _TEXT_FRAMES else b""


def _picture(picture: bytes | None) -> bytes:
    if picture is None:
        return b""
    kind = (picture_type(picture) or "").encode()
    return _sized("APIC", _UTF8 + kind + b"\x00" + bytes([FRONT_COVER]) + b"\x00" + picture)


def _chapters(marks: Sequence[Mark], ends_at_s: float) -> bytes:
    """A CHAP frame for each mark, and the table of contents that lists them, as far as it can."""
    if not marks:
        return b""
    starts_ms = [round(mark.start_s * 1000) for mark in marks]
    ends_ms = [*starts_ms[1:], round(ends_at_s * 1000)]
    frames = b""
    for number, (mark, start_ms, end_ms) in enumerate(zip(marks, starts_ms, ends_ms, strict=True)):
        times = struct.pack(">IIII", start_ms, max(start_ms, end_ms), _NO_OFFSET, _NO_OFFSET)
        frames += _sized("CHAP", _element(number) + times + _sized("TIT2", _UTF8 + mark.title.encode()))
    listed = b"".join(_element(number) for number in range(len(marks[:_MOST_ENTRIES])))
    header = b"toc\x00" + bytes([_TOP_LEVEL | _ORDERED, len(marks[:_MOST_ENTRIES])])
    return _sized("CTOC", header + listed) + frames


def _element(number: int) -> bytes:
    return b"chp%d\x00" % number


def _sized(identifier: str, body: bytes) -> bytes:
    return identifier.encode() + _synchsafe(len(body)) + b"\x00\x00" + body


def _synchsafe(size: int) -> bytes:
    """28 bits in four bytes whose top bits are clear, so that no decoder takes them for a frame."""
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
