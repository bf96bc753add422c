"""Headers of uncompressed audio, read by ourselves: what they promise against what the file can hold."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from mixdown.codec.sniff import Container

#: RIFF's way to say "see the ds64 chunk" or "unknown, I was streamed".
_UNKNOWN = 0xFFFFFFFF
_MOST_CHUNKS = 1024

_PCM, _FLOAT, _A_LAW, _MU_LAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE

#: Bytes of a sample by AIFF-C compression type, where they do not follow from the sample size.
_AIFC_SAMPLE_BYTES = {
    b"alaw": 1,
    b"ALAW": 1,
    b"ulaw": 1,
    b"ULAW": 1,
    b"fl32": 4,
    b"FL32": 4,
    b"fl64": 8,
    b"FL64": 8,
}
_AIFC_LINEAR = (b"NONE", b"sowt", b"twos", b"in24", b"in32", b"raw ")


@dataclass(frozen=True, slots=True)
class LinearHeader:
    """What a WAV or AIFF header says."""

    channels: int
    sample_rate_hz: int
    promised_s: float | None  #: by the header's own figures; None where it leaves them open
    held_s: float | None  #: what the bytes behind the header make at most; None for compressed samples


def linear_header(fd: int, container: Container) -> LinearHeader | None:
    """Read the header of a WAV (RIFF, RF64, BW64, RIFX) or AIFF file; None where its chunks are not found."""
    return _wav_header(fd) if container is Container.wav else _aiff_header(fd)


def chunks(fd: int, byte_order: str) -> Iterator[tuple[bytes, int, int]]:
    """Name, offset of the body and declared size of each chunk of a RIFF or IFF file, up to its end."""
    offset = 12
    for _ in range(_MOST_CHUNKS):
        header = os.pread(fd, 8, offset)
        if len(header) < 8:
            return
        name, size = struct.unpack(f"{byte_order}4sI", header)
        yield name, offset + 8, size
        offset += 8 + size + size % 2


def _wav_header(fd: int) -> LinearHeader | None:
    byte_order = ">" if os.pread(fd, 4, 0) == b"RIFX" else "<"
    layout: tuple[int, ...] | None = None
    size64: int | None = None
    for name, offset, size in chunks(fd, byte_order):
        body = os.pread(fd, 28, offset)
        if name == b"ds64" and len(body) >= 24:
            size64 = struct.unpack_from("<Q", body, 8)[0]
        elif name == b"fmt " and len(body) >= 16:
            layout = struct.unpack_from(f"{byte_order}HHIIHH", body)
        elif name == b"data" and layout is not None:
            kind, channels, sample_rate_hz, _, frame_bytes, bits = layout
            frame_bytes = frame_bytes or channels * math.ceil(bits / 8)
            promised_bytes = size64 if size == _UNKNOWN and size64 else size
            if kind not in (_PCM, _FLOAT, _A_LAW, _MU_LAW, _EXTENSIBLE) or not frame_bytes or not sample_rate_hz:
                return LinearHeader(channels, sample_rate_hz, None, None)
            bytes_per_s = frame_bytes * sample_rate_hz
            return LinearHeader(
                channels,
                sample_rate_hz,
                promised_bytes / bytes_per_s if promised_bytes not in (0, _UNKNOWN) else None,
                (os.fstat(fd).st_size - offset) / bytes_per_s,
            )
    return LinearHeader(layout[1], layout[2], None, None) if layout else None


def _aiff_header(fd: int) -> LinearHeader | None:
    common: tuple[int, int, int, int, bytes] | None = None
    data_bytes: int | None = None
    for name, offset, size in chunks(fd, ">"):
        if name == b"COMM":
            body = os.pread(fd, 22, offset)
            if len(body) < 18:
                return None
            channels, frames, bits = struct.unpack_from(">HIH", body)
            common = (channels, frames, bits, _extended(body[8:18]), body[18:22] if size >= 22 else b"NONE")
        elif name == b"SSND":
            data_bytes = os.fstat(fd).st_size - offset - 8
    if common is None:
        return None
    channels, frames, bits, sample_rate_hz, compression = common
    sample_bytes = _AIFC_SAMPLE_BYTES.get(compression, math.ceil(bits / 8) if compression in _AIFC_LINEAR else 0)
    frame_bytes = channels * sample_bytes
    if not frame_bytes or not sample_rate_hz:
        return LinearHeader(channels, sample_rate_hz, None, None)
    held_s = data_bytes / frame_bytes / sample_rate_hz if data_bytes is not None else None
    return LinearHeader(channels, sample_rate_hz, frames / sample_rate_hz if frames else None, held_s)


def _extended(number: bytes) -> int:
    """An 80-bit IEEE 754 extended number, as a whole number of Hz; 0 where it is none."""
    exponent, mantissa = struct.unpack(">HQ", number)
    if exponent > 16_383 + 62:  # negative, infinite, or more than any rate
        return 0
    return int(math.ldexp(mantissa, exponent - 16_383 - 63))
