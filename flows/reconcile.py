"""Prefect's view made to agree with the ledger: events get lost, and runs of killed processes stay `Running`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterId,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun, State, StateType
from prefect.states import Cancelled, Completed, Crashed, Failed, Scheduled

from flows.orchestrate import batch_of, call_off
from flows.server import described_deployments, flow_of
from mixdown.ended import Ended
from mixdown.errors import BatchNotFound, PrefectUnavailable
from mixdown.jobs import JobStore
from mixdown.model import BatchRecord
from mixdown.owner import is_alive
from mixdown.studio import Studio
from tasks.studio import studio

#: Nothing is said of a run whose state is younger: its process may be about to begin, or to say how it ended.
GRACE_S = 30.0

#: A run without a batch has no heartbeat in the ledger: it counts as dead when it is older than any that lives.
_NO_BATCH_S = 6 * 3600.0

#: A run that nobody has begun after this long is given to somebody else.
_PENDING_S = 300.0

#: How far back runs are looked at that have crashed: others may have brought their batch to its end.
_LOOK_BACK = timedelta(days=2)

_PAGE = 200
_OPEN = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A run that Prefect saw otherwise than it is."""

    run: str  #: its name
    kind: str  #: `flow run` or `task run`
    was: str | None
    now: str | None
    why: str

    def __str__(self) -> str:
        return f"{self.kind} {self.run}: {self.was} → {self.now}. {self.why}"


@dataclass(frozen=True)
class Reconciled:
    """What was done, or would be."""

    requeued: int  #: jobs of dead processes
    changes: tuple[Change, ...]


def reconcile(
    opened: Studio, *, spare: Collection[UUID] = (), grace_s: float = GRACE_S, dry_run: bool = False
) -> Reconciled:
    """Queue jobs of dead processes again, and set runs that Prefect is wrong about to what the ledger knows.

    `spare` are runs that are certainly alive.
    """
    settings = opened.settings
    alive = {
        shift.flow_run_id
        for shift in opened.jobs.shifts()
        if is_alive(shift.owner) and _age_s(shift.heartbeat_at) < settings.lease_s
    }
    requeued = [] if dry_run else opened.jobs.requeue_lost(lease_s=settings.lease_s, is_alive=is_alive)
    changes: list[Change] = []
    with get_client(sync_client=True) as client:
        flows = _our_flows(client)
        for run in _runs(client, flows, _OPEN):
            if run.id in alive or run.id in spare or run.state is None or _age_s(run.state.timestamp) < grace_s:
                continue
            if (state := _as_it_is(opened.jobs, run, run.state, flows[run.flow_id], dry_run=dry_run)) is not None:
                changes.append(_set(client, run, state, dry_run=dry_run))
        for run in _runs(client, flows, [StateType.CRASHED]):
            if (state := _how_the_batch_ended(opened.jobs, run, flows[run.flow_id])) is not None:
                changes.append(_set(client, run, state, dry_run=dry_run))
        changes += _stuck_tasks(client, flows, grace_s=grace_s, dry_run=dry_run)
    return Reconciled(requeued=len(requeued), changes=tuple(changes))


def reconcile_now(*, dry_run: bool) -> list[str]:
    """Reconcile, in sentences, for people."""
    try:
        done = reconcile(studio(), dry_run=dry_run)
    except httpx.HTTPError as error:
        raise PrefectUnavailable("Prefect's server does not answer. Set PREFECT_API_URL to its address.") from error
    lines = [str(change) for change in done.changes]
    if done.requeued:
        lines.append(f"{done.requeued} jobs of dead processes queued again.")
    return lines or ["Prefect and the ledger agree."]


def _as_it_is(
    jobs: JobStore, run: FlowRun, state: State[Any], flow: Flow[..., Any], *, dry_run: bool
) -> State[Any] | None:
    """The state of an open run of which no process is known; None: it may be alive."""
    age_s = _age_s(state.timestamp)
    with_batch = call_off in flow.on_cancellation_hooks
    if state.is_cancelling():
        if with_batch and not dry_run and _batch(jobs, run) is not None:
            jobs.cancel_batch(batch_of(run))
        return Cancelled(message="Its process is gone.")
    if state.is_pending():
        return Scheduled(message="Nobody began it.") if age_s > _PENDING_S or _taker_is_dead(state) else None
    if not with_batch:
        return Crashed(message="Its process is gone.") if age_s > _NO_BATCH_S else None
    return _how_the_batch_ended(jobs, run, flow) or Crashed(message="Its process is gone.")


def _taker_is_dead(state: State[Any]) -> bool:
    """Whether a warm process took the run and died."""
    signed, _, owner = (state.message or "").partition("Taken by ")
    return not signed and bool(owner) and not is_alive(owner)


def _how_the_batch_ended(jobs: JobStore, run: FlowRun, flow: Flow[..., Any]) -> State[Any] | None:
    """The state of a run whose batch is over, by whomever; None where it is not."""
    batch = _batch(jobs, run) if call_off in flow.on_cancellation_hooks else None
    if batch is None:
        return None
    if batch.cancelled_at is not None:
        return Cancelled(message="Its batch was called off.")
    if sum(jobs.left(batch.id)):
        return None
    ended = Ended(jobs, batch.id, jobs.counts(batch.id))
    if not len(ended):
        return None
    if flow.name == "process-audio" and not ended.all_well:
        return Failed(message=ended.words)
    return Completed(message=f"{ended.words}; others went on with it.")


def _batch(jobs: JobStore, run: FlowRun) -> BatchRecord | None:
    try:
        return jobs.batch(batch_of(run))
    except BatchNotFound:
        return None


def _our_flows(client: SyncPrefectClient) -> dict[UUID, Flow[..., Any]]:
    """The flows of our deployments, by the ids that Prefect gave them."""
    ours = {flow.name: flow for flow in map(flow_of, described_deployments())}
    found = client.read_flows(flow_filter=FlowFilter(name=FlowFilterName(any_=sorted(ours))))
    return {each.id: ours[each.name] for each in found}


def _runs(client: SyncPrefectClient, flow_ids: Collection[UUID], kinds: list[StateType]) -> list[FlowRun]:
    """Runs of these flows in one of these states; of those that have ended, the ones of late."""
    since = None if kinds == _OPEN else FlowRunFilterStartTime(after_=datetime.now(UTC) - _LOOK_BACK)
    return client.read_flow_runs(
        flow_filter=FlowFilter(id=FlowFilterId(any_=list(flow_ids))),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=kinds)), start_time=since
        ),
        limit=_PAGE,
    )


def _stuck_tasks(
    client: SyncPrefectClient, flow_ids: Collection[UUID], *, grace_s: float, dry_run: bool
) -> list[Change]:
    """End task runs that are open although their flow run has ended."""
    ended = FlowRunFilterState(type=FlowRunFilterStateType(any_=sorted(TERMINAL_STATES)))
    stuck = client.read_task_runs(
        flow_filter=FlowFilter(id=FlowFilterId(any_=list(flow_ids))),
        flow_run_filter=FlowRunFilter(state=ended),
        task_run_filter=TaskRunFilter(
            state=TaskRunFilterState(type=TaskRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING]))
        ),
        limit=_PAGE,
    )
    changes = []
    for task_run in stuck:
        if task_run.state is None or task_run.flow_run_id is None:
            continue
        above = client.read_flow_run(task_run.flow_run_id).state
        if above is None or min(_age_s(task_run.state.timestamp), _age_s(above.timestamp)) < grace_s:
            continue
        message = f"Its flow run is {above.name}."
        state: State[Any] = Crashed(message=message) if not above.is_cancelled() else Cancelled(message=message)
        if not dry_run:
            client.set_task_run_state(task_run.id, state, force=True)
        changes.append(
            Change(run=task_run.name, kind="task run", was=task_run.state.name, now=state.name, why=message)
        )
    return changes


def _set(client: SyncPrefectClient, run: FlowRun, state: State[Any], *, dry_run: bool) -> Change:
    if not dry_run:
        client.set_flow_run_state(run.id, state, force=True)
    was = run.state.name if run.state else None
    return Change(run=run.name, kind="flow run", was=was, now=state.name, why=state.message or "")


def _age_s(at: datetime) -> float:
    return (datetime.now(UTC) - at).total_seconds()
