"""What is kept of a recording to hold another against it later: little, and nothing is decoded twice."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mixdown.dsp.dnsmos import RATE_HZ, SEGMENT_FRAMES, SEGMENT_S, DnsMos
from mixdown.dsp.processor import Block, as_block
from mixdown.dsp.resample import Resampler

#: Levels are kept for steps of 20 ms, spectra ten times a second.
STEPS_PER_S, SPECTRA_PER_S = 50, 10

#: Edges of the bands whose level is kept, in Hz. What is below is the high-pass's, what is above the codec's.
BANDS_HZ = (300.0, 1_000.0, 2_000.0, 3_000.0, 4_000.0, 5_000.0, 6_000.0, 7_000.0, 8_000.0, 10_000.0, 12_000.0)

#: Excerpts that are kept at most, and how far apart they start at first: each time there are too many, every
#: second one is let go and they are twice as far apart.
MOST_EXCERPTS = 8
FIRST_STRIDE_S = 10

#: An excerpt that the end cut off is kept if it is this long, or the only one.
LEAST_EXCERPT_S = 4.0

#: This near to full scale, so many times in a row, a sample was cut off.
CLIPPED_AT, CLIPPED_RUN = 0.9995, 3

#: What is below does not count for the level of a step.
RUMBLE_HZ = 200.0

#: Levels of a band are counted in steps of 1 dB from here on.
LOWEST_DB, LEVELS = -140, 180

#: Mean square under which nothing is heard: −160 dBFS.
SILENT_POWER = 1e-16

_WINDOW_S = 0.021


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Heard:
    """What was heard of a recording.

    Attributes
    ----------
    power : ndarray of float32, shape (steps,)
        Mean square of each step of 1 / `STEPS_PER_S`, of the mean of the channels above `RUMBLE_HZ`: what a
        high-pass takes away is not missed.
    crest_db : ndarray of float32, shape (steps,)
        How far the highest peak of any channel stands above the level of all, unfiltered; 0 for silence.
    clipped_runs : int
        How often `CLIPPED_RUN` samples or more in a row are at full scale.
    band_levels : ndarray of int64, shape (bands, LEVELS)
        How often each band had each level, in dB from `LOWEST_DB` on.
    excerpts : dict
        Mono at 16 kHz, by the second each starts at.
    """

    sample_rate_hz: int
    frames: int
    power: NDArray[np.float32]
    crest_db: NDArray[np.float32]
    clipped_runs: int
    band_levels: NDArray[np.int64]
    excerpts: dict[int, NDArray[np.float32]]
    scores: dict[int, DnsMos] = field(default_factory=dict)  #: of excerpts that were scored already

    @property
    def duration_s(self) -> float:
        """How long the recording is, in seconds."""
        return self.frames / self.sample_rate_hz


class Hearing:
    """Listens to a recording of unknown length, once, block by block.

    Parameters
    ----------
    sample_rate_hz : int
        1,000 to 384,000.
    channels : int
    excerpts : bool
        Whether excerpts are kept, for speech scores.

    Notes
    -----
    Takes 400 bytes a second and up to 6 MB. The same however the signal is cut; two recordings of the same
    length have their excerpts at the same places, whatever their sample rates.
    """

    def __init__(self, sample_rate_hz: int, channels: int, *, excerpts: bool = True) -> None:
        self._sample_rate_hz = int(sample_rate_hz)
        self._channels = channels
        self._frames = 0
        self._power, self._crest_db = array("f"), array("f")
        self._partial = np.zeros(5)
        self._runs = np.zeros(channels, np.int64)
        self._clipped = np.zeros(1, np.int64)
        size = 1 << max(5, round(np.log2(sample_rate_hz * _WINDOW_S)))
        self._window = np.hanning(size).astype(np.float32)
        self._frame = np.zeros(size, np.float32)
        edges = np.ceil(np.array(BANDS_HZ) * size / sample_rate_hz).astype(np.int64)
        self._band_starts = edges[edges <= size // 2]
        self._bands = max(0, len(self._band_starts) - 1)  #: those below half the sample rate
        self._band_levels = np.zeros((len(BANDS_HZ) - 1, LEVELS), np.int64)
        self._excerpts = _Excerpts(self._sample_rate_hz) if excerpts else None

    def push(self, block: Block) -> None:
        """Take the next block of the signal."""
        block = as_block(block, self._channels)
        steps = len(block) * STEPS_PER_S // self._sample_rate_hz + 2
        power, crest_db = np.empty(steps, np.float32), np.empty(steps, np.float32)
        frames = np.empty((len(block) * SPECTRA_PER_S // self._sample_rate_hz + 2, len(self._frame)), np.float32)
        mono = np.empty(len(block), np.float32)
        steps, framed = _listen(
            block,
            self._frames,
            self._sample_rate_hz,
            self._partial,
            self._runs,
            self._clipped,
            self._frame,
            power,
            crest_db,
            frames,
            mono,
        )
        self._power.frombytes(power[:steps].tobytes())
        self._crest_db.frombytes(crest_db[:steps].tobytes())
        self._count_levels(frames[:framed])
        if self._excerpts:
            self._excerpts.push(mono, self._frames)
        self._frames += len(block)

    def _count_levels(self, frames: NDArray[np.float32]) -> None:
        if not len(frames) or not self._bands:
            return
        spectrum = np.fft.rfft(frames * self._window, axis=1)
        power = np.add.reduceat(spectrum.real**2 + spectrum.imag**2, self._band_starts, axis=1)[:, : self._bands]
        # Divided by the length of the window alone: only differences are looked at.
        level_db = 10 * np.log10(power / len(self._window) ** 2 + 1e-14)
        index = np.clip(np.floor(level_db) - LOWEST_DB, 0, LEVELS - 1).astype(np.int64)
        index += np.arange(self._bands) * LEVELS
        counts = np.bincount(index.ravel(), minlength=self._bands * LEVELS)
        self._band_levels[: self._bands] += counts.reshape(self._bands, LEVELS)

    def report(self) -> Heard:
        """What was heard; the hearing is spent. A step at the end that is not whole is left out."""
        still_clipped = int(np.count_nonzero(self._runs >= CLIPPED_RUN))
        return Heard(
            sample_rate_hz=self._sample_rate_hz,
            frames=self._frames,
            power=np.array(self._power, np.float32),
            crest_db=np.array(self._crest_db, np.float32),
            clipped_runs=int(self._clipped[0]) + still_clipped,
            band_levels=self._band_levels.copy(),
            excerpts=self._excerpts.kept() if self._excerpts else {},
        )


class _Excerpts:
    """Excerpts at 16 kHz, evenly spread over a recording whose length is not known before its end."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._stride_s = FIRST_STRIDE_S
        self._whole: dict[int, NDArray[np.float32]] = {}
        self._next_s = 0
        self._resampler: Resampler | None = None
        self._parts: list[NDArray[np.float32]] = []

    def push(self, mono: NDArray[np.float32], first_frame: int) -> None:
        """Take the next samples, the first of which is at this frame of the recording."""
        end = first_frame + len(mono)
        # A little more than is kept, for the filter of the resampler.
        longest = round((SEGMENT_S + 0.1) * self._sample_rate_hz)
        while (start := self._next_s * self._sample_rate_hz) < end:
            part = mono[max(0, start - first_frame) : max(0, start + longest - first_frame)]
            if self._resampler is None:
                self._resampler = Resampler(self._sample_rate_hz, RATE_HZ, 1)
            self._parts.append(self._resampler.process(np.ascontiguousarray(part)[:, None])[:, 0])
            if start + longest > end:
                break
            self._whole[self._next_s] = self._finished(self._resampler)
            self._resampler, self._parts = None, []
            self._move_on()

    def _move_on(self) -> None:
        self._next_s += self._stride_s
        if len(self._whole) == MOST_EXCERPTS:
            self._stride_s *= 2
            self._whole = {s: kept for s, kept in self._whole.items() if s % self._stride_s == 0}
            self._next_s = -(-self._next_s // self._stride_s) * self._stride_s

    def _finished(self, resampler: Resampler) -> NDArray[np.float32]:
        """The excerpt that was begun; its resampler is spent afterwards."""
        return np.concatenate([*self._parts, resampler.flush()[:, 0]])[:SEGMENT_FRAMES]

    def kept(self) -> dict[int, NDArray[np.float32]]:
        """Every whole excerpt, and one that the end cut off if it is long enough."""
        if self._resampler is not None:
            last = self._finished(self._resampler)
            self._resampler = None
            if len(last) and (not self._whole or len(last) >= LEAST_EXCERPT_S * RATE_HZ):
                self._whole[self._next_s] = last
        return dict(self._whole)


@njit(nogil=True, cache=True, fastmath={"contract"})
def _listen(block, before, rate_hz, partial, runs, clipped, window, powers, crests_db, frames, mono):  # type: ignore[no-untyped-def]
    """One look at every sample; returns how many steps and how many frames for spectra ended.

    ``partial`` is energy, peak and filtered energy of the step that goes on and the state of the filter;
    ``runs`` how many samples of each channel were at full scale in a row; ``window`` the frame being filled.
    """
    count, channels = block.shape
    size = len(window)
    scale = np.float32(1.0 / channels)
    energy, peak, voiced, slow, slower = partial
    follow = 1.0 - math.exp(-2.0 * math.pi * RUMBLE_HZ / rate_hz)
    steps, framed, frame = 0, 0, 0
    step = before * STEPS_PER_S // rate_hz
    spectrum = before * SPECTRA_PER_S // rate_hz
    step_from = (step * rate_hz + STEPS_PER_S - 1) // STEPS_PER_S
    while frame < count:
        step_end = ((step + 1) * rate_hz + STEPS_PER_S - 1) // STEPS_PER_S
        until = min(count, step_end - before)
        for index in range(frame, until):
            together = np.float32(0.0)
            for channel in range(channels):
                sample = block[index, channel]
                together += sample
                energy += sample * sample
                magnitude = abs(sample)
                if magnitude > peak:
                    peak = magnitude
                if magnitude >= CLIPPED_AT:
                    runs[channel] += 1
                elif runs[channel]:
                    clipped[0] += runs[channel] >= CLIPPED_RUN
                    runs[channel] = 0
            together *= scale
            mono[index] = together
            # Two poles that follow what is slow; the rest is what counts.
            slow += follow * (together - slow)
            above = together - slow
            slower += follow * (above - slower)
            voiced += (above - slower) ** 2
        frame = until
        if before + frame == step_end:
            count_in_step = step_end - step_from
            powers[steps] = voiced / count_in_step
            silent = energy <= SILENT_POWER * count_in_step * channels
            crests_db[steps] = 0.0 if silent else 10.0 * math.log10(peak * peak * count_in_step * channels / energy)
            steps += 1
            step += 1
            step_from = step_end
            energy, peak, voiced = 0.0, 0.0, 0.0
    partial[:] = energy, peak, voiced, slow, slower
    # The first frames of every tenth of a second.
    while True:
        start = (spectrum * rate_hz + SPECTRA_PER_S - 1) // SPECTRA_PER_S - before
        if start >= count:
            break
        for index in range(max(0, start), min(count, start + size)):
            window[index - start] = mono[index]
        if max(0, start) < start + size <= count:
            frames[framed] = window
            framed += 1
        spectrum += 1
    return steps, framed
