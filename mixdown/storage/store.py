"""The object store: verified in, verified out, never one result over another."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain, islice
from pathlib import Path

from mixdown.errors import CorruptObject, InvalidRequest, MixdownError, SourceNotFound, StorageUnavailable
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
_PROMOTED_AT_ONCE = 4
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


#: What an outage of the store itself is called; of other places, their `origin`.
RESULTS = "results"


def _never() -> None:
    """The check of who does not mind how long it takes."""


class ObjectStore:
    """Objects under a root: a folder (path or `file://`), `memory://`, `s3://bucket/prefix`.

    Every object is proven to hold the bytes whose SHA-256 is in the ledger before anything is said to be
    there: by a checksum that the engine has made of what it stored, where it makes one that can be compared,
    else by reading back. Reads are always checked (docs/decisions/0015).
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

    def put_file(
        self,
        path: Path,
        key: str,
        *,
        media_type: str,
        durable: bool = True,
        check: Callable[[], None] = _never,
    ) -> StoredObject:
        """Store a finished file under `key`, over what was there: whole and verified, or not at all.

        What is not `durable` may be gone after a power cut, and has to be made again then; a folder gives such
        a file a second name, so nobody may write to it any more. `check` is called now and then, and ends it by
        what it raises.
        """
        sha256, size_bytes = _digest(read_chunks(path), check)
        with self._translated(self._place):
            proven = self._place.put_file(
                path, checked_key(key), sha256=sha256, media_type=media_type, replace=True, durable=durable
            )
        stored = _stored(self.uri(key), sha256, size_bytes, media_type)
        return stored if proven else self._verified(stored)

    def put_bytes(self, body: bytes, key: str, *, media_type: str, durable: bool = True) -> StoredObject:
        """`put_file` for something small."""
        sha256, size_bytes = _digest([body])
        with self._translated(self._place):
            proven = self._place.put(
                [body], checked_key(key), sha256=sha256, media_type=media_type, replace=True, durable=durable
            )
        stored = _stored(self.uri(key), sha256, size_bytes, media_type)
        return stored if proven else self._verified(stored)

    def read_bytes(self, uri: str) -> bytes:
        """The object at `uri`, whole: for reports and pictures."""
        with self._translated(self._place, missing=SourceNotFound(f"There is nothing at {_shown(uri)}.")):
            return b"".join(self._place.chunks(self._name(uri)))

    def download(self, obj: StoredObject, path: Path, *, check: Callable[[], None] = _never) -> None:
        """Write the object to `path`; CorruptObject, and no file, when it is not what was stored.

        `check` is called with every chunk, and ends it by what it raises.
        """
        with ExitStack() as on_error:
            on_error.callback(path.unlink, missing_ok=True)
            with scratch_errors(), path.open("wb") as file:
                for chunk in self.chunks_of(obj):
                    check()
                    file.write(chunk)
            on_error.pop_all()

    def promote(self, staged: StoredObject, key: str) -> StoredObject:
        """Give a staged object its final key, copied by the store itself; safe to repeat.

        The name gets a part of the object's own hash, `<stem>.<sha8><suffix>`: two machines whose bytes for
        one result differ never write to one name, and no record comes to point at other bytes.
        """
        [promoted] = self.promote_all([(staged, key)])
        return promoted

    def promote_all(self, staged: Sequence[tuple[StoredObject, str]]) -> list[StoredObject]:
        """`promote` for several objects: the same promises, in less time and with fewer requests."""
        names = [names_beside(checked_key(key), obj.sha256) for obj, key in staged]
        firsts = [next(islice(each, 1, None)) for each in names]
        sources = [self._name(obj.uri) for obj, _ in staged]
        with self._translated(self._place):
            marks = self._place.glance({*firsts, *sources})

        def settle(index: int) -> StoredObject:
            obj, first = staged[index][0], firsts[index]
            free = first not in marks
            return self._settle(self._place, chain((first,), names[index]), obj, marks.get(sources[index]), free)

        with ThreadPoolExecutor(_PROMOTED_AT_ONCE) as pool:
            each = map if self.is_local or len(staged) == 1 else pool.map
            promoted = list(each(settle, range(len(staged))))
        with self._translated(self._place):
            self._place.sync([self._name(obj.uri) for obj in promoted])
        return promoted

    def copy_out(self, obj: StoredObject, target_uri_dir: str, filename: str) -> str:
        """Deliver a copy under the owner's name and return its address; never overwrites another file.

        Where the name is taken by a different file the copy is called `<stem>.<sha8><suffix>`. The same
        bytes already there are success.
        """
        if "://" in target_uri_dir and not target_uri_dir.startswith(_DELIVERABLE):
            raise InvalidRequest(f"Nothing is delivered to {target_uri_dir}: it takes a folder or s3://…")
        target = open_place(target_uri_dir, self._s3)
        if isinstance(target, Folder) and target.path not in self._swept:
            with self._translated(target):
                target.sweep(older_than=timedelta(0))
            self._swept.add(target.path)
        return self._settle(target, names_beside(safe_name(filename), obj.sha256), obj).uri

    def exists(self, key: str) -> bool:
        """Whether there is an object under this key."""
        with self._translated(self._place):
            return self._place.look(checked_key(key)) is not None

    def holds(self, uri: str) -> bool:
        """Whether something lies at `uri`, a copy that was delivered elsewhere included."""
        return not self.missing([uri])

    def missing(self, uris: Iterable[str]) -> set[str]:
        """Those of these addresses at which nothing lies, copies that were delivered elsewhere included.

        Thousands cost about a second: an S3 store is listed.
        """
        wanted = set(uris)
        gone: set[str] = set()
        places: dict[str, tuple[Place, dict[str, str]]] = {"": (self._place, {})}
        for uri in wanted:
            name = self._place.name_of(uri)
            if name is not None:
                places[""][1][name] = uri
                continue
            top, place = self._elsewhere(uri)
            _, names = places.setdefault(top, (place, {}))
            names[place.name_of(uri) or ""] = uri
        for place, names in places.values():
            with self._translated(place):
                there = place.glance(names) if names else {}
            gone |= {uri for name, uri in names.items() if name not in there}
        return gone

    def _elsewhere(self, uri: str) -> tuple[str, Place]:
        """Where a copy was delivered to: the bucket, or the folder, by its address."""
        scheme, _, rest = uri.partition("://")
        top = f"s3://{rest.partition('/')[0]}" if scheme == "s3" else uri.rpartition("/")[0]
        return top, open_place(top, self._s3)

    def describe(self, uri: str) -> StoredObject:
        """What lies at `uri` now, by reading it."""
        name = self._name(uri)
        with self._translated(self._place, missing=SourceNotFound(f"There is nothing at {_shown(uri)}.")):
            sha256, size_bytes = _digest(self._place.chunks(name))
            found = self._place.look(name)
        media_type = found.media_type if found else None
        return _stored(uri, sha256, size_bytes, media_type or "application/octet-stream")

    def signed_url(self, obj: StoredObject, *, filename: str, expires_s: int) -> str | None:
        """An address at which anybody may fetch the object for a while, under a name; None: no such thing here."""
        with self._translated(self._place):
            return self._place.signed_url(self._name(obj.uri), filename=filename, expires_s=expires_s)

    def delete(self, uri: str) -> None:
        """Remove the object at `uri`; that it is gone already is fine."""
        with self._translated(self._place):
            self._place.delete(self._name(uri))

    def delete_prefix(self, prefix: str) -> None:
        """Remove everything under a prefix, as under a folder."""
        self.delete_prefixes([prefix])

    def delete_prefixes(self, prefixes: Iterable[str]) -> None:
        """`delete_prefix` for several, with fewer requests."""
        below = [checked_key(prefix.rstrip("/")) + "/" for prefix in prefixes]
        with self._translated(self._place):
            self._place.delete_below(below)

    def list(self, prefix: str = "") -> Iterator[tuple[str, int, datetime]]:
        """Key, size in bytes and time of every object under a prefix, as under a folder."""
        with self._translated(self._place):
            yield from self._place.list_below(checked_key(prefix.rstrip("/")) + "/" if prefix else "")

    def sweep(self, *, older_than: timedelta = timedelta(days=1)) -> int:
        """Clear away what killed processes left unfinished; how many things it were.

        S3 does not know whether an upload's process lives, so only those begun long ago are aborted.
        """
        with self._translated(self._place):
            return self._place.sweep(older_than=older_than)

    def ping(self) -> None:
        """Raise StorageUnavailable or SourceForbidden unless the store is there and answers."""
        with self._translated(self._place):
            self._place.ping()

    # -- inside -----------------------------------------------------------------------------------

    def _translated(self, place: Place, *, missing: MixdownError | None = None) -> AbstractContextManager[None]:
        return translated(place, missing=missing, dependency=RESULTS if place is self._place else place.origin)

    def _settle(
        self, target: Place, names: Iterable[str], obj: StoredObject, mark: str | None = None, free: bool = False
    ) -> StoredObject:
        """Place an object under the first of these names that is free or holds the same bytes already.

        `mark` is the object's own one, and `free` whether the first name is, where they are known.
        """
        for candidate in names:
            there = None if free else self._compared(obj, target, candidate)
            if there is None:
                there = self._transfer(obj, target, candidate, mark) or self._compared(obj, target, candidate)
            if there:
                return replace(obj, uri=target.uri(candidate))
            free = False
        raise StorageUnavailable(
            f"Every name that was tried in {target.label} is taken by another file: {candidate}."
        )

    def _transfer(self, obj: StoredObject, target: Place, name: str, mark: str | None) -> bool:
        """Copy an object to a free name; whether that is sure to be its bytes now, and not someone else's."""
        with self._translated(target), suppress(FileExistsError):
            if target is self._place and target.copy(self._name(obj.uri), name, sha256=obj.sha256, mark=mark):
                return True
            # Bad bytes are found before they have a name: places publish only what has arrived whole.
            body = self.chunks_of(obj)
            return target.put(body, name, sha256=obj.sha256, media_type=obj.media_type, replace=False)
        return False

    def _compared(self, obj: StoredObject, place: Place, name: str) -> bool | None:
        """Whether the bytes under a name are those of `obj`; None: the name is free."""
        with self._translated(place):
            found = place.look(name)
            if found is None:
                return None
            if found.size_bytes != obj.size_bytes:
                return False
            return (found.sha256 or _digest(place.chunks(name))[0]) == obj.sha256

    def _name(self, uri: str) -> str:
        name = self._place.name_of(uri)
        if name is None:
            raise SourceNotFound(f"{_shown(uri)} is not in {self._place.label}.")
        return checked_key(name)

    def chunks_of(self, obj: StoredObject) -> Iterator[bytes]:
        """The bytes of an object; CorruptObject at their end when they are not what was stored."""
        digest = hashlib.sha256()
        with self._translated(self._place, missing=_gone(obj)):
            for chunk in self._place.chunks(self._name(obj.uri)):
                digest.update(chunk)
                yield chunk
        if digest.hexdigest() != obj.sha256:
            raise CorruptObject(f"What lies at {_shown(obj.uri)} is not what was stored there.")

    def _verified(self, obj: StoredObject) -> StoredObject:
        for _ in self.chunks_of(obj):
            pass
        return obj


def _gone(obj: StoredObject) -> CorruptObject:
    return CorruptObject(f"{_shown(obj.uri)} was stored and is no longer there.")


def _shown(uri: str) -> str:
    """An address as it may be told to those outside: of a file its name alone; where it lies is not for them."""
    path = path_of(uri)
    return f"“{path.name}”" if path is not None else uri


def _stored(uri: str, sha256: str, size_bytes: int, media_type: str) -> StoredObject:
    return StoredObject(uri=uri, sha256=sha256, size_bytes=size_bytes, media_type=media_type)


def _digest(chunks: Iterable[bytes], check: Callable[[], None] = _never) -> tuple[str, int]:
    digest, size_bytes = hashlib.sha256(), 0
    for chunk in chunks:
        check()
        digest.update(chunk)
        size_bytes += len(chunk)
    return digest.hexdigest(), size_bytes
