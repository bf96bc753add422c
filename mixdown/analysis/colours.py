"""Colours whose lightness says how much there is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_DARKEST, _LIGHTEST = 0.10, 0.97
_MOST_CHROMA = 0.17
_FIRST_HUE_DEG, _HUES_DEG = 275.0, 185.0  # from blue over violet and red to yellow


def heat(count: int) -> NDArray[np.uint8]:
    """A scale from nearly black over violet and orange to a pale yellow.

    Parameters
    ----------
    count : int
        How many colours.

    Returns
    -------
    ndarray of uint8, shape (count, 3)
        sRGB.

    Notes
    -----
    Lightness rises evenly in OKLab (B. Ottosson, 2020), so equal steps look equal, in print and to the
    colour-blind too; the hue turns once on the way, which tells neighbouring levels apart.
    """
    share = np.linspace(0.0, 1.0, count)
    lightness = _DARKEST + (_LIGHTEST - _DARKEST) * share
    chroma = _MOST_CHROMA * np.sin(np.pi * share**0.9)
    hue = np.deg2rad(_FIRST_HUE_DEG + _HUES_DEG * share)
    return _srgb(lightness, chroma * np.cos(hue), chroma * np.sin(hue))


def _srgb(lightness: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.uint8]:
    """OKLab to sRGB, clipped to its gamut."""
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = np.stack(
        [
            4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
        ],
        axis=1,
    )
    linear = np.clip(linear, 0.0, 1.0)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(255.0 * curved).astype(np.uint8)
