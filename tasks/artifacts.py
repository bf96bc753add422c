"""What Prefect's UI shows of a run: its progress, a page and a table of the batch, a page for each job.

They are views: where the ledger or Prefect's server does not answer, the work goes on without them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

import httpx
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate

from mixdown.batch_words import is_over, progress_words, short_batch, title_words
from mixdown.crew import Shard
from mixdown.errors import RetryableError
from mixdown.jobs import JobStore
from mixdown.model import BatchProgress as Progress
from mixdown.model import JobRecord, Status, done_share
from mixdown.studio import Studio
from mixdown.wording import short_id, state_words
from tasks.pages import batch_page, job_page, job_row, plain

#: Larger batches get a table but no page for each job: the reports lie beside the masters. Failures get one.
MOST_PAGES = 100

#: The table of a larger batch shows its failures and the beginning.
MOST_ROWS = 500

#: A request costs Prefect's server 20 ms: how often the progress and the page of a batch are brought up to date.
PROGRESS_EVERY_S = 5.0
PAGE_EVERY_S = 30.0

#: In the table, what needs attention comes first.
_ATTENTION = (
    *(Status.failed, Status.rejected, Status.cancelled),
    *(Status.running, Status.queued, Status.succeeded),
)
_ROWS_AT_ONCE = 100

#: Batches that were found to be large.
_LARGE: set[UUID] = set()


class BatchProgress:
    """The progress artifact of a run, and the page of its batch, fed from the ledger."""

    def __init__(
        self,
        jobs: JobStore,
        batch_id: UUID,
        *,
        every_s: float = PROGRESS_EVERY_S,
        page_every_s: float = PAGE_EVERY_S,
    ) -> None:
        self._jobs = jobs
        self._batch_id = batch_id
        self._every_s = every_s
        self._page_every_s = page_every_s
        self._artifact_id: Any = None
        self._page_id: Any = None
        self._shown: tuple[float, str] | None = None
        self._shown_s = -math.inf
        self._page_s = time.monotonic()
        self.update()

    def update(self) -> None:
        """Show how far the batch is, if it is time to."""
        now_s = time.monotonic()
        if now_s - self._shown_s < self._every_s:
            return
        self._shown_s = now_s
        with _away_for_a_while():
            progress = self._jobs.batch_progress(self._batch_id)
            self._show(progress)
            if now_s - self._page_s >= self._page_every_s:
                self._page_s = now_s
                self._show_page(progress)

    def end(self) -> None:
        """Show how the batch has ended, with a table of its jobs."""
        with _away_for_a_while():
            progress = self._jobs.batch_progress(self._batch_id)
            self._show(progress)
            if progress.total > 1:  # of one job, its own page tells everything
                self._show_page(progress)
            publish_table(self._jobs, self._batch_id)

    def _show(self, progress: Progress) -> None:
        words = f"{progress_words(progress)} · {plain(title_words(progress.batch))}"  # cards cut off the end
        shown = (self._percent(progress), words)
        if self._artifact_id is None:
            self._artifact_id = create_progress_artifact(progress=shown[0], description=words)
        elif shown != self._shown:
            update_progress_artifact(self._artifact_id, progress=shown[0], description=words)
        self._shown = shown

    def _percent(self, progress: Progress) -> float:
        """How much is done; with what is done of running jobs, where these are a part that matters."""
        done = float(progress.ended)
        if progress.counts[Status.running] and progress.total <= MOST_PAGES:
            running = self._jobs.list(batch_id=self._batch_id, status=Status.running, limit=MOST_PAGES)
            done += sum(done_share(record) for record in running)
        percent = math.floor(1000 * done / max(1, progress.total)) / 10
        return 100.0 if is_over(progress) else min(99.9, percent)

    def _show_page(self, progress: Progress) -> None:
        page = batch_page(progress, self._jobs.failures(self._batch_id), self._jobs.outages())
        description = plain(title_words(progress.batch))
        if self._page_id is None:
            self._page_id = create_markdown_artifact(page, key=page_key(self._batch_id), description=description)
        else:  # a new version every half minute would be a heap of them
            client = get_client(sync_client=True)  # that of the run, which stays open
            client.update_artifact(self._page_id, ArtifactUpdate(data=page, description=description))


def page_key(batch_id: UUID) -> str:
    """The name of the page of a batch."""
    return f"batch-{short_batch(batch_id)}"


def publish_table(jobs: JobStore, batch_id: UUID) -> None:
    """A table of jobs as they ended; failures first where there are too many to show."""
    progress = jobs.batch_progress(batch_id)
    rows = [job_row(record) for record in _rows(jobs, progress)]
    more = f" (the first {len(rows):,} of {progress.total:,})" if progress.total > len(rows) else ""
    words = f"{progress_words(progress)}{more} · {plain(title_words(progress.batch))}"
    create_table_artifact(table=rows, key="jobs", description=words)


def publish_jobs(studio: Studio, shard: Shard) -> None:
    """A page for each job of a shard that has ended; in a large batch, for failures, as long as they are few."""
    with _away_for_a_while():
        for record in _with_pages(studio.jobs, shard):
            picture = studio.objects.read_bytes(record.result.picture.uri) if record.result else b""
            create_markdown_artifact(
                markdown=job_page(record, picture),
                key=f"job-{short_id(record)}",
                description=f"{plain(record.spec.filename)}: {state_words(record)}",
            )


def _rows(jobs: JobStore, progress: Progress) -> Iterator[JobRecord]:
    """The jobs that a table shows, read a page at a time."""
    few = progress.total <= MOST_ROWS
    room = MOST_ROWS
    for status in (None,) if few else _ATTENTION:
        after: UUID | None = None
        while room and (
            page := jobs.list(
                batch_id=progress.batch.id,
                status=status,
                limit=min(room, _ROWS_AT_ONCE),
                after=after,
                oldest_first=True,
            )
        ):
            yield from page
            after = page[-1].id
            room -= len(page)


def _with_pages(jobs: JobStore, shard: Shard) -> list[JobRecord]:
    """The jobs of a shard that get a page."""
    [first] = jobs.read(shard.jobs[:1])
    if not _is_large(jobs, first.batch_id):
        wanted = shard.jobs
    else:
        wanted = jobs.failed_among(shard.jobs)
        if wanted and first.batch_id and jobs.counts(first.batch_id)[Status.failed] > MOST_PAGES:
            return []
    return [record for record in jobs.read(wanted) if record.status.ended] if wanted else []


def _is_large(jobs: JobStore, batch_id: UUID | None) -> bool:
    """Whether a batch has too many jobs for a page each; one that has is not counted again."""
    if batch_id is None or batch_id in _LARGE:
        return batch_id is not None
    if sum(jobs.counts(batch_id).values()) > MOST_PAGES:
        _LARGE.add(batch_id)
    return batch_id in _LARGE


@contextmanager
def _away_for_a_while() -> Iterator[None]:
    """What shows the work does not stop it: what cannot be shown now is shown later, or never."""
    with suppress(httpx.HTTPError, RetryableError):
        yield
