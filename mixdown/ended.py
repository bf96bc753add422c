"""A batch that has ended, without holding its jobs in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from mixdown.jobs import JobStore
from mixdown.model import JobRecord, Status

_PAGE = 200


@dataclass(frozen=True)
class Ended:
    """The jobs of a batch as they ended, read from the ledger page by page as they are asked for."""

    jobs: JobStore = field(repr=False, compare=False)
    batch_id: UUID
    counts: Mapping[Status, int]  #: jobs in each status; every status is there

    def __len__(self) -> int:
        return sum(self.counts.values())

    def __iter__(self) -> Iterator[JobRecord]:
        """Every job, in the order in which they were asked for."""
        after: UUID | None = None
        while page := self.jobs.list(batch_id=self.batch_id, limit=_PAGE, after=after, oldest_first=True):
            yield from page
            after = page[-1].id

    @property
    def all_well(self) -> bool:
        """Whether every job has its result."""
        return self.counts[Status.succeeded] == len(self)

    @property
    def words(self) -> str:
        """How it went: `15 of 16 done, 1 failed`."""
        said = f"{self.counts[Status.succeeded]:,} of {len(self):,} done"
        others = [
            f"{count:,} {status}"
            for status, count in self.counts.items()
            if count and status is not Status.succeeded
        ]
        return ", ".join([said, *others])
