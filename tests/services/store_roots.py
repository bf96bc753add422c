"""Stores of every kind for tests, and ways to reach behind their backs."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass

import fsspec

from mixdown.model import StoredObject
from mixdown.storage import ObjectStore, staged_key
from tests.services.s3_server import S3

RESULT_KEY = hashlib.sha256(b"a result").hexdigest()
JOB = uuid.UUID(int=1)
BODY = bytes(range(256)) * 4096


@dataclass(frozen=True, kw_only=True)
class Root:
    """Where a store keeps its objects, and how to reach behind its back."""

    url: str
    s3: S3 | None = None

    def open(self) -> ObjectStore:
        """A new store, as another process would have it."""
        return ObjectStore(self.url, s3=self.s3.options if self.s3 else None)

    def write(self, uri: str, body: bytes) -> None:
        """Replace what lies at an address, behind the store's back."""
        path = ObjectStore("/").local_path(uri)
        if path:
            path.unlink()  # a promoted object shares its file with the staged one
            path.write_bytes(body)
        elif self.s3:
            self.s3.client.put_object(Bucket=self.s3.bucket, Key=uri.split("/", 3)[3], Body=body)
        else:
            fsspec.filesystem("memory").pipe_file(uri, body)

    def flip_a_bit(self, uri: str) -> None:
        """Damage an object without changing its size."""
        body = bytearray(self.open().read_bytes(uri))
        body[len(body) // 2] ^= 1
        self.write(uri, bytes(body))


def stage(store: ObjectStore, body: bytes = BODY, name: str = "0.mp3") -> StoredObject:
    """A staged object."""
    return store.put_bytes(body, staged_key(JOB, name), media_type="audio/mpeg")
