"""Linear prediction: sound as the output of an all-pole filter, and samples that fit into it."""

from __future__ import annotations

import numpy as np
from numba import njit

#: White noise that is added to a spectrum, as a share of its power: no model digs deeper holes.
_FLOOR = 1e-9

#: What keeps a system of equations solvable where the model says nothing about a sample.
_RIDGE = 1e-10


@njit(nogil=True, cache=True, fastmath={"contract"})
def autocorrelation(samples, correlation):  # type: ignore[no-untyped-def]
    """Sums of lagged products, as many lags as ``correlation`` has room for.

    Parameters
    ----------
    samples : ndarray of float64, shape (frames,)
        Windowed, and followed by as many zeros as there are lags, and four more.
    correlation : ndarray of float64, shape (lags,)
        Where the result goes.
    """
    lags = len(correlation)
    correlation[:] = 0.0
    # Lag by lag in the inner loop, so that the additions of a lag keep their order on every machine.
    for start in range(0, len(samples) - lags - 3, 4):
        first, second, third, fourth = samples[start], samples[start + 1], samples[start + 2], samples[start + 3]
        after_first = samples[start : start + lags]
        after_second = samples[start + 1 : start + 1 + lags]
        after_third = samples[start + 2 : start + 2 + lags]
        after_fourth = samples[start + 3 : start + 3 + lags]
        for lag in range(lags):
            correlation[lag] += (first * after_first[lag] + second * after_second[lag]) + (
                third * after_third[lag] + fourth * after_fourth[lag]
            )


@njit(nogil=True, cache=True, fastmath={"contract"})
def levinson(correlation, coefficients, spare):  # type: ignore[no-untyped-def]
    """Coefficients of the prediction error filter (1, a₁ … a_p); whether there are any.

    Notes
    -----
    Levinson–Durbin (Makhoul 1975, "Linear prediction: a tutorial review", eq. 38).
    """
    order = len(coefficients) - 1
    coefficients[:] = 0.0
    coefficients[0] = 1.0
    error = correlation[0] * (1.0 + _FLOOR)
    if not error > 1e-30:
        return False
    for step in range(1, order + 1):
        reflection = correlation[step]
        for index in range(1, step):
            reflection += coefficients[index] * correlation[step - index]
        reflection = -reflection / error
        for index in range(1, step):
            spare[index] = coefficients[index] + reflection * coefficients[step - index]
        for index in range(1, step):
            coefficients[index] = spare[index]
        coefficients[step] = reflection
        error *= 1.0 - reflection * reflection
        if not error > 0.0:
            return False
    return True


@njit(nogil=True, cache=True, fastmath={"contract"})
def prediction_error(samples, start, stop, coefficients, errors):  # type: ignore[no-untyped-def]
    """What the model does not foresee in ``samples[start:stop]``, from the samples before each.

    Parameters
    ----------
    samples : ndarray of float64, shape (frames,)
        As many as the order lie before ``start``.
    start, stop : int
    coefficients : ndarray of float64, shape (order + 1,)
        The order is a multiple of four.
    errors : ndarray of float64, shape (stop − start,)
        Where the result goes.
    """
    frames = stop - start
    errors[:] = samples[start:stop]
    for lag in range(1, len(coefficients), 4):
        first, second = coefficients[lag], coefficients[lag + 1]
        third, fourth = coefficients[lag + 2], coefficients[lag + 3]
        one_before = samples[start - lag : stop - lag]
        two_before = samples[start - lag - 1 : stop - lag - 1]
        three_before = samples[start - lag - 2 : stop - lag - 2]
        four_before = samples[start - lag - 3 : stop - lag - 3]
        for index in range(frames):
            errors[index] += (first * one_before[index] + second * two_before[index]) + (
                third * three_before[index] + fourth * four_before[index]
            )


@njit(nogil=True, cache=True, fastmath={"contract"})
def fill_in(samples, unknown, count, coefficients, factor, solution):  # type: ignore[no-untyped-def]
    """Give the samples at ``unknown[:count]`` the values for which the model errs least.

    Parameters
    ----------
    samples : ndarray of float64, shape (frames,)
        Changed in place. As many samples as the order lie before the first unknown and after the last.
    unknown : ndarray of int64
        Indices, rising.
    count : int
        How many of them.
    coefficients : ndarray of float64, shape (order + 1,)
    factor : ndarray of float64, shape (at least count, order + 1)
        Room to work in.
    solution : ndarray of float64, shape (at least count,)
        Room to work in.

    Notes
    -----
    Least-squares interpolation (Janssen, Veldhuis & Vries 1986, "Adaptive interpolation of
    discrete-time signals that can be modeled as autoregressive processes", eq. 9–12): the normal
    equations are the autocorrelation of the coefficients, banded; solved by Cholesky's method.
    """
    order = len(coefficients) - 1
    weights = np.zeros(order + 1)
    for lag in range(order + 1):
        for index in range(order + 1 - lag):
            weights[lag] += coefficients[index] * coefficients[index + lag]
    for row in range(count):
        samples[unknown[row]] = 0.0
    for row in range(count):
        at = unknown[row]
        total = 0.0
        for lag in range(1, order + 1):
            total += weights[lag] * (samples[at - lag] + samples[at + lag])
        solution[row] = -total
    # factor[row, k] belongs to column row − k.
    for row in range(count):
        reach = 0
        while reach < order and row - reach > 0 and unknown[row] - unknown[row - reach - 1] <= order:
            reach += 1
        for k in range(order + 1):
            factor[row, k] = 0.0
        for k in range(reach, -1, -1):
            column = row - k
            value = weights[unknown[row] - unknown[column]]
            if k == 0:
                value += weights[0] * _RIDGE
            for earlier in range(max(row - reach, column - order), column):
                value -= factor[row, row - earlier] * factor[column, column - earlier]
            if k == 0:
                factor[row, 0] = np.sqrt(max(value, weights[0] * _RIDGE))
            else:
                factor[row, k] = value / factor[column, 0]
    for row in range(count):
        value = solution[row]
        for k in range(1, min(order, row) + 1):
            value -= factor[row, k] * solution[row - k]
        solution[row] = value / factor[row, 0]
    for row in range(count - 1, -1, -1):
        value = solution[row]
        for k in range(1, min(order, count - 1 - row) + 1):
            value -= factor[row + k, k] * solution[row + k]
        solution[row] = value / factor[row, 0]
    for row in range(count):
        samples[unknown[row]] = solution[row]
