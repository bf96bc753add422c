"""Audio between two passes: raw float32, read and written block by block; in the scratch folder, unless short."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from mixdown.dsp.processor import Block, Processor, run
from mixdown.errors import ScratchFull
from mixdown.model import Labels
from mixdown.overlap import ahead

#: Frames in a block: large enough that Python costs nothing, small enough to stay in the cache.
BLOCK_FRAMES = 65_536
#: A recording up to this size may be held in memory. For one of a few seconds a file costs more than the pass over
#: it: a disk that thousands were just deleted from is slow to find room for the next (ext4 looks at each of them).
HELD_BYTES = 8 << 20


class Intermediate:
    """A recording at the rate and with the channels it will be mastered in.

    It is on the scratch disk, at `path`, as soon as it has more than `held_bytes`. Raises ScratchFull when the
    disk is.
    """

    def __init__(self, path: Path, *, sample_rate_hz: int, channels: int, held_bytes: int = 0) -> None:
        self.path = path
        self.sample_rate_hz = sample_rate_hz
        self.channels = channels
        self.frames = 0
        self._held_bytes = held_bytes
        self._held: bytearray | None = None  #: all of it, where it is not on the disk

    def fill(self, blocks: Iterable[Block]) -> None:
        """Write these blocks, from the start."""
        self.frames = 0
        with _full_disk_named():
            coming, held = iter(blocks), bytearray()
            while len(held) <= self._held_bytes:
                if (block := next(coming, None)) is None:
                    self._held = held
                    return
                held += _bytes_of(block)
                self.frames += len(block)
            self._held = None
            with self.path.open("wb") as file:
                file.write(held)
                del held
                for block in coming:
                    file.write(_bytes_of(block))
                    self.frames += len(block)

    def read(self, frame: int, frames: int) -> Block:
        """So many frames from this one on; fewer where the recording ends before."""
        if self._held is not None:
            return np.frombuffer(self._held, np.float32).reshape(-1, self.channels)[frame : frame + frames].copy()
        values = np.fromfile(self.path, np.float32, count=frames * self.channels, offset=frame * self.channels * 4)
        return values.reshape(-1, self.channels)

    def discard(self) -> None:
        """Let go of it: no file is left."""
        self._held = None
        self.path.unlink(missing_ok=True)  # Whoever chose the name may have made the file.

    @property
    def duration_s(self) -> float:
        """How long it is, in seconds."""
        return self.frames / self.sample_rate_hz

    def blocks(self) -> Iterator[Block]:
        """The recording, block by block."""
        yield from self.blocks_from(0)

    def blocks_from(self, frame: int) -> Iterator[Block]:
        """The recording from a frame on, block by block."""
        if self._held is not None:
            for at in range(frame, self.frames, BLOCK_FRAMES):
                yield self.read(at, BLOCK_FRAMES)
            return
        with self.path.open("rb") as file:
            file.seek(frame * self.channels * 4)
            while True:
                # Each block its reader's own: what is read-only would be copied by every processor and meter.
                block = np.empty((BLOCK_FRAMES, self.channels), np.float32)
                frames = file.readinto(block.data.cast("B")) // (self.channels * 4)
                if not frames:
                    break
                yield block[:frames]

    def rewrite(self, processors: Sequence[Processor], *taps: Callable[[Block], None]) -> None:
        """Run processors over the recording in place, and show each tap what comes out.

        A processor never gives more than it was fed, so writing stays behind reading, however far
        ahead that is: the processors run in a thread, next to the taps.
        """
        with _full_disk_named(), self._open() as file:
            for block in ahead(run(processors, self.blocks())):
                for tap in taps:
                    tap(block)
                file.write(_bytes_of(block))

    def _open(self) -> AbstractContextManager[_Writable]:
        return self.path.open("r+b") if self._held is None else nullcontext(_Overwritten(self._held))


class _Writable(Protocol):
    def write(self, data: memoryview, /) -> object: ...


class _Overwritten:
    """Bytes in memory, written over from the start."""

    def __init__(self, held: bytearray) -> None:
        self._held = held
        self._at = 0

    def write(self, data: memoryview, /) -> None:
        """Write over what comes next; readers keep their places."""
        self._held[self._at : self._at + data.nbytes] = data
        self._at += data.nbytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording at work: its sound, what is written on it, and its name where it is a part of another."""

    audio: Intermediate
    labels: Labels
    title: str | None = None


def _bytes_of(block: Block) -> memoryview:
    return np.ascontiguousarray(block, dtype=np.float32).reshape(-1).view(np.uint8).data


@contextmanager
def _full_disk_named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise ScratchFull from error
        raise
