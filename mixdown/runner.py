"""Jobs worked through without Prefect: a pool of threads, each job through its four stages."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from uuid import UUID

from mixdown.errors import Interrupted, RetryableError
from mixdown.model import Claim, JobRecord, Stage
from mixdown.retry import POLICIES
from mixdown.stages import run_stage
from mixdown.studio import Studio


def run_jobs(
    studio: Studio, job_ids: Sequence[UUID], *, ended: Callable[[JobRecord], None] = lambda _: None
) -> list[JobRecord]:
    """Work through jobs, as many at once as there are workers; returns them as they ended, in order.

    `ended` is called in the calling thread for each job as it ends. On an interrupt (Ctrl-C) running
    jobs are stopped at their next block and queued again.
    """
    with studio.at_work() as owner, worker_pool(studio) as pool:
        running: dict[Future[None], UUID] = {
            pool.submit(_run_job, studio, job_id, owner): job_id for job_id in job_ids
        }
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                job_id = running.pop(future)
                future.result()
                ended(studio.jobs.get(job_id))
    return [studio.jobs.get(job_id) for job_id in job_ids]


@contextmanager
def worker_pool(studio: Studio) -> Iterator[ThreadPoolExecutor]:
    """A pool that, when left by an error or an interrupt, tells its jobs to stop and waits for them."""
    pool = ThreadPoolExecutor(studio.settings.workers, thread_name_prefix="shard")
    finished = False
    try:
        yield pool
        finished = True
    finally:
        if not finished:
            studio.stopping.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _run_job(studio: Studio, job_id: UUID, owner: str) -> None:
    claim = studio.claim(job_id, owner)
    if claim is None:
        return
    claims = [claim]
    for stage in (Stage.validate, Stage.process, Stage.store):
        claims = _with_retries(stage, studio, claims)
    _with_retries(Stage.notify, studio, [claim])


def _with_retries(stage: Stage, studio: Studio, claims: list[Claim]) -> list[Claim]:
    policy = POLICIES[stage]
    for delay_s in policy.delays_s:
        try:
            return run_stage(stage, studio, claims, last_try=False)
        except RetryableError:
            jittered_s = delay_s * (1 + policy.jitter * random.random())  # noqa: S311 - no secret
            if studio.stopping.wait(jittered_s):
                raise Interrupted from None
    return run_stage(stage, studio, claims, last_try=True)
