"""What a batch would do, before anything is written down: nothing here changes anything."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from mixdown.codec.sniff import open_regular
from mixdown.errors import MixdownError
from mixdown.estimate import Estimate, PastRuns, Wanted, kind_of, suffix_of
from mixdown.items import Item, versions_of
from mixdown.model import JobSpec, Source, Status
from mixdown.storage import path_of
from mixdown.studio import Studio
from mixdown.submission import Keys

_CHUNK = 1_000
#: Headers that are all read; of more recordings, an even sample is.
_MOST_READ = 1_000
_SAMPLE = 500
_MOST_SHOWN = 20
#: Reading headers is mostly waiting.
_THREADS = 8

#: Told how far the plan is: what is being done, and to how many so far.
Look = Callable[[str, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A recording that would fail, and why."""

    name: str
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a batch would do."""

    items: int
    new: int  #: never asked for like this
    done: int  #: succeeded before, and all of the result is still there
    failed: int  #: failed before; would be tried again
    cancelled: int  #: called off before; would be done now
    lost: int  #: done before, but some of the result is gone; would be made again
    queued: int  #: wait already
    running: int  #: are being worked on
    rejected: int  #: were found to be no better than their source
    duplicates: int  #: named more than once
    remote: int  #: of those to do, elsewhere: not looked into
    unsized: int  #: of those to do, the size is not known
    source_bytes: int  #: of all of them, as far as it is known
    to_do_bytes: int
    readable: int  #: of those to do, local files that are there and not empty
    headers: int  #: how many of these were opened
    unreadable: Mapping[str, int]  #: by code: those that are missing or empty, and those of the headers read
    examples: tuple[Unreadable, ...]  #: the first of them
    audio_s: float | None  #: of those to do, where it is known; None: of none
    unmeasured_bytes: int  #: of those to do whose length cannot be told
    estimate: Estimate | None  #: None: nothing like it was done before
    workers: int

    @property
    def to_do(self) -> int:
        """How many would be worked on."""
        return self.new + self.failed + self.cancelled + self.lost

    @property
    def sampled(self) -> bool:
        """Whether only some of the headers were read."""
        return 0 < self.headers < self.readable


def plan(
    studio: Studio,
    requests: Iterable[tuple[JobSpec, Item]],
    *,
    probe: bool = True,
    progress: Look | None = None,
) -> Plan:
    """What accepting these requests would lead to; nothing is written.

    Parameters
    ----------
    studio : Studio
    requests : Iterable[tuple[JobSpec, Item]]
        As `requests_of` gives them; read once, a thousand at a time.
    probe : bool
        Whether headers of local recordings are read: all of up to 1,000, else of 500, evenly chosen.
    progress : callable, optional
        Is told what is being done and to how many so far.
    """
    tell = progress or (lambda _what, _count: None)
    survey, seen, counts, source_bytes = _Survey(), set[bytes](), Counter[str](), 0
    key_of = Keys(studio)
    tell("Looking up", 0)
    for chunk in _chunks(requests):
        versions = versions_of([item for _, item in chunk], studio.s3)
        keys = [key_of(spec, version) for (spec, _), version in zip(chunk, versions, strict=True)]
        records = studio.jobs.find(keys)
        results = {key: record.result for key, record in records.items() if record.result is not None}
        lost = studio.damaged(results)
        for (spec, item), key in zip(chunk, keys, strict=True):
            counts["items"] += 1
            short = bytes.fromhex(key)[:16]
            if short in seen:
                counts["duplicates"] += 1
                continue
            seen.add(short)
            source_bytes += item.size_bytes
            found = records.get(key)
            state = "new" if found is None else "lost" if key in lost else found.status.value
            counts[state] += 1
            if state in ("new", "lost", Status.failed, Status.cancelled):
                survey.add(spec, item)
        tell("Looking up", counts["items"])
    if probe:
        survey.read_headers(studio, tell)
    past = PastRuns(studio.jobs)
    wanted = [(each, survey.audio_s(each, past)) for each in survey.wanted.values()]
    audio_s = sum(seconds for _, seconds in wanted)
    return Plan(
        items=counts["items"],
        new=counts["new"],
        done=counts[Status.succeeded],
        failed=counts[Status.failed],
        cancelled=counts[Status.cancelled],
        lost=counts["lost"],
        queued=counts[Status.queued],
        running=counts[Status.running],
        rejected=counts[Status.rejected],
        duplicates=counts["duplicates"],
        remote=survey.remote,
        unsized=survey.unsized,
        source_bytes=source_bytes,
        to_do_bytes=survey.to_do_bytes,
        readable=survey.local,
        headers=survey.headers,
        unreadable=dict(survey.unreadable.most_common()),
        examples=tuple(survey.examples),
        audio_s=audio_s or None,
        unmeasured_bytes=survey.unmeasured_bytes(past),
        estimate=past.estimate(wanted, workers=studio.settings.workers) if audio_s else None,
        workers=studio.settings.workers,
    )


def _chunks(requests: Iterable[tuple[JobSpec, Item]]) -> Iterator[list[tuple[JobSpec, Item]]]:
    left = iter(requests)
    while chunk := list(islice(left, _CHUNK)):
        yield chunk


@dataclass(frozen=True, slots=True)
class _Header:
    """A local recording whose header may be read."""

    path: Path
    source: Source
    size_bytes: int


@dataclass(slots=True)
class _Survey:
    """What is to be done, and what a look at it shows. Holds some two thousand items, however many there are."""

    wanted: dict[Hashable, Wanted] = field(default_factory=dict)
    unreadable: Counter[str] = field(default_factory=Counter)
    examples: list[Unreadable] = field(default_factory=list)
    remote: int = 0
    unsized: int = 0
    to_do_bytes: int = 0
    headers: int = 0
    local: int = 0
    _every: int = 1  #: one in so many is kept
    _kept: list[_Header] = field(default_factory=list)
    _lengths: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0, 0.0]))

    def add(self, spec: JobSpec, item: Item) -> None:
        """Count in what is to be done; whether a local file can be there at all is known from its item."""
        path = path_of(item.source.uri)
        if path is None:
            self.remote += 1
            self.unsized += item.size_bytes == 0
        else:
            nothing = None if item.size_bytes else _nothing_in(path, item.source)
            if nothing is not None:
                self._note(item.source, nothing)
                return
            if self.local % self._every == 0:
                self._kept.append(_Header(path, item.source, item.size_bytes))
            self.local += 1
            if len(self._kept) > 2 * _MOST_READ:
                del self._kept[1::2]
                self._every *= 2
        kind = kind_of(spec)
        if kind not in self.wanted:
            self.wanted[kind] = Wanted(spec)
        wanted = self.wanted[kind]
        wanted.items += 1
        wanted.copied += spec.deliver_to is not None
        wanted.bytes_by_suffix[suffix_of(item.source)] += item.size_bytes
        self.to_do_bytes += item.size_bytes

    def read_headers(self, studio: Studio, tell: Look) -> None:
        """Read the headers of what is kept, or of an even part of it."""
        from mixdown.codec.probe import probe  # here: it brings in the decoders, and a plan may do without

        chosen = self._kept
        if self.local > _MOST_READ:
            chosen = [chosen[index * len(chosen) // _SAMPLE] for index in range(_SAMPLE)]

        def look(header: _Header) -> float | MixdownError | None:
            try:
                return probe(header.path, name=header.source.name, limits=studio.settings.limits).duration_s
            except MixdownError as error:
                return error

        with ThreadPoolExecutor(_THREADS, thread_name_prefix="header") as pool:
            for header, found in zip(chosen, pool.map(look, chosen), strict=True):
                self.headers += 1
                if self.headers % 50 == 0:
                    tell("Reading headers", self.headers)
                if isinstance(found, MixdownError):
                    self._note(header.source, found)
                elif found is None:
                    continue
                length = self._lengths[suffix_of(header.source)]
                length[0] += found if isinstance(found, float) else 0.0
                length[1] += header.size_bytes

    def audio_s(self, wanted: Wanted, past: PastRuns) -> float:
        """Seconds of audio in work of one kind, as far as that can be told."""
        known = ((self._seconds_per_byte(suffix, past), size) for suffix, size in wanted.bytes_by_suffix.items())
        return sum(rate * size for rate, size in known if rate is not None)

    def unmeasured_bytes(self, past: PastRuns) -> int:
        """Bytes of recordings whose length cannot be told."""
        sizes = sum((each.bytes_by_suffix for each in self.wanted.values()), Counter[str]())
        return sum(size for suffix, size in sizes.items() if self._seconds_per_byte(suffix, past) is None)

    def _seconds_per_byte(self, suffix: str, past: PastRuns) -> float | None:
        """By the headers that were read (unreadable bytes hold no audio), else by past runs."""
        seconds, size_bytes = self._lengths.get(suffix, (0.0, 0.0))
        return seconds / size_bytes if size_bytes else past.seconds_per_byte(suffix)

    def _note(self, source: Source, error: MixdownError) -> None:
        self.unreadable[error.code] += 1
        if len(self.examples) < _MOST_SHOWN:
            self.examples.append(Unreadable(name=source.name, code=error.code, message=error.message))


def _nothing_in(path: Path, source: Source) -> MixdownError | None:
    """Why there is nothing to read at a path; None: there is something now."""
    try:
        os.close(open_regular(path, name=source.name))
    except MixdownError as error:
        return error
    return None
