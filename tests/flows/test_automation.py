"""Prefect's own way in: the automation that ships starts a run of `process-batch` for the event it names."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.events.schemas.automations import AutomationCore

from flows.server import deployments

FILE = Path(__file__).parents[2] / "deployments" / "automations.yaml"


@pytest.fixture
def batches() -> Iterator[UUID]:
    """The deployment of batches, and the automation from the file, with its id put in."""
    [described] = [each for each in deployments() if each.flow_name == "process-batch"]
    deployment_id: UUID = described.apply()  # type: ignore[assignment]
    [automation] = yaml.safe_load(FILE.read_text().replace("DEPLOYMENT_ID", str(deployment_id)))["automations"]
    with get_client(sync_client=True) as client:
        made = client.create_automation(AutomationCore.model_validate(automation))
        yield deployment_id
        client.delete_automation(made)
        client.delete_deployment(deployment_id)


def _runs(deployment_id: UUID) -> list[FlowRun]:
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id]))
        )


def _emit(name: str, source: str) -> None:
    event = {
        "id": str(uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": name,
        "resource": {"prefect.resource.id": "recording.talk"},
        "payload": {"source": source},
    }
    with get_client(sync_client=True) as client:
        client.request("POST", "/events", json=[event])


def test_an_event_starts_a_batch(batches: UUID) -> None:
    """The address in the event's payload is what the run gets as its sources; other events start nothing."""
    deadline_s = time.monotonic() + 90
    while not _runs(batches):
        assert time.monotonic() < deadline_s, "the event started nothing"
        _emit("somebody.else.arrived", "s3://shows/raw/other.wav")
        _emit("mixdown.recording.arrived", "s3://shows/raw/talk.wav")  # again: a new automation is noticed soon
        time.sleep(3)

    assert {str(run.parameters["sources"]) for run in _runs(batches)} == {"['s3://shows/raw/talk.wav']"}
