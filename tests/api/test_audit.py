"""The audit log: who did what, and when."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from mixdown.api import create_app
from mixdown.audit import AuditLog, Deed
from mixdown.keys import Key, KeyStore
from mixdown.studio import Studio
from tests.api.finished import failed, submitted


@pytest.fixture
def owner(studio: Studio) -> tuple[Key, str]:
    """A key and its secret."""
    return KeyStore(studio.jobs.engine).create("owner")


@pytest.fixture
def client(studio: Studio, owner: tuple[Key, str]) -> Iterator[TestClient]:
    """A client with a key."""
    headers = {"authorization": f"Bearer {owner[1]}"}
    with TestClient(create_app(studio), headers=headers, raise_server_exceptions=False) as client:
        yield client


def log_of(client: TestClient) -> list[tuple[str, str]]:
    """What was noted, in order."""
    log: AuditLog = client.app.state.desk.audit
    log.close()
    return [(noted.deed.action, noted.deed.subject) for noted in reversed(log.newest())]


def test_deeds_are_noted_with_who_and_when(client: TestClient, studio: Studio, owner: tuple[Key, str]) -> None:
    """Read, cancelled, tried again: by which key, from where, under which id of the request."""
    waiting, gone = submitted(studio, key_id=owner[0].id), failed(studio, key_id=owner[0].id)

    client.get(f"/v1/jobs/{waiting.id}")
    client.post(f"/v1/jobs/{waiting.id}/cancel", headers={"x-request-id": "trace-7"})
    client.post(f"/v1/jobs/{gone.id}/retry")

    assert log_of(client) == [
        ("read", f"/v1/jobs/{waiting.id}"),
        ("cancel", f"/v1/jobs/{waiting.id}"),
        ("retry", f"/v1/jobs/{gone.id}"),
    ]
    noted = AuditLog(studio.jobs.engine).newest()
    assert {each.deed.key_id for each in noted} == {owner[0].id}
    assert noted[1].deed.request_id == "trace-7"
    assert noted[1].deed.address == "testclient"


def test_what_was_created_is_named(client: TestClient) -> None:
    """The row names the new job, not the address it was asked for at."""
    files = {"file": ("talk.wav", b"RIFF" + bytes(100), "audio/wav")}

    asked = client.post("/v1/jobs", files=files)

    assert asked.status_code == 202
    assert log_of(client) == [("create", asked.headers["location"])]
    assert asked.json()["id"] in asked.headers["location"]


def test_looking_again_is_noted_once(client: TestClient, studio: Studio, owner: tuple[Key, str]) -> None:
    """Whoever polls does not fill the log."""
    job = submitted(studio, key_id=owner[0].id)

    for _ in range(5):
        client.get(f"/v1/jobs/{job.id}?at=1")

    assert log_of(client) == [("read", f"/v1/jobs/{job.id}")]


def test_what_was_refused_was_not_done(client: TestClient, studio: Studio) -> None:
    """Neither what is not there nor what nobody may do is a deed; nor is what needs no key."""
    job = submitted(studio)

    client.get(f"/v1/jobs/{job.id}")
    client.post(f"/v1/jobs/{job.id}/cancel")
    client.get("/health/live")

    assert log_of(client) == []


def test_many_at_once_are_all_there(studio: Studio) -> None:
    """A burst is written in a few transactions, in order, none lost."""
    log = AuditLog(studio.jobs.engine)
    futures = [
        log.note(Deed(key_id=None, action="create", subject=f"/{number}", address="", request_id=""))
        for number in range(1200)
    ]
    futures[-1].result(timeout=60)

    assert [each.deed.subject for each in log.newest(2000)] == [f"/{number}" for number in reversed(range(1200))]
