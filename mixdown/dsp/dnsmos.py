"""Speech quality as people would rate it, from networks that were trained on such ratings (DNSMOS)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnxruntime

RATE_HZ = 16_000  #: that the networks were trained at
SEGMENT_S = 9.01  #: length of the recordings they were trained on
SEGMENT_FRAMES = round(SEGMENT_S * RATE_HZ)

_CPU = ("CPUExecutionProvider",)

_P835 = Path("dnsmos_models", "sig_bak_ovr.onnx")
_P808 = Path("dnsmos_models", "model_v8.onnx")

# What brings the outputs of the P.835 network to the scale of its listeners: polynomials, highest power first.
_SIGNAL = (-0.08397278, 1.22083953, 0.0052439)
_BACKGROUND = (-0.13166888, 1.60915514, -0.39604546)
_OVERALL = (-0.06766283, 1.11546468, 0.04602535)

_FFT_FRAMES, _FFT_HOP, _MELS = 321, 160, 120
_MEL_LINEAR_HZ, _MEL_LOG_FROM_HZ = 200 / 3, 1_000.0  # Slaney: 15 mel up to 1 kHz, from there ln(6.4) / 27 each
_MEL_LOG_STEP = np.log(6.4) / 27
_POWER_FLOOR, _RANGE_DB = 1e-10, 80.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsMos:
    """Mean opinion scores, 1 (bad) to 5 (excellent), as ITU-T P.835 has listeners give them."""

    signal: float  #: how natural the speech is, whatever is behind it
    background: float  #: how little the noise intrudes
    overall: float
    p808: float | None = None  #: overall, as listeners judge after ITU-T P.808; None where it was not asked for


def dnsmos(samples: NDArray[np.float32], *, p808: bool = False, providers: Sequence[str] = _CPU) -> DnsMos:
    """Score a recording of speech.

    Parameters
    ----------
    samples : ndarray of float, shape (frames,)
        Mono at `RATE_HZ`, full scale ±1.0, finite. What is shorter than `SEGMENT_S` is repeated; of what is
        longer, segments that start on full seconds are scored, and the mean is returned.
    p808 : bool
        Whether the P.808 network is asked as well.
    providers : sequence of str
        ONNX Runtime execution providers, in order of preference.

    Returns
    -------
    DnsMos
        The level matters: the networks heard speech at −26 dBFS or so. Sound that is no speech gets scores
        too, and they mean nothing.

    Raises
    ------
    ValueError
        The samples are none at all, or not of shape (frames,).
    FileNotFoundError
        The wheel `speechmos` is not installed, or holds no weights.

    Notes
    -----
    Reddy, Gopal, Cutler: "DNSMOS P.835: a non-intrusive perceptual objective speech quality metric to
    evaluate noise suppressors", ICASSP 2022, and "DNSMOS", ICASSP 2021 (P.808). The same numbers, to four
    decimals, as `speechmos.dnsmos.run` gives, on the same weights.
    """
    if samples.ndim != 1 or not len(samples):
        raise ValueError(f"expected (frames,) samples, got {samples.shape}")
    samples = np.ascontiguousarray(samples, np.float32)
    while len(samples) < SEGMENT_FRAMES:
        samples = np.concatenate([samples, samples])
    segments = [samples[start : start + SEGMENT_FRAMES] for start in _starts(len(samples))]
    signal, background, overall = np.mean([_p835(segment, providers) for segment in segments], axis=0)
    return DnsMos(
        signal=float(signal),
        background=float(background),
        overall=float(overall),
        p808=float(np.mean([_p808(segment, providers) for segment in segments])) if p808 else None,
    )


def _starts(frames: int) -> list[int]:
    """First frames of the segments that the original scores.

    It counts whole seconds, and so may leave out a last one; and where ``second + 9.01`` is rounded down, its
    segment is a frame short and passed over.
    """
    seconds = range(int(frames // RATE_HZ - SEGMENT_S) + 1)
    return [s * RATE_HZ for s in seconds if int((s + SEGMENT_S) * RATE_HZ) - s * RATE_HZ == SEGMENT_FRAMES]


def _p835(segment: NDArray[np.float32], providers: Sequence[str]) -> tuple[float, float, float]:
    signal, background, overall = _session(_P835, providers).run(None, {"input_1": segment[None]})[0][0]
    return (
        float(np.polyval(_SIGNAL, float(signal))),
        float(np.polyval(_BACKGROUND, float(background))),
        float(np.polyval(_OVERALL, float(overall))),
    )


def _p808(segment: NDArray[np.float32], providers: Sequence[str]) -> float:
    features = _log_mel(segment[:-_FFT_HOP])
    return float(_session(_P808, providers).run(None, {"input_1": features[None]})[0][0][0])


def _log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mel spectrum as the P.808 network knows it: (hops, mels), −1 to 1 for the 80 dB below its maximum."""
    padded = np.pad(samples, _FFT_FRAMES // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, _FFT_FRAMES)[::_FFT_HOP]
    hann = np.hanning(_FFT_FRAMES + 1)[:-1]
    power = np.abs(np.fft.rfft(windows * hann, axis=1)) ** 2
    level_db = 10.0 * np.log10(np.maximum(_POWER_FLOOR, power @ _mel_filters().T))
    level_db -= level_db.max()
    return ((np.maximum(level_db, -_RANGE_DB) + _RANGE_DB / 2) / (_RANGE_DB / 2)).astype(np.float32)


@cache
def _mel_filters() -> NDArray[np.float64]:
    """Triangles of equal area, equally spaced in mel up to 8 kHz: (mels, bins)."""
    bins_hz = np.fft.rfftfreq(_FFT_FRAMES, 1 / RATE_HZ)
    corners_hz = _hz(np.linspace(0.0, _mel(RATE_HZ / 2), _MELS + 2))
    rising = (bins_hz - corners_hz[:-2, None]) / np.diff(corners_hz)[:-1, None]
    falling = (corners_hz[2:, None] - bins_hz) / np.diff(corners_hz)[1:, None]
    area_hz = (corners_hz[2:] - corners_hz[:-2])[:, None] / 2
    return np.maximum(0.0, np.minimum(rising, falling)) / area_hz


def _mel(frequency_hz: float) -> float:
    """A frequency above 1 kHz on Slaney's mel scale."""
    return float(_MEL_LOG_FROM_HZ / _MEL_LINEAR_HZ + np.log(frequency_hz / _MEL_LOG_FROM_HZ) / _MEL_LOG_STEP)


def _hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frequencies of values on Slaney's mel scale."""
    logarithmic_from = _MEL_LOG_FROM_HZ / _MEL_LINEAR_HZ
    logarithmic_hz = _MEL_LOG_FROM_HZ * np.exp(_MEL_LOG_STEP * (mel - logarithmic_from))
    return np.where(mel < logarithmic_from, _MEL_LINEAR_HZ * mel, logarithmic_hz)


_one_at_a_time = threading.Lock()


def _session(model: Path, providers: Sequence[str]) -> onnxruntime.InferenceSession:
    """The network in this file: loaded once per process, from any thread, and shared by all."""
    with _one_at_a_time:
        return _load(model, tuple(providers))


@cache
def _load(model: Path, providers: tuple[str, ...]) -> onnxruntime.InferenceSession:
    import onnxruntime  # megabytes that a job without networks does not need

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False  # an arena keeps for good what one segment took
    return onnxruntime.InferenceSession(str(_weights(model)), options, providers=providers)


def _weights(model: Path) -> Path:
    """Where the wheel `speechmos` keeps a network. Its code, which would import librosa, is not loaded."""
    spec = find_spec("speechmos")
    folders = spec.submodule_search_locations if spec else None
    for path in (Path(folder) / model for folder in folders or ()):
        if path.is_file():
            return path
    raise FileNotFoundError("speech scores need the package speechmos, which is not installed")
