"""Reading an object of S3 by one request, which is made good where its connection breaks off."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import s3fs
from fsspec.asyn import sync
from s3fs.core import S3_RETRYABLE_ERRORS

_CHUNK_BYTES = 4 << 20
#: A slow engine's bytes are handed on in smaller pieces, so that who reads them can lose patience.
_CHUNK_S = 1.0
_MAX_BREAKS = 3


def chunks(fs: s3fs.S3FileSystem, bucket: str, key: str) -> Iterator[bytes]:
    """The bytes of an object, in order."""
    at_bytes, breaks = 0, 0
    first: dict[str, Any] = {}
    while True:
        rest = {"Range": f"bytes={at_bytes}-", "IfMatch": first["ETag"]} if at_bytes else {}
        try:
            answer = fs.call_s3("get_object", Bucket=bucket, Key=key, **rest)
            first = first or answer
            with _closing(fs, answer["Body"]) as body:
                while chunk := sync(fs.loop, _next, body):
                    at_bytes += len(chunk)
                    yield chunk
            return
        except S3_RETRYABLE_ERRORS:
            breaks += 1
            if breaks == _MAX_BREAKS:
                raise
            if first and at_bytes >= int(first["ContentLength"]):  # it broke off after the last byte
                return


async def _next(body: Any) -> bytes:
    """What comes next: as much as makes a good chunk, or as arrives in a second; nothing at the end."""
    pieces: list[bytes] = []
    wanted_bytes, until_s = _CHUNK_BYTES, time.monotonic() + _CHUNK_S
    while wanted_bytes > 0 and time.monotonic() < until_s:
        piece = await body.read(wanted_bytes)
        if not piece:
            break
        pieces.append(piece)
        wanted_bytes -= len(piece)
    return b"".join(pieces)


@contextmanager
def _closing(fs: s3fs.S3FileSystem, body: Any) -> Iterator[Any]:
    """Hang up on an answer that was not read to its end."""
    try:
        yield body
    finally:
        fs.loop.call_soon_threadsafe(body.close)
