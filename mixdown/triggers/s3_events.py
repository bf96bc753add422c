"""`ObjectCreated` messages of S3 (versions 2.1 and later) and of those who speak like it (MinIO says 2.0)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from mixdown.errors import InvalidRequest
from mixdown.items.item import is_recording
from mixdown.triggers.pointers import at

_TEST = "s3:TestEvent"

#: MinIO calls it a creation too when an object only gets other notes: `ObjectCreated:PutTagging`.
_OF_NOTES = ("Tagging", "Retention", "LegalHold")


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """An object that was created."""

    bucket: str
    key: str
    version: str  #: tells one writing of a key from the next

    @property
    def uri(self) -> str:
        """Where it lies."""
        return f"s3://{self.bucket}/{self.key}"


def created(message: Any) -> Iterator[Created]:
    """The recordings that a message tells of; none for a test message, and for objects deleted or restored.

    Raises
    ------
    InvalidRequest
        It is no message of S3's.
    """
    if not isinstance(message, dict):
        raise InvalidRequest("This is no event of S3's: it is no JSON object.")
    if message.get("Event") == _TEST:
        return
    records = message.get("Records")
    if not isinstance(records, list):
        raise InvalidRequest("This is no event of S3's: it has no list “Records”.")
    for record in records:
        if not str(at("/eventVersion", record)).startswith("2."):
            raise InvalidRequest("Events of S3 are understood in version 2.")
        event = str(at("/eventName", record)).removeprefix("s3:")
        if not event.startswith("ObjectCreated:") or event.endswith(_OF_NOTES):
            continue
        bucket, key = at("/s3/bucket/name", record), at("/s3/object/key", record)
        if not (isinstance(bucket, str) and isinstance(key, str) and bucket and key):
            raise InvalidRequest("This is no event of S3's: a record names no bucket or no key.")
        key = unquote_plus(key)  # a form's way: a space is a plus
        if "\0" in key:
            raise InvalidRequest("This is no event of S3's: a key has a NUL in it.")
        if is_recording(key.rpartition("/")[2]):
            yield Created(bucket=bucket, key=key, version=_version(record))


def _version(record: Any) -> str:
    """Of a versioned bucket the version; else what the server says to tell writings apart."""
    version = at("/s3/object/versionId", record)
    if isinstance(version, str) and version not in ("", "null"):
        return version
    others = (at(f"/s3/object/{name}", record) for name in ("eTag", "sequencer"))
    return ":".join(each if isinstance(each, str) else "" for each in others)
