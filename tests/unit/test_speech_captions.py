"""Captions: what is on show when, in rows that can be read."""

from __future__ import annotations

import itertools
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixdown.model import Line
from mixdown.speech.captions import srt, webvtt
from mixdown.speech.timing import SpokenLine

_CUE = re.compile(r"(\d+):(\d\d):(\d\d)[.,](\d{3}) --> (\d+):(\d\d):(\d\d)[.,](\d{3})")


def spoken(text: str, start_s: float, end_s: float, speaker: str = "") -> SpokenLine:
    return SpokenLine(line=Line(text=text, said=text, speaker=speaker), start_s=start_s, end_s=end_s)


def cues(captions: str) -> list[tuple[float, float, list[str]]]:
    """From when to when, in seconds, and the rows, of SubRip."""
    found = []
    for block in captions.split("\n\n"):
        rows = block.strip("\n").split("\n")
        if len(rows) < 3:
            continue
        matched = _CUE.fullmatch(rows[1])
        assert matched
        hours, minutes, seconds, rest, *last = map(int, matched.groups())
        start_s = hours * 3600 + minutes * 60 + seconds + rest / 1000
        end_s = last[0] * 3600 + last[1] * 60 + last[2] + last[3] / 1000
        found.append((start_s, end_s, rows[2:]))
    return found


def width(row: str) -> int:
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in row
    )


def test_subrip_is_numbered_and_has_a_comma() -> None:
    """From one, with an empty line between."""
    captions = srt([spoken("Hello there.", 0.0, 1.5), spoken("Goodbye.", 3_661.25, 3_662.75)])

    assert captions == (
        "1\n00:00:00,000 --> 00:00:01,500\nHello there.\n\n2\n01:01:01,250 --> 01:01:02,750\nGoodbye.\n"
    )


def test_webvtt_says_who_speaks_and_escapes_what_it_takes_for_markup() -> None:
    """W3C: a header, a point, `<v Name>`, references for `&`, `<` and `>`."""
    captions = webvtt([spoken("Is a --> b & c < d?", 0.0, 2.0, "Tom & Ann"), spoken("Yes.", 2.5, 3.5)])

    assert captions == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n<v Tom &amp; Ann>Is a --&gt; b &amp; c &lt; d?\n"
        "\n00:00:02.500 --> 00:00:03.500\nYes.\n"
    )


def test_nothing_said_is_no_caption() -> None:
    """The header alone."""
    assert (srt([]), webvtt([])) == ("", "WEBVTT\n")
    assert srt([spoken("  ", 0.0, 1.0)]) == ""


def test_a_long_sentence_is_divided_where_its_clauses_end() -> None:
    """Rather than into equal parts, and in time with its letters."""
    text = (
        "When the old man had finished his supper and put out the lamp, he went to the window once more, "
        "because he had heard something outside, and looked down on the empty street."
    )

    captions = cues(srt([spoken(text, 10.0, 20.0)]))

    assert [" ".join(rows) for *_, rows in captions[:1]] == [
        "When the old man had finished his supper and put out the lamp,"
    ]
    assert all(" ".join(rows)[-1] in ",." for *_, rows in captions)
    assert captions[0][0] == 10.0
    assert captions[-1][1] == 20.0


def test_rows_break_behind_a_comma() -> None:
    """Where that leaves two rows of about one length."""
    [(_, _, rows)] = cues(srt([spoken("He opened the wooden door, and nobody was there.", 0.0, 3.0)]))

    assert rows == ["He opened the wooden door,", "and nobody was there."]


def test_slow_speech_is_divided_by_time() -> None:
    """Nothing is on show for more than seven seconds."""
    captions = cues(srt([spoken("Slowly he speaks and slowly.", 0.0, 20.0)]))

    assert len(captions) >= 3
    assert all(end_s - start_s <= 7.001 for start_s, end_s, _ in captions)


def test_a_word_is_on_show_for_a_second_where_there_is_room() -> None:
    """And no longer than to the next."""
    captions = cues(srt([spoken("No.", 0.0, 0.3), spoken("Yes.", 0.7, 0.9), spoken("Well.", 5.0, 5.2)]))

    assert [caption[:2] for caption in captions] == [(0.0, 0.7), (0.7, 1.7), (5.0, 6.0)]


@pytest.mark.parametrize(
    "text",
    [
        "我们昨天晚上在城里最好的饭馆吃了一顿非常丰盛的晚饭，然后沿着河边慢慢地走回家，一路上谁也没有说话。" * 2,
        "昨日の夜、私たちは町で一番おいしいレストランで夕食を食べて、それから川沿いをゆっくり歩いて家に帰りました。",
        "เมื่อคืนนี้เราไปกินข้าวเย็นที่ร้านอาหารที่ดีที่สุดในเมืองแล้วก็เดินกลับบ้านช้าๆริมแม่น้ำโดยไม่มีใครพูดอะไรเลยสักคำเดียว",
        "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3,
    ],
)
def test_what_has_no_spaces_is_divided_too(text: str) -> None:
    """Rows of 42 letters, 21 of Chinese and Japanese; no row begins with a stop or with a part of a letter."""
    captions = cues(srt([spoken(text, 0.0, 12.0)]))

    rows = [row for *_, shown in captions for row in shown]
    assert "".join(rows) == text
    assert all(width(row) <= 42 for row in rows)
    assert not [row for row in rows if row[0] in "、，。" or unicodedata.category(row[0]).startswith("M")]


_WORD = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Z", "M"]), min_size=1, max_size=60)
_TEXT = st.lists(_WORD, min_size=1, max_size=40).map(" ".join)
_TIMED = st.lists(
    st.tuples(_TEXT, st.floats(0.0, 3.0), st.floats(0.0, 30.0), st.sampled_from(["", "Ann", "B & <C>"])), max_size=8
)


@given(_TIMED)
def test_captions_never_overlap_and_have_every_word_once(timed: list[tuple[str, float, float, str]]) -> None:
    """In order, times rising, two rows of 42 at most, seven seconds at most: whatever is said, however fast."""
    lines, at_s = [], 0.0
    for text, gap_s, duration_s, speaker in timed:
        start_s = round(at_s + gap_s, 3)
        at_s = round(start_s + duration_s, 3)
        lines.append(spoken(text, start_s, at_s, speaker))

    captions = cues(srt(lines))

    shown = "".join("".join(rows) for *_, rows in captions)
    assert "".join(shown.split()) == "".join("".join(text.split()) for text, *_ in timed).replace("-->", "→")
    assert all(start_s < end_s <= start_s + 7.002 for start_s, end_s, _ in captions)
    assert all(end_s <= start_s for (_, end_s, _), (start_s, *_) in itertools.pairwise(captions))
    assert all(len(rows) <= 2 and all(width(row) <= 42 for row in rows) for *_, rows in captions)
    assert webvtt(lines).count(" --> ") == len(captions)
