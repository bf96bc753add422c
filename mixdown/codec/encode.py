"""Blocks of samples to a delivered file, the same bytes every time."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from mixdown.codec.encode_libav import LibavEncoder
from mixdown.codec.encode_mp3 import Mp3Encoder
from mixdown.codec.encode_vorbis import VorbisEncoder
from mixdown.codec.tags import clean
from mixdown.errors import ScratchFull
from mixdown.model import DEFAULT_BITRATE_KBPS, AudioFormat, OutputSpec, Tags

_MPEG1_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_KBPS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)

#: Sample rates that an encoder takes, in Hz; formats that are not listed take any.
_RATES_HZ = {
    AudioFormat.mp3: (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    AudioFormat.m4a: (
        *(8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000),
    ),
    AudioFormat.opus: (48_000,),
}

#: What a mono master takes of the stereo bitrate.
_MONO_SHARE = 0.6


def encodable_rate_hz(format: AudioFormat, wanted_hz: int) -> int:  # noqa: A002
    """The sample rate nearest to a wanted one that a format can be written in, in Hz."""
    rates = _RATES_HZ.get(format)
    if rates is None or wanted_hz in rates:
        return wanted_hz
    if wanted_hz > rates[-1]:  # a whole ratio keeps resampling simple: 88.2 kHz becomes 44.1
        return next((rate for rate in reversed(rates) if wanted_hz % rate == 0), rates[-1])
    return min(rates, key=lambda rate: abs(rate - wanted_hz))


def bitrate_kbps(output: OutputSpec, *, sample_rate_hz: int, channels: int) -> int:
    """The bitrate an output is encoded at: the one asked for or the default, made legal, in kbit/s."""
    default = DEFAULT_BITRATE_KBPS.get(output.format, 0)
    wanted = output.bitrate_kbps or (default if channels > 1 else round(default * _MONO_SHARE))
    if output.format is AudioFormat.mp3:
        legal = _MPEG1_KBPS if sample_rate_hz >= 32_000 else _MPEG2_KBPS
        return min(legal, key=lambda kbps: abs(kbps - wanted))
    return wanted


def expected_gain_db(output: OutputSpec, channels: int) -> float:
    """How much louder the encoder makes things, in dB; negative where it makes them quieter."""
    if output.format is not AudioFormat.mp3:
        return 0.0
    kbps = bitrate_kbps(output, sample_rate_hz=output.sample_rate_hz or 44_100, channels=channels)
    return -0.43 if kbps <= 160 else -0.26 if kbps < 256 else 0.0


class _Encoder(Protocol):
    def write(self, block: NDArray[np.float32]) -> None: ...
    def finish(self) -> None: ...
    def abandon(self) -> None: ...


class AudioWriter:
    """A file in the making. Made by `open_writer`; use it in a ``with``."""

    def __init__(self, path: Path, encoder: _Encoder, *, channels: int) -> None:
        self.path = path
        self.frames = 0  #: written so far
        self._encoder = encoder
        self._channels = channels

    def write(self, block: NDArray[np.float32]) -> None:
        """Encode a block, shape (frames, channels), full scale ±1.0."""
        if block.ndim != 2 or block.shape[1] != self._channels:
            raise ValueError(f"expected {self._channels} channels, got an array of shape {block.shape}")
        with _disk_errors():
            self._encoder.write(block)
        self.frames += len(block)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        finished = False
        try:
            if kind is None:
                with _disk_errors():
                    self._encoder.finish()
                    _sync(self.path)
                finished = True
        finally:
            if not finished:
                self._encoder.abandon()
                self.path.unlink(missing_ok=True)


def open_writer(path: Path, output: OutputSpec, *, sample_rate_hz: int, channels: int, tags: Tags) -> AudioWriter:
    """Begin a file. It is complete and on disk when the ``with`` ends, and gone if that ends in an error."""
    if encodable_rate_hz(output.format, sample_rate_hz) != sample_rate_hz:
        raise ValueError(f"{output.format} cannot be written at {sample_rate_hz} Hz: see encodable_rate_hz")
    if channels not in (1, 2):
        raise ValueError(f"a master has one or two channels, not {channels}")
    kbps = bitrate_kbps(output, sample_rate_hz=sample_rate_hz, channels=channels)
    tags = clean(tags)
    encoder: _Encoder
    with _disk_errors():
        if output.format is AudioFormat.mp3:
            encoder = Mp3Encoder(
                path, sample_rate_hz=sample_rate_hz, channels=channels, bitrate_kbps=kbps, tags=tags
            )
        elif output.format is AudioFormat.ogg:
            encoder = VorbisEncoder(
                path, sample_rate_hz=sample_rate_hz, channels=channels, bitrate_kbps=kbps, tags=tags
            )
        else:
            encoder = LibavEncoder(
                path,
                output.format,
                sample_rate_hz=sample_rate_hz,
                channels=channels,
                bitrate_kbps=kbps,
                bit_depth=output.bit_depth,
                tags=tags,
            )
    return AudioWriter(path, encoder, channels=channels)


@contextmanager
def _disk_errors() -> Iterator[None]:
    """A full disk becomes ours; anything else is a bug and stays what it is."""
    try:
        yield
    except (OSError, soundfile.LibsndfileError) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise ScratchFull("The scratch disk is full.") from error
        raise


def _sync(path: Path) -> None:
    """Bring a file to the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
