"""Prefect's server, and what Mixdown keeps in it: block types, limits and deployments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.events import DeploymentTriggerTypes
from prefect.exceptions import ObjectNotFound
from prefect.schedules import Schedule
from prefect.types.entrypoint import EntrypointType
from pydantic import TypeAdapter

import blocks
from flows.server_process import running_server as running_server

_TRIGGER: TypeAdapter[Any] = TypeAdapter(DeploymentTriggerTypes)


def shipped_file(name: str) -> Path:
    """A file of the project that is shipped in the wheel, beside this one, or lies in the checkout."""
    here = Path(__file__).parent
    beside = here / Path(name).name
    return beside if beside.exists() else here.parent / name


def register_blocks() -> list[str]:
    """Make Mixdown's block types known to the server; returns their names."""
    kinds = [getattr(blocks, name) for name in blocks.__all__]
    for kind in kinds:
        kind.register_type_and_schema()
    return [kind.get_block_type_slug() for kind in kinds]


def apply_limits() -> list[str]:
    """Create the global concurrency limits of deployments/limits.yaml, or bring them up to date."""
    limits = yaml.safe_load(shipped_file("deployments/limits.yaml").read_text(encoding="utf-8"))
    with get_client(sync_client=True) as client:
        for limit in limits:
            client.upsert_global_concurrency_limit_by_name(limit["name"], limit["limit"])
    return [limit["name"] for limit in limits]


#: The queue of what somebody waits for: a warm process takes its runs.
INTERACTIVE = "interactive"


def described_deployments() -> list[Mapping[str, Any]]:
    """The deployments as prefect.yaml writes them."""
    found: list[Mapping[str, Any]] = _prefect_yaml()["deployments"]
    return found


def is_interactive(described: Mapping[str, Any]) -> bool:
    """Whether a warm process takes the runs of this deployment."""
    return bool(described["work_pool"]["work_queue_name"] == INTERACTIVE)


def deployments(*, work_pool: str | None = None) -> list[RunnerDeployment]:
    """Every deployment of prefect.yaml, to be served here or for a work pool."""
    return [deployment(each, work_pool=work_pool) for each in described_deployments()]


def flow_of(described: Mapping[str, Any]) -> Flow[..., Any]:
    """The flow that a deployment runs."""
    module, _, name = described["entrypoint"].rpartition(".")
    found: Flow[..., Any] = getattr(import_module(module), name)
    return found


def flows_with_batches() -> list[str]:
    """The names of flows that work on a batch of the ledger: those that call it off when they are cancelled."""
    return sorted({flow.name for flow in map(flow_of, described_deployments()) if flow.on_cancellation_hooks})


def deployment(described: Mapping[str, Any], *, work_pool: str | None = None) -> RunnerDeployment:
    """A deployment, ready to be applied."""
    limit = described["concurrency_limit"]
    made: RunnerDeployment = flow_of(described).to_deployment(  # type: ignore[assignment]
        name=described["name"],
        description=described["description"],
        tags=described["tags"],
        parameters=described["parameters"],
        concurrency_limit=limit if isinstance(limit, int) else _collision(limit),
        schedules=[_schedule(each) for each in described.get("schedules", [])],
        triggers=[_TRIGGER.validate_python(each) for each in described.get("triggers", [])],
        work_pool_name=work_pool,
        work_queue_name=described["work_pool"]["work_queue_name"] if work_pool else None,
        # By path, Prefect would load the file a second time, under a name that nobody can import.
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    return made


def _collision(described: Mapping[str, Any]) -> ConcurrencyLimitConfig:
    """A limit, and what becomes of a run that finds no slot: it waits (ENQUEUE) or is cancelled (CANCEL_NEW)."""
    strategy = ConcurrencyLimitStrategy(described["collision_strategy"])
    return ConcurrencyLimitConfig(limit=described["limit"], collision_strategy=strategy)


def _schedule(described: Mapping[str, Any]) -> Schedule:
    """A schedule as prefect.yaml writes it; an interval is in seconds there."""
    interval_s = described.get("interval")
    return Schedule(
        interval=timedelta(seconds=interval_s) if interval_s else None,
        cron=described.get("cron"),
        timezone=described.get("timezone"),
        slug=described["slug"],
        parameters=described.get("parameters", {}),
    )


def ensure_work_pool(name: str) -> list[str]:
    """A pool for workers that run flows as processes, with the queues of prefect.yaml; returns their names."""
    queues: Sequence[Mapping[str, Any]] = _prefect_yaml()["definitions"]["queues"]
    with get_client(sync_client=True) as client:
        if name not in {pool.name for pool in client.read_work_pools()}:
            client.create_work_pool(WorkPoolCreate(name=name, type="process"))
        for queue in queues:
            wanted = {
                each: queue[each] for each in ("description", "priority", "concurrency_limit") if each in queue
            }
            try:
                there = client.read_work_queue_by_name(queue["name"], work_pool_name=name)
            except ObjectNotFound:
                client.create_work_queue(queue["name"], work_pool_name=name, **wanted)
            else:
                client.update_work_queue(there.id, **wanted)
    return [queue["name"] for queue in queues]


@cache
def _prefect_yaml() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(shipped_file("prefect.yaml").read_text(encoding="utf-8"))
    return read
