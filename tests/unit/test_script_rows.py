"""Rows filled into a template."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import islice

import pytest

from mixdown.errors import InvalidScript
from mixdown.speech.rows import BadRow, RowScript, row_scripts


def _made(rows: str, template: str, filename: str = "") -> list[RowScript | BadRow]:
    return list(row_scripts(io.BytesIO(rows.encode()), template, filename=filename))


def test_each_row_is_a_script() -> None:
    """With a file name, and the parameters that it sets; columns are called so that a template can use them."""
    found = _made(
        "SKU;Unit price (€);Voice\nA/1;3;amy\n../B 2;4;\n",
        "The {{ sku }} costs {{ unit_price }} & {{ row['unit_price'] }}.",
    )

    assert found == [
        RowScript(row=1, text="The A/1 costs 3 & 3.", filename="A-1", parameters={"voice": "amy"}),
        RowScript(row=2, text="The ../B 2 costs 4 & 4.", filename="B 2", parameters={}),
    ]


def test_rows_may_be_json_lines() -> None:
    """Values keep their kinds."""
    found = _made('{"n": 3, "format": ["mp3", "wav"]}\n\n{"n": 4}\n', "{{ n + 1 }}", filename="no {{ n }}")

    assert found == [
        RowScript(row=1, text="4", filename="no 3", parameters={"format": "mp3+wav"}),
        RowScript(row=2, text="5", filename="no 4", parameters={}),
    ]


def test_a_bad_row_is_named_and_its_neighbors_go_on() -> None:
    """Whether it cannot be read or the template cannot be filled with it."""
    found = _made(
        '{"n": 1}\nnope\n[2]\n{"m": 3}\n{"n": [4]}\n{"n": 5}\n',
        "{{ n + 1 }}",
    )

    assert [each.text for each in found if isinstance(each, RowScript)] == ["2", "6"]
    bad = [each.message for each in found if isinstance(each, BadRow)]
    assert bad[:3] == [
        "Row 2: This is no JSON.",
        "Row 3: This is no object of JSON.",
        "Row 4: The template: 'n' is undefined.",
    ]
    assert bad[3].startswith("Row 5: The template: it cannot be filled with this")


def test_csv_with_too_many_cells_or_nothing_to_say() -> None:
    """These rows are bad, too."""
    found = _made('a,b\n1,2,3\n,\n" ",x\n4,\n', "{{ a }}")

    assert [each.message if isinstance(each, BadRow) else each.text for each in found] == [
        "Row 1: It has more cells than there are columns (2).",
        "Row 2: There is nothing to say.",
        "4",
    ]


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(10**9) %}x{% endfor %}",
        "{{ 'a' * 10**10 }}",
        "{{ 7 ** (10**9) }}",
        "{{ a|center(10**10) }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ row.update({'a': 1}) }}",
        "{% include '/etc/passwd' %}",
        "{% for i in range(99999) %}{{ 'x' * 99 }}{% endfor %}",
    ],
)
def test_templates_that_reach_for_too_much_are_refused(template: str) -> None:
    """Of memory, of text, of what is not theirs."""
    try:
        (found,) = _made("a\n1\n", template)
    except InvalidScript:
        return  # It was refused before any row.
    assert isinstance(found, BadRow)


def test_a_template_that_takes_for_ever_is_ended_and_the_next_row_goes_on() -> None:
    """It depends on the row whether it does."""
    endless = (
        "{% if a == '1' %}{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}{% endif %}"
    )

    bad, good = _made("a\n1\n2\n", endless + "{{ a }}")

    assert isinstance(bad, BadRow)
    assert "2 seconds" in bad.message
    assert isinstance(good, RowScript)


@pytest.mark.parametrize(
    ("rows", "template"),
    [("a\n1\n", "{% for"), ("", "x"), ("a,a\n1,2\n", "x"), ("a\n1\n", "x" * 100_001)],
)
def test_what_is_no_template_or_no_rows_is_refused(rows: str, template: str) -> None:
    """Before anything is made."""
    with pytest.raises(InvalidScript):
        _made(rows, template)


def test_rows_are_read_as_they_are_used() -> None:
    """A list without end takes no more memory than a short one."""

    class _Endless(io.RawIOBase):
        def __init__(self) -> None:
            self._lines: Iterator[bytes] = iter(lambda: b"1,hello\n" * 1000, b"")
            self._begun = False

        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return True

        def seek(self, offset: int, whence: int = 0) -> int:
            return 0

        def tell(self) -> int:
            return 0

        def read(self, size: int = -1) -> bytes:
            return b"a," if size == 2 else next(self._lines)

        def read1(self, size: int = -1) -> bytes:
            first, self._begun = not self._begun, True
            return b"a,b\n" if first else next(self._lines)

    found = list(islice(row_scripts(_Endless(), "{{ b }}"), 2500))  # type: ignore[arg-type]

    assert {each.text for each in found if isinstance(each, RowScript)} == {"hello"}
    assert len(found) == 2500
