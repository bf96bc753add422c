"""Batches on which nobody works, and the runs that are sent to them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Pending, Scheduled

from mixdown.jobs import JobStore
from mixdown.model import BatchRecord, Priority
from mixdown.owner import is_alive
from mixdown.studio import Studio

URGENT, NORMAL = "continue-batch/urgent", "continue-batch/default"

#: A run that was sent has so long to begin, before another one is sent.
GRACE_S = 8.0

#: After so many in vain the time between two is doubled each time, up to this.
_IN_VAIN, _MOST_S = 3, 600.0


@dataclass
class Dispatcher:
    """Sends runs to batches; it remembers for which of them that was no use."""

    studio: Studio
    _sent: dict[UUID, _Sent] = field(default_factory=dict)

    def waiting(self) -> list[BatchRecord]:
        """Batches on which nobody works, the urgent ones first."""
        found = self.studio.jobs.unattended(
            grace_s=GRACE_S, lease_s=self.studio.settings.lease_s, is_alive=is_alive
        )
        now_s = time.monotonic()
        return [batch for batch in found if batch.id not in self._sent or self._sent[batch.id].next_s <= now_s]

    def send(self, client: SyncPrefectClient, batch: BatchRecord, *, taken_by: str) -> FlowRun | None:
        """Send a run to a batch, unless somebody else does or one is on its way.

        One for an urgent batch is handed back: it is taken already, and for the caller to run.
        """
        jobs = self.studio.jobs
        urgent = batch.priority is Priority.urgent
        deployment_id = client.read_deployment_by_name(URGENT if urgent else NORMAL).id
        if not urgent and _is_on_its_way(client, deployment_id, batch.id):
            return None
        if not jobs.note_dispatch(batch.id, grace_s=GRACE_S):
            return None
        self._remember(jobs, batch.id)
        generation = batch.dispatched_at.isoformat() if batch.dispatched_at else "first"
        run = client.create_flow_run_from_deployment(
            deployment_id,
            parameters={"batch_id": str(batch.id)},
            name=batch.title or None,
            state=Pending(message=taken_by) if urgent else Scheduled(),
            idempotency_key=f"{batch.id} {generation}",
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


def _is_on_its_way(client: SyncPrefectClient, deployment_id: UUID, batch_id: UUID) -> bool:
    """Whether a run for this batch waits for its turn already."""
    waiting = client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id])),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED, StateType.PENDING]))
        ),
        limit=200,
    )
    return any(run.parameters.get("batch_id") == str(batch_id) for run in waiting)
