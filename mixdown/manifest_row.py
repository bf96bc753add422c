"""One row of a manifest: what its columns may hold."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, get_args
from urllib.parse import quote, urljoin

from mixdown.errors import InvalidRequest
from mixdown.model import AudioFormat, NeverWorse, NoiseReduction, Source, sources_of, with_sources
from mixdown.model.requests import SampleRateHz
from mixdown.step_text import parse_step

_BETWEEN_FORMATS = re.compile(r"[\s+,;/|]+")
#: A line of a cell that holds several steps; what stands in quotes belongs together.
_STEP = re.compile(r"""(?:[^;\r\n"']|"[^"]*"|'[^']*'|["'])+""")
_LONGEST_ADDRESS, _LONGEST_NAME = 4096, 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A recording that a manifest lists."""

    line: int  #: where it begins, counted from 1
    source: str  #: a path from the root on, or an address
    claims: Mapping[str, str]  #: filename and sha256, those that are said
    parameters: Mapping[str, Any]  #: the others; values can be hashed


def row_of(line: int, cells: Mapping[str, Any], base: str) -> Row:
    """A row from its cells, those that are not empty; names in it are relative to `base`.

    Raises
    ------
    InvalidRequest
        The sentence begins with the column that is meant, where one is.
    """
    unknown = [name for name in cells if name not in COLUMNS]
    if unknown:
        raise InvalidRequest(no_column(unknown[0]))
    if "source" not in cells:
        raise InvalidRequest("source: it is missing.")
    parameters = tuple((name, _frozen(value)) for name, value in cells.items() if name not in _OF_SOURCE)
    claims = {name: _CLAIMS[name](cells[name]) for name in _CLAIMS if name in cells}
    source = placed(_name(cells["source"], "source", _LONGEST_ADDRESS), base)
    return Row(line=line, source=source, claims=claims, parameters=_parameters(parameters, base))


def column(name: object) -> str:
    """A column by the name that somebody gave it: `Noise Reduction` is `denoise`."""
    plain = re.sub(r"[\s-]+", "_", str(name).strip().lower())
    return {"noise_reduction": "denoise", "step": "steps", "formats": "format"}.get(plain, plain)


def no_column(name: str) -> str:
    """The sentence for a column that there is not."""
    return f"there is no column “{_short(name)}”. There are: {', '.join(COLUMNS)}."


def placed(name: str, base: str) -> str:
    """What a name in a manifest means, which lies in the folder or below the prefix `base`; empty: right here."""
    if "://" in name or name[:5].lower() == "file:":
        return name
    scheme = base.partition("://")[0].lower() if "://" in base else ""
    if scheme.startswith("http"):
        if name.startswith(("/", "~")):
            raise InvalidRequest("source: a manifest from the web cannot name files of this machine.")
        return urljoin(base, quote(name))
    if name.startswith(("/", "~")):
        return name
    if not scheme:
        return os.path.join(base, name) if base else name  # noqa: PTH118 - as it is written, and quickly
    bucket, _, folder = base.partition("://")[2].partition("/")
    key = os.path.normpath(f"/{folder}/{name}").lstrip("/") + ("/" if name.endswith("/") else "")
    return f"{scheme}://{bucket}/{key}"


@lru_cache(maxsize=1024)
def _parameters(cells: tuple[tuple[str, Any], ...], base: str) -> Mapping[str, Any]:
    """What the cells of a row mean, but for its source. Many rows say the same."""
    return {name: _PARAMETERS[name](value, base) for name, value in cells}


def _frozen(value: Any) -> Any:
    """A JSON value that can be hashed."""
    if isinstance(value, list):
        return tuple(_frozen(each) for each in value)
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else value


# -- what a column takes --------------------------------------------------------------------------


def _name(value: Any, column: str, longest: int) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidRequest(f"{column}: this is no text.")
    if "\0" in value or len(value) > longest:
        raise InvalidRequest(f"{column}: a text of at most {longest:,} characters, without a NUL in it.")
    return value


def _filename(value: Any) -> str:
    return _name(value, "filename", _LONGEST_NAME)


def _sha256(value: Any) -> str:
    text = str(value).lower()
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise InvalidRequest("sha256: 64 hexadecimal digits are wanted.")
    return text


def _text(column: str) -> Callable[[Any, str], str]:
    return lambda value, _: _name(value, column, _LONGEST_NAME)


def _one_of(column: str, kinds: type[StrEnum]) -> Callable[[Any, str], str]:
    def read(value: Any, _: str) -> str:
        text = str(value).strip().lower()
        if isinstance(value, float | str) and re.fullmatch(r"\d+\.0+", text):  # a sheet that takes it for a number
            text = text.partition(".")[0]
        if text not in [*kinds]:
            raise InvalidRequest(f"{column}: “{_short(text)}” is none of {', '.join(kinds)}.")
        return text

    return read


def _formats(value: Any, base: str) -> tuple[str, ...]:
    names = value if isinstance(value, tuple) else [each for each in _BETWEEN_FORMATS.split(str(value)) if each]
    one = _one_of("format", AudioFormat)
    found = tuple(dict.fromkeys(one(each, base) for each in names))
    if not found:
        raise InvalidRequest(f"format: one or several of {', '.join(AudioFormat)}.")
    return found


def _number(column: str, words: str, allowed: Callable[[int], bool]) -> Callable[[Any, str], int]:
    def read(value: Any, _: str) -> int:
        text = str(value).strip()
        number = int(text.partition(".")[0]) if re.fullmatch(r"[0-9]{1,9}(\.0*)?", text) else None
        if number is None or isinstance(value, bool) or not allowed(number):
            raise InvalidRequest(f"{column}: “{_short(text)}” is not {words}.")
        return number

    return read


def _deliver_to(value: Any, base: str) -> str:
    name = _name(value, "deliver_to", _LONGEST_ADDRESS)
    if base.lower().startswith("http") and "://" not in name:
        raise InvalidRequest("deliver_to: a manifest from the web has to say the whole address.")
    return placed(name, base)


def _notify_url(value: Any, _: str) -> str:
    if not isinstance(value, str) or not re.match("https?://", value):
        raise InvalidRequest("notify_url: it begins with https:// or http://.")
    return value


def _steps(value: Any, base: str) -> tuple[str, ...]:
    """Steps as text that means the same everywhere."""
    if isinstance(value, tuple):
        lines = [str(each) for each in value]
    else:
        text = str(value).strip()
        lines = [text] if text.startswith("{") else [line.strip() for line in _STEP.findall(text)]
    return tuple(_step(line, base) for line in lines if line)


def _step(line: str, base: str) -> str:
    try:
        step = parse_step(line)
    except InvalidRequest as error:
        raise InvalidRequest(f"steps: {error.message}") from error
    if not sources_of(step):
        return line

    def moved(source: Source) -> Source:
        return source.model_copy(update={"uri": placed(source.uri, base)})

    return with_sources(step, moved).model_dump_json()


def _any_of(numbers: tuple[int, ...]) -> Callable[[int], bool]:
    return lambda number: number in numbers


_RATES_HZ = get_args(SampleRateHz)
_CLAIMS: dict[str, Callable[[Any], str]] = {"filename": _filename, "sha256": _sha256}
_OF_SOURCE = frozenset(("source", *_CLAIMS))
_PARAMETERS: dict[str, Callable[[Any, str], Any]] = {
    "preset": _text("preset"),
    "denoise": _one_of("denoise", NoiseReduction),
    "format": _formats,
    "bitrate_kbps": _number("bitrate_kbps", "a number from 24 to 512", lambda kbps: 24 <= kbps <= 512),
    "sample_rate_hz": _number("sample_rate_hz", f"one of {', '.join(map(str, _RATES_HZ))}", _any_of(_RATES_HZ)),
    "channels": _number("channels", "1 or 2", _any_of((1, 2))),
    "bit_depth": _number("bit_depth", "16 or 24", _any_of((16, 24))),
    "deliver_to": _deliver_to,
    "notify_url": _notify_url,
    "never_worse": _one_of("never_worse", NeverWorse),
    "steps": _steps,
    "title": _text("title"),
}

#: Every column, in the order in which they are told.
COLUMNS = ("source", *_CLAIMS, *_PARAMETERS)


def _short(text: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in text)[:60]
