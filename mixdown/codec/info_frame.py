"""The Info frame in front of a constant-bitrate MP3: how much silence a decoder is to drop at either end.

The format is LAME's ("Mp3 Info Tag rev 1", Gabriel Bouvigne), an extension of Xing's; every player that can
play without gaps reads it.
"""

from __future__ import annotations

import struct

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mixdown.codec.mpeg_frame import MpegFrame, mpeg_frame

#: Samples that LAME puts in front of the audio. Decoders add the 529 of their own filter bank.
ENCODER_DELAY_FRAMES = 576

_TAG_BYTES = 4 + 4 + 4 + 4 + 100 + 4 + 36
_CBR = 1


def info_frame_bytes(first_header: bytes) -> int:
    """Size of the Info frame that fits in front of a stream with this first frame header."""
    return _host(first_header)[1].size_bytes


def info_frame(first_header: bytes, *, mpeg_frames: int, audio_bytes: int, audio_crc: int, frames: int) -> bytes:
    """An Info frame for a finished constant-bitrate stream.

    Parameters
    ----------
    first_header : bytes
        The four bytes that begin the stream's first frame.
    mpeg_frames, audio_bytes, audio_crc : int
        How many MPEG frames follow, their size and their CRC-16 (see `crc16`).
    frames : int
        Sample frames that were encoded: what a decoder is to give back.

    Returns
    -------
    bytes
        A whole MPEG frame that decodes to silence where the tag is not understood.
    """
    host, frame = _host(first_header)
    padding = mpeg_frames * frame.frames - ENCODER_DELAY_FRAMES - frames
    kbps = mpeg_frame(first_header).bitrate_kbps  # type: ignore[union-attr]
    tag = struct.pack(">4sIII", b"Info", 0x0F, mpeg_frames, audio_bytes + frame.size_bytes)
    tag += bytes(i * 255 // 100 for i in range(100))  # constant bitrate: time is proportional to place
    tag += struct.pack(">I", 0)
    tag += b"LAME3.100" + bytes([_CBR, 0]) + bytes(8) + bytes([0, min(kbps, 255)])
    tag += (ENCODER_DELAY_FRAMES << 12 | max(0, min(padding, 4095))).to_bytes(3, "big")
    tag += bytes(4) + struct.pack(">IH", audio_bytes + frame.size_bytes, audio_crc)
    body = host + bytes(frame.side_info_bytes) + tag
    body += struct.pack(">H", crc16(0, body))
    return body.ljust(frame.size_bytes, b"\x00")


def crc16(crc: int, data: bytes) -> int:
    """CRC-16 (polynomial 0x8005, reflected) of data, going on from an earlier value; 0 at the start."""
    return int(_crc16(np.frombuffer(data, np.uint8), crc))


@njit(nogil=True, cache=True)
def _crc16(data: NDArray[np.uint8], crc: int) -> int:
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def _host(first_header: bytes) -> tuple[bytes, MpegFrame]:
    """A frame header like the stream's, without CRC, at the lowest bitrate whose frame holds the tag."""
    for index in range(1, 15):
        header = bytes([0xFF, first_header[1] | 1, index << 4 | first_header[2] & 0x0C, first_header[3] & 0xC0])
        frame = mpeg_frame(header)
        if frame is not None and frame.size_bytes >= 4 + frame.side_info_bytes + _TAG_BYTES:
            return header, frame
    raise ValueError("no frame of this stream can hold an Info tag")
