"""Blocks of samples to a delivered file, the same bytes every time."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from mixdown.codec.encode_libav import LibavEncoder
from mixdown.codec.encode_mp3 import Mp3Encoder
from mixdown.codec.encode_vorbis import VorbisEncoder
from mixdown.codec.labels import clean_labels
from mixdown.errors import ScratchFull
from mixdown.model import DEFAULT_BITRATE_KBPS, AudioFormat, Labels, OutputSpec

_MPEG1_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_KBPS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MPEG25_KBPS = (8, 16, 24, 32, 40, 48, 56, 64)

#: Sample rates that an encoder takes, in Hz, rising; formats that are not listed take any.
_RATES_HZ = {
    AudioFormat.mp3: (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    AudioFormat.m4a: (
        *(8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000),
    ),
    AudioFormat.opus: (48_000,),
    AudioFormat.ogg: (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000),
}

#: Frames that encoders are given at a time.
_ENCODED_FRAMES = 32_768

#: What a mono master takes of the stereo bitrate.
_MONO_SHARE = 0.6

#: Most bits an AAC frame may have, a sample and channel (ISO/IEC 14496-3: 6144 of 1024 samples).
_AAC_BITS = 6

#: Most a channel of Opus takes, in kbit/s (RFC 6716, 2.1.1).
_OPUS_KBPS = 256

#: What LAME's presets multiply the signal with, up to a bitrate in kbit/s; measured, the same at every rate.
_LAME_SCALES = ((160, 0.95), (192, 0.97), (224, 0.98), (320, 1.0))


def encodable_rate_hz(format: AudioFormat, wanted_hz: int) -> int:  # noqa: A002
    """The sample rate to resample to before a file of this format is written.

    Parameters
    ----------
    format : AudioFormat
    wanted_hz : int
        In Hz.

    Returns
    -------
    int
        The nearest rate that the encoder takes, in Hz; above its highest one a whole fraction if there is one
        (88.2 kHz becomes 44.1), so that the resampling stays simple.
    """
    rates = _RATES_HZ.get(format)
    if rates is None or wanted_hz in rates:
        return wanted_hz
    if wanted_hz > rates[-1]:
        return next((rate for rate in reversed(rates) if rate >= 32_000 and wanted_hz % rate == 0), rates[-1])
    return min(rates, key=lambda rate: abs(rate - wanted_hz))


def bitrate_kbps(output: OutputSpec, *, sample_rate_hz: int, channels: int) -> int:
    """The bitrate an output is encoded at, in kbit/s: the one asked for or the default, made one that exists.

    Mono takes 0.6 of a default. Meaningless for `flac` and `wav`.
    """
    default = DEFAULT_BITRATE_KBPS.get(output.format, 0)
    wanted = output.bitrate_kbps or (default if channels > 1 else round(default * _MONO_SHARE))
    if output.format is AudioFormat.mp3:
        legal = (
            _MPEG1_KBPS if sample_rate_hz >= 32_000 else _MPEG2_KBPS if sample_rate_hz >= 16_000 else _MPEG25_KBPS
        )
        return min(legal, key=lambda kbps: abs(kbps - wanted))
    if output.format is AudioFormat.m4a:
        return min(wanted, _AAC_BITS * sample_rate_hz * channels // 1000)
    return min(wanted, _OPUS_KBPS * channels)


def expected_gain_db(output: OutputSpec, channels: int) -> float:
    """What the encoder does to the level, in dB; negative where it turns it down.

    Notes
    -----
    Only LAME does so by intent: its presets leave headroom below 256 kbit/s. AAC loses less than 0.1 dB of
    loudness from 96 kbit/s on, Vorbis and Opus less than 0.05 dB; those losses depend on the material.
    """
    if output.format is not AudioFormat.mp3:
        return 0.0
    kbps = bitrate_kbps(output, sample_rate_hz=output.sample_rate_hz or 44_100, channels=channels)
    return 20.0 * math.log10(next(scale for most_kbps, scale in _LAME_SCALES if kbps <= most_kbps))


class _Encoder(Protocol):
    def write(self, block: NDArray[np.float32]) -> None: ...
    def finish(self) -> None: ...
    def abandon(self) -> None: ...


class AudioWriter:
    """A file in the making. Made by `open_writer`; use it in a ``with``."""

    def __init__(self, path: Path, encoder: _Encoder, *, channels: int, durable: bool = True) -> None:
        self.path = path
        self._durable = durable
        self.frames = 0  #: written so far
        self._encoder = encoder
        self._channels = channels
        # Encoders get blocks of one length: what libvorbis does to the first samples depends on it.
        self._waiting = np.empty((_ENCODED_FRAMES, channels), np.float32)
        self._waiting_frames = 0

    def write(self, block: NDArray[np.float32]) -> None:
        """Encode a block, shape (frames, channels), full scale ±1.0."""
        if block.ndim != 2 or block.shape[1] != self._channels:
            raise ValueError(f"expected {self._channels} channels, got an array of shape {block.shape}")
        self.frames += len(block)
        while len(block):
            taken = block[: len(self._waiting) - self._waiting_frames]
            block = block[len(taken) :]
            self._waiting[self._waiting_frames : self._waiting_frames + len(taken)] = taken
            self._waiting_frames += len(taken)
            if self._waiting_frames == len(self._waiting):
                self._encode_waiting()

    def _encode_waiting(self) -> None:
        with _disk_errors():
            self._encoder.write(self._waiting[: self._waiting_frames])
        self._waiting_frames = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        finished = False
        try:
            if kind is None:
                if self.frames == 0:
                    raise ValueError("no audio was written")
                if self._waiting_frames:
                    self._encode_waiting()
                with _disk_errors():
                    self._encoder.finish()
                    if self._durable:
                        _sync(self.path)
                finished = True
        finally:
            if not finished:
                self._encoder.abandon()
                self.path.unlink(missing_ok=True)


def open_writer(
    path: Path,
    output: OutputSpec,
    *,
    sample_rate_hz: int,
    channels: int,
    labels: Labels = Labels(),  # noqa: B008 -- frozen
    durable: bool = True,
) -> AudioWriter:
    """Begin a file. It is complete and on disk when the ``with`` ends, and gone if that ends in an error.

    Parameters
    ----------
    path : Path
        Written in place; an existing file is replaced.
    output : OutputSpec
        Its format, bitrate and bit depth count; its rate and channels are the caller's to have met.
    sample_rate_hz : int
        In Hz; one that `encodable_rate_hz` gives back.
    channels : int
        1 or 2.
    labels : Labels
        Cleaned before they are written; formats leave out what they have no place for. Marks behind the end of
        the audio are not written where the format needs to know how long a chapter is.
    durable : bool
        Whether it is to survive a power cut; what goes on to a store need not, which sees to that itself.

    Returns
    -------
    AudioWriter
        A context manager.

    Raises
    ------
    ValueError
        A rate or channel count that was not made fit before.
    ScratchFull
        Also from `AudioWriter.write` and at the end of the ``with``.

    Notes
    -----
    The same samples, output and labels give the same bytes, in any process. Decoded again they give as many
    frames as were written, at the same place: MP3 by its Info tag, M4A by its edit list, Opus by pre-skip and
    final granule position.
    """
    if encodable_rate_hz(output.format, sample_rate_hz) != sample_rate_hz:
        raise ValueError(f"{output.format} cannot be written at {sample_rate_hz} Hz: see encodable_rate_hz")
    if channels not in (1, 2):
        raise ValueError(f"a master has one or two channels, not {channels}")
    kbps = bitrate_kbps(output, sample_rate_hz=sample_rate_hz, channels=channels)
    labels = clean_labels(labels)
    encoder: _Encoder
    with _disk_errors():
        if output.format is AudioFormat.mp3:
            encoder = Mp3Encoder(
                path, sample_rate_hz=sample_rate_hz, channels=channels, bitrate_kbps=kbps, labels=labels
            )
        elif output.format is AudioFormat.ogg:
            encoder = VorbisEncoder(
                path, sample_rate_hz=sample_rate_hz, channels=channels, bitrate_kbps=kbps, labels=labels
            )
        else:
            encoder = LibavEncoder(
                path,
                output.format,
                sample_rate_hz=sample_rate_hz,
                channels=channels,
                bitrate_kbps=kbps,
                bit_depth=output.bit_depth,
                labels=labels,
            )
    return AudioWriter(path, encoder, channels=channels, durable=durable)


@contextmanager
def _disk_errors() -> Iterator[None]:
    """A full disk becomes ours; anything else is a bug and stays what it is."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ScratchFull("The scratch disk is full.") from error
        raise


def _sync(path: Path) -> None:
    """Bring a file to the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
