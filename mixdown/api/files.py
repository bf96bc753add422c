"""A file of a result, handed out by this process: from the disk in ranges, from elsewhere whole."""

from __future__ import annotations

import stat
from itertools import chain
from urllib.parse import quote

from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from mixdown.api.problems import problem
from mixdown.api.results import File
from mixdown.errors import FileNotFound
from mixdown.storage import ObjectStore

#: What Starlette answers to a `Range` that is none, and to one that lies outside of the file.
_SENTENCES = {
    400: ("invalid_range", "The header Range is to be as in bytes=0-1023."),
    416: ("range_not_satisfiable", "The file has no such range of bytes."),
}


class RangedFile(FileResponse):
    """A file, or ranges of it; Starlette's own refusals of ranges are told as problems."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        refused = False

        async def told(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] in _SENTENCES:
                refused = True
                status: int = message["status"]
                code, detail = _SENTENCES[status]
                of = {name.decode(): value.decode() for name, value in message["headers"]}
                kept = {"content-range": of["content-range"]} if "content-range" in of else None
                await problem(status, code, detail, headers=kept)(scope, receive, send)
            elif not refused:
                await send(message)

        await super().__call__(scope, receive, told)


def handed_out(objects: ObjectStore, file: File) -> Response:
    """The answer that is a file; FileNotFound if it is gone."""
    headers = {
        "etag": f'"{file.object.sha256}"',
        "cache-control": "private, no-cache",
        "x-content-type-options": "nosniff",
    }
    path = objects.local_path(file.object.uri) if objects.owns(file.object.uri) else None
    if path is None:
        chunks = objects.chunks_of(file.object)
        first = next(chunks, b"")  # what cannot be had is told before the answer begins
        headers["content-length"] = str(file.object.size_bytes)
        headers["content-disposition"] = f"attachment; filename*=UTF-8''{quote(file.filename, safe='')}"
        return StreamingResponse(chain((first,), chunks), headers=headers, media_type=file.object.media_type)
    try:
        there = path.lstat()
    except OSError as error:
        raise FileNotFound from error
    if not stat.S_ISREG(there.st_mode):
        raise FileNotFound
    return RangedFile(
        path, headers=headers, media_type=file.object.media_type, filename=file.filename, stat_result=there
    )
