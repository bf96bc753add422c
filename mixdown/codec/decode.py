"""Recordings to blocks of samples, in constant memory, whatever the file claims."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import av.error
import numpy as np
import soundfile
from av import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from mixdown.codec.libav import audio_stream, open_container
from mixdown.codec.probe import check, describe
from mixdown.codec.sniff import Container, identify, open_regular
from mixdown.errors import DecompressionBomb, InvalidSamples, TooLong, UnreadableAudio
from mixdown.model import Limits, ProbedAudio

Block = NDArray[np.float32]

#: Frames of a block: 1.4 s at 48 kHz.
BLOCK_FRAMES = 65_536

#: More than this, decoded at fewer bits per second of file, is no recording.
_BOMB_AFTER_S = 600.0
_BOMB_BITS_PER_S = 600.0

#: Samples beyond this magnitude are no sound (+40 dBFS).
_ABSURD_PEAK = 100.0

#: A recording this much shorter than its header says is worth a warning.
_SHORTFALL_S = 0.5


class _Source(Protocol):
    """Decoded pieces of any length, at a rate and channel count that stay."""

    sample_rate_hz: int
    channels: int
    warnings: list[str]

    def pieces(self) -> Iterator[Block]: ...


class AudioReader:
    """An opened recording that gives its samples in blocks. Made by `open_audio`; use it in a ``with``."""

    def __init__(
        self,
        source: _Source,
        probe: ProbedAudio,
        *,
        size_bytes: int,
        name: str,
        limits: Limits,
        close: ExitStack,
    ) -> None:
        self.probe = probe
        self.sample_rate_hz = source.sample_rate_hz
        self.channels = source.channels
        self.frames = 0  #: decoded so far
        self.warnings: list[str] = []  #: final after the last block
        self._source = source
        self._size_bytes = size_bytes
        self._name = name
        self._limits = limits
        self._close = close

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go; safe to repeat."""
        self._close.close()

    def blocks(self, frames: int = BLOCK_FRAMES) -> Iterator[Block]:
        """The samples from the start to the end, once.

        Parameters
        ----------
        frames : int
            Frames of every block but the last.

        Yields
        ------
        ndarray of float32, shape (≤ frames, channels), C-contiguous, full scale ±1.0

        Raises
        ------
        TooLong, DecompressionBomb, InvalidSamples
            Found while decoding, whatever the header said.
        UnreadableAudio
            There was nothing to decode.
        """
        for block in _reblock(self._source.pieces(), frames, self.channels):
            self.frames += len(block)
            self._check(block)
            yield block
        self.warnings.extend(self._source.warnings)
        if self.frames == 0:
            raise UnreadableAudio(f"{self._name} holds no audio that can be decoded.")
        self._compare_with_header()

    def _check(self, block: Block) -> None:
        """Stop what cannot or may not go on."""
        peak = max(float(block.max()), -float(block.min()))
        if not peak <= _ABSURD_PEAK:  # also true for NaN
            raise InvalidSamples(
                f"{self._name} holds samples that are no sound, within the first"
                f" {self.frames / self.sample_rate_hz:.0f} s (not a number, infinite or absurdly loud)."
            )
        decoded_s = self.frames / self.sample_rate_hz
        if decoded_s > self._limits.duration_s:
            raise TooLong(
                f"{self._name} is longer than the {self._limits.duration_s / 3600:.1f} hours that are accepted."
            )
        if decoded_s > _BOMB_AFTER_S and self._size_bytes * 8 < decoded_s * _BOMB_BITS_PER_S:
            raise DecompressionBomb(
                f"{self._name} has {self._size_bytes / 1024:.0f} KiB and unpacks to more than {decoded_s / 60:.0f}"
                " minutes: that is no recording."
            )

    def _compare_with_header(self) -> None:
        """Warn where the header promised more."""
        declared_s, decoded_s = self.probe.duration_s, self.frames / self.sample_rate_hz
        if declared_s is not None and decoded_s < declared_s - _SHORTFALL_S:
            self.warnings.append(f"shorter than its header says ({decoded_s:.1f} s of {declared_s:.1f} s)")


def open_audio(path: Path, *, name: str, limits: Limits) -> AudioReader:
    """Open a recording for decoding.

    Parameters
    ----------
    path : Path
    name : str
        What its owner calls it; the only name in a message.
    limits : Limits

    Returns
    -------
    AudioReader
        A context manager.

    Raises
    ------
    SourceError, AudioError
        The member that fits; see `mixdown.errors`.
    """
    with ExitStack() as stack:
        fd = open_regular(path, name=name)
        stack.callback(os.close, fd)
        size_bytes = os.fstat(fd).st_size
        container = identify(fd, name=name)
        opened = stack.enter_context(open_container(fd, container, name=name))
        stream = audio_stream(opened, name=name)
        probed = describe(fd, container, opened, stream)
        check(probed, size_bytes=size_bytes, name=name, limits=limits)
        source: _Source
        if container in (Container.wav, Container.aiff, Container.flac):
            source = _LinearSource(fd, stack)
        else:
            source = _StreamSource(opened, stream, name=name)
        return AudioReader(
            source, probed, size_bytes=size_bytes, name=name, limits=limits, close=stack.pop_all()
        )


def _reblock(pieces: Iterator[Block], frames: int, channels: int) -> Iterator[Block]:
    """The same samples in blocks of equal length."""
    block, filled = np.empty((frames, channels), np.float32), 0
    for piece in pieces:
        taken = 0
        while taken < len(piece):
            count = min(frames - filled, len(piece) - taken)
            block[filled : filled + count] = piece[taken : taken + count]
            filled, taken = filled + count, taken + count
            if filled == frames:
                yield block
                block, filled = np.empty((frames, channels), np.float32), 0
    if filled:
        yield block[:filled]


class _LinearSource:
    """WAV, AIFF and FLAC, by libsndfile."""

    def __init__(self, fd: int, stack: ExitStack) -> None:
        os.lseek(fd, 0, os.SEEK_SET)
        self._file = stack.enter_context(soundfile.SoundFile(fd, closefd=False))
        self.sample_rate_hz: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.warnings: list[str] = []

    def pieces(self) -> Iterator[Block]:
        while len(piece := self._file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
            yield piece


class _StreamSource:
    """Everything else, by FFmpeg's decoders."""

    def __init__(self, opened: InputContainer, stream: AudioStream, *, name: str) -> None:
        self._opened = opened
        self._stream = stream
        self.warnings: list[str] = []
        self.sample_rate_hz: int = stream.codec_context.sample_rate
        self.channels: int = stream.codec_context.channels

    def pieces(self) -> Iterator[Block]:
        for frame in self._frames():
            yield _samples(frame)

    def _frames(self) -> Iterator[AudioFrame]:
        damaged = 0
        for packet in self._opened.demux(self._stream):
            try:
                yield from packet.decode()
            except av.error.FFmpegError:
                damaged += 1
        if damaged:
            self.warnings.append("damaged parts were skipped")


#: Divisor to full scale ±1.0 and offset, by FFmpeg's sample format.
_FULL_SCALE = {"s16": 2.0**15, "s32": 2.0**31, "u8": 2.0**7, "flt": 1.0, "dbl": 1.0}


def _samples(frame: AudioFrame) -> Block:
    """The samples of a frame, shape (frames, channels), full scale ±1.0."""
    kind = frame.format.name.removesuffix("p")
    samples = frame.to_ndarray()
    block = samples.T if frame.format.is_planar else samples.reshape(frame.samples, -1)
    block = block.astype(np.float32, order="C")
    if kind == "u8":
        block -= 128.0
    if _FULL_SCALE[kind] != 1.0:
        block /= _FULL_SCALE[kind]
    return block
