"""Measurements and pictures of a recording: no new audio."""

from mixdown.analysis.attachments import analysis_files
from mixdown.analysis.conformance import verdicts
from mixdown.analysis.document import analysis_json, document
from mixdown.analysis.listening import analyze
from mixdown.analysis.page import Section, page_html, section_of
from mixdown.analysis.players import Players, level_matched
from mixdown.analysis.waveform import peaks_json

__all__ = [
    "Players",
    "Section",
    "analysis_files",
    "analysis_json",
    "analyze",
    "document",
    "level_matched",
    "page_html",
    "peaks_json",
    "section_of",
    "verdicts",
]
