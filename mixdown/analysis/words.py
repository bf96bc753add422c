"""Numbers of an analysis as people read them."""

from __future__ import annotations

import math

from mixdown.model import MEASURED, Analysis
from mixdown.wording import duration_words

#: In a list of measures, what belongs together, in the order it is read in.
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Loudness",
        ("integrated_lufs", "range_lu", "short_term_max_lufs", "momentary_max_lufs"),
    ),
    ("Level", ("true_peak_dbtp", "sample_peak_dbfs", "rms_dbfs", "clipped_samples", "clipped_runs", "dc_offset")),
    ("Noise", ("noise_floor_dbfs", "snr_db", "hum_hz", "hum_dbfs", "bandwidth_hz")),
    ("Stereo", ("stereo_correlation", "stereo_balance_db")),
    ("Speech quality", ("signal_mos", "background_mos", "overall_mos")),
    (
        "Time",
        (
            *("duration_s", "speech_s", "music_s", "noise_s", "silence_s"),
            *("head_silence_s", "tail_silence_s", "tempo_bpm"),
        ),
    ),
    ("File", ("sample_rate_hz", "channels", "bit_depth", "bitrate_kbps")),
)


#: Read in kHz by people, who do not care for single Hz there.
_IN_THOUSANDS = ("bandwidth_hz",)


def number_words(value: float, decimals: int) -> str:
    """A number with a true minus sign: `−57.2`, `44,100`, `−∞`."""
    if math.isinf(value):
        return "−∞" if value < 0 else "∞"
    text = f"{abs(value):,.{decimals}f}"
    return f"−{text}" if value < 0 and text.strip("0.") else text


def limit_words(limit: float) -> str:
    """A limit as it was set: `−60`, `−3.5`, `44,100`."""
    return f"{limit:,g}".replace("-", "−") if abs(limit) < 1e6 else number_words(limit, 0)


def measure_words(name: str, value: float | None) -> str:
    """A measure with its unit: `−57.2 dBFS`; `–` where it was not measured."""
    if value is None:
        return "–"
    measure = MEASURED[name]
    if name in _IN_THOUSANDS:
        return f"{number_words(value / 1000.0, measure.decimals)} k{measure.unit}"
    return f"{number_words(value, measure.decimals)} {measure.unit}".strip()


def title_words(title: str) -> str:
    """A title at the beginning of a line: `Noise floor`, `RMS`."""
    return title[:1].upper() + title[1:]


def key_words(analysis: Analysis) -> str | None:
    """The key of the music, with how clear it is; None where none was heard."""
    music = analysis.music
    return f"{music.key} (clarity {music.key_clarity:.2f})" if music and music.key else None


def file_words(analysis: Analysis) -> str:
    """What the file is: `mp3 in mp3, 44,100 Hz, stereo, 0:42`."""
    probe, levels = analysis.probe, analysis.levels
    kind = probe.codec if probe.codec == probe.container else f"{probe.codec} in {probe.container}"
    sides = {1: "mono", 2: "stereo"}.get(levels.channels, f"{levels.channels} channels")
    return f"{kind}, {levels.sample_rate_hz:,} Hz, {sides}, {duration_words(levels.duration_s)}"


def heard_words(analysis: Analysis) -> list[str]:
    """What a listener should know before the numbers: each a sentence."""
    found = []
    measures = analysis.measures
    if analysis.low_pass and (edge_hz := measures["bandwidth_hz"]):
        found.append(f"Cut off at {edge_hz / 1000:.1f} kHz: by a codec, a telephone or a lower sample rate.")
    if analysis.hum:
        tones = ", ".join(f"{tone.frequency_hz:.0f}" for tone in analysis.hum[:6])
        found.append(f"Mains hum at {tones} Hz, {measure_words('hum_dbfs', measures['hum_dbfs'])} together.")
    if runs := measures["clipped_runs"]:
        found.append(f"Clipped {_times(int(runs))} ({measures['clipped_samples'] or 0:,.0f} samples in flat tops).")
    if (measures["dc_offset"] or 0.0) > _NOTABLE_OFFSET:
        found.append(f"A constant offset of {measures['dc_offset']:.4f} of full scale.")
    correlation = measures["stereo_correlation"]
    if correlation is not None and correlation < _NOTABLE_CORRELATION:
        found.append(f"Left and right are out of phase (correlation {number_words(correlation, 2)}).")
    return found


#: Below this an offset costs no headroom and makes no click; below this sides cancel out in mono.
_NOTABLE_OFFSET, _NOTABLE_CORRELATION = 0.003, -0.3


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")
