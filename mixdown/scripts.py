"""Scripts become requests: files, text that is given in so many words, rows of a table through a template."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pydantic import ValidationError

from mixdown.errors import InvalidRequest, SourceForbidden, SourceNotFound
from mixdown.items import Item, absolute, address_of, in_a_sentence
from mixdown.items.requests import Defaults, templates
from mixdown.model import Generate, JobSpec, MusicBed, OutputSpec, Source
from mixdown.submission import job_specs, only, size_hint_bytes, sources

if TYPE_CHECKING:
    from mixdown.speech.rows import RowScript

#: What is taken for a script in a folder.
SCRIPT_SUFFIXES = frozenset((".txt", ".md", ".markdown", ".ssml", ".script"))

#: What a row may say of its own file, beside the fields of its template.
_OF_WORK = ("voice", "language", "quality", "rate", "preset", "title")
_OF_OUTPUTS = ("bitrate_kbps", "sample_rate_hz", "channels")


def script_requests(scripts: Iterable[Source], defaults: Defaults) -> Iterator[tuple[JobSpec, Item]]:
    """A request for each script; InvalidRequest or UnknownPreset where what is asked makes no sense."""
    spec = templates(defaults)({})
    for source in scripts:
        item = Item(source=source, size_bytes=size_hint_bytes(source))
        yield spec.model_copy(update={"source": source}), item


def row_requests(rows: Iterable[RowScript], defaults: Defaults) -> Iterator[tuple[JobSpec, Item]]:
    """A request for each row of a table; what a row says of its own file goes before what is asked of all."""
    usual = templates(defaults)({})
    for row in rows:
        source = source_of_text(row.text, f"{row.filename}.txt")
        spec = _own(usual, row.parameters) if row.parameters else usual
        yield spec.model_copy(update={"source": source}), Item(source=source)


def rows_at(rows: Path, template: str, bad: Callable[[str], None]) -> Iterator[RowScript]:
    """A script for each row of a file, through a template: the text of one, or the path of a file that holds it.

    Rows that cannot be used are told to `bad`, in a sentence each, and left out.

    Raises
    ------
    SourceNotFound, SourceForbidden
    InvalidScript
        The template or the table makes no sense.
    """
    from mixdown.speech.rows import BadRow, row_scripts

    text = template if "{{" in template or "{%" in template else _read(Path(template)).decode(errors="replace")
    with _opened(rows) as file:
        for row in row_scripts(file, text):
            if isinstance(row, BadRow):
                bad(row.message)
            else:
                yield row


def _read(path: Path) -> bytes:
    with _opened(path) as file:
        return file.read()


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise SourceNotFound(f"{path.name} does not exist.") from error
    except OSError as error:
        raise SourceForbidden(f"{path.name} cannot be read: {error.strerror}.") from error


def scripts_at(names: Sequence[str]) -> list[Source]:
    """The scripts that names lead to: files, s3:// and https:// addresses, and the scripts below a folder."""
    found: list[Source] = []
    for name in names:
        folder = None if "://" in name else Path(absolute(name))
        if folder is None or not folder.is_dir():
            found.append(only(sources([name])))
            continue
        below = [
            Source(uri=address_of(os.path.realpath(path)), filename=path.name)
            for path in sorted(folder.rglob("*"))
            if path.suffix.lower() in SCRIPT_SUFFIXES and path.is_file() and not path.name.startswith(".")
        ]
        if not below:
            kinds = ", ".join(sorted(SCRIPT_SUFFIXES))
            raise InvalidRequest(f"There is no script in the folder “{folder.name}”: none that ends in {kinds}.")
        found += below
    return found


def source_of_text(text: str, filename: str | None = None) -> Source:
    """A script that travels with its request; InvalidRequest where it is empty or too long."""
    try:
        return Source.of_text(text, filename)
    except ValidationError as error:
        raise InvalidRequest(f"This is no script: {error.errors()[0]['msg']}.") from error
    except ValueError as error:
        raise InvalidRequest(f"This is no script: {error}.") from error


def music_of(name: str) -> MusicBed | None:
    """Music as a person names it: a bed of ours, or a recording; "" is none."""
    if not name:
        return None
    if "/" in name or "." in name or "\\" in name:
        return MusicBed(source=only(sources([name])))
    with in_a_sentence("the name of a bed"):
        return MusicBed(bed=name)


def cast_of(lines: Iterable[str]) -> dict[str, str]:
    """Who speaks with which voice, from `HOST=en-GB` each; InvalidRequest where one is not like that."""
    cast = {}
    for line in lines:
        speaker, equals, voice = line.partition("=")
        if not equals or not speaker.strip() or not voice.strip():
            raise InvalidRequest(f"“{line[:100]}” does not tell who has which voice: write NAME=VOICE.")
        cast[speaker.strip()] = voice.strip()
    return cast


def generate_of(**asked: Any) -> Generate:
    """The work, from what a person said; InvalidRequest names what does not make sense."""
    try:
        return Generate(**{name: value for name, value in asked.items() if value not in ("", None)})
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidRequest(f"{first['loc'][0] if first['loc'] else 'parameters'}: {first['msg']}.") from error


def _own(usual: JobSpec, parameters: Mapping[str, str]) -> JobSpec:
    """The request of a row that says something of its own file; InvalidRequest where that makes no sense."""
    work = {name: value for name, value in parameters.items() if name in _OF_WORK}
    changed: dict[str, Any] = {"work": generate_of(**{**usual.work.model_dump(), **work})} if work else {}
    output = {name: value for name, value in parameters.items() if name in _OF_OUTPUTS}
    if output or "format" in parameters:
        formats = parameters.get("format", "").split("+") if parameters.get("format") else []
        with in_a_sentence("an output"):
            first = OutputSpec.model_validate({**usual.outputs[0].model_dump(), **output})
            changed["outputs"] = tuple(
                OutputSpec.model_validate({**first.model_dump(), "format": each}) for each in formats
            ) or (first,)
    if "deliver_to" in parameters:
        [placed] = job_specs([usual.source], usual.work, usual.outputs, parameters["deliver_to"])
        changed["deliver_to"] = placed.deliver_to
    return usual.model_copy(update=changed)
