"""DNSMOS: the numbers of the original, from its weights, without its code."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from mixdown.dsp.dnsmos import RATE_HZ, SEGMENT_FRAMES, SEGMENT_S, dnsmos


def _buzz(seconds: float, seed: int) -> NDArray[np.float32]:
    """Syllables of a buzz with a moving pitch."""
    generator = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    pitch = 2 * np.pi * np.cumsum(120 + 20 * np.sin(2 * np.pi * 0.7 * time_s)) / RATE_HZ
    buzz = sum(np.sin(k * pitch + k * k) / k for k in range(1, 30))
    syllables = np.clip(np.sin(2 * np.pi * 3.1 * time_s) + 0.3 * np.sin(2 * np.pi * 0.9 * time_s), 0, 1)
    return (0.1 * syllables**2 * (buzz + 0.05 * generator.standard_normal(len(time_s)))).astype(np.float32)


def _hiss(seconds: float, rms: float) -> NDArray[np.float32]:
    return (rms * np.random.default_rng(7).standard_normal(round(seconds * RATE_HZ))).astype(np.float32)


@pytest.mark.parametrize(
    ("samples", "signal", "background", "overall", "p808"),
    [
        pytest.param(_buzz(9.01, 1), 1.7616, 3.4821, 1.5661, 2.5004, id="one segment"),
        pytest.param(_buzz(3.2, 2), 1.9833, 3.3871, 1.7037, 2.4932, id="short, so repeated"),
        pytest.param(_buzz(14.5, 3), 1.7643, 3.5656, 1.5485, 2.5224, id="long, so the mean of six"),
        pytest.param(_buzz(60.0, 5), 1.7993, 3.5579, 1.5740, 2.5450, id="long: the original leaves some out"),
        pytest.param(_buzz(12, 4) + _hiss(12, 0.03), 1.2674, 1.1253, 1.1339, 2.3478, id="in noise"),
        pytest.param(np.zeros(160_000, np.float32), 2.5136, 3.4724, 1.8399, 2.1468, id="silence"),
    ],
)
def test_scores_are_those_of_the_original(
    samples: NDArray[np.float32], signal: float, background: float, overall: float, p808: float
) -> None:
    """`speechmos.dnsmos.run` 0.0.1.1, with librosa 0.11, gave these numbers for these samples."""
    scores = dnsmos(samples, p808=True)

    assert scores.signal == pytest.approx(signal, abs=1e-4)
    assert scores.background == pytest.approx(background, abs=1e-4)
    assert scores.overall == pytest.approx(overall, abs=1e-4)
    assert scores.p808 == pytest.approx(p808, abs=1e-4)


def test_p808_is_scored_on_request() -> None:
    """The second network costs as well: without being asked for it is not run."""
    assert dnsmos(_buzz(SEGMENT_S, 1)).p808 is None


def test_noise_lowers_every_score() -> None:
    """The same voice in hiss is worse than alone."""
    alone, in_hiss = _buzz(SEGMENT_S, 1), _buzz(SEGMENT_S, 1) + _hiss(SEGMENT_S, 0.05)

    assert dnsmos(in_hiss).signal < dnsmos(alone).signal
    assert dnsmos(in_hiss).background < dnsmos(alone).background
    assert dnsmos(in_hiss).overall < dnsmos(alone).overall


def test_a_segment_has_as_many_frames_as_the_network_takes() -> None:
    """9.01 s at 16 kHz are 144,160 frames."""
    assert SEGMENT_FRAMES == 144_160


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.zeros((160_000, 1), np.float32)])
def test_what_is_no_mono_signal_is_refused(samples: NDArray[np.float32]) -> None:
    """Nothing at all cannot be repeated, and channels are not guessed at."""
    with pytest.raises(ValueError, match=r"expected \(frames,\)"):
        dnsmos(samples)


def test_neither_the_code_of_the_wheel_nor_librosa_is_loaded() -> None:
    """The wheel is there for its weights; librosa takes seconds to load."""
    program = (
        "import sys, numpy; from mixdown.dsp.dnsmos import dnsmos; dnsmos(numpy.zeros(16000, 'f4'), p808=True); "
        "print(sorted({'librosa', 'speechmos', 'requests', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
