"""Audio between two passes: raw float32 in the scratch folder, read and written block by block."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mixdown.dsp.processor import Block, Processor, run
from mixdown.errors import ScratchFull
from mixdown.model import Labels
from mixdown.overlap import ahead

#: Frames in a block: large enough that Python costs nothing, small enough to stay in the cache.
BLOCK_FRAMES = 65_536


class Intermediate:
    """A recording on the scratch disk, at the rate and with the channels it will be mastered in.

    Raises ScratchFull when the disk is.
    """

    def __init__(self, path: Path, *, sample_rate_hz: int, channels: int) -> None:
        self.path = path
        self.sample_rate_hz = sample_rate_hz
        self.channels = channels
        self.frames = 0

    def fill(self, blocks: Iterable[Block]) -> None:
        """Write these blocks, from the start."""
        self.frames = 0
        with _full_disk_named(), self.path.open("wb") as file:
            for block in blocks:
                file.write(np.ascontiguousarray(block, dtype=np.float32).data)
                self.frames += len(block)

    def read(self, frame: int, frames: int) -> Block:
        """So many frames from this one on; fewer where the recording ends before."""
        values = np.fromfile(self.path, np.float32, count=frames * self.channels, offset=frame * self.channels * 4)
        return values.reshape(-1, self.channels)

    @property
    def duration_s(self) -> float:
        """How long it is, in seconds."""
        return self.frames / self.sample_rate_hz

    def blocks(self) -> Iterator[Block]:
        """The recording, block by block."""
        yield from self.blocks_from(0)

    def blocks_from(self, frame: int) -> Iterator[Block]:
        """The recording from a frame on, block by block."""
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
        with _full_disk_named(), self.path.open("r+b") as file:
            for block in ahead(run(processors, self.blocks())):
                for tap in taps:
                    tap(block)
                file.write(np.ascontiguousarray(block, dtype=np.float32).data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording at work: its sound, what is written on it, and its name where it is a part of another."""

    audio: Intermediate
    labels: Labels
    title: str | None = None


@contextmanager
def _full_disk_named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise ScratchFull from error
        raise
