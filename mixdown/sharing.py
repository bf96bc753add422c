"""Local recordings within reach of every machine: copied into the store, under the hash of their bytes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from mixdown.errors import SourceError, SourceUnavailable
from mixdown.fetch import fetch
from mixdown.model import Source, Status
from mixdown.storage import incoming_key, path_of
from mixdown.studio import Studio

_AT_ONCE = 4
_INCOMING = "incoming"
_PAGE = 1_000
#: A copy older than this is made anew, so that nobody deletes it before the job that needs it is written down.
_FRESH = timedelta(days=1)
_LEAST_AGE = 2 * _FRESH


def share(studio: Studio, sources: Sequence[Source]) -> list[Source]:
    """The same recordings as sources that every machine can fetch, with their names and hashes.

    What is in the store already is not sent again. A recording that cannot be read stays what it is: its job tells.
    """
    incoming = _Incoming(studio)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="share") as pool:
        return list(pool.map(incoming.take, sources))


def expire_shared(studio: Studio, older_than_days: float, *, now: datetime | None = None) -> int:
    """Delete copies of that age, two days or more, that no open job needs; how many it were."""
    before = (now or datetime.now(UTC)) - max(timedelta(days=older_than_days), _LEAST_AGE)
    old = [studio.objects.uri(key) for key, _, at in studio.objects.list(_INCOMING) if at < before]
    needed = set(_needed(studio)) if old else set()
    expired = [uri for uri in old if uri not in needed]
    for uri in expired:
        studio.objects.delete(uri)
    return len(expired)


class _Incoming:
    """The copies in the store, listed a part at a time and only where one is asked for."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._since = datetime.now(UTC) - _FRESH
        self._fresh: dict[str, set[str]] = {}
        self._one_by_one = threading.Lock()

    def take(self, source: Source) -> Source:
        """The source of a copy; one that is not local, or cannot be read, as it is."""
        path = path_of(source.uri)
        if path is None:
            return source
        settings = self._studio.settings
        try:
            found = fetch(source, path, limits=settings.limits, timeout_s=settings.fetch_timeout_s)
        except (SourceError, SourceUnavailable):
            return source
        key = incoming_key(found.sha256, Path(source.name).suffix)
        if not self._is_there(key):
            stored = self._studio.objects.put_file(path, key, media_type="application/octet-stream")
            if stored.sha256 != found.sha256:  # it is being written: what was sent is not what the key says
                self._studio.objects.delete(stored.uri)
                return source
        return Source(
            uri=self._studio.objects.uri(key), filename=source.filename or source.name, sha256=found.sha256
        )

    def _is_there(self, key: str) -> bool:
        folder = key.rpartition("/")[0]
        with self._one_by_one:
            if folder not in self._fresh:
                found = self._studio.objects.list(folder)
                self._fresh[folder] = {name for name, _, at in found if at > self._since}
            return key in self._fresh[folder]


def _needed(studio: Studio) -> Iterator[str]:
    """The sources of every job that has not ended."""
    for status in (Status.queued, Status.running, Status.queued):  # again: a job that was given back meanwhile
        yield from _sources(studio, status)


def _sources(studio: Studio, status: Status) -> Iterable[str]:
    last: UUID | None = None
    while page := studio.jobs.list(status=status, limit=_PAGE, after=last):
        yield from (record.spec.source.uri for record in page)
        last = page[-1].id
