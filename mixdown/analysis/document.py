"""An analysis as JSON, in which every number carries its unit."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixdown import __version__
from mixdown.model import MEASURED, Analysis, LoudnessSeries, Verdict

#: Up to this length loudness over time is told for every 100 ms, from there on for every second.
_CLOSELY_S = 120.0
_DIGITS = 6


def analysis_json(analysis: Analysis) -> bytes:
    """The whole analysis. No times of day in it: the same recording gives the same bytes."""
    return json.dumps(document(analysis), indent=1, ensure_ascii=False).encode()


def document(analysis: Analysis) -> dict[str, Any]:
    """The analysis as it stands in JSON; names and units are described in docs/reference/analysis.md."""
    probe, music = analysis.probe, analysis.music
    return {
        "mixdown": __version__,
        "file": analysis.name,
        "container": probe.container,
        "codec": probe.codec,
        "tags": dict(probe.tags),
        "measures": {name: quantity(analysis.measures[name], each.unit) for name, each in MEASURED.items()},
        "channels": [
            {"level": quantity(level, "dBFS"), "dc_offset": quantity(offset, "FS")}
            for level, offset in zip(analysis.channel_levels_dbfs, analysis.dc_offsets, strict=True)
        ],
        "low_pass": analysis.low_pass,
        "hum": [
            {
                "frequency": quantity(tone.frequency_hz, "Hz"),
                "level": quantity(tone.level_dbfs, "dBFS"),
                "prominence": quantity(tone.prominence_db, "dB"),
            }
            for tone in analysis.hum
        ],
        "loudness": _loudness(analysis.loudness),
        "passages": [
            {"kind": each.kind, "start": quantity(each.start_s, "s"), "end": quantity(each.end_s, "s")}
            for each in analysis.passages
        ],
        "speech_quality": [
            {
                "start": quantity(each.start_s, "s"),
                "end": quantity(each.end_s, "s"),
                "signal": quantity(each.signal_mos, "MOS"),
                "background": quantity(each.background_mos, "MOS"),
                "overall": quantity(each.overall_mos, "MOS"),
            }
            for each in analysis.quality
        ],
        "music": music
        and {
            "start": quantity(music.start_s, "s"),
            "end": quantity(music.end_s, "s"),
            "tempo": quantity(music.tempo_bpm, "BPM"),
            "key": music.key,
            "key_clarity": quantity(music.key_clarity, ""),
            "beats": _series(music.beats_s, "s"),
            "onsets": _series(music.onsets_s, "s"),
        },
        "verdicts": [_verdict(each) for each in analysis.verdicts],
        "warnings": list(analysis.warnings),
    }


def quantity(value: float | None, unit: str) -> dict[str, Any]:
    """A number and its unit; null for what was not measured and for the levels of silence."""
    return {"value": _number(value), "unit": unit}


def _number(value: float | None) -> float | int | None:
    if value is None or not math.isfinite(value):
        return None
    return value if isinstance(value, int) else round(float(value), _DIGITS)


def _series(values: Iterable[float], unit: str) -> dict[str, Any]:
    return {"values": [None if not math.isfinite(each) else round(float(each), 3) for each in values], "unit": unit}


def _loudness(series: LoudnessSeries) -> dict[str, Any]:
    """Loudness over time; where a second is told in one number, the highest momentary value in it."""
    together = 1 if len(series.momentary_lufs) * series.step_s <= _CLOSELY_S else round(1.0 / series.step_s)
    return {
        "step": quantity(series.step_s * together, "s"),
        "momentary": _series(highest_of(series.momentary_lufs, together), "LUFS"),
        "short_term": _series(series.short_term_lufs[together - 1 :: together], "LUFS"),
    }


def highest_of(values: NDArray[np.float32], together: int) -> NDArray[np.float32]:
    """The highest of every so many values; what is left at the end is left out."""
    whole = len(values) // together * together
    highest: NDArray[np.float32] = values[:whole].reshape(-1, together).max(axis=1, initial=-np.inf)
    return highest


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "preset": verdict.preset,
        "title": verdict.title,
        "passes": verdict.passes,
        "text": verdict.text,
        "checks": [
            {
                "measure": check.measure,
                "value": quantity(check.value, MEASURED[check.measure].unit),
                "at_least": quantity(check.at_least, MEASURED[check.measure].unit),
                "at_most": quantity(check.at_most, MEASURED[check.measure].unit),
                "passes": check.passes,
            }
            for check in verdict.checks
        ],
    }
