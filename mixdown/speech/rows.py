"""Many short scripts: the rows of a CSV or JSON lines file, each filled into a template of Jinja2."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import chain
from typing import IO, Any

from mixdown.errors import InvalidScript
from mixdown.speech.templates import Filling

#: Columns that say how a row is made; the others are for the template, which may use these, too.
PARAMETERS = (
    *("voice", "language", "quality", "rate", "preset", "title"),
    *("format", "bitrate_kbps", "sample_rate_hz", "channels", "deliver_to"),
)
#: The first of these columns that says something names the files of a row.
NAMES = ("filename", "name", "id", "sku")

_SEPARATORS = ",;\t"
_LONGEST_CHARS, _LONGEST_LINE, _MOST_COLUMNS, _LONGEST_NAME = 100_000, 1_000_000, 500, 120
_NAME = re.compile("[^\\w]+")
_UNNAMEABLE = re.compile(r"[^\w.()+ -]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowScript:
    """What a row says."""

    row: int  #: from 1
    text: str  #: a script
    filename: str  #: of its files, without a suffix
    parameters: Mapping[str, str]  #: those of `PARAMETERS` that it sets, not checked


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that cannot be used."""

    row: int
    message: str  #: a sentence that begins with the number of the row


def row_scripts(
    rows: IO[bytes], template: str, *, filename: str = "", longest_chars: int = _LONGEST_CHARS
) -> Iterator[RowScript | BadRow]:
    """A script for each row; a bad row is named, and the others go on.

    Parameters
    ----------
    rows : file of bytes
        CSV with a line of names, or JSON lines; UTF-8, or UTF-16 with its mark. It is read as it is used.
    template : str
        Jinja2; values are the columns by their names in small letters with `_` between words, and all as `row`.
    filename : str
        A template of file names. "": the column filename, name, id or sku, else `row-00001`.
    longest_chars : int
        A row with a longer text is bad.

    Raises
    ------
    InvalidScript
        When the first row is asked for: the template is none, or the rows are neither CSV nor JSON lines.
    """
    with ExitStack() as children:
        script = children.enter_context(Filling(template, longest_chars=longest_chars))
        named = children.enter_context(Filling(filename, longest_chars=2_000)) if filename else None
        for number, values in enumerate(_rows(rows), 1):
            try:
                if isinstance(values, str):
                    raise InvalidScript(values)
                text = script.text(values)
                if not text.strip():
                    raise InvalidScript("There is nothing to say.")
                name = named.text(values) if named else _name(values)
            except InvalidScript as error:
                yield BadRow(row=number, message=f"Row {number:,}: {error.message}")
                continue
            yield RowScript(
                row=number,
                text=text,
                filename=_file_name(name) or f"row-{number:05}",
                parameters={key: _plain(values[key]) for key in PARAMETERS if _plain(values.get(key))},
            )


def _rows(file: IO[bytes]) -> Iterator[Mapping[str, Any] | str]:
    """The rows by the names of their columns; a sentence where one cannot be read."""
    start = file.read(2)
    file.seek(0)
    encoding = "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = TextIOWrapper(file, encoding=encoding, newline="")
    try:
        first = ""
        while not first.strip():
            first = text.readline(_LONGEST_LINE)
            if not first:
                raise InvalidScript("There are no rows.")
        lines = chain([first], iter(lambda: text.readline(_LONGEST_LINE), ""))
        yield from _json_lines(lines) if first.lstrip().startswith("{") else _csv(first, lines)
    except UnicodeError as error:
        raise InvalidScript("The rows are not UTF-8 text: save a sheet as “CSV UTF-8”.") from error
    finally:
        text.detach()  # Who opened the file closes it.


def _csv(first: str, lines: Iterator[str]) -> Iterator[Mapping[str, Any] | str]:
    reader = csv.reader(lines, delimiter=max(_SEPARATORS, key=first.count), strict=True)
    try:
        names = [_column(name) for name in next(reader)]
        said = [name for name in names if name]
        if len({*said}) < len(said) or not said or len(names) > _MOST_COLUMNS:
            raise InvalidScript("The first line of the rows names the columns, each once.")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if any(cell.strip() for cell in cells[len(names) :]):
                yield f"It has more cells than there are columns ({len(said)})."
                continue
            filled = [*cells, *[""] * (len(names) - len(cells))]
            yield {name: cell.strip() for name, cell in zip(names, filled, strict=False) if name}
    except csv.Error as error:
        yield f"This is no CSV from here on ({error})."


def _json_lines(lines: Iterator[str]) -> Iterator[Mapping[str, Any] | str]:
    for line in lines:
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            yield "This is no JSON."
            continue
        if isinstance(found, dict):
            yield {_column(name): value for name, value in found.items() if _column(name)}
        else:
            yield "This is no object of JSON."


def _column(name: str) -> str:
    """A name that a template can use: `Unit price (€)` is `unit_price`."""
    plain = _NAME.sub("_", name.strip().lower()).strip("_")
    return f"_{plain}" if plain[:1].isdigit() else plain


def _name(values: Mapping[str, Any]) -> str:
    return next((name for column in NAMES if (name := _plain(values.get(column)))), "")


def _file_name(name: str) -> str:
    """A name that every system takes: no folders, no signs of a shell, no dot to begin with."""
    plain = _UNNAMEABLE.sub("-", name.replace("\\", "-")).strip(" .-")
    while len(plain.encode()) > _LONGEST_NAME:
        plain = plain[:-1]
    return plain.strip(" .-")


def _plain(value: object) -> str:
    """A value as text; none and lists of other things are not."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return "+".join(value)
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
