"""How long a recording says it is, told from guesses, and from what its bytes can hold."""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass

from av.audio.stream import AudioStream
from av.container import InputContainer

from mixdown.codec.linear_header import linear_header
from mixdown.codec.mpeg_frame import mpeg_frame
from mixdown.codec.sniff import Container, id3_end

_HEAD_BYTES = 4096
_MATROSKA_DURATION = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)$")


@dataclass(frozen=True, slots=True)
class Declared:
    """A header's word on the duration."""

    duration_s: float | None  #: to show and to hold against limits; never more than the bytes can hold
    promised_s: float | None = None  #: less than this, decoded, is worth a warning


def declared(fd: int, container: Container, opened: InputContainer, stream: AudioStream) -> Declared:
    """The duration of a stream by its header; empty where the format gives none."""
    duration_s = stream_duration_s(stream)
    if container is Container.mp3:
        promised_s = _xing_s(os.pread(fd, _HEAD_BYTES, id3_end(fd)))
        return Declared(promised_s, promised_s)
    if container in (Container.adts, Container.amr):  # FFmpeg guesses from the bitrate
        return Declared(None)
    if container in (Container.wav, Container.aiff) and (header := linear_header(fd, container)):
        if header.held_s is None:
            return Declared(duration_s, duration_s)
        promised_s = header.promised_s
        return Declared(header.held_s if promised_s is None else min(promised_s, header.held_s), promised_s)
    if container is Container.matroska:
        whole_s = opened.duration / 1_000_000 if opened.duration is not None else None
        own_s = _matroska_s(stream.metadata.get("DURATION", ""))
        # The file's duration is that of its longest stream, a promise only where there is one.
        return Declared(own_s or whole_s, own_s or (whole_s if len(opened.streams) == 1 else None))
    return Declared(duration_s, duration_s)


def stream_duration_s(stream: AudioStream) -> float | None:
    """FFmpeg's duration of a stream, in seconds, without what its decoder drops; None where it has none."""
    if stream.duration is None or stream.time_base is None or stream.duration <= 0:
        return None
    duration_s = float(stream.duration * stream.time_base)
    head = stream.codec_context.extradata or b""
    if head[:8] == b"OpusHead" and len(head) >= 12:  # counted, and dropped by every decoder (RFC 7845, 5.1)
        duration_s -= struct.unpack_from("<H", head, 10)[0] / 48_000
    return duration_s


def _matroska_s(text: str) -> float | None:
    """Seconds of a statistics tag such as ``00:00:08.003000000``."""
    found = _MATROSKA_DURATION.match(text)
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else None


def _xing_s(head: bytes) -> float | None:
    """Seconds by the Xing, Info or VBRI tag in the first MP3 frame; None without one."""
    start = head.find(b"\xff")
    frame = mpeg_frame(head[start : start + 4]) if start >= 0 else None
    if frame is None:
        return None
    tag = head[start + 4 + frame.side_info_bytes :]
    frames: int | None = None
    if tag[:4] in (b"Xing", b"Info") and len(tag) >= 12 and tag[7] & 1:
        frames = struct.unpack_from(">I", tag, 8)[0] * frame.frames - _silence_frames(tag)
    elif head[start + 36 : start + 40] == b"VBRI" and len(head) >= start + 54:
        frames = struct.unpack_from(">I", head, start + 50)[0] * frame.frames
    return frames / frame.sample_rate_hz if frames and frames > 0 else None


def _silence_frames(tag: bytes) -> int:
    """Encoder delay and padding of a full Info tag by LAME or FFmpeg: what a decoder drops."""
    if tag[7] & 15 != 15 or tag[120:124] not in (b"LAME", b"Lavf", b"Lavc") or len(tag) < 144:
        return 0
    gaps = int.from_bytes(tag[141:144], "big")
    return (gaps >> 12) + (gaps & 0xFFF)
