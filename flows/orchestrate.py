"""The chain, written once: validate → process → store → notify over shards of a batch."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID, uuid4

from prefect.runtime import flow_run
from prefect.states import Completed

from mixdown.crew import Shard, work_on
from mixdown.ended import Ended
from mixdown.items import Item
from mixdown.model import JobSpec
from mixdown.runner import benches
from mixdown.studio import Studio
from mixdown.submission import accept
from tasks.artifacts import BatchProgress, publish_jobs, publish_table
from tasks.notify import notify
from tasks.policy import existing_limits
from tasks.process import process
from tasks.store import store
from tasks.studio import studio
from tasks.validate import validate


def through(shard: Shard) -> None:
    """Take one shard through the four stages, then show in Prefect what came of it."""
    done = notify(store(process(validate(shard))))
    publish_jobs(studio(), done)


def run_to_end(requests: Iterable[tuple[JobSpec, Item]], *, title: str) -> Ended:
    """Accept requests as a batch and work on it until nothing is left."""
    opened = studio()
    batch_id = opened.jobs.open_batch(title, batch_id=uuid4())
    accept(opened, requests, batch_id=batch_id)
    return work_to_end(opened, batch_id)


def work_to_end(opened: Studio, batch_id: UUID) -> Ended:
    """Work on a batch until nothing of it is left, here or elsewhere; BatchCancelled if it is called off."""
    progress = BatchProgress(opened.jobs, batch_id)
    queued, _ = opened.jobs.left(batch_id)
    with benches(opened, queued) as bench:
        work_on(
            opened,
            batch_id,
            bench=bench,
            through=through,
            look=progress.update,
            flow_run_id=flow_run.id,
            limits=existing_limits(),
        )
    progress.update()
    publish_table(opened, batch_id)
    return Ended(opened.jobs, batch_id, opened.jobs.batch_progress(batch_id).counts)


def ended(batch: Ended) -> Ended:
    """The state of a run, in words: one job that failed does not make the run fail."""
    return Completed(message=batch.words, data=batch)  # type: ignore[return-value]
