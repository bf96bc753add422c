"""JSON and text that any database takes, and gives back unchanged."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixdown.db.lossless import decode, encode, escape, unescape

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20) | st.sampled_from(
    ["", "NaN", "Infinity", "-Infinity", "\x1a", "\x1a0000", "\x00", "\ud800", "\ud83d\ude00", "\\u0000", "🎙"]
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
UNSTORABLE = re.compile("[\\x00\\ud800-\\udfff]")


def strings_in(value: Any) -> list[str]:
    """Every text in a JSON value, keys included."""
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in strings_in(part)]
    if isinstance(value, list):
        return [text for item in value for text in strings_in(item)]
    return [value] if isinstance(value, str) else []


@given(ANY_JSON)
def test_any_value_comes_back_unchanged(value: Any) -> None:
    """Whatever JSON can hold in Python, its infinities included, is what is read again."""
    assert decode(encode(value)) == value


@given(ANY_JSON)
def test_what_is_written_is_strict_json(value: Any) -> None:
    """No bare infinities, no NUL and no lone surrogates: PostgreSQL takes it."""

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is not JSON")

    written = json.loads(encode(value), parse_constant=refuse)

    assert not [text for text in strings_in(written) if UNSTORABLE.search(text)]


def test_not_a_number_stays_not_a_number() -> None:
    """NaN is kept, though it equals nothing."""
    (kept,) = decode(encode([math.nan]))

    assert math.isnan(kept)


def test_infinities_read_as_sql_casts_them() -> None:
    """In the database, silence reads -Infinity, which `::float` understands."""
    assert encode({"lufs": -math.inf}) == '{"lufs":"-Infinity"}'


def test_a_title_that_reads_like_a_number_stays_a_title() -> None:
    """A song called Infinity is not a loudness."""
    assert decode(encode({"title": "Infinity", "lufs": math.inf})) == {"title": "Infinity", "lufs": math.inf}


@given(ANY_TEXT)
def test_any_text_comes_back_unchanged(text: str) -> None:
    """Escaping is undone, and leaves nothing that a database refuses."""
    assert unescape(escape(text)) == text
    assert not UNSTORABLE.search(escape(text))


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"))))
def test_ordinary_text_is_written_as_it_is(text: str) -> None:
    """Only what cannot be stored is written differently."""
    assert escape(text) == text
