"""The chain, written once: validate → process → store → notify over shards, in a bounded window."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextvars import copy_context
from uuid import uuid4

from mixdown.model import JobRecord, JobSpec
from mixdown.runner import worker_pool
from mixdown.studio import Studio
from mixdown.submission import size_hint_bytes, submit
from tasks.artifacts import BatchProgress, publish_jobs, publish_table
from tasks.notify import notify
from tasks.policy import existing_limits
from tasks.process import process
from tasks.shard import Shard, plan
from tasks.store import store
from tasks.studio import studio
from tasks.validate import validate

#: How often the progress artifact is brought up to date.
REFRESH_S = 2.0


def through(shard: Shard) -> Shard:
    """Take one shard through the four stages, then show in Prefect what came of it."""
    done = notify(store(process(validate(shard))))
    publish_jobs(studio(), done)
    return done


def run_to_end(specs: Sequence[JobSpec], *, title: str) -> list[JobRecord]:
    """Accept jobs, work through those that are not done, and return them all as they ended, in order."""
    opened = studio()
    batch_id = uuid4()
    records = submit(opened, specs, batch_id=batch_id)
    todo = [record for record in records if not record.status.ended]
    with opened.at_work() as owner:
        sizes = [size_hint_bytes(record.spec.source) for record in todo]
        _in_window(
            opened,
            plan(todo, sizes, owner=owner, limits=existing_limits()),
            BatchProgress(opened.jobs, batch_id, title),
        )
    ended = [opened.jobs.get(record.id) for record in records]
    publish_table(ended, title)
    return ended


def _in_window(opened: Studio, shards: Sequence[Shard], progress: BatchProgress) -> None:
    """Run shards through the chain, as many at once as there are workers.

    Tasks are called directly in threads: results flow out as they are made, with no barrier between
    the stages of different shards, and chaining futures would cost a request for each.
    """
    with worker_pool(opened) as pool:
        running: set[Future[Shard]] = {pool.submit(copy_context().run, through, shard) for shard in shards}
        while running:
            done, running = wait(running, timeout=REFRESH_S, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
            progress.update()
    progress.update()
