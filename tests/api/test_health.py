"""Whether the API is up, and what it needs."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from mixdown.api import create_app
from mixdown.settings import Settings
from mixdown.studio import open_studio
from tests.services.postgres_server import PostgresServer
from tests.services.raw_server import Connection, raw_server

#: What monitors give a service to say that it is not ready.
_WITHIN_S = 5.0


def _ready(client: TestClient) -> tuple[int, list[str]]:
    answer = client.get("/health/ready")
    return answer.status_code, answer.json()["down"]


def _becomes(client: TestClient, wanted: tuple[int, list[str]]) -> bool:
    deadline_s = time.monotonic() + 30
    while (found := _ready(client)) != wanted and time.monotonic() < deadline_s:
        time.sleep(0.1)
    return found == wanted


def _client(tmp_path: Path, **settings: Any) -> TestClient:
    return TestClient(create_app(open_studio(Settings(home=tmp_path / "home", **settings)), open_to_all=True))


def test_a_process_that_answers_is_alive(client: TestClient) -> None:
    """`/health/live` needs nothing but the process."""
    answer = client.get("/health/live")

    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


def test_who_has_all_that_is_needed_is_ready(client: TestClient) -> None:
    """Each thing that is needed is named, and is up."""
    answer = client.get("/health/ready")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "down": [], "checks": {"database": "up", "results": "up"}}


def test_health_is_what_monitors_look_for(client: TestClient) -> None:
    """`GET /health` says `healthy`, as it always has."""
    answer = client.get("/health")

    assert (answer.status_code, answer.json()["status"]) == (200, "healthy")


def test_results_that_cannot_be_written_are_named_until_they_can(tmp_path: Path) -> None:
    """503 with their name while something is in the way, 200 again afterwards; the process is alive all along."""
    with _client(tmp_path) as client:
        results = tmp_path / "home" / "results"
        results.rmdir() if results.is_dir() else None
        results.write_text("in the way")

        assert _becomes(client, (503, ["results"]))
        assert client.get("/health").json()["status"] == "unhealthy"
        assert client.get("/health/live").status_code == 200

        results.unlink()
        assert _becomes(client, (200, []))


def test_a_database_that_hangs_or_is_gone_is_named_until_it_serves(
    tmp_path: Path, own_postgres: PostgresServer
) -> None:
    """Whether it keeps silent or has gone, the answer comes within 5 s; it is up again when it is."""
    with _client(tmp_path, database_url=own_postgres.url) as client:
        assert _ready(client) == (200, [])

        _to_all(own_postgres, signal.SIGSTOP)
        try:
            asked_s = time.monotonic()
            assert _becomes(client, (503, ["database"]))
            assert time.monotonic() - asked_s < 2 * _WITHIN_S
            assert client.get("/health/ready").json()["checks"]["database"] == "no_answer"
            assert client.get("/health/live").status_code == 200
        finally:
            _to_all(own_postgres, signal.SIGCONT)
        assert _becomes(client, (200, []))

        own_postgres.stop()
        assert _becomes(client, (503, ["database"]))
        own_postgres.start()
        assert _becomes(client, (200, []))


def test_a_store_that_keeps_silent_is_named_in_time(tmp_path: Path) -> None:
    """Many ask at once about an endpoint that never answers: each is told within 5 s, and few requests go out."""
    reach = {
        "results_url": "s3://audio/prod",
        "s3_key": "key",
        "s3_secret": SecretStr("secret"),
        "s3_region": "us-east-1",
    }
    with (
        raw_server(lambda connection: connection.drip(b"HTTP/1.1 200", every_s=60)) as (url, asked),
        _client(tmp_path, s3_endpoint_url=url, **reach) as client,
    ):
        for _ in range(3):
            asked_s = time.monotonic()
            assert _ready(client) == (503, ["results"])
            assert time.monotonic() - asked_s < _WITHIN_S

        assert len(asked) < 10


@pytest.mark.parametrize(("answer", "down"), [(b"200 OK", []), (b"500 Oh", ["prefect"])])
def test_prefect_counts_where_a_setting_says_so(tmp_path: Path, answer: bytes, down: list[str]) -> None:
    """With its address in a setting the API is not ready without Prefect."""

    def say(peer: Connection) -> None:
        peer.send(b"HTTP/1.1 " + answer + b"\r\ncontent-length: 0\r\n\r\n")

    with (
        raw_server(say) as (url, _),
        _client(tmp_path, prefect_url=f"{url}/api") as client,
    ):
        assert _ready(client) == (503 if down else 200, down)


def _to_all(server: PostgresServer, number: signal.Signals) -> None:
    """Send a signal to the server's processes, its sessions first."""
    import psutil

    sessions = psutil.Process(server.pid).children(recursive=True)
    for pid in [*(each.pid for each in sessions), server.pid]:
        os.kill(pid, number)
