"""Prefect's server, and what Mixdown keeps in it: block types, limits and deployments."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import yaml
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Schedule
from prefect.types.entrypoint import EntrypointType

import blocks
from mixdown.errors import InvalidRequest, PrefectUnavailable

#: How long the server may take to answer at first: it makes its tables then.
_START_S = 120.0


def shipped_file(name: str) -> Path:
    """A file of the project that is shipped in the wheel, beside this one, or lies in the checkout."""
    here = Path(__file__).parent
    beside = here / Path(name).name
    return beside if beside.exists() else here.parent / name


@contextmanager
def running_server(host: str, port: int) -> Iterator[str]:
    """Prefect's server on this machine while the block runs; yields the address of its API."""
    url = f"http://{host}:{port}"
    _refuse_taken(url)
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", host, "--port", str(port)]
    # A session of its own: Ctrl-C reaches the server last, when the flows have stopped.
    server = subprocess.Popen(  # noqa: S603 - our own interpreter and words
        command, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        _wait_until_up(server, f"{url}/api/health")
        yield f"{url}/api"
    finally:
        server.terminate()
        server.wait(timeout=30)


def _refuse_taken(url: str) -> None:
    try:
        httpx.get(url, timeout=2, trust_env=False)
    except httpx.TransportError:
        return
    raise InvalidRequest(f"Something answers at {url} already. Choose another port with --port.")


def _wait_until_up(server: subprocess.Popen[bytes], health_url: str) -> None:
    deadline_s = time.monotonic() + _START_S
    while time.monotonic() < deadline_s:
        if server.poll() is not None:
            said = server.stderr.read().decode(errors="replace") if server.stderr else ""
            raise PrefectUnavailable(f"Prefect's server did not start. It said:\n{said.strip()[-1500:]}")
        try:
            if httpx.get(health_url, timeout=2, trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(0.3)
    raise PrefectUnavailable(f"Prefect's server did not answer within {_START_S:.0f} s.")


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


def deployments(*, work_pool: str | None = None) -> list[RunnerDeployment]:
    """Every deployment of prefect.yaml, to be served here or for a work pool."""
    described = yaml.safe_load(shipped_file("prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    return [_deployment(each, work_pool) for each in described]


def _deployment(described: Mapping[str, Any], work_pool: str | None) -> RunnerDeployment:
    module, _, name = described["entrypoint"].rpartition(".")
    flow: Flow[..., Any] = getattr(import_module(module), name)
    made: RunnerDeployment = flow.to_deployment(  # type: ignore[assignment]
        name=described["name"],
        description=described["description"],
        tags=described["tags"],
        parameters=described["parameters"],
        concurrency_limit=described["concurrency_limit"],
        schedules=[_schedule(each) for each in described.get("schedules", [])],
        work_pool_name=work_pool,
        # By path, Prefect would load the file a second time, under a name that nobody can import.
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    return made


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


def ensure_work_pool(name: str) -> None:
    """A pool for workers that run flows as processes, unless there is one of this name."""
    with get_client(sync_client=True) as client:
        if name not in {pool.name for pool in client.read_work_pools()}:
            client.create_work_pool(WorkPoolCreate(name=name, type="process"))
