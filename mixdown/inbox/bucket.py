"""An S3 inbox. S3 cannot rename: an object is copied, the copy verified, and then the first one deleted.

Nothing is locked. Where an object goes when it is taken follows from the object alone, so that processes
that take the same one at once make the same copy, which is one job in the ledger.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from mixdown.inbox.names import OWN, REPORT_SUFFIX, is_hidden, is_when_taken, names_in_turn, unfit, when_taken
from mixdown.inbox.port import PROCESSING, Arrival, Drawer, Held, Left
from mixdown.inbox.reports import is_report_of, sha256_of
from mixdown.items import in_a_sentence
from mixdown.model import Source, digest
from mixdown.storage import S3Options, translated
from mixdown.storage.s3 import S3Bucket

#: Larger objects are copied in parts, which take no condition.
_ONE_COPY_BYTES = 5 << 30
_CHANGED = frozenset(("PreconditionFailed", "412"))


@dataclass(frozen=True, slots=True)
class _Seen:
    """An object as it was seen."""

    key: str
    size_bytes: int
    etag: str


class BucketInbox:
    """A prefix of a bucket whose objects are taken in. An object is complete when it is visible."""

    at_once = 16

    def __init__(self, url: str, options: S3Options, *, left_out: Collection[str] = ()) -> None:
        address = url.rstrip("/")
        self._name, _, root = address.removeprefix("s3://").partition("/")
        self._prefix = f"{root}/" if root else ""
        # The whole bucket, so that a key says where an object lies.
        self._bucket = S3Bucket(f"s3://{self._name}", options)
        self._left_out = tuple(place.rstrip("/") + "/" for place in left_out)
        self.label = f"the inbox {address}"
        self.title = f"inbox {address.rpartition('/')[2]}"

    def prepare(self) -> None:
        """Raise unless the bucket is there and lets us in."""
        with translated(self._bucket):
            self._bucket.ping()

    def look(self) -> Iterator[Arrival | Left]:
        """What lies in it, but for what is hidden."""
        for found in self._objects(""):
            key = str(found["Key"])
            at = key.removeprefix(self._prefix)
            name = at.removeprefix(f"{PROCESSING}/")
            if key.endswith("/") or is_hidden(name) or f"s3://{self._name}/{key}".startswith(self._left_out):
                continue
            if any(part in ("", "..") for part in name.split("/")) or "\0" in name or "?versionId=" in name:
                yield Left(name=name, why="its key is one that leads nowhere in a folder")
            elif why := unfit(name):
                yield Left(name=name, why=why)
            else:
                stamp = (str(found["ETag"]).strip('"'), found["LastModified"])
                yield Arrival(name=name, at=at, size_bytes=int(found["Size"]), stamp=stamp)

    def take(self, arrival: Arrival) -> Held | None:
        """Move an object to `processing/`; None: it has gone or changed."""
        etag, modified_at = cast("tuple[str, datetime]", arrival.stamp)
        taken = when_taken(modified_at, digest(arrival.at, etag, modified_at)[:12])
        at = f"{PROCESSING}/{taken}/{arrival.name}"
        held = self._held(at, arrival.size_bytes)
        with translated(self._bucket), suppress(FileNotFoundError):
            if self._copied(_Seen(self._prefix + arrival.at, arrival.size_bytes, etag), self._prefix + at):
                if self._bucket.version(self._prefix + arrival.at) == etag:
                    self._bucket.delete(self._prefix + arrival.at)
                return held
        return None

    def held(self) -> Iterator[Held]:
        """Every object in `processing/`."""
        for found in self._listed(f"{PROCESSING}/"):
            at = str(found["Key"]).removeprefix(self._prefix)
            parts = at.split("/")
            if len(parts) > 2 and parts[-1] and is_when_taken(parts[1]):
                yield self._held(at, int(found["Size"]))

    def file_away(self, held: Held, drawer: Drawer, job_id: str, tags: Sequence[str], report: bytes) -> str | None:
        """Move a held object to a drawer, its report beside it; where it lies then."""
        with translated(self._bucket), suppress(FileNotFoundError):
            key = self._prefix + held.at
            seen = _Seen(key, held.size_bytes, self._bucket.version(key))
            for name in names_in_turn(f"{drawer}/{held.name}", tags):
                target = self._prefix + name
                if not self._report(target + REPORT_SUFFIX, job_id, report):
                    continue
                if self._copied(seen, target):
                    self._bucket.delete(key)
                    return name
                self._bucket.delete(target + REPORT_SUFFIX)  # something else bears the name
            raise FileExistsError(errno.EEXIST, "every name that was tried is taken")
        return None

    # -- inside -----------------------------------------------------------------------------------

    def _objects(self, below: str) -> Iterator[dict[str, Any]]:
        """Every object that may have arrived: the drawers, which grow for ever, are not listed."""
        inner: list[str] = []
        for found in self._listed(below, Delimiter="/"):
            if "Prefix" in found:
                inner.append(str(found["Prefix"]).removeprefix(self._prefix))
            else:
                yield found
        for each in inner:
            folder = each.rstrip("/")
            if below == "" and folder == PROCESSING:
                yield from self._objects(each)
            elif folder not in OWN and not (below and is_when_taken(folder.removeprefix(below))):
                yield from self._listed(each)

    def _listed(self, below: str, **how: Any) -> Iterator[dict[str, Any]]:
        """Objects, and with a delimiter prefixes, a thousand to a request."""
        more: dict[str, Any] = {}
        while True:
            with translated(self._bucket):
                page = self._bucket.fs.call_s3(
                    "list_objects_v2", Bucket=self._name, Prefix=self._prefix + below, **how, **more
                )
            yield from page.get("Contents", ())
            yield from page.get("CommonPrefixes", ())
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def _held(self, at: str, size_bytes: int) -> Held:
        name = at.split("/", 2)[2]
        with in_a_sentence("the address of a recording"):
            source = Source(uri=f"s3://{self._name}/{self._prefix}{at}", filename=name.rpartition("/")[2])
        return Held(name=name, at=at, source=source, size_bytes=size_bytes)

    def _copied(self, seen: _Seen, target: str) -> bool:
        """Copy an object as it was seen, and see that the copy is the same; False: something else is there."""
        there = self._bucket.glance([target])
        if there:
            return self._same(seen, target, there[target])
        # Whoever has replaced the object since it was looked at has sent another one: that is for the next look.
        # AWS heeds the condition; for engines that do not, the copy is looked at.
        names = {"Bucket": self._name, "Key": target}
        try:
            if seen.size_bytes < _ONE_COPY_BYTES:
                copied = self._bucket.fs.call_s3(
                    "copy_object",
                    **names,
                    CopySource={"Bucket": self._name, "Key": seen.key},
                    CopySourceIfMatch=seen.etag,
                )["CopyObjectResult"]["ETag"].strip('"')
            else:
                self._bucket.fs.cp_file(f"{self._name}/{seen.key}", f"{self._name}/{target}")
                copied = self._bucket.version(target)
        except OSError as error:
            if _code(error) in _CHANGED:
                return False
            raise
        if self._same(seen, target, copied):
            return True
        self._bucket.delete(target)
        return False

    def _same(self, seen: _Seen, target: str, etag: str) -> bool:
        """Whether a copy holds the bytes that were seen; read only where their fingerprints differ."""
        if etag == seen.etag:
            return True
        copy = self._bucket.look(target)
        if copy is None or copy.size_bytes != seen.size_bytes or self._bucket.version(seen.key) != seen.etag:
            return False
        return self._sha256(seen.key) == self._sha256(target)

    def _sha256(self, key: str) -> str:
        found = hashlib.sha256()
        for chunk in self._bucket.chunks(key):
            found.update(chunk)
        return found.hexdigest()

    def _report(self, key: str, job_id: str, report: bytes) -> bool:
        """Put a report where its recording will be; whether it is the one that lies there."""
        try:
            self._bucket.put([report], key, sha256=sha256_of(report), media_type="application/json", replace=False)
        except FileExistsError:
            return is_report_of(job_id, b"".join(self._bucket.chunks(key)))
        return True


def _code(error: OSError) -> str:
    response = getattr(error.__cause__, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
