"""Ogg pages (RFC 3533, section 6): taking them apart and putting them together."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

_HEADER = struct.Struct("<4sBBqIIIB")
_MOST_SEGMENTS = 255

CONTINUED = 1

#: Granule position of a page on which no packet ends.
NO_GRANULE = -1


@dataclass(frozen=True, slots=True)
class OggPage:
    """One page."""

    flags: int
    granule: int
    serial: int
    sequence: int
    lacing: bytes
    body: bytes

    def to_bytes(self) -> bytes:
        """The page as it is written, with its checksum."""
        header = _HEADER.pack(
            *(b"OggS", 0, self.flags, self.granule, self.serial, self.sequence, 0, len(self.lacing))
        )
        page = bytearray(header + self.lacing + self.body)
        page[22:26] = struct.pack("<I", crc32(page))
        return bytes(page)


def take_page(data: bytearray) -> OggPage | None:
    """Take the page that data begins with away from it; None as long as it is not complete."""
    if len(data) < _HEADER.size or len(data) < _HEADER.size + data[26]:
        return None
    _, _, flags, granule, serial, sequence, _, segments = _HEADER.unpack_from(data)
    start = _HEADER.size + segments
    lacing = bytes(data[_HEADER.size : start])
    end = start + sum(lacing)
    if len(data) < end:
        return None
    page = OggPage(flags, granule, serial, sequence, lacing, bytes(data[start:end]))
    del data[:end]
    return page


def header_pages(packets: Sequence[bytes]) -> Iterator[OggPage]:
    """Header packets on pages of their own, without serial or sequence number yet."""
    body = b"".join(packets)
    lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    flags = 0
    for start in range(0, len(lacing), _MOST_SEGMENTS):
        segments = lacing[start : start + _MOST_SEGMENTS]
        size = sum(segments)
        packet_ends = any(segment < 255 for segment in segments)
        yield OggPage(flags, 0 if packet_ends else NO_GRANULE, 0, 0, segments, body[:size])
        body = body[size:]
        flags = CONTINUED if segments[-1] == 255 else 0


def split_first_packet(page: OggPage) -> tuple[OggPage, OggPage]:
    """The first packet of a page on one of its own, at granule position 0, and the rest of the page."""
    segments = next(count for count, lace in enumerate(page.lacing, start=1) if lace < 255)
    size = sum(page.lacing[:segments])
    first = replace(page, flags=0, granule=0, lacing=page.lacing[:segments], body=page.body[:size])
    return first, replace(page, lacing=page.lacing[segments:], body=page.body[size:])


def crc32(data: bytes | bytearray) -> int:
    """Ogg's checksum: CRC-32 with polynomial 0x04c11db7, not reflected, starting at 0."""
    return int(_crc32(np.frombuffer(data, np.uint8)))


@njit(nogil=True, cache=True)
def _crc32(data: NDArray[np.uint8]) -> int:
    crc = np.uint64(0)
    for byte in data:
        crc ^= np.uint64(byte) << np.uint64(24)
        for _ in range(8):
            crc <<= np.uint64(1)
            if crc & np.uint64(0x100000000):
                crc ^= np.uint64(0x104C11DB7)
    return int(crc)
