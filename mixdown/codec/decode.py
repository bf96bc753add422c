"""Recordings to blocks of samples, in constant memory, whatever the file claims."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from mixdown.codec.conform import conform
from mixdown.codec.declared import declared, stream_duration_s
from mixdown.codec.frames import Piece, decode
from mixdown.codec.header import admit, check, describe
from mixdown.codec.labels import read_labels
from mixdown.codec.libav import audio_stream, open_container
from mixdown.codec.ogg_links import ogg_links
from mixdown.codec.sniff import Container, open_regular
from mixdown.codec.tags import one_line
from mixdown.errors import AudioError, DecompressionBomb, InvalidSamples, TooLong, UnreadableAudio
from mixdown.model import Labels, Limits, ProbedAudio

Block = NDArray[np.float32]

#: Frames of a block: 1.4 s at 48 kHz.
BLOCK_FRAMES = 65_536

#: More than this, decoded from fewer bits of file per second, is no recording.
_BOMB_AFTER_S = 600.0
_BOMB_BITS_PER_S = 600.0

#: Samples beyond this magnitude are no sound (+40 dBFS).
_ABSURD_PEAK = 100.0

#: A recording this much shorter than its header says is worth a warning. Lossy formats count their padding.
_SHORTFALL_S = 0.15
_EXACT_SHORTFALL_S = 0.001
_EXACT = (Container.wav, Container.aiff, Container.flac)


class AudioReader:
    """An opened recording that gives its samples in blocks. Made by `open_audio`; use it in a ``with``."""

    def __init__(self, path: Path, *, name: str, limits: Limits) -> None:
        self._name = name = one_line(name)
        self._limits = limits
        with ExitStack() as resources:
            self._fd = open_regular(path, name=name)
            resources.callback(os.close, self._fd)
            self._size_bytes = end = os.fstat(self._fd).st_size
            self._container = admit(self._fd, name=name, limits=limits)
            self._links = ogg_links(self._fd) if self._container is Container.ogg else iter(())
            self._end_marked = True
            if (first := next(self._links, None)) is not None:
                self._end_marked, end = first.end_marked, first.end
            self._end = end
            self._opened, self._stream = resources.enter_context(self._part(0, end))
            self.probe: ProbedAudio = describe(self._fd, self._container, self._opened, self._stream)
            check(self.probe, name=name, limits=limits)
            self._promised_s = declared(self._fd, self._container, self._opened, self._stream).promised_s
            self._resources = resources.pop_all()
        self.sample_rate_hz: int = self.probe.sample_rate_hz
        self.channels: int = self.probe.channels
        self.frames = 0  #: decoded so far
        self.warnings: list[str] = []  #: final after the last block
        self._blocks: Generator[Block] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @cached_property
    def labels(self) -> Labels:
        """Tags, cover and chapter marks; the file is looked through anew for them, its blocks do not mind."""
        with open_container(self._fd, self._container, name=self._name, start=0, end=self._end) as opened:
            return read_labels(opened, self._fd, self._container, self.probe.tags)

    def close(self) -> None:
        """Let the file go, also when it has not been read to its end; safe to repeat."""
        if self._blocks is not None:
            self._blocks.close()
        self._resources.close()

    def blocks(self, frames: int = BLOCK_FRAMES) -> Iterator[Block]:
        """The samples from the start to the end; they can be had once.

        Parameters
        ----------
        frames : int
            Frames of every block but the last.

        Returns
        -------
        iterator of ndarray of float32, shape (≤ frames, channels)
            C-contiguous, full scale ±1.0, each block the caller's own.

        Raises
        ------
        TooLong, DecompressionBomb, InvalidSamples
            Found while decoding, whatever the header said.
        UnreadableAudio
            There was nothing to decode.
        """
        if self._blocks is not None:
            raise ValueError("the blocks of a reader can be had once")
        self._blocks = self._checked(frames)
        return self._blocks

    def _checked(self, frames: int) -> Generator[Block]:
        conformed = conform(
            self._pieces(),
            sample_rate_hz=self.sample_rate_hz,
            channels=self.channels,
            warnings=self.warnings,
        )
        for block in _reblock(conformed, frames, self.channels):
            self.frames += len(block)
            self._check(block)
            yield block
        if self.frames == 0:
            raise UnreadableAudio(f"{self._name} holds no audio that can be decoded.")
        decoded_s = self.frames / self.sample_rate_hz
        shortfall_s = _EXACT_SHORTFALL_S if self._container in _EXACT else _SHORTFALL_S
        if self._promised_s is not None and decoded_s < self._promised_s - shortfall_s:
            self.warnings.append(f"shorter than its header says ({decoded_s:.1f} s of {self._promised_s:,.1f} s)")
        if not self._end_marked:
            self.warnings.append("it has no end mark: it may be cut off")

    def _pieces(self) -> Iterator[Piece]:
        """All that can be decoded, link after link."""
        yield from self._decode(self._opened, self._stream)
        for link in self._links:
            self._end_marked = link.end_marked
            with ExitStack() as resources:
                try:
                    opened, stream = resources.enter_context(self._part(link.start, link.end))
                except AudioError:
                    self.warnings.append("a part of it could not be read")
                    continue
                yield from self._decode(opened, stream)

    @contextmanager
    def _part(self, start: int, end: int) -> Iterator[tuple[InputContainer, AudioStream]]:
        """A range of the file, opened, and the audio in it."""
        with open_container(self._fd, self._container, name=self._name, start=start, end=end) as opened:
            yield opened, audio_stream(opened, name=self._name)

    def _decode(self, opened: InputContainer, stream: AudioStream) -> Iterator[Piece]:
        ends_at: int | None = None
        exact = self._container is Container.mp4 or (self._container is Container.ogg and self._end_marked)
        if exact and (stream_s := stream_duration_s(stream)) is not None:
            ends_at = round(stream_s * stream.codec_context.sample_rate)
        return decode(opened, stream, ends_at=ends_at, warnings=self.warnings)

    def _check(self, block: Block) -> None:
        """Stop what cannot or may not go on."""
        decoded_s = self.frames / self.sample_rate_hz
        peak = max(float(block.max()), -float(block.min()))
        if not peak <= _ABSURD_PEAK:  # NaN is not either
            raise InvalidSamples(
                f"{self._name} holds samples that are no sound within its first {decoded_s:.0f} s:"
                " not a number, infinite or absurdly loud."
            )
        if decoded_s > self._limits.duration_s:
            raise TooLong(f"{self._name} is longer than the {self._limits.duration_s / 3600:.1f} hours accepted.")
        if decoded_s > _BOMB_AFTER_S and self._size_bytes * 8 < decoded_s * _BOMB_BITS_PER_S:
            raise DecompressionBomb(
                f"{self._name} has {self._size_bytes / 1024:.0f} KiB and unpacks to more than"
                f" {decoded_s / 60:.0f} minutes: that is no recording."
            )


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
    return AudioReader(path, name=name, limits=limits)


def _reblock(pieces: Iterable[Block], frames: int, channels: int) -> Iterator[Block]:
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
