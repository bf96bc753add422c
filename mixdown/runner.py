"""Batches worked through without Prefect: by this process and its hands, each shard through its four stages."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from uuid import UUID

from mixdown.crew import BENCH, Benches, Shard, work_on
from mixdown.errors import DatabaseUnavailable
from mixdown.hands import Hands, Here
from mixdown.model import Claim, JobRecord, Stage
from mixdown.parts import spoken
from mixdown.retry import POLICIES
from mixdown.studio import Studio


def run_batch(
    studio: Studio, batch_id: UUID, *, look: Callable[[], None] = lambda: None, bench: Benches | None = None
) -> None:
    """Work on a batch until nothing of it is left; BatchCancelled when somebody calls it off.

    On an interrupt (Ctrl-C) running jobs are stopped at their next block and queued again.
    """
    if bench is not None:
        work_on(studio, batch_id, bench=bench, through=through, look=look)
        return
    queued, _ = studio.jobs.left(batch_id)
    with benches(studio, queued) as chosen:
        work_on(studio, batch_id, bench=chosen, through=through, look=look)


def run_jobs(studio: Studio, job_ids: Sequence[UUID], *, bench: Benches = Here) -> list[JobRecord]:
    """Work through jobs that are there, in this process unless told otherwise; as they ended, in order."""
    if job_ids:
        run_batch(studio, studio.jobs.gather(job_ids), bench=bench)
    return studio.jobs.read(job_ids)


@contextmanager
def benches(studio: Studio, jobs: int) -> Iterator[Benches]:
    """Child processes where there is work for several; one job is done right here."""
    settings = studio.settings
    if jobs < 2 or settings.workers < 2 or settings.cluster == "threads":
        yield Here
        return
    hands = Hands(settings)
    try:
        yield hands
    finally:
        hands.close()


def through(shard: Shard) -> None:
    """Take a shard through its stages."""
    validated = _run(Stage.validate, shard)
    _run(Stage.store, _run(Stage.process, spoken(validated, partial(_run, Stage.process))))
    _with_retries(Stage.notify, [Claim(job_id=job_id, fence=0) for job_id in shard.jobs])


def _run(stage: Stage, shard: Shard) -> Shard:
    return replace(shard, claims=tuple(_with_retries(stage, list(shard.claims))))


def _with_retries(stage: Stage, claims: list[Claim]) -> list[Claim]:
    """Run a stage, again and again where something is in the way of the whole shard."""
    if not claims:
        return []
    policy, bench = POLICIES[stage], BENCH.get()
    for delay_s in policy.delays_s:
        try:
            return bench.run(stage, claims)
        except DatabaseUnavailable:
            time.sleep(delay_s * (1 + policy.jitter * random.random()))  # noqa: S311 - no secret
    return bench.run(stage, claims)
