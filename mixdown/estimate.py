"""What work will take, told by the work that was done: rates from the ledger's newest results."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from uuid import UUID

from mixdown.jobs import JobStore
from mixdown.model import Enhance, JobRecord, JobResult, JobSpec, Source, Status, Transform

#: Past runs that are looked at, the newest.
_NEWEST = 500
_PAGE = 100


@dataclass(slots=True)
class Past:
    """What runs of one kind took together."""

    runs: int = 0
    audio_s: float = 0.0
    elapsed_s: float = 0.0
    masters_bytes: int = 0
    beside_bytes: int = 0  #: reports, pictures and the like

    def add(self, result: JobResult) -> None:
        """Count a run in."""
        beside = [result.report, result.picture, *(each.object for each in result.attachments)]
        self.runs += 1
        self.audio_s += result.before.duration_s
        self.elapsed_s += result.elapsed_s
        self.masters_bytes += sum(each.object.size_bytes for each in result.renditions)
        self.beside_bytes += sum(each.size_bytes for each in beside)


@dataclass(slots=True)
class Wanted:
    """Work of one kind that is to be done."""

    spec: JobSpec  #: any of them
    items: int = 0
    copied: int = 0  #: those whose masters are delivered as well
    bytes_by_suffix: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What work will probably take."""

    runs: int  #: past runs that it was learnt from
    time_s: float  #: on this machine, as many jobs at once as it has workers
    stored_bytes: float | None  #: masters, reports and pictures; None: these outputs were never made
    copied_bytes: float | None  #: the masters that are delivered under their own names
    unlike: int  #: items whose kind of work was never done, so that they are not in it


class PastRuns:
    """Rates learnt from the newest results that were made here, not found."""

    def __init__(self, jobs: JobStore) -> None:
        self._exactly: defaultdict[Hashable, Past] = defaultdict(Past)
        self._roughly: defaultdict[Hashable, Past] = defaultdict(Past)
        self._lengths: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for record in _newest(jobs):
            if record.result is None or record.result.reused or record.result.before.duration_s <= 0:
                continue
            self._exactly[kind_of(record.spec)].add(record.result)
            self._roughly[_roughly(record.spec)].add(record.result)
            if record.size_bytes:
                length = self._lengths[suffix_of(record.spec.source)]
                length[0] += record.result.before.duration_s
                length[1] += record.size_bytes

    def seconds_per_byte(self, suffix: str) -> float | None:
        """How long recordings of this kind are, by their size."""
        seconds, size_bytes = self._lengths.get(suffix, (0.0, 0.0))
        return seconds / size_bytes if size_bytes else None

    def estimate(self, wanted: Iterable[tuple[Wanted, float]], *, workers: int) -> Estimate | None:
        """What these kinds of work will take, each with its seconds of audio; None: nothing like it was done."""
        runs = unlike = 0
        work_s = stored_bytes = copied_bytes = 0.0
        sizes_known = True
        for each, audio_s in wanted:
            exactly = self._exactly.get(kind_of(each.spec))
            past = exactly or self._roughly.get(_roughly(each.spec))
            if past is None:
                unlike += each.items
                continue
            runs += past.runs
            work_s += past.elapsed_s / past.audio_s * audio_s
            if exactly is None:
                sizes_known = False
                continue
            masters_bytes = exactly.masters_bytes / exactly.audio_s * audio_s
            stored_bytes += masters_bytes + exactly.beside_bytes / exactly.runs * each.items
            copied_bytes += masters_bytes * each.copied / each.items
        if not runs:
            return None
        return Estimate(
            runs=runs,
            time_s=work_s / workers,
            stored_bytes=stored_bytes if sizes_known else None,
            copied_bytes=copied_bytes if sizes_known else None,
            unlike=unlike,
        )


def kind_of(spec: JobSpec) -> Hashable:
    """What decides how long work takes and how large its files are."""
    outputs = tuple(tuple(output.model_dump(mode="json").items()) for output in spec.outputs)
    amount = spec.work.noise_reduction if isinstance(spec.work, Enhance) else None
    return (_roughly(spec), amount, outputs)


def suffix_of(source: Source) -> str:
    """The suffix of a recording, as its owner wrote it but for case."""
    return PurePosixPath(source.name).suffix.lower()


def _roughly(spec: JobSpec) -> Hashable:
    """What decides most of it."""
    if isinstance(spec.work, Enhance):
        return (spec.work.kind, spec.work.preset)
    steps = spec.work.steps if isinstance(spec.work, Transform) else ()
    return (spec.work.kind, *(step.kind for step in steps))


def _newest(jobs: JobStore) -> Iterable[JobRecord]:
    last: UUID | None = None
    for _ in range(_NEWEST // _PAGE):
        page = jobs.list(status=Status.succeeded, limit=_PAGE, after=last)
        yield from page
        if len(page) < _PAGE:
            return
        last = page[-1].id
