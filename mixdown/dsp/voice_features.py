"""What tells voices, music and noise apart, taken from a signal step by step."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import fft

from mixdown.dsp import kweighting
from mixdown.dsp.processor import Block, as_block

#: A step, and the frames of analysis in it. A frame is long enough for three periods of a low voice.
STEP_S, FRAMES_PER_STEP, _WINDOW_S = 0.1, 4, 0.040

#: Steps that are analysed together, whatever the blocks: the same arithmetic, the same result.
_STEPS_AT_ONCE = 10

#: The signal is decimated to this rate at least: vowels, most consonants, and the melody of music.
_WORKING_RATE_HZ = 11_000

#: Length of the decimation filter, in decimated frames.
_TAPS_PER_FRAME = 6

#: Longest part of a block that is taken at once.
_LARGEST_FRAMES = 65_536

#: Edges of the bands whose levels are kept, in Hz.
BANDS_HZ = (100.0, 300.0, 500.0, 800.0, 1_200.0, 1_800.0, 2_600.0, 3_600.0, 5_000.0)
BANDS = len(BANDS_HZ) - 1

#: Where the pitch of a voice is looked for, and in what part of the spectrum.
_PITCH_HZ, _VOICED_HZ = (70.0, 400.0), (100.0, 3_000.0)

#: Where partials are looked for, and how far they stand out of their surroundings.
_PARTIALS_HZ, _PARTIAL_RATIO, _SURROUNDINGS_BINS = (200.0, 4_000.0), 4.0, 6

#: A partial that stood still for so many frames is steady (125 ms), and then long (300 ms).
_STEADY_FRAMES, _LONG_FRAMES = 5, 12

#: Power under which nothing is heard: −120 dBFS.
LEAST_POWER = 1e-12

#: Columns of the features of a step.
ENVELOPE = slice(0, FRAMES_PER_STEP)  #: power of the voice band in each frame, dB
LEVELS = slice(ENVELOPE.stop, ENVELOPE.stop + BANDS)  #: power in each band, dB
HARMONICITY, FLATNESS, FLUX, PARTIALS, STEADY, LONG = range(LEVELS.stop, LEVELS.stop + 6)
FEATURES = LONG + 1


class VoiceFeatures:
    """Takes what matters for telling voices apart out of a signal, step by step.

    Parameters
    ----------
    sample_rate_hz : int
        4,000 at least.
    channels : int
        Of more than two, the even and the odd ones are taken together.

    Notes
    -----
    Spectra of the channels are added as powers: what is out of phase is heard too. The features of a
    step are the same however the signal is cut into blocks, bit for bit.
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._channels = channels
        ratio = self._ratio = max(1, sample_rate_hz // _WORKING_RATE_HZ)
        rate_hz = sample_rate_hz / ratio
        self._taps = _low_pass(ratio)
        self._held = np.zeros((len(self._taps) // 2, channels), np.float32)
        length = round(_WINDOW_S * rate_hz)
        self._fft_length = fft.next_fast_len(length, real=True)
        window = np.hanning(length + 1)[:-1]
        self._window = (window / math.sqrt(np.sum(window**2) * self._fft_length / 2.0)).astype(np.float32)
        frequency_hz = np.arange(self._fft_length // 2 + 1) * rate_hz / self._fft_length
        self._k_weights = _k_power(frequency_hz)
        self._edges = np.searchsorted(frequency_hz, BANDS_HZ)
        self._partials = np.searchsorted(frequency_hz, _PARTIALS_HZ)
        self._voiced = ((frequency_hz >= _VOICED_HZ[0]) & (frequency_hz <= _VOICED_HZ[1])).astype(np.float32)
        lags = np.arange(math.ceil(rate_hz / _PITCH_HZ[1]), math.floor(rate_hz / _PITCH_HZ[0]) + 1)
        shrinkage = np.correlate(window, window, "full")[length - 1 :]
        self._lags, self._lag_weights = lags, np.sqrt(shrinkage[0] / shrinkage[lags]).astype(np.float32)
        centres_s = (np.arange(_STEPS_AT_ONCE * FRAMES_PER_STEP) + 0.5) * STEP_S / FRAMES_PER_STEP
        self._starts = np.round(centres_s * rate_hz).astype(np.int64)
        self._advance_frames = rate_hz * STEP_S * _STEPS_AT_ONCE
        self._waiting = np.zeros((min(channels, 2), length // 2), np.float32)
        self._dropped = 0  # decimated frames that are no longer waiting
        self._batches = 0
        self._ages = np.zeros((2, len(frequency_hz)), np.int32)
        self._levels_before = np.full(BANDS, 10.0 * math.log10(LEAST_POWER))

    def push(self, block: Block) -> tuple[NDArray[np.float32], NDArray[np.float16]]:
        """Take the next block of the signal.

        Returns
        -------
        ndarray of float32, shape (steps, 2)
            Power of the steps that were completed, K-weighted and as it is, channels summed.
        ndarray of float16, shape (steps, FEATURES)
        """
        block = as_block(block, self._channels)
        powers, features = [np.zeros((0, 2), np.float32)], [np.zeros((0, FEATURES), np.float16)]
        for start in range(0, len(block), _LARGEST_FRAMES):
            self._decimate(block[start : start + _LARGEST_FRAMES])
            while (first := self._first()) + self._starts[-1] + len(self._window) <= self._waiting.shape[1]:
                power, described = self._analyse(first)
                powers.append(power)
                features.append(described)
        return np.concatenate(powers), np.concatenate(features)

    def finish(self) -> tuple[NDArray[np.float32], NDArray[np.float16]]:
        """What the frames still held back give, followed by silence."""
        missing = self._starts[-1] + 2 * len(self._window) + _TAPS_PER_FRAME
        return self.push(np.zeros((int(missing) * self._ratio, self._channels), np.float32))

    def _first(self) -> int:
        """Where in what is waiting the next batch begins."""
        return round(self._batches * self._advance_frames) - self._dropped

    def _decimate(self, block: Block) -> None:
        samples = np.concatenate([self._held, block])
        count = max(0, -(-(len(samples) - len(self._taps) + 1) // self._ratio))
        decimated = np.empty((len(self._waiting), self._waiting.shape[1] + count), np.float32)
        decimated[:, : self._waiting.shape[1]] = self._waiting
        _decimate(samples, self._taps, self._ratio, decimated, self._waiting.shape[1])
        self._waiting = decimated
        self._held = samples[count * self._ratio :].copy()

    def _analyse(self, first: int) -> tuple[NDArray[np.float32], NDArray[np.float16]]:
        """Features of the steps that begin at a waiting frame; what no later one needs is dropped."""
        spectra_power = np.zeros((len(self._starts), self._fft_length // 2 + 1), np.float32)
        for side in self._waiting:
            frames = np.lib.stride_tricks.sliding_window_view(side, len(self._window))[first + self._starts]
            spectrum = fft.rfft(frames * self._window, self._fft_length)
            spectra_power += spectrum.real**2 + spectrum.imag**2
        correlation = fft.irfft(np.sqrt(spectra_power) * self._voiced, self._fft_length)
        powers = np.zeros((_STEPS_AT_ONCE, 2), np.float32)
        features = np.zeros((_STEPS_AT_ONCE, FEATURES), np.float32)
        _describe(
            spectra_power,
            correlation,
            self._k_weights,
            self._edges,
            self._partials,
            self._lags,
            self._lag_weights,
            self._ages,
            self._levels_before,
            powers,
            features,
        )
        self._batches += 1
        passed = self._first()
        self._waiting = self._waiting[:, passed:].copy()
        self._dropped += passed
        return powers, features.astype(np.float16)


def _low_pass(ratio: int) -> NDArray[np.float32]:
    """A filter that keeps what the decimated signal can hold, of odd length; nothing to do for 1."""
    if ratio == 1:
        return np.ones(1, np.float32)
    half = _TAPS_PER_FRAME * ratio // 2
    offset = np.arange(-half, half + 1)
    taps = np.sinc(0.8 * offset / ratio) * np.kaiser(2 * half + 1, 5.0)
    return (taps / taps.sum()).astype(np.float32)


def _k_power(frequency_hz: NDArray[np.float64]) -> NDArray[np.float32]:
    """What K-weighting does to the power at frequencies (BS.1770-4, tables 1 and 2, at 48 kHz)."""
    b0, b1, b2, a1, a2, c1, c2 = kweighting.coefficients(48_000)
    delay = np.exp(-2j * np.pi * frequency_hz / 48_000)
    shelf = np.polyval([b2, b1, b0], delay) / np.polyval([-a2, -a1, 1.0], delay)
    high_pass = (1.0 - delay) ** 2 / np.polyval([-c2, -c1, 1.0], delay)
    return (np.abs(shelf * high_pass) ** 2).astype(np.float32)


# Sums over a fixed number of products may be done in any order: it is the same order in every block.
@njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz"})
def _decimate(samples, taps, ratio, decimated, first):  # type: ignore[no-untyped-def]
    """Low-pass and decimate: even channels into the first row, odd ones into the second."""
    sides, channels = decimated.shape[0], samples.shape[1]
    count = len(taps)
    mixed = np.empty(len(samples), np.float32)
    for side in range(sides):
        share = np.float32(1.0) / np.float32((channels - side + 1) // 2)
        for frame in range(len(samples)):
            mixed[frame] = samples[frame, side]
        for channel in range(side + 2, channels, 2):
            for frame in range(len(samples)):
                mixed[frame] += samples[frame, channel]
        for index in range(decimated.shape[1] - first):
            window = mixed[index * ratio : index * ratio + count]
            total = np.float32(0.0)
            for tap in range(count):
                total += taps[tap] * window[tap]
            decimated[side, first + index] = total * share


@njit(nogil=True, cache=True, fastmath={"contract"})
def _describe(  # type: ignore[no-untyped-def]
    spectra_power, correlation, k_weights, edges, partials, lags, lag_weights, ages, levels_before, powers, features
):
    """Features of whole steps from the power spectra and correlations of their frames.

    ``ages`` holds, for every bin of the frame before, for how many frames a partial has been in it and
    in which bin it began; ``levels_before`` the levels of the bands in the frame before, in dB.
    """
    bands = len(edges) - 1
    for frame in range(len(spectra_power)):
        spectrum = spectra_power[frame]
        step, part = frame // FRAMES_PER_STEP, frame % FRAMES_PER_STEP
        share = 1.0 / FRAMES_PER_STEP
        row = features[step]
        weighted = plain = 0.0
        for index in range(len(spectrum)):
            weighted += spectrum[index] * k_weights[index]
            plain += spectrum[index]
        powers[step, 0] += weighted * share
        powers[step, 1] += plain * share

        voice, flux = 0.0, 0.0
        for band in range(bands):
            power = 0.0
            for index in range(edges[band], min(edges[band + 1], len(spectrum))):
                power += spectrum[index]
            row[FRAMES_PER_STEP + band] += power * share
            level = 10.0 * math.log10(power + LEAST_POWER)
            flux += abs(level - levels_before[band])
            levels_before[band] = level
            if 0 < band < bands - 1:
                voice += power
        row[part] = 10.0 * math.log10(voice + LEAST_POWER)
        row[FLUX] += flux / bands * share
        if voice < LEAST_POWER:
            ages[:] = 0
            row[FLATNESS] += share
            continue

        highest = 0.0
        for index in range(1, len(lags) - 1):
            here = correlation[frame, lags[index]]
            if here > correlation[frame, lags[index] - 1] and here >= correlation[frame, lags[index] + 1]:
                highest = max(highest, here * lag_weights[index])
        if correlation[frame, 0] > 0.0:
            row[HARMONICITY] += highest / correlation[frame, 0] * share
        _describe_partials(spectrum, partials, ages, row)
    for step in range(len(powers)):
        for band in range(bands):
            column = FRAMES_PER_STEP + band
            features[step, column] = 10.0 * math.log10(features[step, column] + LEAST_POWER)


@njit(nogil=True, cache=True, fastmath={"contract"})
def _describe_partials(spectrum, partials, ages, row):  # type: ignore[no-untyped-def]
    """Flatness of a spectrum, and how much of it lies in partials, in steady and in long ones."""
    first, last = partials[0], min(partials[1], len(spectrum) - _SURROUNDINGS_BINS - 1)
    total, product, logs = 0.0, 1.0, 0.0
    in_partials, in_steady, in_long = 0.0, 0.0, 0.0
    around = 0.0
    for index in range(first - _SURROUNDINGS_BINS, first + _SURROUNDINGS_BINS):
        around += spectrum[index]
    age_before, start_before = 0, 0  # of the bin below, as they were in the frame before
    for index in range(first, last):
        here = np.float64(spectrum[index])
        total += here
        product *= here + 1e-15
        if (index - first) % 16 == 15:
            logs += math.log(product)
            product = 1.0
        around += spectrum[index + _SURROUNDINGS_BINS]
        age, start = 0, index
        if (
            here > spectrum[index - 1]
            and here >= spectrum[index + 1]
            and here * (2 * _SURROUNDINGS_BINS + 1) > _PARTIAL_RATIO * around
        ):
            if age_before > 0 and abs(start_before - index) <= 1:
                age, start = age_before, start_before
            for neighbor in range(index, index + 2):
                if ages[0, neighbor] > age and abs(ages[1, neighbor] - index) <= 1:
                    age, start = ages[0, neighbor], ages[1, neighbor]
            age += 1
            power = spectrum[index - 1] + here + spectrum[index + 1]
            in_partials += power
            if age >= _STEADY_FRAMES:
                in_steady += power
            if age >= _LONG_FRAMES:
                in_long += power
        around -= spectrum[index - _SURROUNDINGS_BINS]
        age_before, start_before = ages[0, index], ages[1, index]
        ages[0, index], ages[1, index] = age, start
    logs += math.log(product)
    share = 1.0 / FRAMES_PER_STEP
    mean = total / (last - first) + 1e-15
    row[FLATNESS] += math.exp(logs / (last - first)) / mean * share
    total += 1e-15
    row[PARTIALS] += in_partials / total * share
    row[STEADY] += in_steady / total * share
    row[LONG] += in_long / total * share
