"""Multipart forms, taken in as they arrive: files go to the scratch disk, hashed on the way, then into the store.

Whatever their size, little of them is in memory; of a form that breaks off nothing is left.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from mixdown.errors import EmptyFile, InvalidRequest, ScratchFull, SourceTooLarge
from mixdown.model import Source
from mixdown.storage import incoming_key, scratch_errors
from mixdown.studio import Studio

MULTIPART = "multipart/form-data"

#: A form has so many files and fields at most, and so much in its fields.
_MOST_FILES, _MOST_FIELDS, _MOST_FIELD_BYTES = 1000, 32, 1 << 20
#: So much is hashed and written in one go, by a thread.
_AT_ONCE_BYTES = 1 << 20
#: What the disk of work in progress keeps for the work itself, and how often it is asked.
_KEPT_FREE_BYTES, _LOOK_EVERY_BYTES = 256 << 20, 64 << 20
#: What a form takes besides its files.
_OVERHEAD_BYTES = 4 << 20
_LONGEST_NAME = 255
#: A copy that is older may be swept before the job that needs it is written down.
_FRESH = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that came in, on the scratch disk."""

    field: str  #: of the form
    filename: str  #: as its owner calls it; never part of a path here
    path: Path
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What came in."""

    fields: Mapping[str, str]
    files: Sequence[Upload]


def media_type_of(request: Request) -> str:
    """The kind of a request's body, in small letters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


@asynccontextmanager
async def received(request: Request, studio: Studio) -> AsyncIterator[Form]:
    """The form of a request, whole; its files are gone afterwards.

    Raises
    ------
    InvalidRequest
        It is no form, or breaks off.
    SourceTooLarge, EmptyFile, ScratchFull
        Its files cannot be taken in.
    """
    limit_bytes = studio.settings.max_source_bytes
    declared = request.headers.get("content-length", "")
    declared_bytes = int(declared[:20]) if declared.isdecimal() else 0
    if declared_bytes > limit_bytes + _OVERHEAD_BYTES:
        raise _too_large(limit_bytes)
    with ExitStack() as stack:
        folder = await run_in_threadpool(stack.enter_context, studio.workspace())
        _look_for_room(folder, declared_bytes)
        form = stack.enter_context(_Receiver(request.headers.get("content-type", ""), folder, limit_bytes))
        pieces = bytearray()
        try:
            async for piece in request.stream():
                pieces += piece
                if len(pieces) >= _AT_ONCE_BYTES:
                    await run_in_threadpool(form.write, bytes(pieces))
                    pieces.clear()
        except ClientDisconnect as error:
            raise InvalidRequest("The form breaks off before its end.") from error
        yield await run_in_threadpool(form.finish, bytes(pieces))


def store(studio: Studio, upload: Upload) -> Source:
    """A file that came in, in the store, under the hash of its bytes: within reach of every machine."""
    key = incoming_key(upload.sha256, Path(upload.filename).suffix)
    since, folder = datetime.now(UTC) - _FRESH, key.rpartition("/")[0]
    if not any(name == key and at > since for name, _, at in studio.objects.list(folder)):
        studio.objects.put_file(upload.path, key, media_type="application/octet-stream")
    return Source(uri=studio.objects.uri(key), filename=upload.filename or None, sha256=upload.sha256)


@dataclass
class _File:
    name: str
    filename: str
    file: IO[bytes]
    hash: Any = field(default_factory=hashlib.sha256)
    size_bytes: int = 0


class _Receiver:
    """Takes the bytes of a form and makes files and fields of them."""

    def __init__(self, content_type: str, folder: Path, limit_bytes: int) -> None:
        kind, options = parse_options_header(content_type)
        if kind != MULTIPART.encode() or not options.get(b"boundary"):
            raise InvalidRequest("The body is no multipart form with a boundary.")
        self._folder, self._limit_bytes = folder, limit_bytes
        self._fields: dict[str, bytearray] = {}
        self._files: list[Upload] = []
        self._header = (bytearray(), bytearray())
        self._disposition = ""
        self._field: bytearray | None = None
        self._file: _File | None = None
        self._taken_bytes = self._looked_bytes = self._fields_bytes = 0
        self._is_whole = False
        with _as_invalid():
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._begin,
                    "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._open,
                    "on_part_data": self._take,
                    "on_part_end": self._end,
                    "on_end": self._end_form,
                },
            )

    def __enter__(self) -> _Receiver:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.file.close()

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        with _as_invalid(), scratch_errors():
            self._parser.write(data)

    def finish(self, data: bytes) -> Form:
        """Take the last bytes; the form, if that is all of it."""
        self.write(data)
        if not self._is_whole:
            raise InvalidRequest("The form breaks off before its end.")
        fields = {name: _text(value, name) for name, value in self._fields.items()}
        return Form(fields=fields, files=self._files)

    def _begin(self) -> None:
        self._disposition = ""
        self._header = (bytearray(), bytearray())

    def _end_header(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = value.decode("latin-1")
        self._header = (bytearray(), bytearray())

    def _open(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = _text(options.get(b"name", b""), "its name")
        if not name:
            raise InvalidRequest("A part of the form has no name.")
        if b"filename" not in options:
            if name in self._fields or len(self._fields) == _MOST_FIELDS:
                raise InvalidRequest("The form has a field twice, or too many of them.")
            self._field = self._fields[name] = bytearray()
            return
        if len(self._files) == _MOST_FILES:
            raise InvalidRequest(f"The form has more than {_MOST_FILES:,} files.")
        filename = _text(options[b"filename"], "the name of a file").replace("\\", "/").rpartition("/")[2]
        path = self._folder / str(len(self._files))
        self._file = _File(name, filename[-_LONGEST_NAME:], path.open("xb"))

    def _take(self, data: bytes, start: int, end: int) -> None:
        size_bytes = end - start
        if self._file is None:
            self._fields_bytes += size_bytes
            if self._field is None or self._fields_bytes > _MOST_FIELD_BYTES:
                raise InvalidRequest(f"The fields of the form have more than {_MOST_FIELD_BYTES:,} bytes.")
            self._field += data[start:end]
            return
        self._taken_bytes += size_bytes
        if self._taken_bytes > self._limit_bytes:
            raise _too_large(self._limit_bytes)
        if self._taken_bytes - self._looked_bytes > _LOOK_EVERY_BYTES:
            self._looked_bytes = self._taken_bytes
            _look_for_room(self._folder, 0)
        piece = memoryview(data)[start:end]
        self._file.hash.update(piece)
        self._file.file.write(piece)
        self._file.size_bytes += size_bytes

    def _end(self) -> None:
        done, self._file, self._field = self._file, None, None
        if done is None:
            return
        done.file.close()
        if not done.size_bytes:
            raise EmptyFile("A file of the form is empty.")
        self._files.append(
            Upload(
                field=done.name,
                filename=done.filename,
                path=self._folder / str(len(self._files)),
                sha256=done.hash.hexdigest(),
                size_bytes=done.size_bytes,
            )
        )

    def _end_form(self) -> None:
        self._is_whole = True


@contextmanager
def _as_invalid() -> Iterator[None]:
    """Raise InvalidRequest for what the parser refuses."""
    try:
        yield
    except FormParserError as error:
        raise InvalidRequest("The body is no multipart form that can be read.") from error


def _text(value: bytes | bytearray, name: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"In the form {name} is not UTF-8.") from error


def _too_large(limit_bytes: int) -> SourceTooLarge:
    return SourceTooLarge(f"More than {limit_bytes:,} bytes are not accepted.")


def _look_for_room(folder: Path, wanted_bytes: int) -> None:
    if shutil.disk_usage(folder).free < wanted_bytes + _KEPT_FREE_BYTES:
        raise ScratchFull("There is no room for an upload now.")
