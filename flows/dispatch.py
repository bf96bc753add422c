"""Batches on which nobody works, and the runs that are sent to them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.states import AwaitingRetry, Pending, Scheduled

from mixdown.jobs import JobStore
from mixdown.model import BatchRecord, Priority
from mixdown.owner import is_alive
from mixdown.studio import Studio

URGENT, NORMAL = "continue-batch/urgent", "continue-batch/default"

#: A run that was sent has so long to begin, before another one is sent.
GRACE_S = 8.0

#: A run is started again so often; then its batch gets new ones.
MOST_RUNS = 50

#: Prefect's runner says itself that the process of a run is gone, about so long after it is.
_NOTICED_S = 2.0

#: The process of a run may take so long to begin, on a busy machine.
_BEGINS_S = 20.0

#: And so long from there until it has signed in at its batch.
_SIGNS_IN_S = 15.0

_PAUSES_S = (0.05, 0.2, 0.5)

#: After so many in vain the time between two is doubled each time, up to this.
_IN_VAIN, _MOST_S = 3, 600.0


@dataclass
class Dispatcher:
    """Sends runs to batches; it remembers for which of them that was no use."""

    studio: Studio
    _sent: dict[UUID, _Sent] = field(default_factory=dict)
    _since_s: dict[UUID, float] = field(default_factory=dict)  #: when they were first seen to wait

    def waiting(self, *, room: int = 0) -> list[BatchRecord]:
        """Batches on which nobody works, the urgent ones first.

        Jobs that belong to none, as clients of the API ask for, are gathered into one where there is `room` for
        more: until then more of them come together.
        """
        found = self._waiting()
        if room > len(found) and self.studio.jobs.gather_loose() is not None:
            return self._waiting()
        return found

    def _waiting(self) -> list[BatchRecord]:
        found = self.studio.jobs.unattended(
            grace_s=GRACE_S, lease_s=self.studio.settings.lease_s, is_alive=is_alive
        )
        now_s = time.monotonic()
        self._since_s = {batch.id: self._since_s.get(batch.id, now_s) for batch in found}
        return [batch for batch in found if batch.id not in self._sent or self._sent[batch.id].next_s <= now_s]

    def send(self, client: SyncPrefectClient, batch: BatchRecord, *, taken_by: str) -> FlowRun | None:
        """Send a run to a batch, unless somebody else does or one is on its way.

        The run that a batch was asked for with goes on with it; otherwise it gets one of `continue-batch`. One
        for an urgent batch is handed back: it is taken already, and for the caller to run.
        """
        jobs = self.studio.jobs
        waits_s = time.monotonic() - self._since_s.get(batch.id, 0.0)
        earlier = _own_run(client, batch.id)
        if earlier is not None and waits_s < _NOTICED_S:
            return None
        urgent = earlier is None and batch.priority is Priority.urgent
        deployment_id = client.read_deployment_by_name(URGENT if urgent else NORMAL).id
        if earlier is None and not urgent:
            earlier = _run_of(client, deployment_id, batch.id)
        if earlier is not None and earlier.state is not None and _is_on_its_way(earlier.state):
            return None
        if not jobs.note_dispatch(batch.id, grace_s=GRACE_S):
            return None
        self._remember(jobs, batch.id)
        if earlier is not None:
            again: State[object] = AwaitingRetry(message="Its process is gone; it goes on.")
            client.set_flow_run_state(earlier.id, again, force=True)
            return None
        generation = batch.dispatched_at.isoformat() if batch.dispatched_at else "first"
        run = _insist(
            lambda: client.create_flow_run_from_deployment(
                deployment_id,
                parameters={"batch_id": str(batch.id)},
                name=batch.title or None,
                state=Pending(message=taken_by) if urgent else Scheduled(),
                idempotency_key=f"{batch.id} {generation}",
            )
        )
        return run if urgent else None

    def _remember(self, jobs: JobStore, batch_id: UUID) -> None:
        queued, running = jobs.left(batch_id)
        before = self._sent.get(batch_id)
        in_vain = before.in_vain + 1 if before and before.left == queued + running else 0
        wait_s = 0.0 if in_vain < _IN_VAIN else min(_MOST_S, GRACE_S * 2 ** (in_vain - _IN_VAIN + 1))
        self._sent[batch_id] = _Sent(left=queued + running, in_vain=in_vain, next_s=time.monotonic() + wait_s)


@dataclass(frozen=True, kw_only=True)
class _Sent:
    left: int  #: jobs that were left when it was sent
    in_vain: int  #: how many before it ended without a job less
    next_s: float


def _insist(ask: Callable[[], FlowRun]) -> FlowRun:
    """Ask again at once where Prefect's server is busy, as it is on SQLite: else `GRACE_S` would have to pass."""
    for pause_s in _PAUSES_S:
        try:
            return ask()
        except PrefectHTTPStatusError as error:
            if error.response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                raise
            time.sleep(pause_s)
    return ask()


def _own_run(client: SyncPrefectClient, batch_id: UUID) -> FlowRun | None:
    """The run that a batch was asked for with, if it can be started again: it may not have accepted all of it."""
    try:
        run = client.read_flow_run(batch_id)
    except ObjectNotFound:
        return None
    is_over = run.state is not None and (run.state.is_completed() or run.state.is_cancelled())
    return None if is_over or run.deployment_id is None or run.run_count >= MOST_RUNS else run


def _run_of(client: SyncPrefectClient, deployment_id: UUID, batch_id: UUID) -> FlowRun | None:
    """The last run of `continue-batch` for this batch, if it has not ended."""
    kinds = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING]
    found = client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id])),
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=kinds))),
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        limit=200,
    )
    return next((run for run in found if run.parameters.get("batch_id") == str(batch_id)), None)


def _is_on_its_way(state: State[object]) -> bool:
    """Whether a run waits for its turn, or its process is just being started or about to sign in."""
    age_s = (datetime.now(UTC) - state.timestamp).total_seconds()
    if state.is_pending():
        return age_s < _BEGINS_S
    return state.is_scheduled() or (state.is_running() and age_s < _SIGNS_IN_S)
