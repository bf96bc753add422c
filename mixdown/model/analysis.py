"""What an analysis finds, and what it is held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mixdown.model.sound import LevelReport, ProbedAudio


@dataclass(frozen=True, slots=True)
class Measure:
    """One number that an analysis gives, as programs and people know it."""

    unit: str  #: as it stands in the JSON
    title: str  #: as it stands in a sentence: "noise floor"
    meaning: str
    decimals: int = 1  #: that are shown, and that a requirement is held against


#: Every number of an analysis by its name, which requirements of presets use too and which never changes.
MEASURED: Mapping[str, Measure] = {
    "integrated_lufs": Measure("LUFS", "integrated loudness", "gated loudness of the whole, ITU-R BS.1770-4"),
    "range_lu": Measure("LU", "loudness range", "LRA, EBU Tech 3342"),
    "momentary_max_lufs": Measure("LUFS", "highest momentary loudness", "of any 400 ms, EBU Tech 3341"),
    "short_term_max_lufs": Measure("LUFS", "highest short-term loudness", "of any 3 s, EBU Tech 3341"),
    "true_peak_dbtp": Measure("dBTP", "true peak", "highest value between the samples, BS.1770-4 annex 2"),
    "sample_peak_dbfs": Measure("dBFS", "sample peak", "highest sample"),
    "rms_dbfs": Measure("dBFS", "RMS", "of the whole, ungated; a full-scale square reads 0, a sine −3.01 (ACX)"),
    "noise_floor_dbfs": Measure("dBFS", "noise floor", "RMS of the quietest hundredth of all half seconds"),
    "snr_db": Measure("dB", "signal-to-noise ratio", "an estimate: level of the speech over the noise floor"),
    "clipped_samples": Measure("samples", "clipped samples", "samples in flat tops", 0),
    "clipped_runs": Measure("runs", "clipped runs", "flat tops", 0),
    "dc_offset": Measure("FS", "DC offset", "of the channel where it is largest, as a part of full scale", 4),
    "bandwidth_hz": Measure("Hz", "bandwidth", "highest frequency with content"),
    "hum_hz": Measure("Hz", "hum", "50 or 60 where mains hum is heard", 0),
    "hum_dbfs": Measure("dBFS", "hum level", "of all its harmonics together; a full-scale sine reads 0"),
    "stereo_correlation": Measure("", "stereo correlation", "1 the same on both sides, −1 out of phase", 2),
    "stereo_balance_db": Measure("dB", "stereo balance", "level of the left side over the right"),
    "speech_s": Measure("s", "speech", "time in which speech is heard"),
    "music_s": Measure("s", "music", "time in which music is heard"),
    "noise_s": Measure("s", "noise", "time in which there is sound, but neither speech nor music"),
    "silence_s": Measure("s", "silence", "time in which there is next to no sound"),
    "head_silence_s": Measure("s", "head", "time before the programme begins: silence or room tone", 2),
    "tail_silence_s": Measure("s", "tail", "time after the programme has ended", 2),
    "signal_mos": Measure("MOS", "speech quality", "DNSMOS P.835: how natural the voice is, 1 to 5", 2),
    "background_mos": Measure(
        "MOS", "background quality", "DNSMOS P.835: how little the noise intrudes, 1 to 5", 2
    ),
    "overall_mos": Measure("MOS", "overall quality", "DNSMOS P.835: overall, 1 to 5", 2),
    "tempo_bpm": Measure("BPM", "tempo", "of music"),
    "duration_s": Measure("s", "duration", "counted in decoded samples", 2),
    "sample_rate_hz": Measure("Hz", "sample rate", "", 0),
    "channels": Measure("", "channels", "", 0),
    "bit_depth": Measure("bit", "bit depth", "of linear audio", 0),
    "bitrate_kbps": Measure("kbit/s", "bitrate", "as the file declares it", 0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoudnessSeries:
    """Loudness over time: value k is that of the window that ends at ``(k + 1) * step_s``."""

    step_s: float
    momentary_lufs: NDArray[np.float32]  #: of 400 ms
    short_term_lufs: NDArray[np.float32]  #: of 3 s


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A stretch of one kind of sound."""

    kind: str  #: silence, noise, speech or music
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HumTone:
    """A harmonic of mains hum."""

    frequency_hz: float
    level_dbfs: float
    prominence_db: float  #: over what is beside it


@dataclass(frozen=True, slots=True, kw_only=True)
class QualitySegment:
    """Speech quality of a few seconds: mean opinion scores from 1 to 5."""

    start_s: float
    end_s: float
    signal_mos: float
    background_mos: float
    overall_mos: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Music:
    """What is musical about a stretch of the recording."""

    start_s: float  #: of the stretch that was listened to
    end_s: float
    tempo_bpm: float | None  #: None where there is no beat
    key: str | None  #: "C major"; None where there is no tone
    key_clarity: float  #: 0 to 1: correlation with the profile of the key
    beats_s: tuple[float, ...]
    onsets_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WavePeaks:
    """Lowest and highest sample, and power, of equal stretches: shape (stretches, channels)."""

    frames_per_point: int
    sample_rate_hz: int
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    power: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """Sound by frequency: over the whole, and over time."""

    bins_hz: NDArray[np.float64]
    mean_db: NDArray[np.float32]  #: dBFS per Hz of the whole, per bin; -inf where there is nothing
    column_s: float
    columns_db: NDArray[np.float32]  #: the highest level of each bin in each column, dBFS: (columns, bins)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One requirement, held against a recording."""

    measure: str
    value: float | None  #: None where it was not measured
    at_least: float | None
    at_most: float | None
    passes: bool | None  #: None where there is no telling
    text: str  #: "noise floor, −57.2 dBFS (at most −60)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a recording meets what a preset requires."""

    preset: str
    title: str
    passes: bool | None  #: None where something could not be told and nothing fails
    text: str  #: "ACX: fails noise floor, −57.2 dBFS (at most −60)"
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """All that was found in a recording."""

    name: str
    probe: ProbedAudio
    levels: LevelReport
    measures: Mapping[str, float | None]  #: each of `MEASURED`; -inf for levels of silence, None for not measured
    loudness: LoudnessSeries
    dc_offsets: tuple[float, ...]  #: per channel
    channel_levels_dbfs: tuple[float, ...]
    low_pass: bool  #: whether the bandwidth ends as if cut off
    hum: tuple[HumTone, ...]
    passages: tuple[Passage, ...]
    quality: tuple[QualitySegment, ...]
    music: Music | None  #: None where none was heard, or not asked for
    peaks: WavePeaks
    spectrum: Spectrum
    verdicts: tuple[Verdict, ...] = ()
    warnings: tuple[str, ...] = field(default=())
