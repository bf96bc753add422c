"""What a recording says it is, by its header."""

from __future__ import annotations

import os
from pathlib import Path

import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer

from mixdown.codec.libav import audio_stream, open_container
from mixdown.codec.mpeg_frame import mpeg_frame
from mixdown.codec.sniff import Container, id3_end, identify, open_regular
from mixdown.errors import BadHeader, SourceTooLarge, TooLong, TooManyChannels, UnsupportedSampleRate
from mixdown.model import Limits, ProbedAudio


def probe(path: Path, *, name: str, limits: Limits) -> ProbedAudio:
    """Read the header of a recording and hold it against the limits; no audio is decoded.

    Parameters
    ----------
    path : Path
    name : str
        What its owner calls it; the only name in a message.
    limits : Limits

    Returns
    -------
    ProbedAudio
        ``duration_s`` is None where the format does not declare one.

    Raises
    ------
    SourceError, AudioError
        The member that fits; see `mixdown.errors`.
    """
    fd = open_regular(path, name=name)
    try:
        container = identify(fd, name=name)
        with open_container(fd, container, name=name) as opened:
            probed = describe(fd, container, opened, audio_stream(opened, name=name))
        check(probed, size_bytes=os.fstat(fd).st_size, name=name, limits=limits)
        return probed
    finally:
        os.close(fd)


def describe(fd: int, container: Container, opened: InputContainer, stream: AudioStream) -> ProbedAudio:
    """What the header of an opened container says."""
    codec = stream.codec_context
    duration_s = None
    if stream.duration is not None and stream.time_base is not None and _declares_duration(fd, container):
        duration_s = float(stream.duration * stream.time_base)
    elif opened.duration is not None and container is Container.matroska:
        duration_s = opened.duration / 1_000_000
    bits = codec.format.bits if codec.name.startswith("pcm_") or codec.name in ("flac", "alac") else None
    return ProbedAudio(
        container=container.value,
        codec=codec.name.removesuffix("float"),
        sample_rate_hz=codec.sample_rate,
        channels=codec.channels,
        duration_s=duration_s,
        bit_depth=bits,
        bitrate_kbps=round(stream.bit_rate / 1000, 1) if stream.bit_rate else None,
        tags={key.lower(): value for key, value in {**opened.metadata, **stream.metadata}.items()},
    )


def check(probed: ProbedAudio, *, size_bytes: int, name: str, limits: Limits) -> None:
    """Hold a header against the limits of this installation.

    Raises
    ------
    SourceTooLarge, BadHeader, UnsupportedSampleRate, TooManyChannels, TooLong
    """
    if size_bytes > limits.source_bytes:
        raise SourceTooLarge(
            f"{name} has {size_bytes / 2**20:,.0f} MiB; at most {limits.source_bytes / 2**20:,.0f} are accepted."
        )
    if probed.channels < 1 or probed.sample_rate_hz < 1:
        raise BadHeader(f"{name} declares {probed.channels} channels at {probed.sample_rate_hz} Hz.")
    if not limits.min_sample_rate_hz <= probed.sample_rate_hz <= limits.max_sample_rate_hz:
        raise UnsupportedSampleRate(
            f"{name} has a sample rate of {probed.sample_rate_hz} Hz; {limits.min_sample_rate_hz} to"
            f" {limits.max_sample_rate_hz} Hz are accepted."
        )
    if probed.channels > limits.channels:
        raise TooManyChannels(
            f"{name} has {probed.channels} channels; at most {limits.channels} are accepted."
        )
    if probed.duration_s is not None and probed.duration_s > limits.duration_s:
        raise TooLong(
            f"{name} declares {probed.duration_s / 3600:.1f} hours; at most {limits.duration_s / 3600:.1f} are accepted."
        )


def _declares_duration(fd: int, container: Container) -> bool:
    """Whether a duration that FFmpeg gives comes from the file, not from a guess by bitrate."""
    if container is Container.adts:
        return False
    if container is not Container.mp3:
        return True
    head = os.pread(fd, 4096, id3_end(fd))
    start = head.find(b"\xff")
    frame = mpeg_frame(head[start : start + 4]) if start >= 0 else None
    if frame is None:
        return False
    behind_side_info = start + 4 + frame.side_info_bytes
    return (
        head[behind_side_info : behind_side_info + 4] in (b"Xing", b"Info") or b"VBRI" in head[: start + 64]
    )
