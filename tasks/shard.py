"""What crosses from task to task: references to a few jobs, never their audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from mixdown.model import Claim, JobRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Jobs that go through a stage in one task run."""

    label: str  #: names the task runs, for people
    owner: str  #: holds the claims
    jobs: tuple[UUID, ...]
    limits: frozenset[str] = frozenset()  #: the global concurrency limits that the server has
    claims: tuple[Claim, ...] = ()  #: taken by `validate`; those that failed have dropped out


#: Work in one shard, as bytes of source: long audio goes alone, short clips share a task run.
SHARD_BYTES = 6_000_000
SHARD_JOBS = 24


def plan(
    records: Sequence[JobRecord], sizes: Sequence[int], *, owner: str, limits: frozenset[str] = frozenset()
) -> list[Shard]:
    """Shards over jobs, in order, of about equal work.

    Parameters
    ----------
    records : jobs to be done
    sizes : size of each source in bytes; 0 where it is not known, which counts as a whole shard
    owner : holder of the claims
    limits : names of the concurrency limits that there are
    """
    shards: list[list[JobRecord]] = []
    room_bytes = 0
    for record, size_bytes in zip(records, sizes, strict=True):
        cost_bytes = size_bytes or SHARD_BYTES
        if not shards or cost_bytes > room_bytes or len(shards[-1]) >= SHARD_JOBS:
            shards.append([])
            room_bytes = SHARD_BYTES
        shards[-1].append(record)
        room_bytes -= cost_bytes
    return [
        Shard(label=_label(shard), owner=owner, jobs=tuple(record.id for record in shard), limits=limits)
        for shard in shards
    ]


def _label(shard: Sequence[JobRecord]) -> str:
    first = shard[0].spec.filename
    return first if len(shard) == 1 else f"{first} +{len(shard) - 1}"
