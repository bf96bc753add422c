"""The object store: verified in, verified out, never one result over another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from mixdown.errors import CorruptObject, InvalidRequest, SourceNotFound, StorageUnavailable
from mixdown.model import StoredObject
from mixdown.storage.bucket import Bucket
from mixdown.storage.faults import scratch_errors, translated
from mixdown.storage.folder import Folder, path_of, read_chunks
from mixdown.storage.keys import checked_key, names_beside, safe_name
from mixdown.storage.options import S3Options
from mixdown.storage.place import Place

#: Where a stranger's job may have copies delivered; other fsspec addresses are for operators to choose.
_DELIVERABLE = ("file://", "s3://", "memory://")

#: fsspec knows these, but can only read them, or takes another machine's name for a folder of this one.
_UNSUITABLE = ("file:", "local:", "http:", "https:", "data:")


def open_place(url: str, s3: S3Options | None) -> Place:
    """The folder or bucket that an address names."""
    path = path_of(str(Path(url).expanduser()) if url.startswith("~/") else url)
    if path is not None:
        return Folder(path)
    if not url.startswith("s3://"):
        if url.startswith(_UNSUITABLE):
            raise InvalidRequest(f"Nothing can be stored at {url}: it takes a folder or s3://bucket/prefix.")
        return Bucket(url)
    from mixdown.storage.s3 import S3Bucket  # here: it takes a second, and not everyone uses S3

    return S3Bucket(url, s3 or S3Options())


class ObjectStore:
    """Objects under a root: a folder (path or `file://`), `memory://`, `s3://bucket/prefix`.

    Every write is verified by reading back what the store holds. Engines differ in which checksums they
    check on the way in (moto takes wrong ones) and none checks a read, so our own SHA-256 over the bytes
    that come back is the one proof that holds everywhere; it costs one more pass over a master.
    """

    def __init__(self, root_url: str, *, s3: S3Options | None = None) -> None:
        self._s3 = s3
        self._place = open_place(root_url, s3)
        self._swept: set[Path] = set()

    def __repr__(self) -> str:
        return f"ObjectStore({self._place.label})"

    @property
    def root(self) -> str:
        """The address of the store itself."""
        return self._place.uri("")

    @property
    def is_local(self) -> bool:
        """Whether the objects are files of this machine."""
        return isinstance(self._place, Folder)

    def owns(self, uri: str) -> bool:
        """Whether an address is under the root of this store."""
        return self._place.name_of(uri) is not None

    def uri(self, key: str) -> str:
        """The address of the object with this key."""
        return self._place.uri(checked_key(key))

    def local_path(self, uri: str) -> Path | None:
        """Where the object lies on this machine; None: it is elsewhere."""
        return path_of(uri)

    def put_file(self, path: Path, key: str, *, media_type: str) -> StoredObject:
        """Store a finished file under `key`, over what was there: whole and verified, or not at all."""
        sha256, size_bytes = _digest(read_chunks(path))
        with translated(self._place):
            self._place.put_file(path, checked_key(key), media_type=media_type, replace=True)
        return self._verified(_stored(self.uri(key), sha256, size_bytes, media_type))

    def put_bytes(self, body: bytes, key: str, *, media_type: str) -> StoredObject:
        """`put_file` for something small."""
        with translated(self._place):
            self._place.put([body], checked_key(key), media_type=media_type, replace=True)
        return self._verified(_stored(self.uri(key), *_digest([body]), media_type))

    def read_bytes(self, uri: str) -> bytes:
        """The object at `uri`, whole: for reports and pictures."""
        with translated(self._place, missing=SourceNotFound(f"There is nothing at {uri}.")):
            return b"".join(self._place.chunks(self._name(uri)))

    def download(self, obj: StoredObject, path: Path) -> None:
        """Write the object to `path`; CorruptObject, and no file, when it is not what was stored."""
        with ExitStack() as on_error:
            on_error.callback(path.unlink, missing_ok=True)
            with scratch_errors(), path.open("wb") as file:
                file.writelines(self._checked_chunks(obj))
            on_error.pop_all()

    def promote(self, staged: StoredObject, key: str) -> StoredObject:
        """Give a staged object its final key, copied by the store itself; safe to repeat.

        The name gets a part of the object's own hash, `<stem>.<sha8><suffix>`: two machines whose bytes for
        one result differ never write to one name, and no record comes to point at other bytes.
        """
        _, *names = names_beside(checked_key(key), staged.sha256)
        return self._settle(self._place, names, staged)

    def copy_out(self, obj: StoredObject, target_uri_dir: str, filename: str) -> str:
        """Deliver a copy under the owner's name and return its address; never overwrites another file.

        Where the name is taken by a different file the copy is called `<stem>.<sha8><suffix>`. The same
        bytes already there are success.
        """
        if "://" in target_uri_dir and not target_uri_dir.startswith(_DELIVERABLE):
            raise InvalidRequest(f"Nothing is delivered to {target_uri_dir}: it takes a folder or s3://…")
        target = open_place(target_uri_dir, self._s3)
        if isinstance(target, Folder) and target.path not in self._swept:
            with translated(target):
                target.sweep(older_than=timedelta(0))
            self._swept.add(target.path)
        return self._settle(target, names_beside(safe_name(filename), obj.sha256), obj).uri

    def exists(self, key: str) -> bool:
        """Whether there is an object under this key."""
        with translated(self._place):
            return self._place.size_bytes(checked_key(key)) is not None

    def holds(self, uri: str) -> bool:
        """Whether something lies at `uri`, a copy that was delivered elsewhere included."""
        folder, _, _ = uri.rpartition("/")
        place = self._place if self.owns(uri) else open_place(folder, self._s3)
        with translated(place):
            return place.size_bytes(place.name_of(uri) or "") is not None

    def missing(self, uris: Iterable[str]) -> set[str]:
        """Those of many addresses where nothing lies; copies that were delivered elsewhere included."""
        return {uri for uri in uris if not self.holds(uri)}

    def describe(self, uri: str) -> StoredObject:
        """What lies at `uri` now, by reading it."""
        name = self._name(uri)
        with translated(self._place, missing=SourceNotFound(f"There is nothing at {uri}.")):
            sha256, size_bytes = _digest(self._place.chunks(name))
            media_type = self._place.media_type(name) or "application/octet-stream"
        return _stored(uri, sha256, size_bytes, media_type)

    def delete(self, uri: str) -> None:
        """Remove the object at `uri`; that it is gone already is fine."""
        with translated(self._place):
            self._place.delete(self._name(uri))

    def delete_prefix(self, prefix: str) -> None:
        """Remove everything under a prefix, as under a folder."""
        with translated(self._place):
            self._place.delete_below(checked_key(prefix.rstrip("/")) + "/")

    def list(self, prefix: str = "") -> Iterator[tuple[str, int, datetime]]:
        """Key, size in bytes and time of every object under a prefix, as under a folder."""
        with translated(self._place):
            yield from self._place.list_below(checked_key(prefix.rstrip("/")) + "/" if prefix else "")

    def sweep(self, *, older_than: timedelta = timedelta(days=1)) -> int:
        """Clear away what killed processes left unfinished; how many things it were.

        S3 does not know whether an upload's process lives, so only those begun long ago are aborted.
        """
        with translated(self._place):
            return self._place.sweep(older_than=older_than)

    def ping(self) -> None:
        """Raise StorageUnavailable or SourceForbidden unless the store is there and answers."""
        with translated(self._place):
            self._place.ping()

    # -- inside -----------------------------------------------------------------------------------

    def _settle(self, target: Place, names: Iterable[str], obj: StoredObject) -> StoredObject:
        """Place an object under the first of these names that is free or holds the same bytes already."""
        for candidate in names:
            with translated(target):
                free = target.size_bytes(candidate) is None
            if (free and self._transfer(obj, target, candidate)) or self._is(obj, target, candidate):
                return replace(obj, uri=target.uri(candidate))
        raise StorageUnavailable(
            f"Every name that was tried in {target.label} is taken by another file: {candidate}."
        )

    def _transfer(self, obj: StoredObject, target: Place, name: str) -> bool:
        """Copy an object to a free name; whether that is sure to be its bytes now, and not someone else's."""
        self._verified(obj)  # first: bad bytes must not be seen under a final name
        source, local = self._name(obj.uri), self.local_path(obj.uri)
        with translated(target), suppress(FileExistsError):
            if target.copy(self._place, source, name):
                fingerprint = self._place.fingerprint(source)
                return fingerprint is not None and fingerprint == target.fingerprint(name)
            if local is not None:
                target.put_file(local, name, media_type=obj.media_type, replace=False)
            else:
                target.put(self._checked_chunks(obj), name, media_type=obj.media_type, replace=False)
        return False

    def _is(self, obj: StoredObject, place: Place, name: str) -> bool:
        """Whether the bytes under a name are those of `obj`."""
        with translated(place):
            return place.size_bytes(name) == obj.size_bytes and _digest(place.chunks(name))[0] == obj.sha256

    def _name(self, uri: str) -> str:
        name = self._place.name_of(uri)
        if name is None:
            raise SourceNotFound(f"{uri} is not in {self._place.label}.")
        return checked_key(name)

    def _checked_chunks(self, obj: StoredObject) -> Iterator[bytes]:
        """The bytes of an object; CorruptObject at their end when they are not what was stored."""
        digest = hashlib.sha256()
        with translated(self._place, missing=_gone(obj)):
            for chunk in self._place.chunks(self._name(obj.uri)):
                digest.update(chunk)
                yield chunk
        if digest.hexdigest() != obj.sha256:
            raise CorruptObject(f"What lies at {obj.uri} is not what was stored there.")

    def _verified(self, obj: StoredObject) -> StoredObject:
        for _ in self._checked_chunks(obj):
            pass
        return obj


def _gone(obj: StoredObject) -> CorruptObject:
    return CorruptObject(f"{obj.uri} was stored and is no longer there.")


def _stored(uri: str, sha256: str, size_bytes: int, media_type: str) -> StoredObject:
    return StoredObject(uri=uri, sha256=sha256, size_bytes=size_bytes, media_type=media_type)


def _digest(chunks: Iterable[bytes]) -> tuple[str, int]:
    digest, size_bytes = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size_bytes += len(chunk)
    return digest.hexdigest(), size_bytes
