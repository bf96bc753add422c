"""Rate limits: how often a key may ask, counted here or for several processes."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from mixdown.api import create_app
from mixdown.errors import InvalidRequest
from mixdown.keys import KeyStore
from mixdown.studio import Studio

Opened = Callable[..., TestClient]


@pytest.fixture
def secret(studio: Studio) -> str:
    """A key."""
    return KeyStore(studio.jobs.engine).create("busy")[1]


@pytest.fixture
def opened(studio: Studio, secret: str) -> Opened:
    """Clients with a key, each of an API of its own over the same ledger."""

    def opened(rate_limit: str, redis_url: str | None = None, key: str = secret) -> TestClient:
        changed = {"rate_limit": rate_limit, "redis_url": SecretStr(redis_url) if redis_url else None}
        app = create_app(replace(studio, settings=studio.settings.model_copy(update=changed)))
        return TestClient(app, headers={"x-api-key": key}, raise_server_exceptions=False)

    return opened


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """A Redis of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        for line in server.stdout:
            if "Ready to accept connections" in line:
                break
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()


def statuses(client: TestClient, times: int) -> list[int]:
    """How some requests were answered."""
    return [client.get("/v1/jobs").status_code for _ in range(times)]


def test_who_asks_too_often_is_told_to_wait(opened: Opened) -> None:
    """A 429 with the time after which it may be tried again, as a problem."""
    client = opened("3/hour")
    assert statuses(client, 3) == [200] * 3

    answer = client.get("/v1/jobs")

    assert answer.status_code == 429
    assert answer.json()["code"] == "too_many_requests"
    assert answer.json()["retryable"] is True
    assert 1 <= int(answer.headers["retry-after"]) <= 3600
    assert answer.headers["ratelimit-remaining"] == "0"


def test_every_answer_tells_what_is_left(opened: Opened) -> None:
    """Of the limit of which the least is left; errors too."""
    client = opened("1000/minute, 5/hour")

    first, second = client.get("/v1/jobs"), client.get("/v1/jobs?limit=nonsense")

    assert first.headers["ratelimit-limit"] == "5"
    assert first.headers["ratelimit-remaining"] == "4"
    assert first.headers["ratelimit-policy"] == "5;w=3600"
    assert 0 < int(first.headers["ratelimit-reset"]) <= 3600
    assert second.status_code == 422
    assert second.headers["ratelimit-remaining"] == "3"
    assert "retry-after" not in first.headers


def test_each_key_has_its_own_limit(opened: Opened, studio: Studio) -> None:
    """One program that asks too often stops no other."""
    client = opened("2/hour")
    assert statuses(client, 3) == [200, 200, 429]

    other = KeyStore(studio.jobs.engine).create("calm")[1]

    assert client.get("/v1/jobs", headers={"x-api-key": other}).status_code == 200


def test_limits_can_be_off(opened: Opened) -> None:
    """Then nothing is said of them."""
    client = opened("off")

    assert statuses(client, 30) == [200] * 30
    assert "ratelimit-limit" not in client.get("/v1/jobs").headers


def test_a_limit_must_make_sense(opened: Opened) -> None:
    """What cannot be read is refused when the API starts, not when it is asked."""
    with pytest.raises(InvalidRequest):
        opened("often")


def test_who_guesses_is_slowed_down(opened: Opened, secret: str) -> None:
    """After 20 wrong keys in a minute the answer is 429; the right key still opens."""
    client = opened("1000/minute")
    wrong = [
        client.get("/v1/jobs", headers={"x-api-key": "mxd_" + f"{number:043}"}).status_code for number in range(25)
    ]

    assert wrong == [401] * 20 + [429] * 5
    assert client.get("/v1/jobs").status_code == 200


def test_two_processes_count_together(opened: Opened, redis: str) -> None:
    """With a Redis, what one has granted the other one knows."""
    one, other = opened("4/hour", redis), opened("4/hour", redis)

    assert statuses(one, 3) + statuses(other, 2) + statuses(one, 1) == [200, 200, 200, 200, 429, 429]


def test_without_its_redis_the_api_still_counts(opened: Opened) -> None:
    """A Redis that is away is no reason to answer nobody, nor to answer everybody."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    assert statuses(opened("2/hour", f"redis://127.0.0.1:{port}/0"), 3) == [200, 200, 429]
