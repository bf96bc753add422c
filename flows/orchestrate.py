"""A run over a batch: accepted, and worked on to its end, by this machine or by a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from contextvars import ContextVar
from typing import Any
from uuid import UUID, uuid4

import httpx
from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.runtime import flow_run as this_run
from prefect.states import Cancelled, Completed

from flows.otherwise import impatient, otherwise
from mixdown.channels import refuse_unknown
from mixdown.cluster import cluster_of, work_on_cluster
from mixdown.crew import work_on
from mixdown.ended import Ended
from mixdown.errors import BatchCancelled, BatchNotFound, Interrupted
from mixdown.hands import Hands
from mixdown.items import Item
from mixdown.model import JobSpec, Priority, Target
from mixdown.runner import benches
from mixdown.studio import Studio
from mixdown.submission import accept
from tasks.artifacts import BatchProgress
from tasks.cluster import open_cluster
from tasks.policy import existing_limits
from tasks.studio import studio
from tasks.through import through

#: The hands of a process that lives longer than its runs; None: each run has its own.
KEPT_HANDS: ContextVar[Hands | None] = ContextVar("KEPT_HANDS", default=None)


def run_to_end(
    requests: Iterable[tuple[JobSpec, Item]],
    *,
    title: str,
    priority: Priority = Priority.normal,
    notify: Sequence[Target] = (),
) -> Ended:
    """Accept requests as a batch and work on it until nothing is left.

    The batch has the id of the run: the same run, started again, goes on with it.
    """
    opened = studio()
    refuse_unknown(notify, opened.channels)
    cluster = cluster_of(opened.settings)
    batch_id = this_run_id() or uuid4()
    opened.jobs.open_batch(title, batch_id=batch_id, priority=priority, notify=notify)
    opened.jobs.note_dispatch(batch_id, grace_s=0)  # somebody is here already: nobody need be sent
    with opened.at_work(batch_id, this_run_id()):
        accept(opened, requests, batch_id=batch_id, share=cluster is not None and cluster.address is not None)
        opened.jobs.note_dispatch(batch_id, grace_s=0)
    return work_to_end(opened, batch_id)


def work_to_end(opened: Studio, batch_id: UUID) -> Ended:
    """Work on a batch until nothing of it is left, here or elsewhere, or until it is called off."""
    progress = BatchProgress(opened.jobs, batch_id)
    queued, running = opened.jobs.left(batch_id)
    kept = KEPT_HANDS.get()
    cluster = cluster_of(opened.settings) if queued + running and not kept else None
    how: dict[str, Any] = {
        "look": _look(opened, progress),
        "flow_run_id": this_run_id(),
        "limits": existing_limits(),
    }
    with suppress(BatchCancelled), ExitStack() as stack:
        if cluster is not None:
            processes = stack.enter_context(open_cluster(cluster, opened, opened.jobs.batch(batch_id)))
            work_on_cluster(opened, batch_id, processes, **how)
        else:
            bench = kept or stack.enter_context(benches(opened, queued))
            work_on(opened, batch_id, bench=bench, through=through, **how)
    progress.end()
    return Ended(opened.jobs, batch_id, opened.jobs.batch_progress(batch_id).counts)


def this_run_id() -> UUID | None:
    """The id of the present run."""
    return UUID(this_run.id) if this_run.id else None


def _look(opened: Studio, progress: BatchProgress) -> Callable[[], None]:
    """What is done every moment: end where the process is to end, and show how far the batch is."""

    once = otherwise(impatient)

    def look() -> None:
        if opened.stopping.is_set():
            raise Interrupted
        # Work goes on while Prefect's server is away, and does not wait for it.
        with once(), suppress(httpx.HTTPError):
            progress.update()

    return look


def ended(batch: Ended) -> Ended:
    """The state of a run, in words: one job that failed does not make the run fail."""
    called_off = batch.jobs.batch(batch.batch_id).cancelled_at is not None
    state: State[Any] = Cancelled(message=batch.words) if called_off else Completed(message=batch.words, data=batch)
    return state  # type: ignore[return-value]


def batch_of(flow_run: FlowRun) -> UUID:
    """The batch that a run works on."""
    return UUID(str(flow_run.parameters.get("batch_id", flow_run.id)))


def call_batch_off(flow_run: FlowRun) -> None:
    """Call off in the ledger what a run works on, wherever that is done."""
    with suppress(BatchNotFound):
        studio().jobs.cancel_batch(batch_of(flow_run))


def call_off(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """What Prefect does when a run is cancelled, as soon as its process has ended."""
    call_batch_off(flow_run)
