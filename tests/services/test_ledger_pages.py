"""Jobs and batches page by page, and jobs tried again, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from mixdown.errors import IllegalTransition, JobNotFound
from mixdown.jobs import Asked, JobStore
from mixdown.jobs.pages import Pages, Place, Wanted
from mixdown.model import Analyze, JobRecord, JobSpec, Priority, Source, Status, Transform
from tests.services.ledger_samples import claimed, result

KEY = UUID(int=7)


@pytest.fixture
def pages(job_store: JobStore) -> Pages:
    """The pages of the ledger."""
    return Pages(job_store.engine)


@pytest.fixture
def jobs(job_store: JobStore) -> list[JobRecord]:
    """Nine of a batch, newest first: of each kind of work one that succeeded, one that failed, one of a key."""
    batch_id = job_store.open_batch("Nine", key_id=KEY)
    kinds = [None, Transform(), Analyze()]
    asked = [
        Asked(
            spec=JobSpec(source=Source(uri=f"/recordings/{n}.wav"), **({"work": kinds[n % 3]} if n % 3 else {})),
            key=f"job {n}",
            key_id=KEY if n > 5 else None,
        )
        for n in range(9)
    ]
    records = job_store.accept(asked, batch_id=batch_id).records
    for record in records[:3]:
        job_store.succeed(claimed(job_store, record), result(record.idempotency_key))
    for record in records[3:6]:
        job_store.fail(claimed(job_store, record), code="empty_file", detail="It is empty.")
    return [job_store.get(record.id) for record in reversed(records)]


def walked(pages: Pages, wanted: Wanted, limit: int) -> Iterator[JobRecord]:
    """Every job, page by page."""
    behind = None
    while page := pages.jobs(wanted, limit=limit, behind=behind):
        assert len(page) <= limit
        yield from page
        behind = Place(created_at=page[-1].created_at, id=page[-1].id)


@pytest.mark.parametrize("limit", [1, 2, 4, 9, 20])
def test_pages_show_each_job_once_newest_first(pages: Pages, jobs: list[JobRecord], limit: int) -> None:
    """However many there are on a page."""
    assert list(walked(pages, Wanted(), limit)) == jobs


def test_jobs_that_are_added_meanwhile_change_no_later_page(
    pages: Pages, jobs: list[JobRecord], job_store: JobStore
) -> None:
    """A page is told by its place, not by its number."""
    first = pages.jobs(Wanted(), limit=4)
    job_store.accept([Asked(spec=JobSpec(source=Source(uri="/recordings/new.wav")), key="new")], batch_id=None)

    behind = Place(created_at=first[-1].created_at, id=first[-1].id)

    assert first + pages.jobs(Wanted(), limit=100, behind=behind) == jobs


def test_jobs_are_chosen_by_what_they_are(pages: Pages, jobs: list[JobRecord]) -> None:
    """By key, state, kind, error, batch and time, alone and together."""
    batch_id, at = jobs[0].batch_id, jobs[4].created_at

    def names(**wanted: object) -> list[str]:
        return [job.spec.source.name[0] for job in pages.jobs(Wanted(**wanted), limit=100)]

    assert names(key_id=KEY) == ["8", "7", "6"]
    assert names(status=Status.failed) == names(code="empty_file") == ["5", "4", "3"]
    assert (names(kind="enhance"), names(kind="transform")) == (["6", "3", "0"], ["7", "4", "1"])
    assert names(kind="analyze", status=Status.succeeded) == ["2"]
    assert names(batch_id=batch_id) == list("876543210")
    assert names(batch_id=uuid4()) == names(code="no_such") == []
    assert names(created_after=at) == list("87654")
    assert names(created_before=at) == list("3210")
    assert names(created_after=at, created_before=at + timedelta(microseconds=1)) == ["4"]


def test_batches_come_in_pages(pages: Pages, jobs: list[JobRecord], job_store: JobStore) -> None:
    """Newest first, each with its numbers; those of a key alone."""
    empty = job_store.open_batch("Empty")

    [newest] = pages.batches(None, limit=1)
    behind = Place(created_at=newest.batch.created_at, id=newest.batch.id)
    [other] = pages.batches(None, limit=5, behind=behind)

    assert newest.batch.id == empty
    assert (other.batch.id, other.counts[Status.failed]) == (jobs[0].batch_id, 3)
    assert [each.batch.id for each in pages.batches(KEY, limit=5)] == [jobs[0].batch_id]


def test_a_job_is_tried_again_in_an_urgent_batch(pages: Pages, jobs: list[JobRecord], job_store: JobStore) -> None:
    """A second time there is nothing to try; nor where it succeeded, or there is none."""
    failed, succeeded = jobs[3], jobs[6]

    again = pages.retry(failed.id)

    assert (again.id, again.status, again.error_code) == (failed.id, Status.queued, None)
    [batch] = [each for each in job_store.batches() if each.title == "5.wav, again"]
    assert batch.priority is Priority.urgent
    assert job_store.counts(batch.id)[Status.queued] == 1
    for job in (failed, succeeded):
        with pytest.raises(IllegalTransition, match="nothing to try again"):
            pages.retry(job.id)
    with pytest.raises(JobNotFound):
        pages.retry(uuid4())


def test_of_many_all_are_tried_again_or_none(pages: Pages, jobs: list[JobRecord], job_store: JobStore) -> None:
    """One that cannot be leaves the others as they are, and no batch."""
    failed = [job.id for job in jobs[3:6]]

    with pytest.raises(IllegalTransition, match=r"0\.wav .* is succeeded"):
        pages.retry_all([*failed, jobs[8].id], "again")
    before = [job_store.get(job_id).status for job_id in failed], len(job_store.batches())
    batch_id = pages.retry_all(failed, "again")

    assert before == ([Status.failed] * 3, 1)
    assert {job.id for job in job_store.list(batch_id=batch_id)} == set(failed)
    assert job_store.counts(batch_id)[Status.queued] == 3
