"""The files that go with an analysis."""

from __future__ import annotations

from pathlib import Path

from mixdown.analysis.document import analysis_json
from mixdown.analysis.page import page_html, section_of
from mixdown.analysis.pictures import spectrogram_png, waveform_png
from mixdown.analysis.players import Players
from mixdown.analysis.waveform import peaks_json
from mixdown.model import Analysis

MEDIA_TYPES = {
    ".json": "application/json",
    ".png": "image/png",
    ".html": "text/html; charset=utf-8",
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
}


def analysis_files(
    analysis: Analysis, folder: Path, *, master: Analysis | None = None, players: Players | None = None
) -> list[Path]:
    """Write the analysis, its pictures, its peaks and its page; the same recording gives the same bytes.

    Parameters
    ----------
    analysis : Analysis
    folder : Path
        An existing one; gets `analysis.json`, `waveform.png`, `spectrogram.png`, `peaks.json`, `report.html`.
    master : Analysis or None
        The master made of the recording: the page compares them.
    players : Players or None
        Both to be heard in the page; see `level_matched`.

    Returns
    -------
    list of Path
        In that order; `MEDIA_TYPES` tells by suffix what each is.
    """
    duration_s = analysis.levels.duration_s
    bodies = {
        "analysis.json": analysis_json(analysis),
        "waveform.png": waveform_png(analysis.peaks, duration_s=duration_s),
        "spectrogram.png": spectrogram_png(analysis.spectrum, duration_s=duration_s),
        "peaks.json": peaks_json(analysis.peaks),
        "report.html": page_html([section_of(analysis, master, players)]),
    }
    for name, body in bodies.items():
        (folder / name).write_bytes(body)
    return [folder / name for name in bodies]
