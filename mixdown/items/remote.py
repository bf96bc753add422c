"""Recordings in S3: a prefix is listed page by page, and the listing tells what a look at each would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mixdown.errors import InvalidRequest, SourceNotFound, SourceUnavailable
from mixdown.fetch import source_version
from mixdown.items.item import Item, in_a_sentence, is_recording, shown
from mixdown.model import Source
from mixdown.storage import S3Options, translated

if TYPE_CHECKING:
    from mixdown.storage.s3 import S3Bucket

_ASKED_AT_ONCE = 16


def s3_items(
    address: str,
    options: S3Options | None = None,
    *,
    left_out: Sequence[str] = (),
    looked_up: bool = True,
    page: int = 1_000,
) -> Iterator[Item]:
    """The recordings at an `s3://` address: the object, or everything below a prefix.

    An address without a slash at its end and without a recording's suffix may be either; one request tells,
    unless it is not to be `looked_up`.

    Raises
    ------
    InvalidRequest
        Nothing lies there.
    SourceNotFound, SourceForbidden, SourceUnavailable
        The bucket is not there, or does not answer.
    """
    name, _, key = address[5:].partition("/")
    certain = not looked_up or (is_recording(key.rpartition("/")[2]) and "*" not in key)
    if not name or (key and not key.endswith("/") and certain):  # what is wrong with one is told by who fetches it
        yield _item(address)
        return
    from mixdown.storage.s3 import S3Bucket  # here: it takes a second, and not everyone uses S3

    bucket = S3Bucket(f"s3://{name}", options or S3Options())
    if key and not key.endswith("/"):
        found = next(_listed(bucket, name, key, 1), None)
        if found is not None and found["Key"] == key:
            yield _object(name, found)
            return
        key += "/"
    avoided = tuple(_below(place, name, key) for place in left_out)
    any_found = False
    for found in _listed(bucket, name, key, page):
        parts = found["Key"][len(key) :].split("/")
        if found["Key"].startswith(tuple(filter(None, avoided))) or any(part.startswith(".") for part in parts):
            continue
        if is_recording(parts[-1]):
            any_found = True
            yield _object(name, found)
    if not any_found:
        where = f"below “{shown(key)}” in the bucket “{shown(name)}”" if key else f"in the bucket “{shown(name)}”"
        hint = " An s3:// address takes no *: name what comes before it." if "*" in key else ""
        raise InvalidRequest(f"There is no recording {where}.{hint}")


def versions_of(items: Sequence[Item], options: S3Options | None = None) -> list[str]:
    """The version of each item; those that nobody knows yet are asked for, several at once."""
    unknown = [item.source for item in items if item.version is None]
    if not unknown:
        return [item.version or "" for item in items]
    with ThreadPoolExecutor(_ASKED_AT_ONCE, thread_name_prefix="ask") as pool:
        asked = iter(list(pool.map(lambda source: source_version(source, options), unknown)))
    return [next(asked) if item.version is None else item.version for item in items]


def _listed(bucket: S3Bucket, name: str, prefix: str, page: int) -> Iterator[dict[str, Any]]:
    """Objects whose keys begin like this, in the order of their keys."""
    where: dict[str, Any] = {"Bucket": name, "Prefix": prefix, "MaxKeys": page}
    while True:
        with _s3_errors(bucket, name):
            found = bucket.fs.call_s3("list_objects_v2", **where)
        yield from found.get("Contents", ())
        if not found.get("IsTruncated"):
            return
        where["ContinuationToken"] = found["NextContinuationToken"]


@contextmanager
def _s3_errors(bucket: S3Bucket, name: str) -> Iterator[None]:
    missing = SourceNotFound(f"There is no bucket “{shown(name)}”.")
    with translated(bucket, missing=missing, unavailable=SourceUnavailable):
        yield


def _below(place: str, bucket: str, key: str) -> str:
    """The prefix that a place has below another in the same bucket; empty: it has none."""
    prefix = place.removeprefix(f"s3://{bucket}/").strip("/") + "/"
    return prefix if place.startswith(f"s3://{bucket}/") and prefix.startswith(key) and prefix != key else ""


def _object(bucket: str, found: dict[str, Any]) -> Item:
    etag = str(found["ETag"]).strip('"')
    return _item(f"s3://{bucket}/{found['Key']}", version=etag, size_bytes=int(found["Size"]))


def _item(address: str, **known: Any) -> Item:
    with in_a_sentence("the address of a recording"):
        return Item(source=Source(uri=address), **known)
