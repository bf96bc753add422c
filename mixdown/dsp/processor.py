"""What every step of a chain is: a processor of blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

#: Samples of shape (frames, channels), full scale ±1.0, C-contiguous.
Block: TypeAlias = NDArray[np.float32]

Found = TypeVar("Found", covariant=True)


class Processor(Protocol):
    """One step of a chain, fed block by block.

    Over a whole signal as many frames come out as went in, aligned with them (latency is
    compensated), and the same samples however the signal is cut into blocks.
    """

    def process(self, block: Block) -> Block:
        """The frames that are ready: fewer than went in while the processor looks ahead."""
        ...

    def flush(self) -> Block:
        """The frames still held back. The processor is spent afterwards."""
        ...


class Survey(Protocol[Found]):
    """Something that listens to a signal, block by block, and tells at its end what it found."""

    def push(self, block: Block) -> None:
        """Take the next block of the signal."""
        ...

    def report(self) -> Found:
        """What was found in all that was taken; the same however the signal was cut."""
        ...


def run(processors: Sequence[Processor], blocks: Iterable[Block]) -> Iterator[Block]:
    """Blocks of a signal after every processor in turn, those held back included.

    Parameters
    ----------
    processors : sequence of Processor
        Fresh processors, in the order of the chain. None at all passes the signal through.
    blocks : iterable of Block
        The signal, in blocks of any length.

    Yields
    ------
    Block
        Never an empty one.
    """
    for block in blocks:
        result = _cascade(processors, block)
        if len(result):
            yield result
    for index, processor in enumerate(processors):
        result = _cascade(processors[index + 1 :], processor.flush())
        if len(result):
            yield result


def _cascade(processors: Sequence[Processor], block: Block) -> Block:
    """One block through every processor; stops where nothing is left of it."""
    for processor in processors:
        if not len(block):
            break
        block = processor.process(block)
    return block


def as_block(samples: NDArray[np.floating], channels: int) -> Block:
    """Samples in the one layout that the compiled kernels are built for.

    Parameters
    ----------
    samples : ndarray of float, shape (frames, channels)
    channels : int
        As many as the processor was made for.

    Returns
    -------
    Block
        The same array where it already is float32, C-contiguous and writable, else a copy.

    Raises
    ------
    ValueError
        The array is not of shape (frames, channels).
    """
    if samples.ndim != 2 or samples.shape[1] != channels:
        raise ValueError(f"expected (frames, {channels}) samples, got {samples.shape}")
    # numba compiles anew for every other type, layout and for arrays that are read-only.
    return np.require(samples, np.float32, ("C_CONTIGUOUS", "WRITEABLE"))
