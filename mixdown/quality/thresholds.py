"""What makes a master worse than its source, from one data file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The largest loss in each aspect that is no harm; `thresholds.toml` argues each."""

    signal_drop: float  #: DNSMOS, mean over the places with speech
    overall_drop: float
    signal_drop_of_a_place: float  #: DNSMOS, of the worst place
    overall_drop_of_a_place: float
    least_speech: float  #: share of a place that is speech for its score to mean anything
    clipped_runs_per_min: float
    crest_drop_db: float
    band_loss_db: float
    duration_s: float
    drift_s: float
    hole_db: float
    hole_s: float
    silent_db: float
    silence_s: float


@cache
def thresholds() -> Thresholds:
    """The shipped ones."""
    text = resources.files(__package__).joinpath("thresholds.toml").read_text(encoding="utf-8")
    return Thresholds(**tomllib.loads(text))
