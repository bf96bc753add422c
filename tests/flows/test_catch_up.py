"""Late runs of a schedule: a real server schedules them, and each is started as a worker would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.flow_engine import run_flow
from prefect.states import Completed, Scheduled

from flows.catch_up import CatchUp, superseded

LATE_RUNS = 4


@flow(name="looks", persist_result=False)
def looks(place: str, catch_up: CatchUp = CatchUp.latest) -> str:
    """Look, unless a later run does."""
    return superseded(catch_up) or Completed(message="Looked.")  # type: ignore[return-value]


Deployed = Callable[..., UUID]


@pytest.fixture
def deployed() -> Iterator[Deployed]:
    """Makes a deployment that should have run every minute while nobody was there."""
    made: list[UUID] = []

    def deploy(policy: CatchUp, minutes: int = LATE_RUNS) -> UUID:
        served = looks.to_deployment(
            f"late-{policy}", interval=60, parameters={"place": "here", "catch_up": policy.value}
        )
        deployment_id: UUID = served.apply()  # type: ignore[union-attr]
        now = datetime.now(UTC)
        first, last = now - timedelta(minutes=minutes + 1), now - timedelta(minutes=1.5)
        window = {"start_time": str(first), "end_time": str(last), "min_runs": 1}
        with get_client(sync_client=True) as client:
            client.request("POST", f"/deployments/{deployment_id}/schedule", json=window)
        made.append(deployment_id)
        return deployment_id

    yield deploy
    with get_client(sync_client=True) as client:
        for deployment_id in made:
            client.delete_deployment(deployment_id)


def _late(deployment_id: UUID) -> list[FlowRun]:
    """The runs of a deployment that are due, oldest first."""
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id])),
            sort=FlowRunSort.EXPECTED_START_TIME_ASC,
        )
    now = datetime.now(UTC)
    return [run for run in found if run.expected_start_time is not None and run.expected_start_time <= now]


def _outcome(run: FlowRun) -> tuple[str, str | None]:
    """Start a run as a worker does; the name of its final state, and what it says."""
    state: Any = run_flow(looks, flow_run=run, parameters=run.parameters, return_type="state")
    return state.name, state.message


def test_of_late_runs_the_latest_works(deployed: Deployed) -> None:
    """After a downtime the last run that was due looks; those before it end at once, and say why."""
    late = _late(deployed(CatchUp.latest))
    assert len(late) >= LATE_RUNS - 1

    outcomes = [_outcome(run) for run in late]

    assert {name for name, _ in outcomes[:-1]} == {"Skipped"}
    assert "later run" in str(outcomes[0][1])
    assert outcomes[-1] == ("Completed", "Looked.")


def test_all_late_runs_work_where_that_is_asked(deployed: Deployed) -> None:
    """With `all`, each run that was due looks."""
    outcomes = [_outcome(run) for run in _late(deployed(CatchUp.all))]

    assert len(outcomes) >= LATE_RUNS - 1
    assert set(outcomes) == {("Completed", "Looked.")}


def test_late_runs_are_left_out_where_that_is_asked(deployed: Deployed) -> None:
    """With `none`, no run that is late looks."""
    outcomes = [_outcome(run) for run in _late(deployed(CatchUp.none))]

    assert {name for name, _ in outcomes} == {"Skipped"}
    assert "late runs are left out" in str(outcomes[0][1])


def test_a_late_run_that_somebody_asked_for_works(deployed: Deployed) -> None:
    """With `none`, a run that no schedule made is not left out for having waited."""
    deployment_id = deployed(CatchUp.none, minutes=1)
    with get_client(sync_client=True) as client:
        run = client.create_flow_run_from_deployment(
            deployment_id, state=Scheduled(scheduled_time=datetime.now(UTC) - timedelta(hours=1))
        )

    assert _outcome(run) == ("Completed", "Looked.")


def test_a_run_for_another_place_supersedes_nothing(deployed: Deployed) -> None:
    """Two schedules of one deployment with different parameters do not stand in for each other."""
    deployment_id = deployed(CatchUp.latest)
    with get_client(sync_client=True) as client:
        client.create_flow_run_from_deployment(
            deployment_id, parameters={"place": "elsewhere", "catch_up": "latest"}
        )
    last = [run for run in _late(deployment_id) if run.parameters["place"] == "here"][-1]

    assert _outcome(last) == ("Completed", "Looked.")


def test_a_run_without_a_deployment_works() -> None:
    """Called from Python, there is nothing that could be late."""
    assert looks("here", return_state=True).name == "Completed"
