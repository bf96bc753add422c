"""A page about recordings that needs nothing but itself: pictures, curves, verdicts, sound to compare."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from mixdown import __version__
from mixdown.analysis.axes import Mark, frequency_marks, time_marks
from mixdown.analysis.graph import Bar, Graph, loudness_graph, passage_bars
from mixdown.analysis.pictures import DARKEST_DBFS, LIGHTEST_DBFS, spectrogram_png, waveform_png
from mixdown.analysis.players import Players
from mixdown.analysis.words import (
    GROUPS,
    file_words,
    heard_words,
    key_words,
    measure_words,
    number_words,
    title_words,
)
from mixdown.model import MEASURED, Analysis, Verdict
from mixdown.wording import duration_words

#: What stands on top, large.
_TILES = ("integrated_lufs", "range_lu", "true_peak_dbtp", "noise_floor_dbfs", "overall_mos", "bandwidth_hz")

_SHOWN_TAGS, _TAG_CHARS = ("title", "artist", "album", "date"), 120


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """A recording in pictures, as the template takes it."""

    name: str
    waveform: str
    spectrogram: str
    bars: Sequence[Bar]
    kinds: tuple[str, ...]
    times: Sequence[Mark]
    frequencies: Sequence[Mark]
    darkest: str = number_words(DARKEST_DBFS, 0)
    lightest: str = number_words(LIGHTEST_DBFS, 0)


@dataclass(frozen=True, slots=True)
class _Row:
    """A measure, of the recording and of its master."""

    title: str
    meaning: str
    value: str
    after: str
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """All about one recording, as the template takes it."""

    file: str
    master_file: str
    tags: Sequence[str]
    drawn: _Drawn
    master: _Drawn | None
    tiles: Sequence[_Row]
    found: Sequence[str]
    players: Players | None
    players_from: str
    graph: Graph
    verdicts: Sequence[tuple[Verdict, Verdict | None]]
    groups: Sequence[tuple[str, Sequence[_Row]]]


def section_of(analysis: Analysis, master: Analysis | None = None, players: Players | None = None) -> Section:
    """What a page tells about a recording, alone or beside the master made of it; the pictures are drawn here."""
    after = {verdict.preset: verdict for verdict in master.verdicts} if master else {}
    return Section(
        file=file_words(analysis),
        master_file=file_words(master) if master else "",
        tags=_tags(analysis),
        drawn=_drawn(analysis),
        master=_drawn(master) if master else None,
        tiles=[_tile(name, analysis, master) for name in _TILES if _known(name, analysis, master)],
        found=[*heard_words(analysis), *(f"The file: {warning}." for warning in analysis.warnings)],
        players=players,
        players_from=_from_words(players),
        graph=loudness_graph(analysis, master),
        verdicts=[
            (each, after.get(each.preset)) for each in analysis.verdicts if not master or each.preset in after
        ],
        groups=_groups(analysis, master),
    )


def page_html(sections: Sequence[Section]) -> bytes:
    """A page about one recording or several.

    Parameters
    ----------
    sections : sequence of Section
        At least one; see `section_of`.

    Returns
    -------
    bytes
        HTML in UTF-8.

    Notes
    -----
    Every text is escaped; a content security policy lets only the page's own script run, known by its hash,
    and loads nothing from anywhere.
    """
    script = _template_text("player.html.j2")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    names = [each.drawn.name for each in sections]
    text = (
        _environment()
        .get_template("page.html.j2")
        .render(
            title=names[0] if len(names) == 1 else f"Analysis of {len(names)} recordings",
            sections=sections,
            # Both are files of ours, without anything of the recording's in them.
            style=Markup(_template_text("style.html.j2")),  # noqa: S704
            script=Markup(script),  # noqa: S704
            script_hash=f"sha256-{digest}",
            scripted=any(each.players for each in sections),
            version=__version__,
        )
    )
    # A name may hold half of a surrogate pair, which no encoding has a place for.
    return text.encode("utf-8", errors="replace")


def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_template_text),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _template_text(name: str) -> str:
    return resources.files("mixdown.analysis").joinpath(name).read_text(encoding="utf-8")


def _from_words(players: Players | None) -> str:
    if players is None or players.start_s == 0.0:
        return ""
    ends_s = players.start_s + players.duration_s
    return f"From {duration_words(players.start_s)} to {duration_words(ends_s)} of the recording."


def _tags(analysis: Analysis) -> list[str]:
    tags = analysis.probe.tags
    return [tags[name][:_TAG_CHARS] for name in _SHOWN_TAGS if tags.get(name)]


def _known(name: str, *analyses: Analysis | None) -> bool:
    return any(each is not None and each.measures[name] is not None for each in analyses)


def _tile(name: str, analysis: Analysis, master: Analysis | None) -> _Row:
    value, _, unit = measure_words(name, analysis.measures[name]).partition(" ")
    after = measure_words(name, master.measures[name]) if master else ""
    after, _, unit_after = after.partition(" ")
    return _Row(title_words(MEASURED[name].title), MEASURED[name].meaning, value, after, unit or unit_after)


def _groups(analysis: Analysis, master: Analysis | None) -> list[tuple[str, list[_Row]]]:
    groups = []
    for title, names in GROUPS:
        rows = [
            _Row(
                title=MEASURED[name].title.capitalize()
                if MEASURED[name].title[1].islower()
                else MEASURED[name].title,
                meaning=MEASURED[name].meaning,
                value=measure_words(name, analysis.measures[name]),
                after=measure_words(name, master.measures[name]) if master else "",
            )
            for name in names
            if _known(name, analysis, master)
        ]
        if title == "Time" and (key := key_words(analysis)):
            rows.append(
                _Row(title="Key", meaning="of music", value=key, after=(master and key_words(master)) or "")
            )
        if rows:
            groups.append((title, rows))
    return groups


def _drawn(analysis: Analysis) -> _Drawn:
    duration_s = analysis.levels.duration_s
    bars = passage_bars(analysis)
    kinds = {bar.kind for bar in bars}
    return _Drawn(
        name=analysis.name,
        waveform=_image(waveform_png(analysis.peaks, duration_s=duration_s, axes=False)),
        spectrogram=_image(spectrogram_png(analysis.spectrum, duration_s=duration_s, axes=False)),
        bars=bars,
        kinds=tuple(kind for kind in ("speech", "music", "noise", "silence") if kind in kinds),
        times=time_marks(duration_s),
        frequencies=frequency_marks(float(analysis.spectrum.bins_hz[-1])),
    )


def _image(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
