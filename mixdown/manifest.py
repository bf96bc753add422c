"""Manifests: lists of recordings with parameters of their own, as CSV, JSON lines or JSON.

Every row is read twice: once to refuse the whole list while nothing has been done, once to give the rows out.
So a list of any length takes the same memory, but for JSON, whose text is held.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import IO, Any, cast

from mixdown.errors import InvalidRequest, SourceForbidden
from mixdown.fetch import fetch
from mixdown.manifest_row import COLUMNS, Row, column, no_column, row_of
from mixdown.model import Limits, Source
from mixdown.storage import S3Options, path_of
from mixdown.strangers import Strangers

__all__ = ["COLUMNS", "Row", "read_manifest"]

#: Bad rows that are told; the others are counted.
_MOST_TOLD = 10
_FETCH_TIMEOUT_S = 120.0
_LARGEST_FETCHED_BYTES = 256 << 20
_SEPARATORS = ",;\t"
_SAID_SEPARATOR = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # a first line of Excel's
_ITEMS = re.compile(r'\s*\{\s*"items"\s*:\s*|\s*')
_SPACE = re.compile(r"[ \t\r\n]*")

#: A line number, with the cells that are not empty or what is wrong there.
Cells = tuple[int, Mapping[str, Any] | InvalidRequest]


def read_manifest(
    place: str,
    *,
    s3: S3Options | None = None,
    check: Callable[[Mapping[str, Any]], object] | None = None,
    strangers: Strangers | None = None,
) -> Iterator[Row]:
    """The rows of a manifest, all of which have been found to be usable.

    Parameters
    ----------
    place : str
        A path, an `s3://` or `https://` address, or `-` for what comes in on stdin.
    s3 : S3Options, optional
        How S3 is reached.
    check : callable, optional
        Raises InvalidRequest for parameters of a row that make no sense together.
    strangers : Strangers, optional
        Whoever asks is not at this machine: only what they may name is read.

    Raises
    ------
    InvalidRequest
        It is no manifest, lists nothing, or has rows that cannot be used: the first ten are told, by line.
    SourceNotFound, SourceForbidden, SourceUnavailable
        It cannot be fetched.
    """
    file, base = _opened(place, s3, strangers)
    with ExitStack() as on_error:
        on_error.callback(file.close)
        _refuse_bad(_cells(file), base, check)
        file.seek(0)
        on_error.pop_all()
    return _rows(file, base)


def _refuse_bad(cells: Iterator[Cells], base: str, check: Callable[[Mapping[str, Any]], object] | None) -> None:
    told: list[str] = []
    rows = bad = 0
    for line, found in cells:
        rows += 1
        try:
            row = _row(line, found, base)
            if check is not None:
                check(row.parameters)
        except InvalidRequest as error:
            bad += 1
            if len(told) < _MOST_TOLD:
                told.append(f"line {line}: {error.message}")
    if not rows:
        raise InvalidRequest("The manifest lists no recording.")
    if bad:
        more = [f"and {bad - len(told):,} more."] if bad > len(told) else []
        what = "1 row" if bad == 1 else f"{bad:,} rows"
        raise InvalidRequest("\n".join([f"{what} of the manifest cannot be used:", *told, *more]))


def _rows(file: IO[str], base: str) -> Iterator[Row]:
    with closing(file):
        for line, found in _cells(file):
            yield _row(line, found, base)


def _row(line: int, found: Mapping[str, Any] | InvalidRequest, base: str) -> Row:
    if isinstance(found, InvalidRequest):
        raise found
    return row_of(line, found, base)


# -- where it lies --------------------------------------------------------------------------------


def _opened(place: str, s3: S3Options | None, strangers: Strangers | None) -> tuple[IO[str], str]:
    """A manifest that can be read twice, and what names in it are relative to."""
    if place == "-":
        return _text(_copy(sys.stdin.buffer)), ""
    path = path_of(place) if "\0" not in place else None
    if path is None or strangers is not None:
        base = place[: place.rfind("/") + 1] if path is None else str(path.parent)
        return _text(_fetched(place, s3, strangers)), base
    path = Path(place).expanduser() if place.startswith("~/") else path
    try:
        file: IO[bytes] = path.open("rb")
        if not file.seekable():  # what a shell gives for <(…)
            with file:
                file = _copy(file)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise InvalidRequest(f"There is no manifest “{path.name}”.") from error
    except OSError as error:
        raise SourceForbidden(f"The manifest “{path.name}” cannot be read ({error.strerror}).") from error
    return _text(file), str(path.parent)


def _fetched(address: str, s3: S3Options | None, strangers: Strangers | None) -> IO[bytes]:
    with tempfile.TemporaryDirectory(prefix="mixdown-manifest-") as folder:
        copy = Path(folder) / "manifest"
        limits = Limits(source_bytes=_LARGEST_FETCHED_BYTES)
        fetch(Source(uri=address), copy, limits=limits, s3=s3, timeout_s=_FETCH_TIMEOUT_S, strangers=strangers)
        return copy.open("rb")  # it is read after its name is gone


def _copy(file: IO[bytes]) -> IO[bytes]:
    copy = tempfile.TemporaryFile(prefix="mixdown-manifest-")  # noqa: SIM115 - its reader closes it
    shutil.copyfileobj(file, copy)
    copy.seek(0)
    return cast("IO[bytes]", copy)


def _text(file: IO[bytes]) -> IO[str]:
    start = file.read(2)
    file.seek(0)
    encoding = "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"  # a sheet saved as “Unicode text”
    return TextIOWrapper(file, encoding=encoding, newline="")  # line ends within quotes are the reader's


# -- how it is written ----------------------------------------------------------------------------


def _cells(file: IO[str]) -> Iterator[Cells]:
    """The rows of a manifest of any kind; which it is, its first sign tells."""
    try:
        first = file.read(1)
        while first and first.isspace():
            first = file.read(1)
        file.seek(0)
        if not first:
            return
        if first not in ("{", "["):
            yield from _csv(file)
        elif first == "{" and _is_object(next((line for line in file if line.strip()), "")):
            file.seek(0)
            yield from _json_lines(file)
        else:
            file.seek(0)
            yield from _json(file.read())
    except UnicodeError as error:
        raise InvalidRequest("The manifest is not UTF-8 text: save a sheet as “CSV UTF-8”.") from error


def _csv(file: IO[str]) -> Iterator[Cells]:
    header, separator, behind = "", "", 0
    for header in file:
        behind += 1
        if said := _SAID_SEPARATOR.fullmatch(header):
            separator = said[1]
        elif header.strip():
            break
    separator = separator or max(_SEPARATORS, key=lambda each: len(_known(header, each)))
    behind -= 1
    reader = csv.reader(chain([header], file), delimiter=separator, strict=True)
    names: list[str] = []
    line = behind
    try:
        names = _header(next(reader, []), behind + 1)
        line = behind + reader.line_num
        for values in reader:
            yield_line, line = line + 1, behind + reader.line_num
            found = _csv_row(names, values)
            if found:
                yield yield_line, found
    except csv.Error as error:
        yield line + 1, InvalidRequest(f"this is no CSV from here on ({error}).")


def _known(header: str, separator: str) -> list[str]:
    return [name for name in map(column, header.replace('"', "").split(separator)) if name in COLUMNS]


def _header(values: list[str], line: int) -> list[str]:
    names = [column(value) if value.strip() else "" for value in values]
    said = [name for name in names if name]
    unknown = [name for name in said if name not in COLUMNS]
    if unknown:
        raise InvalidRequest(f"Line {line} of the manifest names its columns: {no_column(unknown[0])}")
    if "source" not in said:
        raise InvalidRequest(
            f"Line {line} of the manifest has to name its columns, and “source” among them. "
            f"There are: {', '.join(COLUMNS)}."
        )
    twice = [name for name in said if said.count(name) > 1]
    if twice:
        raise InvalidRequest(f"Line {line} of the manifest names the column “{twice[0]}” twice.")
    return names


def _csv_row(names: list[str], values: list[str]) -> Mapping[str, Any] | InvalidRequest:
    cells = [value.strip() for value in values]
    behind = [cell for cell in cells[len(names) :] if cell]
    if behind or any(cell and not name for name, cell in zip(names, cells, strict=False)):
        return InvalidRequest(f"it has more cells than there are columns ({sum(map(bool, names))}).")
    return {name: cell for name, cell in zip(names, cells, strict=False) if cell}


def _is_object(line: str) -> bool:
    """Whether a line is a row by itself."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "items" not in found


def _json_lines(file: IO[str]) -> Iterator[Cells]:
    for line, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            yield line, InvalidRequest("this is no JSON.")
            continue
        yield line, _json_row(value)


def _json(text: str) -> Iterator[Cells]:
    """The rows of a list, or of `{"items": […]}`, one at a time."""
    head = _ITEMS.match(text)
    at = head.end() if head else 0
    decoder, line, counted = json.JSONDecoder(), 1, 0
    if text[at : at + 1] != "[":
        raise InvalidRequest('The manifest is no list: JSON is [ … ], {"items": [ … ]}, or an object on each line.')
    at = _after_space(text, at + 1)
    while text[at : at + 1] != "]":
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            yield line, InvalidRequest("this is no JSON from here on.")
            return
        yield line, _json_row(value)
        at = _after_space(text, at)
        if text[at : at + 1] == ",":
            at = _after_space(text, at + 1)
        elif text[at : at + 1] != "]":
            yield line, InvalidRequest("a comma or the end of the list is missing behind this.")
            return
    if text[at + 1 :].strip() not in ("", "}"):
        raise InvalidRequest(
            "There is something behind the list of the manifest: it may have “items”, and no more."
        )


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _json_row(value: Any) -> Mapping[str, Any] | InvalidRequest:
    if isinstance(value, str):
        return {"source": value}
    if not isinstance(value, dict):
        return InvalidRequest("a row is the name of a recording, or an object.")
    named = [(column(name), each) for name, each in value.items() if each is not None and each not in ("", [])]
    cells = dict(named)
    if len(cells) < len(named):
        return InvalidRequest("a column is there twice.")
    return cells
