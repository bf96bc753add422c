"""The ID3v2.4 tag in front of an MP3 (id3.org, ID3v2.4.0 structure and native frames)."""

from __future__ import annotations

import re

from mixdown.model import Tags

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


def id3_tag(tags: Tags) -> bytes:
    """An ID3v2.4 tag with these tags, in UTF-8; nothing at all where there are none."""
    frames = b"".join(_frame(name, value) for name, value in sorted(tags.items()))
    return b"ID3\x04\x00\x00" + _synchsafe(len(frames)) + frames if frames else b""


def _frame(name: str, value: str) -> bytes:
    if name == "comment":
        return _sized("COMM", _UTF8 + b"XXX" + b"\x00" + value.encode())
    if name == "date":
        stated = _TIMESTAMP.match(value)
        return _sized("TDRC", _UTF8 + stated.group().encode()) if stated else b""
    return _sized(_TEXT_FRAMES[name], _UTF8 + value.encode()) if name in _TEXT_FRAMES else b""


def _sized(identifier: str, body: bytes) -> bytes:
    return identifier.encode() + _synchsafe(len(body)) + b"\x00\x00" + body


def _synchsafe(size: int) -> bytes:
    """28 bits in four bytes whose top bits are clear, so that no decoder takes them for a frame."""
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
