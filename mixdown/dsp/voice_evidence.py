"""Evidence for speech, music and noise in every step, from the step and what lies around it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mixdown.dsp import voice_features as vf

#: The noise floor is the level that is undercut this rarely in so many seconds around.
_FLOOR_QUANTILE_PERCENT, _FLOOR_S = 10, 12.0

#: Syllables follow each other 2 to 10 times a second.
_SYLLABLES_HZ = (2.0, 10.0)

#: Level differences are taken up to this, in dB: more says no more.
_LARGEST_DB = 40.0


def evidence(features: NDArray[np.floating]) -> NDArray[np.float32]:
    """What speaks for a voice, for music and for noise.

    Parameters
    ----------
    features : ndarray, shape (steps, FEATURES)
        Of `VoiceFeatures`.

    Returns
    -------
    ndarray of float32, shape (steps, columns)
        About 0 to 1 each. Independent of the level of the recording.
    """
    values = np.asarray(features, np.float32)
    envelope_db = values[:, vf.ENVELOPE]
    levels_db = values[:, vf.LEVELS]
    level_db = envelope_db.max(axis=1)
    floor_db = _floor(envelope_db.min(axis=1))
    above_db = np.clip(level_db - floor_db, 0.0, _LARGEST_DB)
    bands_above_db = np.clip(
        np.stack([levels_db[:, band] - _floor(levels_db[:, band]) for band in range(vf.BANDS)], axis=1),
        0.0,
        _LARGEST_DB,
    )
    tilt_db = np.clip(levels_db - level_db[:, None], -_LARGEST_DB, 10.0)
    voiced = np.clip(values[:, vf.HARMONICITY], 0.0, 1.5)
    syllables, depth = _modulation(envelope_db, floor_db)
    # Made one by one, as they are written: three hours of all of them are 15 MB.
    columns: list[Callable[[], NDArray[np.floating]]] = [
        lambda: above_db / 40.0,
        lambda: _mean(above_db, 1.0) / 40.0,
        lambda: _mean(above_db, 3.0) / 40.0,
        lambda: _deviation(np.clip(level_db, floor_db, None), 1.0) / 15.0,
        lambda: _deviation(np.clip(level_db, floor_db, None), 3.0) / 15.0,
        *(partial(_pair, bands_above_db, band) for band in range(0, vf.BANDS, 2)),
        *(partial(_pair, tilt_db, band) for band in range(0, vf.BANDS, 2)),
        lambda: syllables,
        lambda: _mean(syllables, 1.0),
        lambda: depth,
        lambda: voiced,
        lambda: _mean(voiced, 0.5),
        lambda: _mean(voiced, 2.0),
        lambda: _highest(voiced, 0.5),
        lambda: _highest(voiced, 1.5),
        lambda: _deviation(voiced, 1.0),
        lambda: values[:, vf.FLATNESS],
        lambda: _mean(values[:, vf.FLATNESS], 1.5),
        lambda: np.clip(values[:, vf.FLUX], 0.0, 20.0) / 20.0,
        lambda: _mean(np.clip(values[:, vf.FLUX], 0.0, 20.0), 1.0) / 20.0,
        lambda: values[:, vf.PARTIALS],
        lambda: _mean(values[:, vf.PARTIALS], 1.0),
        lambda: values[:, vf.STEADY],
        lambda: _mean(values[:, vf.STEADY], 1.0),
        lambda: _mean(values[:, vf.STEADY], 4.0),
        lambda: values[:, vf.LONG],
        lambda: _mean(values[:, vf.LONG], 1.5),
        lambda: _mean(values[:, vf.LONG], 5.0),
    ]
    together = np.empty((len(values), len(columns)), np.float32)
    for index, column in enumerate(columns):
        together[:, index] = column()
    return together


def _pair(levels_db: NDArray[np.float32], band: int) -> NDArray[np.floating]:
    """The mean of two neighboring bands, in 40 dB."""
    return levels_db[:, band : band + 2].mean(axis=1) / 40.0


def _steps(seconds: float) -> int:
    """An odd number of steps, about so many seconds."""
    return 2 * round(seconds / vf.STEP_S / 2.0) + 1


def _floor(level_db: NDArray[np.float32]) -> NDArray[np.float32]:
    """The level of what is always there around each step, in dB."""
    return ndimage.percentile_filter(level_db, _FLOOR_QUANTILE_PERCENT, _steps(_FLOOR_S), mode="nearest")


def _mean(values: NDArray[np.float32], seconds: float) -> NDArray[np.float32]:
    return ndimage.uniform_filter1d(values, _steps(seconds), mode="nearest")


def _highest(values: NDArray[np.float32], seconds: float) -> NDArray[np.float32]:
    return ndimage.maximum_filter1d(values, _steps(seconds), mode="nearest")


def _deviation(values: NDArray[np.float32], seconds: float) -> NDArray[np.float32]:
    """Standard deviation around each step."""
    centred = values - np.float32(np.median(values)) if len(values) else values
    return np.sqrt(np.maximum(_mean(centred**2, seconds) - _mean(centred, seconds) ** 2, 0.0))


def _modulation(
    envelope_db: NDArray[np.float32], floor_db: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How much of the movement of the level is at the pace of syllables, and how large that movement is."""
    rate_hz = vf.FRAMES_PER_STEP / vf.STEP_S
    level = np.clip(envelope_db - floor_db[:, None], 0.0, _LARGEST_DB).reshape(-1)
    slow = ndimage.uniform_filter1d(level, 2 * round(rate_hz / _SYLLABLES_HZ[0] / 2.0) + 1, mode="nearest")
    fast = ndimage.uniform_filter1d(level, 2 * round(rate_hz / _SYLLABLES_HZ[1] / 2.0) + 1, mode="nearest")
    syllables = ndimage.uniform_filter1d((fast - slow) ** 2, round(rate_hz) + 1, mode="nearest")
    everything = ndimage.uniform_filter1d((level - slow) ** 2, round(rate_hz) + 1, mode="nearest")
    middle = slice(vf.FRAMES_PER_STEP // 2, None, vf.FRAMES_PER_STEP)
    return (syllables / (everything + 1.0))[middle], np.sqrt(syllables)[middle] / 10.0
