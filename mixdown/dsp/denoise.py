"""Noise reduction for speech at any sample rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixdown.dsp.deepfilter import RATE_HZ, DeepFilter
from mixdown.dsp.deepfilter_network import load
from mixdown.dsp.processor import Block, Processor, as_block
from mixdown.dsp.programme_guard import ProgrammeGuard
from mixdown.dsp.resample import Resampler


class Denoiser:
    """Turns down what is not speech (DeepFilterNet3).

    Parameters
    ----------
    limit_db : float or None
        The most that noise is turned down, in dB, 0 or more; None: without limit. With a limit the output is
        ``limit * input + (1 - limit) * enhanced``, as libDF has it; 0 passes the input through untouched.
    sample_rate_hz : int
        Rate of input and output. Off 48 kHz the stream is resampled there and back, so
        nothing above 24 kHz is left of a higher rate.
    channels : int
        All are filtered alike, by what they have in common; if that is nothing, each is worked on by itself.
    providers : sequence of str
        ONNX Runtime execution providers, in order of preference.
    threads : int
        Threads that one pass through the network uses.
    guard : bool
        Leave music alone, passage by passage, instead of turning it down as noise: see `ProgrammeGuard`.

    Notes
    -----
    Frames out are frames in, aligned to the sample. Silence stays digital silence. Any split into blocks
    gives the same samples, bit for bit, and so does every run on the same machine.
    """

    def __init__(
        self,
        *,
        limit_db: float | None,
        sample_rate_hz: int,
        channels: int,
        providers: Sequence[str] = ("CPUExecutionProvider",),
        threads: int = 1,
        guard: bool = True,
    ) -> None:
        self._channels = channels
        self._frames_in = self._frames_out = 0
        self._cascade: list[Processor] = []
        if limit_db != 0:
            noisy_share = 0.0 if limit_db is None else 10 ** (-limit_db / 20)
            self._cascade = [
                Resampler(sample_rate_hz, RATE_HZ, channels),
                DeepFilter(channels, noisy_share, load(providers, threads)),
                Resampler(RATE_HZ, sample_rate_hz, channels),
            ]
        self._guard = ProgrammeGuard(sample_rate_hz, channels) if guard and self._cascade else None
        self._dry: list[Block] = []  # what the guard will compare with

    def process(self, block: Block) -> Block:
        """Return the frames that are finished; about six seconds are held back, one without the guard."""
        block = as_block(block, self._channels)
        self._frames_in += len(block)
        wet = block
        for processor in self._cascade:
            wet = processor.process(wet)
        wet = self._keep_length(wet)
        return wet if self._guard is None else self._guard.process(self._matching(block, wet), wet)

    def flush(self) -> Block:
        """Return the rest of the frames."""
        rest: Block = np.zeros((0, self._channels), np.float32)
        for processor in self._cascade:
            rest = np.concatenate([processor.process(rest), processor.flush()])
        missing = self._frames_in - self._frames_out - len(rest)  # rounding to another rate and back
        wet = self._keep_length(np.pad(rest, ((0, max(0, missing)), (0, 0))))
        if self._guard is None:
            return wet
        return np.concatenate([self._guard.process(self._matching(wet[:0], wet), wet), self._guard.flush()])

    def _matching(self, block: Block, wet: Block) -> Block:
        """The frames as they went in that ``wet`` was made of, of those before and ``block``."""
        self._dry.append(block)
        if not len(wet):
            return wet
        dry = np.concatenate(self._dry)
        self._dry = [dry[len(wet) :]]
        return dry[: len(wet)]

    def _keep_length(self, block: Block) -> Block:
        block = block[: self._frames_in - self._frames_out]
        self._frames_out += len(block)
        return block
