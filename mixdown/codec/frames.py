"""Packets to samples: FFmpeg's frames as arrays, damage stepped over."""

from __future__ import annotations

from collections.abc import Iterator
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


def decode(
    opened: InputContainer, stream: AudioStream, *, ends_at: int | None, warnings: list[str]
) -> Iterator[Piece]:
    """The samples of a stream, frame by frame; what cannot be decoded is left out with a warning.

    Parameters
    ----------
    ends_at : int or None
        Where the container says that the audio ends, in frames. Believed where that lies in the last packet, of
        which decoders give the whole.
    warnings : list of str
        Complete when the last piece has been given.
    """
    damaged, at_end = 0, False
    last: Piece | None = None
    given = 0
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
                given += len(last.block)
                yield last
            last, at_end = Piece(samples(frame), frame.sample_rate), False
    if last is not None:
        keep = ends_at - given if ends_at is not None and ends_at > given else len(last.block)
        yield Piece(last.block[:keep], last.sample_rate_hz)
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
        with np.errstate(over="ignore", invalid="ignore"):  # more than float32 holds becomes infinite
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
