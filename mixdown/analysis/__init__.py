"""Measurements and pictures of a recording: no new audio."""

from mixdown.analysis.conformance import verdicts
from mixdown.analysis.document import analysis_json, document
from mixdown.analysis.listening import analyze
from mixdown.analysis.waveform import peaks_json

__all__ = ["analysis_json", "analyze", "document", "peaks_json", "verdicts"]
