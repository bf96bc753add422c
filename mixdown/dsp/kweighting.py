"""K-weighting and the energy that loudness is computed from."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

#: Energies are taken over this long: fine enough for the highest momentary loudness.
STEPS_PER_S = 100

#: Analogue prototypes from which the coefficients that BS.1770-4 tabulates for 48 kHz are regained.
_SHELF_HZ, _SHELF_DB, _SHELF_Q = 1681.974450955533, 3.999843853973347, 0.7071752369554196
_HIGH_PASS_HZ, _HIGH_PASS_Q = 38.13547087602444, 0.5003270373238773
_SHELF_EXPONENT = 0.4996667741545416


def coefficients(sample_rate_hz: int) -> NDArray[np.float64]:
    """Coefficients of the two K-weighting sections at a sample rate.

    Parameters
    ----------
    sample_rate_hz : int
        Above 3364 Hz, twice the corner of the shelf.

    Returns
    -------
    ndarray of float64, shape (7,)
        b0, b1, b2, −a1, −a2 of the shelf; −a1, −a2 of the high-pass, whose numerator is 1, −2, 1.

    Notes
    -----
    ITU-R BS.1770-4, Annex 1, tables 1 and 2, carried to other rates by the bilinear transform of
    their analogue prototypes (B. De Man, "Evaluation of implementations of the EBU R128 loudness
    measurement", AES 2018).
    """
    warped = math.tan(math.pi * _SHELF_HZ / sample_rate_hz)
    high = 10.0 ** (_SHELF_DB / 20.0)
    band = high**_SHELF_EXPONENT
    scale = 1.0 + warped / _SHELF_Q + warped * warped
    shelf = [
        (high + band * warped / _SHELF_Q + warped * warped) / scale,
        2.0 * (warped * warped - high) / scale,
        (high - band * warped / _SHELF_Q + warped * warped) / scale,
        -2.0 * (warped * warped - 1.0) / scale,
        -(1.0 - warped / _SHELF_Q + warped * warped) / scale,
    ]
    warped = math.tan(math.pi * _HIGH_PASS_HZ / sample_rate_hz)
    scale = 1.0 + warped / _HIGH_PASS_Q + warped * warped
    high_pass = [
        -2.0 * (warped * warped - 1.0) / scale,
        -(1.0 - warped / _HIGH_PASS_Q + warped * warped) / scale,
    ]
    return np.array(shelf + high_pass)


def channel_weights(channels: int) -> NDArray[np.float64]:
    """Weights of the channels in the sum, shape (channels,): BS.1770-4, table 3.

    Five channels are L R C Ls Rs, six are L R C LFE Ls Rs; of any other number all weigh the same.
    """
    surround = {5: [1.0, 1.0, 1.0, 1.41, 1.41], 6: [1.0, 1.0, 1.0, 0.0, 1.41, 1.41]}
    return np.array(surround.get(channels, [1.0] * channels))


@njit(nogil=True, cache=True, fastmath={"contract"})
def weigh(block, weights, coefficients, state, partial, done, step, sample_rate_hz, energies):  # type: ignore[no-untyped-def]
    """K-weight a block and take the mean square of each step of 10 ms, summed over the channels.

    Parameters
    ----------
    block : Block, shape (frames, channels)
    weights : ndarray of float64, shape (channels,)
    coefficients : ndarray of float64, shape (7,)
    state : ndarray of float64, shape (channels, 7)
        The last two inputs, outputs of the first and outputs of the second section; the energy of all input so
        far, unweighted.
    partial : ndarray of float64, shape (channels,)
        Energy of the step that is not complete yet.
    done : int
        Frames before this block.
    step : int
        Steps that ended before this block.
    sample_rate_hz : int
    energies : ndarray of float64
        Receives the mean squares; long enough for the steps that end in this block.

    Returns
    -------
    int
        How many steps ended in this block.
    """
    frames, channels = block.shape
    b0, b1, b2, a1, a2, c1, c2 = coefficients
    written = 0
    start = 0
    # Step k ends at the frame nearest to its end in time, also where 10 ms are no whole frames.
    first = (step * sample_rate_hz + STEPS_PER_S // 2) // STEPS_PER_S
    while start < frames:
        last = ((step + 1) * sample_rate_hz + STEPS_PER_S // 2) // STEPS_PER_S
        stop = min(frames, last - done)
        for channel in range(channels):
            x1, x2, y1, y2, z1, z2, plain = state[channel]
            energy = partial[channel]
            for frame in range(start, stop):
                x = np.float64(block[frame, channel])
                # Only the last product waits for the previous sample: one multiply-add per section.
                y = (b0 * x + b1 * x1 + b2 * x2 + a2 * y2) + a1 * y1
                z = (y - 2.0 * y1 + y2 + c2 * z2) + c1 * z1
                x2, x1 = x1, x
                y2, y1 = y1, y
                z2, z1 = z1, z
                energy += z * z
                plain += x * x
            state[channel, 0], state[channel, 1], state[channel, 2] = x1, x2, y1
            state[channel, 3], state[channel, 4], state[channel, 5] = y2, z1, z2
            state[channel, 6] = plain
            partial[channel] = energy
        if stop == last - done:
            total = 0.0
            for channel in range(channels):
                total += weights[channel] * partial[channel]
                partial[channel] = 0.0
                for index in range(6):
                    # Denormal numbers would slow the decay into silence down a hundredfold.
                    if abs(state[channel, index]) < 1e-30:
                        state[channel, index] = 0.0
            energies[written] = total / (last - first)
            written += 1
            step += 1
            first = last
        start = stop
    return written
