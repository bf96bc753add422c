"""Did noise reduction leave the programme alone?

DeepFilterNet keeps speech and takes the rest for noise: music, applause, a field recording. Where
there was speech, the loudest passages of what is left came through nearly whole; where even those
were turned down to the limit, there was none, and the recording is better off without.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mixdown.dsp.processor import Block

#: Measured with a limit of 18 dB: speech loses 0.2 dB clean, 3.6 at most in noise as loud as itself, 5.6
#: in noise 5 dB louder; music, kitchen noise and white noise lose 17.7 or more.
LARGEST_LOSS_DB = 9.0

#: The share of passages that count as loud.
LOUDEST_SHARE = 0.2

_STEP_S = 0.1
_SILENCE = 1e-9


class ProgrammeLoss:
    """How much level the loudest passages lost, from the blocks before and after a step."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._before = _Energies(round(sample_rate_hz * _STEP_S))
        self._after = _Energies(round(sample_rate_hz * _STEP_S))

    def before(self, block: Block) -> None:
        """Take a block as it was."""
        self._before.push(block)

    def after(self, block: Block) -> None:
        """Take a block as it became."""
        self._after.push(block)

    @property
    def loss_db(self) -> float:
        """Median loss over the loudest passages of what is left, in dB; 0 for a recording without any."""
        before, after = self._before.values(), self._after.values()
        count = min(len(before), len(after))
        if count == 0:
            return 0.0
        loudest = np.argsort(after[:count])[-max(1, round(count * LOUDEST_SHARE)) :]
        lost = 10 * np.log10((before[loudest] + _SILENCE) / (after[loudest] + _SILENCE))
        return float(np.median(lost))

    @property
    def programme_survived(self) -> bool:
        """Whether what was taken away was noise."""
        return self.loss_db <= LARGEST_LOSS_DB


class _Energies:
    """Mean energy of every 100 ms, whatever the blocks."""

    def __init__(self, step_frames: int) -> None:
        self._step = step_frames
        self._rest = np.zeros(0, np.float32)
        self._values: list[NDArray[np.float64]] = []

    def push(self, block: Block) -> None:
        power = np.einsum("fc,fc->f", block, block)
        power = np.concatenate([self._rest, power]) if len(self._rest) else power
        whole = len(power) // self._step * self._step
        self._values.append(power[:whole].reshape(-1, self._step).mean(axis=1, dtype=np.float64))
        self._rest = power[whole:]

    def values(self) -> NDArray[np.float64]:
        return np.concatenate(self._values) if self._values else np.zeros(0)
