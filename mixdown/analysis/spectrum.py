"""Sound by frequency: a spectrogram of constant size, the long-term spectrum, and how far up there is content."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from mixdown.dsp.processor import Block, as_block
from mixdown.model import Spectrum

#: Windows that are transformed together; fixed, so that the result does not depend on the blocks.
_BATCH = 16

#: Columns are joined, two and two, whenever there are this many.
_MOST_COLUMNS = 2048

#: Windows overlap by half, and more where a recording is short enough to be looked at closely.
_SHORT_S, _VERY_SHORT_S = 120.0, 30.0

#: Below this the long-term spectrum is floor: 10 dB above that of white noise from dither at 16 bit.
_FLOOR_DB_PER_HZ = -130.0

#: A spectrum that falls so far, and stays there, within a part of its frequency, was cut off.
_EDGE_DB, _EDGE_INSIDE, _EDGE_WIDTH, _EDGE_LEAST_HZ = 20.0, 0.85, 0.06, 150.0
_LOSS_SHARE = 0.9
_BAND_HZ, _LOWEST_EDGE_HZ, _NYQUIST_SHARE = 100.0, 500.0, 0.96


class SpectrumSurvey:
    """Listens to a signal by frequency, in constant memory.

    Parameters
    ----------
    sample_rate_hz : int
    channels : int
    expected_s : float or None
        How long it will be, as far as is known: decides how closely it is looked at.

    Notes
    -----
    Windows of 2,048 frames (1,024 below 32 kHz, 512 below 16 kHz) under a squared Hann window, whose side lobes
    fall by 30 dB an octave: a full-scale tone does not hide what is 110 dB below it 500 Hz away. Of the
    channels the spectrogram has the loudest, the long-term spectrum the mean. Takes at most 10 MB.
    """

    def __init__(self, sample_rate_hz: int, channels: int, *, expected_s: float | None = None) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._channels = channels
        self._length = 2048 if sample_rate_hz >= 32_000 else 1024 if sample_rate_hz >= 16_000 else 512
        expected_s = np.inf if expected_s is None else expected_s
        overlap = 8 if expected_s < _VERY_SHORT_S else 4 if expected_s < _SHORT_S else 2
        self._hop = self._length // overlap
        self._window = (np.hanning(self._length + 1)[:-1] ** 2).astype(np.float32)
        bins = self._length // 2 + 1
        # Half a window of nothing in front: the first window is centred on the first frame.
        self._waiting = np.zeros((self._length // 2, channels), np.float32)
        self._total = np.zeros(bins)
        self._columns = np.zeros((_MOST_COLUMNS, bins), np.float32)
        self._hops = 0
        self._hops_per_column = 1

    def push(self, block: Block) -> None:
        """Take the next block of the signal."""
        self._waiting = np.concatenate([self._waiting, as_block(block, self._channels)])
        step = _BATCH * self._hop
        used = 0
        while len(self._waiting) - used >= step + self._length - self._hop:
            self._transform(self._waiting[used : used + step + self._length - self._hop], _BATCH)
            used += step
        self._waiting = self._waiting[used:].copy()

    def report(self) -> Spectrum:
        """The spectrum of all that was pushed; the survey is spent afterwards."""
        hops = -(-max(0, len(self._waiting) - self._length // 2) // self._hop)
        step = _BATCH * self._hop
        padded = np.pad(self._waiting, ((0, 2 * step + self._length), (0, 0)))
        for first in range(0, hops, _BATCH):
            start = first * self._hop
            self._transform(padded[start : start + step + self._length - self._hop], min(_BATCH, hops - first))
        used = -(-self._hops // self._hops_per_column)
        window = self._window.astype(np.float64)
        per_hz = 2.0 / (self._sample_rate_hz * (window**2).sum() * max(self._hops, 1))
        with np.errstate(divide="ignore"):
            mean_db = 10.0 * np.log10(self._total * per_hz)
            columns_db = 10.0 * np.log10(self._columns[:used]) + 20.0 * np.log10(2.0 / window.sum())
        return Spectrum(
            bins_hz=np.arange(self._length // 2 + 1, dtype=np.float64) * (self._sample_rate_hz / self._length),
            mean_db=mean_db.astype(np.float32),
            column_s=self._hops_per_column * self._hop / self._sample_rate_hz,
            columns_db=columns_db.astype(np.float32),
        )

    def _transform(self, frames: Block, hops: int) -> None:
        """Take a batch of windows, of which the first ``hops`` count."""
        windows = np.lib.stride_tricks.sliding_window_view(frames, self._length, axis=0)[:: self._hop]
        spectra = fft.rfft(windows * self._window, axis=2)
        power = (spectra.real**2 + spectra.imag**2)[:hops]
        self._total += power.sum(axis=(0, 1), dtype=np.float64) / self._channels
        if self._hops == _MOST_COLUMNS * self._hops_per_column:
            half = _MOST_COLUMNS // 2
            self._columns[:half] = np.maximum(self._columns[0::2], self._columns[1::2])
            self._columns[half:] = 0.0
            self._hops_per_column *= 2
        loudest = power.max(axis=1)
        columns = (self._hops + np.arange(hops)) // self._hops_per_column
        first = np.flatnonzero(np.diff(columns, prepend=-1))
        joined = np.maximum.reduceat(loudest, first, axis=0)
        target = self._columns[columns[0] : columns[-1] + 1]
        np.maximum(target, joined, out=target)
        self._hops += hops


def bandwidth_hz(spectrum: Spectrum) -> tuple[float | None, bool]:
    """The highest frequency with content, and whether the spectrum ends there as if cut off.

    Parameters
    ----------
    spectrum : Spectrum

    Returns
    -------
    float or None
        In Hz; half the sample rate where content reaches it; None for silence.
    bool
        Whether it ends at a low-pass: that of a codec, of a telephone, or of a lower sample rate before.

    Notes
    -----
    The long-term spectrum in bands of 100 Hz. Content ends at the highest frequency where the spectrum falls by
    20 dB within some 20 % of the frequency and stays there (no voice or instrument does so over a whole
    recording; filters do), else where it goes under −130 dBFS/Hz, the floor of 16-bit audio.
    """
    bin_hz = float(spectrum.bins_hz[1])
    per_band = max(1, round(_BAND_HZ / bin_hz))
    count = (len(spectrum.bins_hz) - 1) // per_band
    power = 10.0 ** (spectrum.mean_db[1 : count * per_band + 1].astype(np.float64) / 10.0)
    band_hz = per_band * bin_hz
    with np.errstate(divide="ignore"):
        levels_db = np.maximum(10.0 * np.log10(power.reshape(count, per_band).mean(axis=1)), -200.0)
    heard = np.flatnonzero(levels_db > _FLOOR_DB_PER_HZ)
    if not len(heard):
        return None, False
    nyquist_hz = float(spectrum.bins_hz[-1])
    edge_hz = _edge_hz(levels_db, band_hz)
    heard_hz = float(heard[-1] + 1) * band_hz
    if edge_hz is not None:
        # A converter's own filter, just below half the sample rate, is no loss.
        return min(edge_hz, heard_hz), edge_hz < _LOSS_SHARE * nyquist_hz
    return (nyquist_hz if heard_hz >= _NYQUIST_SHARE * nyquist_hz else heard_hz), False


def _edge_hz(levels_db: NDArray[np.float64], band_hz: float) -> float | None:
    """Where the spectrum is cut off; None where it is not."""
    highest_above = np.maximum.accumulate(levels_db[::-1])[::-1]

    def inside_db(band: int) -> float:
        return float(np.median(levels_db[round(_EDGE_INSIDE * band) : band]))

    def falls(band: int) -> bool:
        outside = band + max(1, round(max(_EDGE_LEAST_HZ / band_hz, _EDGE_WIDTH * band)))
        if outside >= len(levels_db):
            return False
        level_db = inside_db(band)
        return level_db > _FLOOR_DB_PER_HZ and level_db - highest_above[outside] >= _EDGE_DB

    lowest = round(_LOWEST_EDGE_HZ / band_hz)
    end = next((band for band in range(len(levels_db) - 1, lowest, -1) if falls(band)), None)
    if end is None:
        return None
    start = next((band + 1 for band in range(end, lowest, -1) if not falls(band)), lowest)
    # Steep filters fall within a band, gentle ones over many: the edge is where half of the fall is done.
    passed = np.flatnonzero(levels_db[start:] >= inside_db(start) - _EDGE_DB / 2)
    return float(start + (passed[-1] + 1 if len(passed) else 0)) * band_hz
