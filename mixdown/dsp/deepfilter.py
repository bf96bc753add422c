"""DeepFilterNet3 over a 48 kHz stream: spectra, features and filtering in numpy and numba.

Schröter et al., "DeepFilterNet: Perceptually Motivated Real-Time Speech Enhancement", Interspeech 2023,
after its reference implementation libDF (MIT or Apache-2.0). libDF feeds the network one 10 ms hop at a
time; here it sees a second at once, which costs a tenth of the time. Three things are ours: it hears the
beginning before it works on it, it hears quiet recordings louder than they are, and it hears channels as one.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
from numba import njit
from numpy.typing import NDArray

from mixdown.dsp.deepfilter_network import BANDS, CONTEXT_HOPS, FILTERED_BINS, TAPS, Memory, Network
from mixdown.dsp.downmix import Downmix
from mixdown.dsp.processor import Block

RATE_HZ = 48_000  #: what the network was trained at
HOP = 480  #: frames from one spectrum to the next
WINDOW = 960  #: frames under one spectrum
BINS = WINDOW // 2 + 1
LOOK_AHEAD_HOPS = 2  #: that features and filter see of the future

#: Hops worked on at once. Fewer cost more calls, more leave the processor's cache.
SEGMENT_HOPS = 100
#: What the network decides on: gains of the bands, filters of the low bins.
Decisions = tuple[NDArray[np.float32], NDArray[np.float32]]

#: Hops at the start of the sound that the network hears this often before it works on them. Starting from
#: nothing it would spoil the first words: this gains 3 dB in the first second and 1 dB in the first six.
REHEARSAL_HOPS, REHEARSALS = 100, 2

#: What is quieter than this is made as loud before the network hears it: measured, it takes speech at
#: −40 dBFS (RMS) for noise in places, and mutes all of it from −46 on.
USUAL_DBFS, MOST_GAIN_DB = -25.0, 50.0
#: How loud a segment is: its loudest hops but for some, as clicks are no speech. It is remembered for a while.
LOUD_PERCENTILE, FALL_DB = 90, 6.0

#: Where nothing is above 8 kHz, as in much archive sound, the network errs more: it was taught with 48 kHz. So it
#: hears a little air up there, white noise of −50 dBFS between 8 and 24 kHz, which is never in the output.
#: Voices in kitchen noise gain 1 dB more at 0 dB, 1.5 at 10 dB, and 0.05 of PESQ.
AIR_FROM_HZ, AIR_DBFS = 8_000, -50.0

INAUDIBLE = 1e-6  #: −120 dBFS

_DECAY = 0.99  # of the running means in one hop: exp(-10 ms / 1 s), rounded as libDF does
_SILENCE_DB = -100.0  # of a band without power
_ABOVE_RUMBLE = 2  # the first bin that counts for loudness: 100 Hz
_LEAST_NORM = 1e-12  # bins that stay empty would let their mean reach 0, and 0 / 0 is no number

_phase = np.sin(0.5 * np.pi * (np.arange(WINDOW) + 0.5) / HOP)
#: Vorbis power-complementary window, applied before and after.
_WINDOW_SHAPE = np.sin(0.5 * np.pi * _phase**2).astype(np.float32)


def _erb_widths() -> NDArray[np.int64]:
    """Bins in each band: equal steps on the ERB-rate scale, none under two bins (libDF, `erb_fb`)."""
    scale = 24.7 * 9.265
    step = 9.265 * math.log1p(RATE_HZ / 2 / scale) / BANDS
    widths, edge, owed = [], 0, 0
    for band in range(1, BANDS + 1):
        next_edge = round(scale * math.expm1(band * step / 9.265) / (RATE_HZ / WINDOW))
        width = next_edge - edge - owed
        owed = max(0, 2 - width)
        widths.append(max(2, width))
        edge = next_edge
    widths[-1] += BINS - sum(widths)
    return np.array(widths)


_WIDTHS = _erb_widths()
_FIRST_BIN = np.cumsum(_WIDTHS) - _WIDTHS
_BAND_OF_BIN = np.repeat(np.arange(BANDS), _WIDTHS)


def _air() -> NDArray[np.float32]:
    """Mean powers of white noise in each band, for as many hops as are heard at once, the same every time."""
    of_bin = 10 ** (AIR_DBFS / 10) * RATE_HZ / 2 / (RATE_HZ / 2 - AIR_FROM_HZ) / (2 * WINDOW)
    bands = np.where(_FIRST_BIN * RATE_HZ / WINDOW >= AIR_FROM_HZ - RATE_HZ / WINDOW, of_bin, 0.0)
    hops = SEGMENT_HOPS + 2 * LOOK_AHEAD_HOPS
    return (bands * np.random.default_rng(0).gamma(_WIDTHS, 1 / _WIDTHS, (hops, BANDS))).astype(np.float32)


_AIR = _air()


@njit(nogil=True, cache=True)
def _normalise(
    levels_db: NDArray[np.float32],
    spectrum: NDArray[np.complex64],
    mean_db: NDArray[np.float64],
    mean_norm: NDArray[np.float64],
    levels: NDArray[np.float32],
    shapes: NDArray[np.float32],
) -> None:
    """Levels less their running mean, bins over the root of theirs; the means move on, but not in silence."""
    for hop in range(levels_db.shape[0]):
        decay = 1.0 if levels_db[hop].max() < _SILENCE_DB + 0.1 else _DECAY
        for band in range(levels_db.shape[1]):
            level = levels_db[hop, band]
            mean_db[band] = level * (1 - decay) + mean_db[band] * decay
            levels[hop, band] = (level - mean_db[band]) / 40
        for index in range(mean_norm.size):
            value = spectrum[hop, index]
            norm = math.sqrt(value.real * value.real + value.imag * value.imag)
            mean_norm[index] = max(norm * (1 - decay) + mean_norm[index] * decay, _LEAST_NORM)
            gain = 1 / math.sqrt(mean_norm[index])
            shapes[0, hop, index] = value.real * gain
            shapes[1, hop, index] = value.imag * gain


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"})
def _filter(
    noisy: NDArray[np.complex64],
    gains: NDArray[np.float32],
    filters: NDArray[np.float32],
    band_of_bin: NDArray[np.int64],
    noisy_share: np.float32,
    enhanced: NDArray[np.complex64],
) -> None:
    """Filter the low bins, gain the others, and leave ``noisy_share`` of all; ``noisy`` is two hops ahead."""
    clean_share = np.float32(1) - noisy_share
    for hop in range(enhanced.shape[0]):
        for index in range(filters.shape[1]):
            real = imag = np.float32(0)
            for tap in range(TAPS):
                value = noisy[hop + tap, index]
                a, b = filters[hop, index, 2 * tap], filters[hop, index, 2 * tap + 1]
                real += value.real * a - value.imag * b
                imag += value.imag * a + value.real * b
            enhanced[hop, index] = complex(real, imag)
        for index in range(filters.shape[1], enhanced.shape[1]):
            enhanced[hop, index] = noisy[hop + TAPS // 2, index] * gains[hop, band_of_bin[index]]
        for index in range(enhanced.shape[1]):
            kept = noisy[hop + TAPS // 2, index] * noisy_share
            enhanced[hop, index] = enhanced[hop, index] * clean_share + kept


class _Listener:
    """What the network is told of a channel, and what it remembers of it."""

    def __init__(self, before: _Listener | None = None) -> None:
        self._loud_dbfs = -math.inf if before is None else before.loudness()
        self._mean_db = np.linspace(-60, -90, BANDS)
        self._mean_norm = np.linspace(0.001, 0.0001, FILTERED_BINS)
        self._levels = np.zeros((CONTEXT_HOPS, BANDS), np.float32)
        self._shapes = np.zeros((2, CONTEXT_HOPS, FILTERED_BINS), np.float32)
        self._memory = Memory.empty()
        self._rehearsals = 0
        self._gain_db = 0.0

    def loudness(self) -> float:
        """Level of the loud hops heard lately, in dBFS."""
        return self._loud_dbfs

    def listen(self, heard: NDArray[np.complex64], hops: int, network: Network) -> Decisions:
        """Gains and filters for the next ``hops``, from the spectra heard: fewer of them at the end."""
        heard = self._at_usual_level(heard)
        sounding = heard[heard.any(axis=1)][:REHEARSAL_HOPS]
        while self._rehearsals < REHEARSALS and len(sounding):
            self._decide(sounding, len(sounding), network)
            self._rehearsals += 1
        return self._decide(heard, hops, network)

    def _at_usual_level(self, heard: NDArray[np.complex64]) -> NDArray[np.complex64]:
        """The spectra as loud as the network knows speech. It only listens to these: gains fit them as they are."""
        power = np.sum(np.square(np.abs(heard[:, _ABOVE_RUMBLE:]), dtype=np.float64), axis=1)
        hop_dbfs = 10 * np.log10(4 * power + 1e-20)  # the window and half of the bins take a quarter
        loud_dbfs = float(np.percentile(hop_dbfs, LOUD_PERCENTILE)) if len(heard) else -math.inf
        self._loud_dbfs = max(loud_dbfs, self._loud_dbfs - FALL_DB)
        gain_db = min(max(0.0, USUAL_DBFS - self._loud_dbfs), MOST_GAIN_DB)
        if self._rehearsals:  # the means are of what was heard before, at another gain
            change_db = gain_db - self._gain_db
            self._mean_db = np.maximum(self._mean_db + change_db, _SILENCE_DB)
            self._mean_norm = np.maximum(self._mean_norm * 10 ** (change_db / 20), _LEAST_NORM)
        self._gain_db = gain_db
        return heard * np.float32(10 ** (gain_db / 20))

    def _decide(self, heard: NDArray[np.complex64], hops: int, network: Network) -> Decisions:
        levels, shapes = self._features(heard, hops)
        gains, filters, self._memory = network.run(levels, shapes, self._memory)
        self._levels, self._shapes = levels[-CONTEXT_HOPS:], shapes[:, -CONTEXT_HOPS:]
        return gains, filters

    def _features(self, heard: NDArray[np.complex64], hops: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Features of the hops heard, the last ones before in front, zeros for those past the end."""
        mean_power = np.add.reduceat(heard.real**2 + heard.imag**2, _FIRST_BIN, axis=1) / _WIDTHS
        sounding = mean_power.any(axis=1, keepdims=True)
        mean_power += np.resize(_AIR, mean_power.shape) * sounding
        levels_db = (10 * np.log10(mean_power + 1e-10)).astype(np.float32)
        levels = np.empty((len(heard), BANDS), np.float32)
        shapes = np.empty((2, len(heard), FILTERED_BINS), np.float32)
        _normalise(levels_db, heard, self._mean_db, self._mean_norm, levels, shapes)
        past_the_end = ((0, hops - len(heard)), (0, 0))
        return (
            np.pad(np.concatenate([self._levels, levels]), past_the_end),
            np.pad(np.concatenate([self._shapes, shapes], axis=1), ((0, 0), *past_the_end)),
        )


class _Channel:
    """One channel's spectra as far as they are needed."""

    def __init__(self) -> None:
        self.listener = _Listener()  #: what the network was told while the channels were apart
        self.tail = np.zeros(HOP, np.float32)  #: the half of a window that reaches into the next segment
        self._spectrum = np.zeros((LOOK_AHEAD_HOPS, BINS), np.complex64)

    def hear(self, signal: NDArray[np.float32], hops: int) -> NDArray[np.complex64]:
        """Append the spectra under ``signal``; returns those that the network has to hear for ``hops``.

        ``signal`` goes on from the last call's to the look-ahead past these hops, or to the end.
        """
        windows = np.lib.stride_tricks.sliding_window_view(signal, WINDOW)[::HOP]
        heard = scipy.fft.rfft(windows * _WINDOW_SHAPE) * np.float32(1 / WINDOW)
        known = len(self._spectrum)
        unheard = np.zeros((LOOK_AHEAD_HOPS + hops + LOOK_AHEAD_HOPS - known - len(heard), BINS), np.complex64)
        self._spectrum = np.concatenate([self._spectrum, heard, unheard])
        # Features run ahead of the hops they decide on, so the first two of a stream decide on none.
        return heard[2 * LOOK_AHEAD_HOPS - known :]

    @property
    def silent(self) -> bool:
        """Whether there is nothing in the next hops nor around them."""
        return not self._spectrum.any()

    def enhance(self, hops: int, decisions: Decisions | None, noisy_share: np.float32) -> NDArray[np.float32]:
        """Return the next ``hops``, as frames, and forget them. Without decisions they are silent."""
        enhanced = np.zeros((hops, BINS), np.complex64)
        if decisions is not None:
            _filter(self._spectrum, *decisions, _BAND_OF_BIN, noisy_share, enhanced)
        self._spectrum = self._spectrum[-2 * LOOK_AHEAD_HOPS :]
        pieces = scipy.fft.irfft(enhanced, WINDOW) * (_WINDOW_SHAPE * np.float32(WINDOW))
        frames = pieces[:, :HOP].ravel()
        frames[HOP:] += pieces[:-1, HOP:].ravel()
        frames[:HOP] += self.tail
        self.tail = pieces[-1, HOP:]
        return frames


class DeepFilter:
    """Turns down what is not speech in a 48 kHz stream, a second at a time.

    Parameters
    ----------
    channels : int
        The network, where the time goes, hears their `Downmix`, and all are filtered alike: so what lies
        between them stays where it is. Only such as have nothing in common are worked on by themselves.
    noisy_share : float
        Share of the input, 0 to 1, that is left in the output.
    network : Network

    Notes
    -----
    Frames out are frames in, aligned to the sample. Segments lie at fixed places of the stream, so any
    split into blocks gives the same samples, bit for bit.
    """

    def __init__(self, channels: int, noisy_share: float, network: Network) -> None:
        self._network = network
        self._noisy_share = np.float32(noisy_share)
        self._downmix = Downmix(_WIDTHS)
        self._listener = _Listener()
        self._apart = False
        self._channels = [_Channel() for _ in range(channels)]
        self._input = np.zeros((channels, (SEGMENT_HOPS + LOOK_AHEAD_HOPS + 1) * HOP), np.float32)
        self._filled = HOP  # the first window begins half a window before the stream
        self._wanted = self._input.shape[1]
        self._frames_in = 0
        self._hops_out = 0

    def process(self, block: Block) -> Block:
        """Return the frames of the segments that ``block`` (frames, channels) completes."""
        finished = []
        if not self._frames_in:  # what is silent before the first sound is not listened to
            sounding = np.abs(block).max(axis=1, initial=0) > INAUDIBLE
            silence = int(sounding.argmax()) if sounding.any() else len(block)
            finished.append(block[:silence])
            block = block[silence:]
        self._frames_in += len(block)
        while self._filled + len(block) >= self._wanted:
            room = self._wanted - self._filled
            self._fill(block[:room])
            block = block[room:]
            finished.append(self._work(SEGMENT_HOPS))
            self._input[:, :HOP] = self._input[:, self._filled - HOP : self._filled]
            self._filled, self._wanted = HOP, (SEGMENT_HOPS + 1) * HOP
        self._fill(block)
        return np.concatenate([block[:0], *finished])

    def flush(self) -> Block:
        """Return the rest of the frames."""
        if not self._frames_in:
            return np.zeros((0, len(self._channels)), np.float32)
        rest = self._frames_in - max(0, self._hops_out - 1) * HOP
        hops = -(-self._frames_in // HOP) + 1  # the last window ends half a window after the stream
        silence = hops * HOP - self._frames_in
        self._input = np.pad(self._input[:, : self._filled], ((0, 0), (0, silence)))
        self._filled += silence
        return self._work(hops - self._hops_out)[:rest]

    def _fill(self, block: Block) -> None:
        self._input[:, self._filled : self._filled + len(block)] = block.T
        self._filled += len(block)

    def _work(self, hops: int) -> Block:
        """Return the frames of the next ``hops``, from what was filled in."""
        signals = self._input[:, : self._filled]
        finished = np.empty((hops * HOP, len(signals)), np.float32)
        heard = [channel.hear(signal, hops) for channel, signal in zip(self._channels, signals, strict=True)]
        for index, decisions in enumerate(self._decisions(heard, hops)):
            finished[:, index] = self._channels[index].enhance(hops, decisions, self._noisy_share)
        before_the_stream = HOP if self._hops_out == 0 else 0
        self._hops_out += hops
        return finished[before_the_stream:]

    def _decisions(self, heard: list[NDArray[np.complex64]], hops: int) -> list[Decisions | None]:
        """For every channel; silence stays silence, and like libDF the network does not listen to it."""
        mixed = self._downmix.mix(heard)
        if all(channel.silent for channel in self._channels):
            return [None] * len(heard)
        # Who parts or meets begins anew: after two voices at once the network stays wary for many seconds.
        if self._downmix.apart and not self._apart:
            for channel in self._channels:
                channel.listener = _Listener(self._listener)
        elif self._apart and not self._downmix.apart:
            self._listener = _Listener(
                max((channel.listener for channel in self._channels), key=_Listener.loudness)
            )
        self._apart = self._downmix.apart
        if not self._apart:
            return [self._listener.listen(mixed, hops, self._network)] * len(heard)
        return [
            None if channel.silent else channel.listener.listen(spectra, hops, self._network)
            for channel, spectra in zip(self._channels, heard, strict=True)
        ]
