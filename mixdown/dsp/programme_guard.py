"""Leaves music alone, passage by passage, where noise reduction would turn it down.

A network that was taught speech takes music for noise. What it takes away tells which it was: noise is
steady or without tones, music has tones that come and go. Under speech it is not judged: there the network
keeps what is loudest, and a bed under a voice goes down with the noise, as if it were ducked.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from mixdown.dsp.processor import Block
from mixdown.dsp.resample import Resampler

RATE_HZ = 12_000  #: what is listened to: tones below 4.5 kHz
WINDOW = 2_048  #: 171 ms: a semitone apart from 100 Hz up
HOP = 1_024
ROWS_AT_ONCE = 8

#: Tones that last through this many spectra stand out; those of a voice glide.
AVERAGED = 3
#: What is there for as long as this is no music but hum, a fan or a hiss.
STEADY_REACH = 35  # hops to each side: 6 s
#: A verdict is about these 2 s, and good for a little more at both ends, where speech is in them as well.
VERDICT_REACH, BORDER_REACH = 12, 9
#: From dry to processed and back.
FADE_REACH = 2  # hops to each side: 0.4 s

#: How far tones stand out, as the mean over bands of arithmetic over geometric mean, in dB. Measured in passages
#: of 2 s that lost `LEAST_LOSS_DB`: white noise 1.0, kitchen noise 2.0, cafés and streets 4.5 at most; music 5.5
#: at least, 8.7 with noise 10 dB below it.
TONAL_DB, STILL_TONAL_DB = 5.0, 4.0
#: Level lost in a passage. Where somebody speaks it is less: 6 dB in noise 5 dB louder than the voice.
LEAST_LOSS_DB, STILL_LOSS_DB = 9.0, 7.0
#: Music this far below speech is somebody else's, and goes.
FAINT_DB = 25.0
_FORGET_DB = 0.02  # of how loud the speech was, a hop: 14 dB a minute

_BAND_BINS, _BANDS = 41, 18  # 240 Hz each
_FIRST_BIN = 34  # 200 Hz
_BINS = slice(_FIRST_BIN, _FIRST_BIN + _BANDS * _BAND_BINS)
_MOSTLY_STEADY = 0.15  # share of what comes and goes under which it does not count
_SILENCE = 1e-13  # power of a bin at −107 dBFS or so
_WINDOW_SHAPE = np.hanning(WINDOW).astype(np.float32)


class ProgrammeGuard:
    """Cross-fades from a processed signal to the signal as it was, where music was taken for noise.

    Parameters
    ----------
    sample_rate_hz : int
    channels : int
        All are faded alike.

    Notes
    -----
    Band-wise spectral flatness (A. H. Gray, J. D. Markel, "A spectral-flatness measure for studying the
    autocorrelation method of linear prediction", IEEE Trans. ASSP 22(3), 1974) of what was taken away,
    of bands where more was than the least in the seconds around. Frames out are frames in, aligned; about
    five seconds are held back; any split into blocks gives the same samples.
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._row_frames = sample_rate_hz * HOP / RATE_HZ  # from one spectrum to the next
        self._resampler = Resampler(sample_rate_hz, RATE_HZ, 2 * channels)
        self._dry = self._wet = np.zeros((0, channels), np.float32)
        self._heard = np.zeros((0, 2 * channels), np.float32)
        self._averaged = _Around(AVERAGED // 2, 0.0)
        self._steady = _Around(STEADY_REACH, np.inf)
        self._judged = _Around(VERDICT_REACH, 0.0)
        self._bordered = _Around(BORDER_REACH, 0.0)
        self._faded = _Around(FADE_REACH, None)
        self._is_music = False
        self._speech_db = -math.inf
        self._shares = np.zeros(0)  # of the dry signal
        self._first_row = 1  # at the middle of the first window
        self._frames_out = 0

    def process(self, dry: Block, wet: Block) -> Block:
        """Return the frames that are decided on; ``dry`` and ``wet`` are the same frames, before and after."""
        if not len(wet):
            return wet
        self._dry = np.concatenate([self._dry, dry])
        self._wet = np.concatenate([self._wet, wet])
        self._hear(self._resampler.process(np.concatenate([dry, wet], axis=1)))
        while len(self._heard) >= WINDOW + (ROWS_AT_ONCE - 1) * HOP:
            self._decide(ROWS_AT_ONCE)
        until = math.floor((self._first_row + len(self._shares) - 1) * self._row_frames) if len(self._shares) else 0
        return self._faded_until(until)

    def flush(self) -> Block:
        """Return the rest of the frames."""
        self._hear(self._resampler.flush())
        self._decide(max(0, (len(self._heard) - WINDOW) // HOP + 1), last=True)
        return self._faded_until(self._frames_out + len(self._dry))

    def _hear(self, both: Block) -> None:
        self._heard = np.concatenate([self._heard, both])

    def _faded_until(self, frame: int) -> Block:
        """The frames up to this one, for which the shares are known; what is not needed any more is forgotten."""
        count = frame - self._frames_out
        dry, wet = self._dry[:count], self._wet[:count]
        rows = np.arange(self._first_row, self._first_row + len(self._shares))
        if not count or not self._shares.any():
            faded = wet
        elif self._shares.all() and self._shares.min() == 1.0:
            faded = dry
        else:
            frames = np.arange(self._frames_out, frame)
            share = np.interp(frames, rows * self._row_frames, self._shares).astype(np.float32)[:, None]
            faded = share * dry + (np.float32(1) - share) * wet
        self._dry, self._wet = self._dry[count:], self._wet[count:]
        self._frames_out = frame
        self._first_row += max(0, len(self._shares) - 1)
        self._shares = self._shares[-1:]
        return faded

    def _decide(self, rows: int, *, last: bool = False) -> None:
        """Listen to the next spectra; append the shares that follow from those heard so far."""
        removed, kept = self._powers(rows)
        levels = self._averaged.push(np.column_stack([removed, kept]), last).mean(axis=-1)
        silent = levels[:, :-1].sum(axis=1) < _SILENCE * levels.shape[1]
        levels[silent, :-1] = np.inf  # silence is no least
        around = self._steady.push(levels, last)
        now, least = around[:, :, STEADY_REACH], around[:, :-1].min(axis=-1)
        removed, kept, least = (
            np.where(np.isinf(powers), 0.0, powers) for powers in (now[:, :-1], now[:, -1], least)
        )
        passages = self._judged.push(_features(removed, kept, least), last).sum(axis=-1)
        music = np.array([[self._judge(*passage)] for passage in passages]).reshape(-1, 1)
        bordered = self._bordered.push(music, last).max(axis=-1, initial=0.0)
        shares = self._faded.push(bordered, last).mean(axis=-1)
        self._shares = np.concatenate([self._shares, shares[:, 0]])

    def _powers(self, rows: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Power of what was taken away in every bin, and of what was kept in all, of the next spectra."""
        if not rows:
            return np.zeros((0, _BANDS * _BAND_BINS)), np.zeros(0)
        windows = np.lib.stride_tricks.sliding_window_view(self._heard, WINDOW, axis=0)[: rows * HOP : HOP]
        spectra = scipy.fft.rfft(windows * _WINDOW_SHAPE)[:, :, _BINS] * np.float32(1 / WINDOW)
        self._heard = self._heard[rows * HOP :]
        dry, wet = np.split(spectra, 2, axis=1)
        return _power(dry - wet).sum(axis=1), _power(wet).sum(axis=(1, 2))

    def _judge(self, tonal: float, changing: float, total: float, removed: float, kept: float) -> float:
        """Whether the passage around a spectrum is music: 1 or 0."""
        tonal_db = tonal / max(changing, 1e-30) if changing > _MOSTLY_STEADY * total else 0.0
        loss_db = 10 * math.log10((removed + kept + 1e-30) / (kept + 1e-30))
        removed_db, kept_db = (10 * math.log10(power + 1e-30) for power in (removed, kept))
        if self._is_music:
            self._is_music = tonal_db > STILL_TONAL_DB and loss_db > STILL_LOSS_DB
        else:
            faint = removed_db < self._speech_db - FAINT_DB
            self._is_music = tonal_db > TONAL_DB and loss_db > LEAST_LOSS_DB and not faint
        self._speech_db = max(self._speech_db - _FORGET_DB, kept_db)
        return float(self._is_music)


class _Around:
    """Rows with those around them, as they come: past both ends of the stream lies ``fill``, or the end itself."""

    def __init__(self, reach: int, fill: float | None) -> None:
        self._reach = reach
        self._fill = fill
        self._rows: NDArray[np.float64] | None = None

    def push(self, rows: NDArray[np.float64], last: bool) -> NDArray[np.float64]:
        """Return (rows, values, 2 reach + 1) around every row that is completed."""
        if self._rows is None:
            self._rows = self._beyond(rows[:1])[: self._reach * bool(len(rows))] if len(rows) else None
        if self._rows is None:
            return np.zeros((0, rows.shape[1], 2 * self._reach + 1))
        rows = np.concatenate([self._rows, rows])
        if last:
            rows = np.concatenate([rows, self._beyond(rows[-1:])])
        completed = len(rows) - 2 * self._reach
        self._rows = rows[max(0, completed) :]
        if completed <= 0:
            return np.zeros((0, rows.shape[1], 2 * self._reach + 1))
        return np.lib.stride_tricks.sliding_window_view(rows, 2 * self._reach + 1, axis=0)

    def _beyond(self, end: NDArray[np.float64]) -> NDArray[np.float64]:
        beyond = np.repeat(end, self._reach, axis=0)
        return beyond if self._fill is None else np.full_like(beyond, self._fill)


def _power(spectra: NDArray[np.complexfloating]) -> NDArray[np.float64]:
    return np.square(spectra.real, dtype=np.float64) + np.square(spectra.imag, dtype=np.float64)


def _features(
    removed: NDArray[np.float64], kept: NDArray[np.float64], least: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Five values for every spectrum, to be summed over a passage.

    How far tones stand out in dB, weighted; the weights: level of what came and went; level of all; powers of
    what was taken away and of what was kept.
    """
    bands = (removed + _SILENCE).reshape(-1, _BANDS, _BAND_BINS)
    mean = bands.mean(axis=2)
    tonal_db = 10 * np.log10(mean) - (10 * np.log10(bands)).mean(axis=2)
    steady = least.reshape(-1, _BANDS, _BAND_BINS).mean(axis=2)
    changing = np.sqrt(np.maximum(mean - _SILENCE - 2 * steady, 0.0))
    return np.column_stack(
        [
            (tonal_db * changing).sum(axis=1),
            changing.sum(axis=1),
            np.sqrt(mean).sum(axis=1),
            removed.sum(axis=1),
            kept,
        ]
    )
