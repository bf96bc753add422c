"""Light noise reduction: the log-spectral amplitude estimator, for a fraction of a neural network's cost."""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
from numba import njit
from numpy.typing import NDArray

from mixdown.dsp.processor import Block, as_block

#: From one spectrum to the next; windows are twice as long, which is what vowels allow.
HOP_S = 0.016
#: Spectra worked on at once: at fixed places of the stream, so that blocks change nothing.
SEGMENT_HOPS = 64

#: Up to here each bin is judged by itself; above, bins are judged in bands this wide, relative to their frequency,
#: as the ear does: steadier there, and a third of the work.
SINGLE_BINS_HZ, BAND_WIDTH = 3_000, 0.05

#: Decision-directed estimate (eq. 51 of Ephraim & Malah 1984): the share that comes from the spectrum before.
A_PRIORI_MEMORY = 0.9
LEAST_A_PRIORI = 10 ** (-25 / 10)
LARGEST_POSTERIORI = 10 ** (40 / 10)

# Gerkmann & Hendriks 2012, section V, for their 16 ms hops.
_SPEECH_OVER_NOISE = 10 ** (15 / 10)  # a priori SNR where there is speech
_NOISE_MEMORY, _PRESENCE_MEMORY, _MOST_PRESENCE = 0.8, 0.9, 0.99

# Cohen & Berdugo 2001, table 1: what counts as speech among the smoothed a priori SNRs around a bin.
_PRESENCE_A_PRIORI_MEMORY = 0.7
_ABSENT, _PRESENT = 10 ** (-10 / 10), 10 ** (-5 / 10)
_NEAR_HZ, _FAR_HZ = 60.0, 500.0
_LEAST_PRESENCE = 0.005

_NOTHING = 1e-16  # a band's power below −140 dBFS or so: no sound, which nothing is learnt from
_START_QUANTILE = 0.25  # of the first second's powers, taken for noise
_EXPONENTIAL_QUANTILE = -math.log(1 - _START_QUANTILE)  # of powers of mean 1


class LogMmse:
    """Turns down steady noise: hiss, hum, fans, traffic.

    Parameters
    ----------
    limit_db : float or None
        The most that noise is turned down, in dB, 0 or more; None: 30 dB, below which nothing is heard of it
        but the warbling that this method leaves.
    sample_rate_hz : int
    channels : int
        All are turned down alike, band for band, by what their mean power tells: the image stays where it is,
        and noise in one channel is not pulled about by a voice in another.

    Raises
    ------
    ValueError
        The limit is below 0.

    Notes
    -----
    Y. Ephraim, D. Malah, "Speech enhancement using a minimum mean-square error log-spectral amplitude
    estimator", IEEE Trans. ASSP 33(2), 1985, eq. 20, with the decision-directed a priori SNR of their paper of
    1984 (eq. 51). Noise is followed after T. Gerkmann, R. C. Hendriks, "Unbiased MMSE-based noise power
    estimation with low complexity and low tracking delay", IEEE Trans. ASLP 20(4), 2012, eqs. 18, 22–25. Where
    speech is unlikely the gain tends to the limit, after I. Cohen, B. Berdugo, "Speech enhancement for
    non-stationary noise environments", Signal Processing 81, 2001, eqs. 15 (gain), 20–26 (presence).

    The first second is heard before it is worked on. Frames out are frames in, aligned to the sample;
    at most a second is held back; any split into blocks gives the same samples. Silence stays silence.
    """

    def __init__(self, *, limit_db: float | None, sample_rate_hz: int, channels: int) -> None:
        if limit_db is not None and limit_db < 0:
            raise ValueError("the limit of noise reduction is 0 dB or more")
        self._channels = channels
        self._hop = max(8, round(HOP_S * sample_rate_hz))
        self._window = np.sin(np.pi * np.arange(2 * self._hop) / (2 * self._hop)).astype(np.float32)
        self._first_bin, self._near, self._far = _bands(self._hop, sample_rate_hz)
        self._widths = np.diff(self._first_bin, append=self._hop + 1)
        self._least_gain = 10 ** (-(30.0 if limit_db is None else limit_db) / 20)
        self._passes = limit_db == 0
        # noise, presence, clean power before, smoothed a priori SNR; one row each
        self._memory = np.zeros((4, len(self._first_bin)))
        self._memory[3] = LEAST_A_PRIORI
        self._input = np.zeros((channels, (SEGMENT_HOPS + 1) * self._hop), np.float32)
        self._filled = self._hop  # the first window begins half a window before the stream
        self._tail = np.zeros((channels, self._hop), np.float32)
        self._frames_in = self._frames_out = 0

    def process(self, block: Block) -> Block:
        """Return the frames of the segments that ``block`` completes."""
        block = as_block(block, self._channels)
        if self._passes:
            return block
        self._frames_in += len(block)
        finished = []
        while self._filled + len(block) >= self._input.shape[1]:
            room = self._input.shape[1] - self._filled
            self._fill(block[:room])
            block = block[room:]
            finished.append(self._work(self._input))
            self._input[:, : self._hop] = self._input[:, -self._hop :]
            self._filled = self._hop
        self._fill(block)
        return np.concatenate([block[:0], *finished])

    def flush(self) -> Block:
        """Return the rest of the frames."""
        rest = self._frames_in - self._frames_out
        if self._passes or not rest:
            return np.zeros((0, self._channels), np.float32)
        hops = -(-self._filled // self._hop)  # the last window ends half a window after the stream
        self._input[:, self._filled :] = 0
        padded = np.pad(self._input, ((0, 0), (0, self._hop)))[:, : (hops + 1) * self._hop]
        return self._work(padded)[:rest]

    def _fill(self, block: Block) -> None:
        self._input[:, self._filled : self._filled + len(block)] = block.T
        self._filled += len(block)

    def _work(self, signals: NDArray[np.float32]) -> Block:
        """Return the frames under the windows of ``signals`` (channels, frames), but for the last half of one."""
        hop, channels = self._hop, self._channels
        if all(np.array_equal(part, np.broadcast_to(part[0], part.shape)) for part in (signals, self._tail)):
            signals = signals[:1]  # equal channels are worked on once
        windows = np.lib.stride_tricks.sliding_window_view(signals, 2 * hop, axis=1)[:, ::hop]
        spectra = scipy.fft.rfft(windows * self._window)
        scale = 1 / (2 * hop) ** 2
        power = np.square(spectra.real).mean(axis=0) + np.square(spectra.imag).mean(axis=0)
        levels = np.add.reduceat(power, self._first_bin, axis=1) / self._widths * scale
        if not self._frames_out:
            self._memory[0] = _heard_as_noise(levels)
        gains = np.empty(levels.shape, np.float32)
        _judge(levels, self._memory, self._near, self._far, self._least_gain, gains)
        spectra *= np.repeat(gains, self._widths, axis=1)
        pieces = scipy.fft.irfft(spectra, 2 * hop) * self._window
        finished = pieces[:, :, :hop]
        finished[:, 1:] += pieces[:, :-1, hop:]
        finished[:, 0] += self._tail[: len(pieces)]
        self._tail = np.broadcast_to(pieces[:, -1, hop:], self._tail.shape)
        frames = np.broadcast_to(finished.reshape(len(pieces), -1), (channels, finished.shape[1] * hop)).T
        frames = frames[hop if not self._frames_out else 0 :]
        self._frames_out += len(frames)
        return np.ascontiguousarray(frames)


def _bands(hop: int, sample_rate_hz: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """First bin of each band; for each the bands (from, to) that are near and far around it."""
    bin_hz = sample_rate_hz / (2 * hop)
    edges, edge = [], 0
    while edge <= hop:
        edges.append(edge)
        edge += max(1, round(edge * BAND_WIDTH)) if edge * bin_hz > SINGLE_BINS_HZ else 1
    first_bin = np.array(edges)
    centre_hz = (first_bin + np.append(first_bin[1:], hop + 1) - 1) / 2 * bin_hz
    near, far = (
        np.stack(
            [
                np.searchsorted(centre_hz, centre_hz - reach_hz),
                np.searchsorted(centre_hz, centre_hz + reach_hz, "right"),
            ]
        )
        for reach_hz in (_NEAR_HZ, _FAR_HZ)
    )
    return first_bin, near, far


def _heard_as_noise(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Noise at the beginning: what a quarter of the sounding powers lie below, were they all noise."""
    sounding = levels[levels.max(axis=1) > _NOTHING]
    if not len(sounding):
        return np.zeros(levels.shape[1])
    return np.quantile(sounding, _START_QUANTILE, axis=0) / _EXPONENTIAL_QUANTILE


@njit(nogil=True, cache=True, fastmath={"contract"})
def _judge(levels, memory, near, far, least_gain, gains):  # type: ignore[no-untyped-def]
    """Gains of every band in every hop; the memory moves on, but not in silence."""
    noise, presence, clean, smoothed = memory
    hops, bands = levels.shape
    sums = np.zeros(bands + 1)
    speech_gains = np.empty(bands)
    speech_v = np.empty(bands)
    speech_xi = np.empty(bands)
    least_log = math.log(least_gain)
    span_log = math.log(_PRESENT / _ABSENT)
    for hop in range(hops):
        loudest = 0.0
        for band in range(bands):
            loudest = max(loudest, levels[hop, band])
        if loudest < _NOTHING:
            for band in range(bands):
                gains[hop, band] = 1.0
                clean[band] = 0.0
            continue
        for band in range(bands):
            power = levels[hop, band]
            # what is noise
            before = max(noise[band], _NOTHING)
            ratio = min(power / before, LARGEST_POSTERIORI)
            likely = 1.0 / (
                1.0
                + (1.0 + _SPEECH_OVER_NOISE) * math.exp(-ratio * _SPEECH_OVER_NOISE / (1.0 + _SPEECH_OVER_NOISE))
            )
            presence[band] = _PRESENCE_MEMORY * presence[band] + (1.0 - _PRESENCE_MEMORY) * likely
            if presence[band] > _MOST_PRESENCE:
                likely = min(likely, _MOST_PRESENCE)
            heard = (1.0 - likely) * power + likely * before
            noise[band] = _NOISE_MEMORY * before + (1.0 - _NOISE_MEMORY) * heard
            # what is speech
            now = max(noise[band], _NOTHING)
            gamma = min(power / now, LARGEST_POSTERIORI)
            xi = A_PRIORI_MEMORY * clean[band] / now + (1.0 - A_PRIORI_MEMORY) * max(gamma - 1.0, 0.0)
            xi = max(xi, LEAST_A_PRIORI)
            v = gamma * xi / (1.0 + xi)
            gain = min(xi / (1.0 + xi) * math.exp(0.5 * _exponential_integral(v)), 1.0)
            clean[band] = gain * gain * power
            speech_gains[band], speech_v[band], speech_xi[band] = gain, v, xi
            smoothed[band] = _PRESENCE_A_PRIORI_MEMORY * smoothed[band] + (1.0 - _PRESENCE_A_PRIORI_MEMORY) * xi
            sums[band + 1] = sums[band] + smoothed[band]
        frame = _presence(sums[bands] / bands, span_log)
        for band in range(bands):
            low, high = near[0, band], near[1, band]
            around = _presence((sums[high] - sums[low]) / (high - low), span_log)
            low, high = far[0, band], far[1, band]
            around *= _presence((sums[high] - sums[low]) / (high - low), span_log) * frame
            around = max(around, _LEAST_PRESENCE)
            odds = (1.0 - around) / around * (1.0 + speech_xi[band]) * math.exp(-min(speech_v[band], 50.0))
            speech = 1.0 / (1.0 + odds)
            log_gain = speech * math.log(max(speech_gains[band], least_gain)) + (1.0 - speech) * least_log
            gains[hop, band] = math.exp(log_gain)


@njit(nogil=True, cache=True, fastmath={"contract"})
def _presence(ratio, span_log):  # type: ignore[no-untyped-def]
    """How likely an a priori SNR is one of speech: Cohen & Berdugo 2001, eq. 25."""
    if ratio <= _ABSENT:
        return 0.0
    if ratio >= _PRESENT:
        return 1.0
    return math.log(ratio / _ABSENT) / span_log


@njit(nogil=True, cache=True, fastmath={"contract"})
def _exponential_integral(x):  # type: ignore[no-untyped-def]
    """E1, to 5e-5: Abramowitz & Stegun 1964, 5.1.53 and 5.1.56."""
    if x < 1.0:
        series = -0.57721566 + x * (
            0.99999193 + x * (-0.24991055 + x * (0.05519968 + x * (-0.00976004 + x * 0.00107857)))
        )
        return series - math.log(max(x, 1e-12))
    above = x * (x * (x * (x + 8.5733287401) + 18.0590169730) + 8.6347608925) + 0.2677737343
    below = x * (x * (x * (x + 9.5733223454) + 25.6329561486) + 21.0996530827) + 3.9584969228
    return math.exp(-x) / x * above / below
