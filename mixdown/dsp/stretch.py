"""Time-stretching (Signalsmith Stretch) and pitch-shifting, as a stream."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from python_stretch.Signalsmith import Stretch

from mixdown.dsp.processor import Block, as_block
from mixdown.dsp.resample import VariableSpeed

#: Sound worked on at once, on the longer side of the two; there is one seam for each.
_SEGMENT_S = 20.0

#: Sound before and after a segment, stretched along so that its ends are settled: two of the library's blocks.
_CONTEXT_S = 0.25

#: Within so much sound the quietest place for a seam is looked for.
_SEAM_SEARCH_S = 0.4
_CROSSFADE_S = 0.04

#: A segment may be moved by so much to be in phase with the one before: half a period of 40 Hz.
_LARGEST_SHIFT_S = 0.0125

#: The library randomises phases where it stretches far: the same ones each time.
_SEED = 1


class _Tail(NamedTuple):
    """What a segment holds beyond its end, to be joined to the next."""

    samples: Block
    start: int  #: on the output's time


def stretched_frames(frames: int, factor: float) -> int:
    """Frames that a signal has when it is played ``factor`` times as fast: halves rounded up."""
    return math.floor(frames / factor + 0.5)


class TimeStretch:
    """Changes the pace of a stream and leaves its pitch alone.

    Parameters
    ----------
    factor : float
        How much faster it becomes, 0.25 to 4.
    sample_rate_hz : int
    channels : int
        1 or 2.

    Notes
    -----
    The library's Python binding takes a whole signal at a time: every call begins anew and gives back
    ``frames / factor`` frames without delay. So that any length goes in constant memory, the stream is cut into
    segments of 20 s, each stretched with some context, and joined by one short crossfade, where it is quietest,
    at the shift at which the two agree best (the waveform-similarity idea of Verhelst and Roelands, 1993). The
    crossfade keeps the power for the correlation it finds there: g = sin / √(1 + 2ρ sin cos). Shifts are
    counted from the segment's own place, so they never add up. Any split into blocks gives the same samples.
    Over a whole signal `stretched_frames` come out.
    """

    def __init__(self, *, factor: float, sample_rate_hz: int, channels: int) -> None:
        if channels not in (1, 2):
            raise ValueError(f"one or two channels are stretched, not {channels}")
        self._channels = channels
        self._factor = factor
        self._stretch = Stretch(_SEED)
        self._stretch.preset(channels, float(sample_rate_hz))
        self._stretch.setTimeFactor(factor)
        self._segment = round(_SEGMENT_S * sample_rate_hz / max(1.0, factor))  # all lengths count output frames
        self._context = round(_CONTEXT_S * sample_rate_hz)
        self._search = round(_SEAM_SEARCH_S * sample_rate_hz)
        self._crossfade = round(_CROSSFADE_S * sample_rate_hz)
        self._shift = round(_LARGEST_SHIFT_S * sample_rate_hz)
        self._waiting: list[Block] = []
        self._waiting_start = 0  # input frame that the first of them begins with
        self._taken = 0  # input frames so far
        self._given = 0
        self._number = 0
        self._tail: _Tail | None = None

    def process(self, block: Block) -> Block:
        """The frames that are complete: none for a long time, then those of a segment."""
        block = as_block(block, self._channels)
        if not len(block):
            return np.zeros((0, self._channels), np.float32)
        self._waiting.append(block.copy())
        self._taken += len(block)
        ready = []
        while self._taken >= self._input_end():
            ready.append(self._next_segment(self._input_end()))
        return _joined(ready, self._channels)

    def flush(self) -> Block:
        """The frames of the last segment; the stretcher is spent afterwards."""
        wanted = stretched_frames(self._taken, self._factor) - self._given
        if wanted <= 0:
            return np.zeros((0, self._channels), np.float32)
        # Silence behind the end, so that the last segment has context as every other.
        self._waiting.append(np.zeros((self._beyond(), self._channels), np.float32))
        last = self._next_segment(self._taken + self._beyond(), last=True)[:wanted]
        return np.pad(last, ((0, wanted - len(last)), (0, 0)))

    def _beyond(self) -> int:
        """Input frames behind the end of a segment that it needs."""
        return math.ceil((self._search + self._shift + self._context) * self._factor)

    def _input_end(self) -> int:
        """Input frames that must be there before the next segment can be stretched."""
        return math.ceil((self._number + 1) * self._segment * self._factor) + self._beyond()

    def _next_segment(self, end: int, *, last: bool = False) -> Block:
        """The output from where it ended up to the end of the next segment, or of the signal."""
        begins_at = self._number * self._segment
        lead = self._search // 2 + self._shift + self._context
        start = max(0, math.floor((begins_at - lead) * self._factor))
        waiting = np.concatenate(self._waiting)
        source = waiting[start - self._waiting_start : end - self._waiting_start]
        offset = math.floor(start / self._factor + 0.5)  # place of its first frame in the output
        planes = np.asarray(self._stretch.process(np.ascontiguousarray(source.T)), np.float32)
        output: Block = np.ascontiguousarray(planes.T)
        joined, output, offset = self._join(output, offset)
        self._number += 1
        ends_at = self._number * self._segment
        if last:
            rest = output[self._given + len(joined) - offset :]
        else:
            # All but the half of the search that lies before the seam.
            rest = output[self._given + len(joined) - offset : ends_at - self._search // 2 - offset]
            tail_start = ends_at - self._search // 2
            self._tail = _Tail(output[tail_start - offset : tail_start + self._search - offset], tail_start)
            keep = max(0, math.floor((ends_at - lead) * self._factor))
            self._waiting = [waiting[keep - self._waiting_start :].copy()]
            self._waiting_start = keep
        result = np.concatenate([joined, rest])
        self._given += len(result)
        return result

    def _join(self, output: Block, offset: int) -> tuple[Block, Block, int]:
        """The seam: what the tail before and the crossfade give; the segment, and its place after the shift."""
        if self._tail is None:
            return output[:0], output, offset
        tail, start = self._tail
        length = self._crossfade
        mono = tail.sum(axis=1, dtype=np.float64)
        energy = np.convolve(np.square(mono), np.ones(length), "valid")
        seam = int(energy.argmin())  # first frame of the crossfade, in the tail
        wanted = mono[seam : seam + length]
        near = start + seam - offset - self._shift
        found = output[near : near + length + 2 * self._shift].sum(axis=1, dtype=np.float64)
        shift, correlation = _best_shift(wanted, found, self._shift)
        offset -= shift
        position = (np.arange(length) + 0.5) * (0.5 * math.pi / length)
        fade_in, fade_out = np.sin(position), np.cos(position)
        level = 1.0 / np.sqrt(1.0 + 2.0 * correlation * fade_in * fade_out)
        fresh = output[start + seam - offset : start + seam - offset + length]
        crossfaded = (
            tail[seam : seam + length] * (fade_out * level)[:, None] + fresh * (fade_in * level)[:, None]
        ).astype(np.float32)
        return np.concatenate([tail[:seam], crossfaded]), output, offset


class PitchShift:
    """Changes the pitch of a stream and leaves its pace alone.

    Parameters
    ----------
    semitones : float
        How much higher it becomes, −24 to 24.
    sample_rate_hz : int
    channels : int
        1 or 2.

    Notes
    -----
    Stretched, and then played faster or slower: the pitch is exact. The library shifts pitch by itself as well,
    and lays sines of 110 Hz up to 18 cents beside where they belong. Over a whole signal as many frames come out
    as went in; any split into blocks gives the same samples.
    """

    def __init__(self, *, semitones: float, sample_rate_hz: int, channels: int) -> None:
        ratio = 2.0 ** (semitones / 12.0)
        self._channels = channels
        self._stretch = TimeStretch(factor=1.0 / ratio, sample_rate_hz=sample_rate_hz, channels=channels)
        self._speed = VariableSpeed(ratio, sample_rate_hz=sample_rate_hz, channels=channels)
        self._taken = 0
        self._given = 0

    def process(self, block: Block) -> Block:
        """The frames that are complete."""
        self._taken += len(block)
        shifted = self._speed.process(self._stretch.process(block))
        self._given += len(shifted)
        return shifted

    def flush(self) -> Block:
        """The frames of the last segment; the shifter is spent afterwards."""
        shifted = np.concatenate([self._speed.process(self._stretch.flush()), self._speed.flush()])
        due = self._taken - self._given  # the two lengths were rounded one after the other
        return np.pad(shifted[:due], ((0, max(0, due - len(shifted))), (0, 0)))


def _best_shift(wanted: NDArray[np.float64], found: NDArray[np.float64], most: int) -> tuple[int, float]:
    """The shift at which two sounds agree best, in frames, and how well: 0 to 1."""
    length = len(wanted)
    products = np.correlate(found, wanted, "valid")
    sums = np.concatenate([[0.0], np.cumsum(np.square(found))])
    energies = np.maximum(sums[length:] - sums[:-length], 0.0) * float(np.square(wanted).sum())
    alike = np.where(energies > 1e-20, products / np.sqrt(np.maximum(energies, 1e-20)), 0.0)
    best = int(alike.argmax())
    if alike[best] <= 0.0:
        return 0, 0.0
    return best - most, min(1.0, float(alike[best]))


def _joined(blocks: list[Block], channels: int) -> Block:
    return np.concatenate(blocks) if blocks else np.zeros((0, channels), np.float32)
