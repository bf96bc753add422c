"""Packets to samples: FFmpeg's frames as arrays, damage stepped over."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import av.error
import numpy as np
from av import AudioFrame, Packet
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

#: What stands between or behind the frames of an MP3 and is metadata, not damage.
_METADATA = (b"ID3", b"TAG", b"APETAGEX", b"LYRICS")


class Piece(NamedTuple):
    """Some consecutive samples, at a rate that may differ from that of the piece before."""

    block: NDArray[np.float32]  #: (frames, channels), full scale ±1.0
    sample_rate_hz: int


class _Scale(NamedTuple):
    """How a sample format becomes ±1.0."""

    dtype: str
    full_scale: float
    offset: float = 0.0


_SCALES = {
    "u8": _Scale("u1", 2.0**7, 2.0**7),
    "s16": _Scale("i2", 2.0**15),
    "s32": _Scale("i4", 2.0**31),
    "flt": _Scale("f4", 1.0),
    "dbl": _Scale("f8", 1.0),
}


def decode(opened: InputContainer, stream: AudioStream, *, trim: bool, warnings: list[str]) -> Iterator[Piece]:
    """The samples of a stream, frame by frame; what cannot be decoded is left out with a warning.

    Parameters
    ----------
    trim : bool
        Whether to believe the last packet where it is declared shorter than what it decodes to: MP4 tells the
        end of the audio so.
    warnings : list of str
        Complete when the last piece has been given.
    """
    damaged, at_end = 0, False
    last: Piece | None = None
    last_s = Fraction(0)
    for packet in _packets(opened, stream):
        if packet is None:
            damaged, at_end = damaged + 1, True
            continue
        try:
            frames = stream.codec_context.decode(packet)
        except av.error.FFmpegError:
            if not bytes(packet).startswith(_METADATA):
                damaged, at_end = damaged + 1, True
            continue
        for frame in frames:
            if last is not None:
                yield last
            last, at_end = Piece(samples(frame), frame.sample_rate), False
            last_s = (packet.duration or 0) * (packet.time_base or Fraction(0))
    if last is not None:
        keep = round(last_s * last.sample_rate_hz) if trim else 0
        yield Piece(last.block[:keep], last.sample_rate_hz) if keep else last
    if damaged == 1:
        warnings.append("its end is damaged or cut off" if at_end else "a damaged part was skipped")
    elif damaged:
        warnings.append(f"{damaged} damaged parts were skipped")


def samples(frame: AudioFrame) -> NDArray[np.float32]:
    """The samples of a frame, shape (frames, channels), full scale ±1.0."""
    scale = _SCALES[frame.format.name.removesuffix("p")]
    channels = frame.layout.nb_channels
    block = np.empty((frame.samples, channels), np.float32)
    if frame.format.is_planar:
        for channel, plane in enumerate(frame.planes):
            block[:, channel] = np.frombuffer(memoryview(plane), scale.dtype, frame.samples)
    else:
        packed = np.frombuffer(memoryview(frame.planes[0]), scale.dtype, frame.samples * channels)
        block[:] = packed.reshape(frame.samples, channels)
    if scale.offset:
        block -= scale.offset
    if scale.full_scale != 1.0:
        block *= 1.0 / scale.full_scale
    return block


def _packets(opened: InputContainer, stream: AudioStream) -> Iterator[Packet | None]:
    """The packets of a stream, the flushing one included; a None at the end if the demuxer gave up."""
    packets = opened.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.error.FFmpegError:
            yield None
            return
        yield packet
