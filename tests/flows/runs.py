"""What Prefect knows of a run, for tests to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.artifacts import Artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import State, TaskRun


def run(flow: Flow[..., Any], *args: Any, **kwargs: Any) -> tuple[State[Any], UUID]:
    """Run a flow to its end, whatever it is; returns its final state and the id of the run."""
    state = flow(*args, **kwargs, return_state=True)
    run_id = state.state_details.flow_run_id
    assert run_id is not None
    return state, run_id


def task_runs(run_id: UUID) -> list[TaskRun]:
    """The task runs of a flow run, in the order they were started."""
    with get_client(sync_client=True) as client:
        found = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run_id])))
    return sorted(found, key=lambda task_run: str(task_run.start_time))


def artifacts(run_id: UUID, kind: str) -> list[Artifact]:
    """The artifacts of this kind that a flow run left."""
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
        )
    return [artifact for artifact in found if artifact.type == kind]


Eventually = Callable[[], bool]
