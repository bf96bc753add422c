"""Tempo, beats, key and onsets of music."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mixdown.model import Music

RATE_HZ = 22_050  #: that music is listened to at
MOST_S = 600.0  #: of a recording, from its middle

_HOP, _MEL_WINDOW, _CHROMA_WINDOW = 512, 2048, 4096
_CHUNK_HOPS = 2_048  # 48 s: what is transformed at a time
_RANGE_DB = 80.0
_TUNED_ON_S = 30.0

#: Less than this is too short to have a beat.
_LEAST_S = 2.0

#: Beats are found on a grid of 23 ms; over so many of them the tempo is read off to a part of a percent.
_BEATS_TOGETHER = 16

#: What is heard of each note in a key, from its tonic on.
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
_NOTES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")

#: A chroma that fits no key better than this is no melody.
_LEAST_CLARITY = 0.5


def listen(samples: NDArray[np.float32], start_s: float) -> Music | None:
    """What is musical about a recording.

    Parameters
    ----------
    samples : ndarray of float32, shape (frames,)
        Mono at `RATE_HZ`.
    start_s : float
        Where in the recording they start; added to every time.

    Returns
    -------
    Music or None
        None for silence and for less than 2 s.

    Notes
    -----
    librosa: onset strength on a mel spectrogram, beats by dynamic programming (Ellis 2007), tempo from the
    median distance of 16 beats. Key: mean chroma correlated with the profiles of Krumhansl and Kessler (1982).
    Transformed in chunks of 48 s, which bounds the memory. The first call of a process loads librosa, which
    takes seconds; a machine's first one ever compiles as well.
    """
    if len(samples) < _LEAST_S * RATE_HZ or not np.any(samples):
        return None
    import librosa  # costs seconds

    strength = _onset_strength(samples)
    tempo, beats = librosa.beat.beat_track(onset_envelope=strength, sr=RATE_HZ, hop_length=_HOP)
    onsets = librosa.onset.onset_detect(onset_envelope=strength, sr=RATE_HZ, hop_length=_HOP)
    beats_s = beats * _HOP / RATE_HZ
    key, clarity = _key(_mean_chroma(samples))
    return Music(
        start_s=start_s,
        end_s=start_s + len(samples) / RATE_HZ,
        tempo_bpm=_tempo_bpm(beats_s, float(np.ravel(tempo)[0])),
        key=key,
        key_clarity=clarity,
        beats_s=tuple(start_s + float(each) for each in beats_s),
        onsets_s=tuple(start_s + float(each) for each in onsets * _HOP / RATE_HZ),
    )


def _onset_strength(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    import librosa

    padded = np.pad(samples, _MEL_WINDOW // 2)
    hops = 1 + len(samples) // _HOP
    chunks = []
    for first in range(0, hops, _CHUNK_HOPS):
        count = min(_CHUNK_HOPS, hops - first)
        chunk = padded[first * _HOP : (first + count - 1) * _HOP + _MEL_WINDOW]
        chunks.append(
            librosa.feature.melspectrogram(y=chunk, sr=RATE_HZ, n_fft=_MEL_WINDOW, hop_length=_HOP, center=False)
        )
    level_db = librosa.power_to_db(np.concatenate(chunks, axis=1), top_db=None)
    strength: NDArray[np.float32] = librosa.onset.onset_strength(
        S=np.maximum(level_db, level_db.max() - _RANGE_DB), sr=RATE_HZ, hop_length=_HOP
    )
    return strength


def _mean_chroma(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Strength of each of the twelve notes, from C."""
    import librosa

    middle = max(0, len(samples) // 2 - round(_TUNED_ON_S / 2 * RATE_HZ))
    tuning = librosa.estimate_tuning(y=samples[middle : middle + round(_TUNED_ON_S * RATE_HZ)], sr=RATE_HZ)
    chroma = np.zeros(12)
    for start in range(0, len(samples), _CHUNK_HOPS * _HOP):
        chunk = samples[start : start + _CHUNK_HOPS * _HOP]
        if len(chunk) >= _CHROMA_WINDOW:
            notes = librosa.feature.chroma_stft(
                y=chunk, sr=RATE_HZ, n_fft=_CHROMA_WINDOW, hop_length=_CHROMA_WINDOW // 2, tuning=tuning, norm=None
            )
            chroma += np.sqrt(notes).sum(axis=1)  # loud notes count for more, but not for all
    return chroma


def _key(chroma: NDArray[np.float64]) -> tuple[str | None, float]:
    """The key that a chroma fits best, and its correlation with that key's profile."""
    if not np.ptp(chroma):
        return None, 0.0
    fits = {
        f"{note} {mode}": float(np.corrcoef(np.roll(chroma, -tonic), profile)[0, 1])
        for mode, profile in (("major", _MAJOR), ("minor", _MINOR))
        for tonic, note in enumerate(_NOTES)
    }
    key = max(fits, key=lambda each: fits[each])
    clarity = max(0.0, fits[key])
    return (key if clarity >= _LEAST_CLARITY else None), clarity


def _tempo_bpm(beats_s: NDArray[np.float64], estimate_bpm: float) -> float | None:
    """Tempo from the beats themselves; from the estimate that found them where there are but a few."""
    together = min(_BEATS_TOGETHER, len(beats_s) - 1)
    if together < 4:
        return estimate_bpm or None
    return float(60.0 * together / np.median(beats_s[together:] - beats_s[:-together]))
