"""Marks in WAV files: the cue and adtl chunks (Multimedia Programming Interface and Data Specifications 1.0)."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from mixdown.codec.linear_header import chunks
from mixdown.model import Mark

#: Largest chunk of marks that is read.
_MOST_BYTES = 2**20
_POINT = struct.Struct("<II4sIII")
_MOST_FRAMES = 2**32 - 1


def read_cues(fd: int) -> list[Mark]:
    """The cue points of a RIFF WAVE file, with their labels."""
    rate_hz = 0
    places: dict[int, int] = {}
    titles: dict[int, str] = {}
    for name, offset, size in chunks(fd, "<"):
        if name == b"fmt " and size >= 8:
            rate_hz = struct.unpack("<I", os.pread(fd, 4, offset + 4).ljust(4, b"\0"))[0]
        elif name == b"cue " and 4 <= size <= _MOST_BYTES:
            body = os.pread(fd, size, offset)[4:]
            for point in _POINT.iter_unpack(body[: len(body) // _POINT.size * _POINT.size]):
                places[point[0]] = point[5]
        elif name == b"LIST" and 4 <= size <= _MOST_BYTES:
            body = os.pread(fd, size, offset)
            if body[:4] == b"adtl":
                titles.update(_titles(body[4:]))
    if not rate_hz:
        return []
    return [Mark(frame / rate_hz, titles.get(number, "")) for number, frame in places.items()]


def append_cues(file: BinaryIO, marks: Sequence[Mark], *, sample_rate_hz: int) -> None:
    """Write marks behind the audio of a finished RIFF or RF64 file that is open for reading and writing."""
    frames = [(round(mark.start_s * sample_rate_hz), mark.title) for mark in marks]
    points = [(number, frame, title) for number, (frame, title) in enumerate(frames, 1) if frame <= _MOST_FRAMES]
    cue = struct.pack("<I", len(points)) + b"".join(
        _POINT.pack(number, frame, b"data", 0, 0, frame) for number, frame, _ in points
    )
    labels = b"".join(
        _chunk(b"labl", struct.pack("<I", number) + title.encode() + b"\0") for number, _, title in points
    )
    end = file.seek(0, os.SEEK_END)
    file.write(b"\0" * (end % 2) + _chunk(b"cue ", cue) + _chunk(b"LIST", b"adtl" + labels))
    size = file.tell() - 8
    file.seek(0)
    if file.read(4) == b"RF64":
        file.seek(20)  # the ds64 chunk comes first and begins with the size that does not fit
        file.write(struct.pack("<Q", size))
    else:
        file.seek(4)
        file.write(struct.pack("<I", size))


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _titles(body: bytes) -> Iterator[tuple[int, str]]:
    """Number and text of every label in the body of an adtl list."""
    offset = 0
    while offset + 8 <= len(body):
        name, size = struct.unpack_from("<4sI", body, offset)
        if name == b"labl" and size >= 4:
            text = body[offset + 12 : offset + 8 + size].split(b"\0")[0]
            yield struct.unpack_from("<I", body.ljust(offset + 12, b"\0"), offset + 8)[0], _text(text)
        offset += 8 + size + size % 2


def _text(text: bytes) -> str:
    """UTF-8, as it is written today, else Latin letters."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")
