"""What Prefect's UI shows of a batch, however large it is."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.context import SyncClientContext
from prefect.settings import PREFECT_API_URL, temporary_settings

from mixdown.crew import Shard
from mixdown.jobs import JobStore
from mixdown.model import JobRecord
from mixdown.studio import Studio
from tasks import artifacts as shown
from tests.flows.runs import artifacts, run
from tests.services.ledger_samples import claimed, result, submit


@flow(name="show-end", persist_result=False)
def show_end(studio: Any, batch_id: UUID) -> None:
    """What a run shows from its beginning to its end."""
    progress = shown.BatchProgress(studio.jobs, batch_id)
    progress.update()
    progress.end()


@flow(name="show-shard", persist_result=False)
def show_shard(studio: Any, jobs: tuple[UUID, ...]) -> None:
    """What a run shows of a shard."""
    shown.publish_jobs(studio, Shard(label="clips", jobs=jobs, claims=()))


def batch_of(jobs: JobStore, number: int, *, failed: int) -> tuple[UUID, list[JobRecord]]:
    """A batch of so many jobs; the last ones have failed, the others are queued."""
    batch_id = jobs.open_batch("Interviews")
    records = submit(jobs, *(f"{batch_id.hex}-{n:04}" for n in range(number)), batch_id=batch_id)
    for record in records[number - failed :]:
        jobs.fail(claimed(jobs, record), code="unreadable_audio", detail="No decoder understands it.")
    return batch_id, records


def test_a_large_batch_is_a_line_a_page_and_a_table(studio: Studio) -> None:
    """Progress in words, a page with the reasons, and 500 of its jobs, failures first."""
    batch_id, records = batch_of(studio.jobs, 601, failed=7)

    _, run_id = run(show_end, studio, batch_id)

    [progress] = artifacts(run_id, "progress")
    [page] = artifacts(run_id, "markdown")
    [table] = artifacts(run_id, "table")
    rows = json.loads(str(table.data))
    assert progress.data == 1.1
    assert str(progress.description).startswith("7 of 601 · 7 failed")
    assert page.key == f"batch-{batch_id.hex[:8]}"
    assert "| `unreadable_audio` | 7 |" in str(page.data)
    assert len(rows) == 500
    assert [row["State"] for row in rows[:8]] == ["failed: unreadable_audio"] * 7 + ["queued"]
    assert rows[7]["File"] == records[0].spec.filename
    assert "the first 500 of 601" in str(table.description)


def test_a_batch_that_has_ended_is_shown_as_such(studio: Studio) -> None:
    """100 % only when nothing is left; the table of a small batch keeps its order."""
    batch_id, records = batch_of(studio.jobs, 3, failed=1)
    for record in records[:2]:
        studio.jobs.succeed(claimed(studio.jobs, record), result(record.idempotency_key))

    _, run_id = run(show_end, studio, batch_id)

    [progress], [table] = artifacts(run_id, "progress"), artifacts(run_id, "table")
    assert progress.data == 100.0
    assert [row["File"] for row in json.loads(str(table.data))] == [record.spec.filename for record in records]


def test_the_page_of_a_batch_is_kept_up_to_date(studio: Studio) -> None:
    """One page per run, changed in place: a new version every half minute would be a heap of them."""
    batch_id, records = batch_of(studio.jobs, 3, failed=1)

    @flow(name="show-twice", persist_result=False)
    def show_twice() -> None:
        progress = shown.BatchProgress(studio.jobs, batch_id, every_s=0.0, page_every_s=0.0)
        studio.jobs.succeed(claimed(studio.jobs, records[0]), result("x"))
        progress.update()

    _, run_id = run(show_twice)

    [progress], [page] = artifacts(run_id, "progress"), artifacts(run_id, "markdown")
    assert progress.data == 66.6
    assert "| succeeded | 1 |" in str(page.data)


def test_in_a_large_batch_failures_have_pages(studio: Studio) -> None:
    """A hundred of them at most; in a small batch every job that has ended has one."""
    _, large = batch_of(studio.jobs, 101, failed=2)
    _, small = batch_of(studio.jobs, 4, failed=2)

    _, of_large = run(show_shard, studio, tuple(record.id for record in large[90:]))
    _, of_small = run(show_shard, studio, tuple(record.id for record in small))

    assert sorted(str(page.key) for page in artifacts(of_large, "markdown")) == sorted(
        f"job-{record.id.hex[:8]}" for record in large[-2:]
    )
    assert len(artifacts(of_small, "markdown")) == 2


def test_more_failures_than_pages_have_none(studio: Studio) -> None:
    """Ten thousand failures do not become ten thousand pages."""
    _, records = batch_of(studio.jobs, 102, failed=101)

    _, run_id = run(show_shard, studio, tuple(record.id for record in records[-5:]))

    assert artifacts(run_id, "markdown") == []


def test_work_goes_on_where_nothing_can_be_shown(studio: Studio) -> None:
    """Prefect's server may be away: what shows the work raises nothing."""
    batch_id, records = batch_of(studio.jobs, 2, failed=1)

    @flow(name="show-nothing", persist_result=False)
    def show_nothing() -> str:
        nobody = {PREFECT_API_URL: "http://127.0.0.1:9/api"}
        # Settings of its own keep the client of the run from being used.
        with SyncClientContext(httpx_settings={"timeout": 5}), temporary_settings(nobody):
            shown.BatchProgress(studio.jobs, batch_id).end()
            shown.publish_jobs(studio, Shard(label="clips", jobs=(records[1].id,), claims=()))
        return "done"

    state, run_id = run(show_nothing)

    assert state.is_completed()
    assert artifacts(run_id, "markdown") == []
    with get_client(sync_client=True) as client:
        assert client.read_flow_run(run_id).state.is_completed()
