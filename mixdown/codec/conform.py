"""One sample rate and one channel count for a recording that changes them on its way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from mixdown.codec.frames import Piece
from mixdown.codec.remix import remix
from mixdown.dsp.resample import Resampler


def conform(
    pieces: Iterable[Piece], *, sample_rate_hz: int, channels: int, warnings: list[str]
) -> Iterator[NDArray[np.float32]]:
    """The same sound at one rate and one channel count.

    Parameters
    ----------
    pieces : iterable of Piece
    sample_rate_hz : int
        In Hz, of every block given back.
    channels : int
        Of every block given back.
    warnings : list of str
        Told once if anything had to be changed.
    """
    resampler: Resampler | None = None
    foreign_hz, changed = sample_rate_hz, False
    for block, piece_hz in pieces:
        if resampler is not None and piece_hz != foreign_hz:
            yield resampler.flush()
            resampler = None
        if block.shape[1] != channels:
            block, changed = _remixed(block, channels), True
        if piece_hz != sample_rate_hz:
            if resampler is None:
                resampler, foreign_hz, changed = Resampler(piece_hz, sample_rate_hz, channels), piece_hz, True
            block = resampler.process(block)
        yield block
    if resampler is not None:
        yield resampler.flush()
    if changed:
        warnings.append(
            "its sample rate or channels change on the way; all of it was brought to"
            f" {sample_rate_hz} Hz and {channels} channel{'s' if channels > 1 else ''}"
        )


def _remixed(block: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    """As `remix`, and to more than two channels by way of stereo with the others silent."""
    with np.errstate(over="ignore", invalid="ignore"):  # what is no number is refused by the reader
        if channels <= 2:
            return remix(block, channels)
        return np.pad(remix(block, 2), ((0, 0), (0, channels - 2)))
