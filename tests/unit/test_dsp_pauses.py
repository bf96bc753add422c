"""Where a recording may be cut."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mixdown.dsp.pauses import MARGIN_S, Span, kept_spans, quietest_span, speech_extent
from mixdown.dsp.voice_map import MUSIC, NOISE, SILENCE, SPEECH, VoiceMap

_LEVELS_LUFS = {".": -120.0, "n": -60.0, "L": -30.0, "S": -20.0, "M": -18.0, "b": -45.0}
_KINDS = {".": SILENCE, "n": NOISE, "L": NOISE, "S": SPEECH, "M": MUSIC, "b": NOISE}


def heard(course: str) -> VoiceMap:
    """A map from letters, one per 100 ms: . silence, n room, b breath, L laughter, S speech, M music."""
    return VoiceMap(
        step_s=0.1,
        kinds=np.array([_KINDS[letter] for letter in course], np.uint8),
        level_lufs=np.array([_LEVELS_LUFS[letter] for letter in course], np.float32),
        noise_floor_dbfs=-60.0,
    )


def times(spans: list[Span | None]) -> list[tuple[float, float]]:
    return [(round(span.start_s, 3), round(span.end_s, 3)) for span in spans if span is not None]


def kept(course: str, **changes: object) -> list[tuple[float, float]]:
    settings = {"trim": True, "keep_s": 0.3, "shorten_to_s": None, **changes}
    return times(kept_spans(heard(course), len(course) / 10, **settings))  # type: ignore[arg-type]


def test_both_ends_are_trimmed_to_what_is_kept():
    """Silence before the first and after the last word is cut, but for `keep_s`."""
    assert kept("n" * 20 + "SSSSS" + "n" * 30 + "SSS" + "." * 10) == [(1.7, 6.1)]


def test_less_silence_than_is_kept_stays():
    """Nothing is cut where there is no more silence than is to be left."""
    assert kept("nSSSnn") == [(0.0, 0.6)]


@pytest.mark.parametrize("keep_s", [0.0, 0.1])
def test_words_keep_their_margin(keep_s: float):
    """However little is asked for, 150 ms stay around a word."""
    assert kept("n" * 10 + "SS" + "n" * 10, keep_s=keep_s) == [(0.85, 1.35)]


def test_long_pauses_become_as_long_as_asked_for():
    """Half of what is left of a pause stays on each side; short pauses are left alone."""
    course = "SSS" + "n" * 5 + "SSS" + "n" * 40 + "MM"

    assert kept(course, shorten_to_s=1.0) == [(0.0, 1.6), (4.6, 5.3)]


def test_shortened_pauses_keep_the_margin_of_their_words():
    """However short pauses are to become, 150 ms stay on each side."""
    assert kept("SSS" + "n" * 20 + "SSS", shorten_to_s=0.1) == [(0.0, 0.45), (2.15, 2.6)]


def test_ends_are_left_where_only_pauses_are_shortened():
    """Without trimming, the recording begins and ends as it did."""
    course = "n" * 30 + "S" + "n" * 30 + "S" + "n" * 30

    assert kept(course, trim=False, shorten_to_s=0.5) == [
        (0, 3.35),
        (5.85, 9.2),
    ]


def test_a_breath_is_not_cut():
    """What stands out of the pauses stays whole: a breath before a word, laughter after it."""
    assert kept("n" * 20 + "bbb" + "SS" + "n" * 20 + "LLLL" + "n" * 20) == [(1.7, 5.2)]


def test_muted_pauses_do_not_make_an_event_of_every_rustle():
    """In digital silence, faint noise is still part of the pause; laughter is not."""
    assert kept("." * 40 + "n" * 5 + "SS" + "." * 40) == [(4.2, 5.0)]
    assert kept("." * 40 + "LL" + "." * 10 + "SS" + "." * 40) == [(3.7, 5.7)]


def test_the_rest_after_the_last_step_belongs_to_the_last_word():
    """A word that goes on to the end is not cut short by the part of a step that is not in the map."""
    assert times(kept_spans(heard("nnnnSS"), 0.66, trim=True, keep_s=0.0, shorten_to_s=None)) == [(0.25, 0.66)]


@pytest.mark.parametrize("course", ["", "....", "nnnn", "nnLLn"])
def test_a_recording_without_programme_is_kept_whole(course: str):
    """Where nobody speaks and nothing plays, silence cannot be told from what is wanted."""
    assert kept(course, shorten_to_s=0.3) == ([(0.0, len(course) / 10)] if course else [])


@given(
    kinds=arrays(np.uint8, st.integers(0, 60), elements=st.integers(0, 3)),
    level_lufs=st.floats(-70, -10),
    rest_s=st.floats(0, 0.099),
    trim=st.booleans(),
    keep_s=st.floats(0, 2),
    shorten_to_s=st.none() | st.floats(0.1, 3),
)
def test_speech_and_music_are_never_cut(kinds, level_lufs, rest_s, trim, keep_s, shorten_to_s):
    """Whatever the course: the spans are in order and hold every step of programme with its margin."""
    duration_s = len(kinds) * 0.1 + rest_s
    voice_map = VoiceMap(0.1, kinds, np.full(len(kinds), level_lufs, np.float32), -60.0)

    spans = kept_spans(voice_map, duration_s, trim=trim, keep_s=keep_s, shorten_to_s=shorten_to_s)

    edges = [edge for span in spans for edge in (span.start_s, span.end_s)]
    assert edges == sorted(edges)
    assert not edges or (edges[0] >= 0.0 and edges[-1] <= duration_s)
    for step in np.flatnonzero(kinds >= SPEECH):
        start_s = max(0.0, step * 0.1 - MARGIN_S)
        end_s = min(duration_s, (step + 1) * 0.1 + MARGIN_S)
        assert any(span.start_s <= start_s + 1e-9 and span.end_s >= end_s - 1e-9 for span in spans)


def test_speech_reaches_from_the_first_word_to_the_last():
    """Music and noise around are not speech."""
    extent = speech_extent(heard("MMnnSSnnnSSnMM"))

    assert times([extent]) == [(0.4, 1.1)]
    assert speech_extent(heard("nnMMM")) is None


def test_room_tone_is_the_quietest_stretch_away_from_words():
    """The stretch whose loudest step is quietest, without its neighbors' words and without breath."""
    course = "SS" + "n" * 10 + "b" + "n" * 16 + "SS"

    found = quietest_span(heard(course), 1.0)

    assert times([found]) == [(1.3, 2.7)]


def test_room_tone_is_not_digital_silence_where_there_is_a_room():
    """Muted parts are quieter, but they are not the room."""
    found = quietest_span(heard("." * 20 + "SSS" + "n" * 20 + "SSS"), 1.0)

    assert times([found]) == [(2.5, 4.1)]
    silent = quietest_span(heard("." * 20 + "SSS"), 1.0)
    assert times([silent]) == [(0.0, 1.8)]


def test_no_room_tone_where_there_is_no_pause():
    """A pause that is too short is none."""
    assert quietest_span(heard("SSSnnnnnSSS"), 0.5) is None
    assert quietest_span(heard(""), 0.5) is None


def test_a_map_tells_spans_shares_and_the_loudness_of_speech():
    """Spans of one kind, at least so long; the part they make up; and speech alone, gated."""
    voice_map = heard("SSnSSSSnnM")

    assert times(voice_map.spans(SPEECH)) == [(0.0, 0.2), (0.3, 0.7)]
    assert times(voice_map.spans(SPEECH, 0.3)) == [(0.3, 0.7)]
    assert voice_map.share(SPEECH) == pytest.approx(0.6)
    assert voice_map.speech_lufs == pytest.approx(-20.0, abs=0.01)
    assert heard("nn").speech_lufs == -math.inf
    assert heard("").share(MUSIC) == 0.0
