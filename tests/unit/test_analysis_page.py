"""The page about recordings: whole in itself, and nothing in it that a stranger wrote runs."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from mixdown.analysis import analysis_files, page_html, section_of
from mixdown.analysis.players import Players
from mixdown.model import Check, Verdict
from tests.unit.made_analysis import made_analysis

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>' {{ 7*7 }} \ud800.wav"

PLAYERS = Players("data:audio/mp4;base64,AAAA", "data:audio/mp4;base64,BBBB", 30.0, 120.0, "Equally loud.")


class Page(HTMLParser):
    """Tags with their attributes, and text, as a browser would see them."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(html.decode())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "script" in self._open:
            self.scripts.append(data)
        elif "style" not in self._open:
            self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_a_hostile_name_is_text() -> None:
    """Names, tags and warnings of strangers are shown as they are, and make no tag, attribute or script."""
    analysis = made_analysis()
    hostile = replace(
        analysis,
        name=HOSTILE,
        probe=replace(analysis.probe, tags={"title": HOSTILE, "artist": "</style><script>alert(3)</script>"}),
        warnings=(HOSTILE,),
        verdicts=(
            Verdict(
                preset=HOSTILE,
                title=HOSTILE,
                passes=False,
                text=HOSTILE,
                checks=(
                    Check(measure="rms_dbfs", value=-9, at_least=None, at_most=-18, passes=False, text=HOSTILE),
                ),
            ),
        ),
    )

    page = Page(page_html([section_of(hostile, hostile, PLAYERS), section_of(hostile)]))

    assert {tag for tag, _ in page.tags} <= {
        *(
            "html",
            "head",
            "meta",
            "title",
            "style",
            "body",
            "header",
            "h1",
            "h2",
            "h3",
            "ol",
            "ul",
            "li",
            "a",
            "span",
        ),
        *("main", "article", "p", "dl", "div", "dt", "dd", "small", "label", "audio", "button", "input", "output"),
        *("kbd", "figure", "figcaption", "b", "img", "svg", "rect", "line", "path", "table", "thead", "tbody"),
        *("tr", "th", "td", "footer", "script"),
    }
    assert len(page.scripts) == 1
    assert "alert" not in page.scripts[0]
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert "<script>alert(1)</script>" in page.words
    assert "{{ 7*7 }}" in page.words


def test_nothing_comes_from_elsewhere() -> None:
    """Every address is data or a place in the page; the policy allows no other, and one script by its hash."""
    page = Page(page_html([section_of(made_analysis(), made_analysis(), PLAYERS), section_of(made_analysis())]))

    addresses = [value or "" for _, each in page.tags for name, value in each.items() if name in ("src", "href")]
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    [policy] = [each["content"] for each in page.all("meta") if "Content-Security-Policy" in each.values()]
    digest = base64.b64encode(hashlib.sha256(page.scripts[0].encode()).digest()).decode()
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert f"script-src 'sha256-{digest}'" in policy
    assert not re.search(r"url\(|@import", page_html([section_of(made_analysis())]).decode())


def test_players_are_there_where_there_is_something_to_compare() -> None:
    """Both sounds, named, can be played without the script too; without a master there is neither."""
    compared = Page(page_html([section_of(made_analysis(), made_analysis(), PLAYERS)]))
    alone = Page(page_html([section_of(made_analysis())]))

    assert [each["src"] for each in compared.all("audio")] == [PLAYERS.recording, PLAYERS.master]
    assert all("controls" in each for each in compared.all("audio"))
    assert {each.get("aria-pressed") for each in compared.all("button")} == {None, "true", "false"}
    assert "From 0:30 to 2:30 of the recording." in compared.words
    assert alone.all("audio") == alone.all("script") == []


def test_several_recordings_have_a_table_of_contents() -> None:
    """Each is a section that a link leads to; one alone is named in the title."""
    page = Page(page_html([section_of(made_analysis())] * 3))
    alone = Page(page_html([section_of(made_analysis())]))

    assert [each["href"] for each in page.all("a")] == ["#recording-1", "#recording-2", "#recording-3"]
    assert [each["id"] for each in page.all("article")] == ["recording-1", "recording-2", "recording-3"]
    assert alone.all("a") == []
    assert alone.words.strip().startswith("made.wav")


@pytest.mark.parametrize("frames", [1, 4_800, 48_000])
def test_silence_has_a_page(frames: int) -> None:
    """A recording of nothing, however short, is a page without curves, not an error."""
    page = Page(page_html([section_of(made_analysis(np.zeros((frames, 1), np.float32)))]))

    assert "−∞" in page.words
    assert page.all("path") == []


def test_the_files_of_an_analysis(tmp_path: Path) -> None:
    """Five files, the same bytes for the same recording."""
    (tmp_path / "again").mkdir()

    files = analysis_files(made_analysis(), tmp_path)
    again = analysis_files(made_analysis(), tmp_path / "again")

    assert [path.name for path in files] == [
        *("analysis.json", "waveform.png", "spectrogram.png", "peaks.json", "report.html"),
    ]
    assert [path.read_bytes() for path in files] == [path.read_bytes() for path in again]
