"""Parts of a recording that are kept for measures which cannot be taken while it goes by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mixdown.dsp.processor import Block
from mixdown.dsp.resample import Resampler

#: Where the length of a recording is not known, segments start this far apart.
_USUAL_STRIDE_S = 30.0


class MiddleExcerpt:
    """Keeps the middle of a recording, in mono at a lower rate.

    Parameters
    ----------
    from_hz, rate_hz : int
        Sample rates of the recording and of what is kept.
    most_s : float
        Length that is kept at most, in seconds.
    expected_s : float or None
        How long the recording will be, as far as is known: half of it decides where the middle is.

    Notes
    -----
    Kept in 16 bits with 6 dB of headroom: 26 MB for 10 minutes at 22,050 Hz.
    """

    def __init__(self, from_hz: int, rate_hz: int, *, most_s: float, expected_s: float | None) -> None:
        self.rate_hz = rate_hz
        self.start_s = max(0.0, ((expected_s or 0.0) - most_s) / 2.0)
        self._resampler = Resampler(from_hz, rate_hz, 1)
        self._to_skip = round(self.start_s * from_hz)
        self._room = round(most_s * rate_hz)
        self._kept: list[NDArray[np.int16]] = []

    def push(self, mono: Block) -> None:
        """Take the next frames of the recording, shape (frames, 1)."""
        skipped = min(self._to_skip, len(mono))
        self._to_skip -= skipped
        if self._room > 0 and skipped < len(mono):
            self._keep(self._resampler.process(mono[skipped:]))

    def samples(self) -> NDArray[np.float32]:
        """What was kept, shape (frames,); nothing where the recording was over before its expected middle."""
        if self._room > 0:
            self._keep(self._resampler.flush())
        kept = np.concatenate(self._kept) if self._kept else np.zeros(0, np.int16)
        return kept.astype(np.float32) * np.float32(1 / 16384)

    def _keep(self, samples: Block) -> None:
        taken = samples[: self._room, 0]
        self._room -= len(taken)
        self._kept.append(np.clip(np.rint(taken * 16384), -32768, 32767).astype(np.int16))


class SegmentSampler:
    """Keeps segments of equal length, spread over a recording, in mono at a lower rate.

    Parameters
    ----------
    from_hz, rate_hz : int
        Sample rates of the recording and of what is kept.
    segment_s : float
        Length of a segment, in seconds.
    wanted : int
        How many there shall be, about; never twice as many.
    expected_s : float or None
        How long the recording will be, as far as is known.

    Notes
    -----
    Whenever there are twice as many as wanted, every other one is dropped and the next ones start twice as
    far apart. A last segment of less than half the length is not kept, unless it is the only one.
    """

    def __init__(
        self, from_hz: int, rate_hz: int, *, segment_s: float, wanted: int, expected_s: float | None
    ) -> None:
        self._from_hz = from_hz
        self._rate_hz = rate_hz
        self._length = round(segment_s * from_hz)
        self._most = 2 * wanted
        stride_s = _USUAL_STRIDE_S if expected_s is None else max(segment_s, expected_s / wanted)
        self._stride = round(stride_s * from_hz)
        self._position = 0
        self._next = 0  #: frame at which the next segment starts
        self._open: list[Block] = []
        self._kept: list[tuple[int, int, NDArray[np.float32]]] = []

    def push(self, mono: Block) -> None:
        """Take the next frames of the recording, shape (frames, 1)."""
        while len(mono):
            if self._position < self._next:
                skipped = min(self._next - self._position, len(mono))
                self._position += skipped
                mono = mono[skipped:]
                continue
            taken = mono[: self._next + self._length - self._position]
            self._open.append(taken.copy())
            self._position += len(taken)
            mono = mono[len(taken) :]
            if self._position == self._next + self._length:
                self._close()

    def segments(self) -> list[tuple[float, float, NDArray[np.float32]]]:
        """Start and end in seconds, and samples, shape (frames,), of each segment."""
        if self._open and (not self._kept or sum(map(len, self._open)) >= self._length / 2):
            self._close()
        return [(start / self._from_hz, end / self._from_hz, samples) for start, end, samples in self._kept]

    def _close(self) -> None:
        whole = np.concatenate(self._open)
        resampler = Resampler(self._from_hz, self._rate_hz, 1)
        samples = np.concatenate([resampler.process(whole), resampler.flush()])[:, 0]
        self._kept.append((self._next, self._next + len(whole), samples))
        self._open = []
        if len(self._kept) >= self._most:
            self._kept = self._kept[::2]
            self._stride *= 2
        self._next = self._kept[-1][0] + self._stride
        while self._next < self._position:
            self._next += self._stride
