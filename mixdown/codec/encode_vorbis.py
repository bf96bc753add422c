"""Ogg Vorbis by libvorbis inside libsndfile, its pages rewritten for tags and for constant bytes.

libsndfile gives every stream a random serial number and its own comments. (FFmpeg's Ogg muxer would mend both,
and does not keep the granule positions of short streams.)
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from mixdown.codec.ogg_page import OggPage, crc32, header_pages, split_first_packet, take_page
from mixdown.codec.vorbis_comment import ogg_comments
from mixdown.model import Labels

#: Nominal bitrate per channel of libvorbis' qualities 0, 1, … 10, in kbit/s.
_NOMINAL_KBPS_PER_CHANNEL = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 250)

_COMMENT_PACKET = b"\x03vorbis"

#: Vorbis comment field by tag name, where it is not the name itself.
_FIELDS = {
    "album_artist": "ALBUMARTIST",
    "comment": "DESCRIPTION",
    "disc": "DISCNUMBER",
    "publisher": "ORGANIZATION",
    "track": "TRACKNUMBER",
}


class VorbisEncoder:
    """Variable bitrate about a nominal one."""

    def __init__(
        self, path: Path, *, sample_rate_hz: int, channels: int, bitrate_kbps: int, labels: Labels
    ) -> None:
        self._labels = labels
        self._pages = _Collected()
        self._headers: list[OggPage] = []
        self._serial = 0  # until the first page of audio
        self._sequence = 0
        self._file = path.open("wb")
        self._encoder = soundfile.SoundFile(
            self._pages,
            "w",
            samplerate=sample_rate_hz,
            channels=channels,
            format="OGG",
            subtype="VORBIS",
            compression_level=1.0 - _quality(bitrate_kbps / channels),
        )

    def write(self, block: NDArray[np.float32]) -> None:
        self._encoder.write(block)
        self._rewrite()

    def finish(self) -> None:
        self._encoder.close()
        self._rewrite()
        self._file.close()

    def abandon(self) -> None:
        self._encoder.close()
        with suppress(OSError):  # what could not be written need not be
            self._file.close()

    def _rewrite(self) -> None:
        """Bring the pages that are complete to the file."""
        while (page := take_page(self._pages.data)) is not None:
            if len(_packets(self._headers)) < 3:
                self._headers.append(page)
                continue
            if self._sequence == 0:
                # From the audio, so that it is the same every time and rarely that of another file.
                self._serial = crc32(page.body)
                self._append(self._headers[0])
                _, comments, setup = _packets(self._headers)
                for header in header_pages([_with_labels(comments, self._labels), setup]):
                    self._append(header)
                first, page = split_first_packet(page)
                self._append(first)
            self._append(page)

    def _append(self, page: OggPage) -> None:
        self._file.write(replace(page, serial=self._serial, sequence=self._sequence).to_bytes())
        self._sequence += 1


class _Collected:
    """A file to libsndfile: keeps what is written until it is taken."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._size = 0

    def write(self, data: bytes) -> int:
        self.data += data
        self._size += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Only asked for when libsndfile measures the file; an Ogg stream is written from end to end."""
        return self._size

    def tell(self) -> int:
        return self._size


def _packets(pages: list[OggPage]) -> list[bytes]:
    """The packets that end on these pages."""
    body, packets, start, end = b"".join(page.body for page in pages), [], 0, 0
    for segment in b"".join(page.lacing for page in pages):
        end += segment
        if segment < 255:
            packets.append(body[start:end])
            start = end
    return packets


def _with_labels(packet: bytes, labels: Labels) -> bytes:
    """A comment packet of the same encoder with these labels (Vorbis I specification, section 5)."""
    vendor_end = len(_COMMENT_PACKET) + 4 + struct.unpack_from("<I", packet, len(_COMMENT_PACKET))[0]
    comments = {_FIELDS.get(name, name.upper()): value for name, value in labels.tags.items()}
    fields = [f"{name}={value}".encode() for name, value in {**comments, **ogg_comments(labels)}.items()]
    listed = b"".join(struct.pack("<I", len(field)) + field for field in fields)
    return packet[:vendor_end] + struct.pack("<I", len(fields)) + listed + b"\x01"


def _quality(kbps_per_channel: float) -> float:
    """libvorbis' quality, 0 to 1, for a nominal bitrate per channel (its table for 44.1 kHz stereo)."""
    return float(np.interp(kbps_per_channel, _NOMINAL_KBPS_PER_CHANNEL, np.linspace(0.0, 1.0, 11)))
