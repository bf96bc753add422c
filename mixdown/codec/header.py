"""What the header of a file says, held against what is accepted."""

from __future__ import annotations

import os
import re

from av.audio.stream import AudioStream
from av.container import InputContainer

from mixdown.codec.declared import declared
from mixdown.codec.linear_header import linear_header
from mixdown.codec.sniff import Container, identify
from mixdown.codec.tags import clean
from mixdown.errors import (
    BadHeader,
    SourceTooLarge,
    TooLong,
    TooManyChannels,
    UnsupportedFormat,
    UnsupportedSampleRate,
)
from mixdown.model import Limits, ProbedAudio


def admit(fd: int, *, name: str, limits: Limits) -> Container:
    """The kind of a file that may go on to FFmpeg: small enough, of an accepted kind, no nonsense in its header.

    Raises
    ------
    SourceTooLarge, UnsupportedFormat, UnreadableAudio, BadHeader, UnsupportedSampleRate, TooManyChannels
    """
    size_bytes = os.fstat(fd).st_size
    if size_bytes > limits.source_bytes:
        raise SourceTooLarge(
            f"{name} has {size_bytes / 2**20:,.0f} MiB; at most {limits.source_bytes / 2**20:,.0f} are accepted."
        )
    container = identify(fd, name=name)
    if limits.containers is not None and container.value not in limits.containers:
        accepted = ", ".join(sorted(limits.containers))
        raise UnsupportedFormat(f"{name} is a {container.value} file; accepted here: {accepted}.")
    if container in (Container.wav, Container.aiff) and (header := linear_header(fd, container)):
        _check_layout(header.channels, header.sample_rate_hz, name=name, limits=limits)
    return container


def describe(fd: int, container: Container, opened: InputContainer, stream: AudioStream) -> ProbedAudio:
    """What the header of an opened file says."""
    codec = stream.codec_context
    return ProbedAudio(
        container=container.value,
        codec=codec.name.removesuffix("float"),
        sample_rate_hz=codec.sample_rate,
        channels=codec.channels,
        duration_s=declared(fd, container, opened, stream).duration_s,
        bit_depth=_bit_depth(stream),
        bitrate_kbps=round(stream.bit_rate / 1000, 1) if stream.bit_rate else None,
        tags=clean({**opened.metadata, **stream.metadata}),
    )


def check(probed: ProbedAudio, *, name: str, limits: Limits) -> None:
    """Hold a header against the limits of this installation.

    Raises
    ------
    BadHeader, UnsupportedSampleRate, TooManyChannels, TooLong
    """
    _check_layout(probed.channels, probed.sample_rate_hz, name=name, limits=limits)
    if probed.duration_s is not None and probed.duration_s > limits.duration_s:
        raise TooLong(
            f"{name} declares {probed.duration_s / 3600:,.1f} hours;"
            f" at most {limits.duration_s / 3600:.1f} are accepted."
        )


def _check_layout(channels: int, sample_rate_hz: int, *, name: str, limits: Limits) -> None:
    if channels < 1 or sample_rate_hz < 1:
        raise BadHeader(f"The header of {name} declares {channels} channels at {sample_rate_hz} Hz.")
    if channels > limits.channels:
        raise TooManyChannels(f"{name} has {channels} channels; at most {limits.channels} are accepted.")
    if not limits.min_sample_rate_hz <= sample_rate_hz <= limits.max_sample_rate_hz:
        raise UnsupportedSampleRate(
            f"{name} has a sample rate of {sample_rate_hz} Hz;"
            f" {limits.min_sample_rate_hz} to {limits.max_sample_rate_hz} Hz are accepted."
        )


def _bit_depth(stream: AudioStream) -> int | None:
    """Bits of a sample of linear audio; None for a codec that has none."""
    codec = stream.codec_context
    extradata = codec.extradata or b""
    if codec.name == "flac" and len(extradata) >= 34:  # STREAMINFO, RFC 9639, section 8.2
        return ((extradata[12] & 1) << 4 | extradata[13] >> 4) + 1
    if codec.name == "alac" and len(extradata) >= 18:  # the magic cookie behind its atom header
        return extradata[17]
    linear = re.match(r"pcm_[fsu](\d+)", codec.name)
    return int(linear[1]) if linear else None
