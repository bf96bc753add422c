"""What the tests of the ledger let other processes do."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from random import Random
from typing import Any
from uuid import UUID

import pytest

from mixdown.jobs import JobStore, migrate, open_engine
from mixdown.model import Stage, Status
from mixdown.owner import is_alive, this_process
from tests.services.ledger_samples import LEASE_S, delivery, result, submit

_SPAWN = multiprocessing.get_context("spawn")


def together(number: int, work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """Have several processes do the same at the same moment; what each returned."""
    start = _SPAWN.Barrier(number, timeout=60)
    returned, processes = [], []
    for _ in range(number):
        answer, answering = _SPAWN.Pipe(duplex=False)
        processes.append(_SPAWN.Process(target=_answer, args=(answering, work, start, *arguments), daemon=True))
        processes[-1].start()
        answering.close()  # so that the end of the process is the end of the pipe
        returned.append(answer)
    try:
        return [answer.recv() for answer in returned]
    except EOFError:
        pytest.fail(f"{work.__name__} failed in another process: its error is above")
    finally:
        for process in processes:
            process.join(timeout=60)


def _answer(answering: Any, work: Callable[..., Any], *arguments: Any) -> None:
    answering.send(work(*arguments))


def migrate_at_once(start: Barrier, url: str) -> bool:
    """Create the tables, at the same moment as others."""
    engine = open_engine(url)
    start.wait()
    migrate(engine)
    engine.dispose()
    return True


def submit_at_once(start: Barrier, url: str, keys: list[str]) -> dict[str, UUID]:
    """Ask for these jobs, and twice for more, at the same moments as others; the id of each."""
    store = JobStore(open_engine(url))
    ids: dict[str, UUID] = {}
    for requested in range(3):
        asked = [f"{requested} {key}" for key in keys]
        Random(os.getpid()).shuffle(asked)  # each process asks in an order of its own
        start.wait()
        ids.update((job.idempotency_key, job.id) for job in submit(store, *asked))
    return ids


def claim_at_once(start: Barrier, url: str, job_ids: list[UUID]) -> list[UUID]:
    """Claim every one of these jobs, at the same moment as others; the ones that were had."""
    store, owner = JobStore(open_engine(url)), this_process()
    start.wait()
    had = [job_id for job_id in job_ids if store.claim(job_id, owner=owner, lease_s=LEASE_S, is_alive=is_alive)]
    start.wait()  # whoever left early would rightly lose what it holds
    return had


def work_until_none_is_left(start: Barrier, url: str, job_ids: list[UUID]) -> int:
    """Bring jobs to their end, at the same moment as others; how many it were."""
    store, owner = JobStore(open_engine(url)), this_process()
    start.wait()
    return sum(_work(store, job_id, owner) for job_id in job_ids)


def _work(store: JobStore, job_id: UUID, owner: str) -> bool:
    claim = store.claim(job_id, owner=owner, lease_s=LEASE_S, is_alive=is_alive)
    if claim is None:
        return False
    job = store.advance(claim, Stage.validate, found="something")
    store.progress(claim, 0.5)
    store.advance(claim, Stage.process, staged=["one", "two"])
    store.succeed(claim, result(str(job_id)), [delivery(job)])
    return True


def die_holding(url: str, job_id: UUID) -> int:
    """Have a process claim a job and be killed; its process id."""
    process = _SPAWN.Process(target=_claim_and_die, args=(url, job_id))
    process.start()
    process.join(timeout=60)
    assert process.exitcode == -signal.SIGKILL
    assert process.pid is not None
    return process.pid


def _claim_and_die(url: str, job_id: UUID) -> None:
    claim = JobStore(open_engine(url)).claim(job_id, owner=this_process(), lease_s=LEASE_S)
    if claim is not None:
        os.kill(os.getpid(), signal.SIGKILL)


def start_working(url: str) -> Any:
    """Start a process that brings queued jobs to their end until it is killed."""
    process = _SPAWN.Process(target=_work_for_ever, args=(url,))
    process.start()
    return process


def _work_for_ever(url: str) -> None:
    store, owner = JobStore(open_engine(url)), this_process()
    while True:
        unfinished = [*store.list(status=Status.running), *store.list(status=Status.queued)]
        for job in unfinished:
            _work(store, job.id, owner)
