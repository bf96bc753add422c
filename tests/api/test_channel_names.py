"""Whom to tell: a channel that is not set up is told of when it is asked for, not when a job has ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from mixdown.api import create_app
from mixdown.settings import Settings
from mixdown.studio import Studio, open_studio

ADDRESS = "https://example.com/talk.wav"
TEAM, NOBODY = ({"kind": "channel", "channel": name} for name in ("team", "nobody"))
SECRET = "TIiajkdnlazkcOXrIdevi7FQ"


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    """Ports over SQLite and a folder, with two channels."""
    channels = f'{{"team": "slack://T1JJ3T3L2/A1BRTD4JD/{SECRET}/", "desk": "ntfy://127.0.0.1/desk"}}'
    return open_studio(Settings(home=tmp_path / "home", channels=channels))


@pytest.fixture
def client(studio: Studio) -> Iterator[TestClient]:
    """A client on this machine, where no keys are asked for."""
    with TestClient(create_app(studio, open_to_all=True), raise_server_exceptions=False) as client:
        yield client


def job(whom: Any) -> dict[str, Any]:
    """A request for a job."""
    return {"source": ADDRESS, "parameters": {"notify": [whom]}}


def test_a_channel_that_is_set_up_may_be_named(client: TestClient, studio: Studio) -> None:
    """For a job, for the jobs of a batch, and for the batch."""
    asked = [
        client.post("/v1/jobs", json=job(TEAM)),
        client.post("/v1/batches", json={"items": [job(TEAM)], "notify": [TEAM]}),
    ]

    assert [answer.status_code for answer in asked] == [202, 202]
    assert [each.spec.notify[0].address for each in studio.jobs.list()] == ["channel:team"] * 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/jobs", job(NOBODY)),
        ("/v1/batches", {"items": [{"source": ADDRESS}], "notify": [NOBODY]}),
        ("/v1/batches", {"items": [{"source": ADDRESS}, job(NOBODY)]}),
        ("/v1/batches", {"items": [{"source": ADDRESS}], "parameters": {"notify": [NOBODY]}}),
    ],
)
def test_a_channel_that_is_not_is_refused(client: TestClient, studio: Studio, path: str, body: Any) -> None:
    """The answer names those that are, and nothing is written down."""
    answer = client.post(path, json=body)

    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "unknown_channel"
    assert answer.json()["detail"] == "There is no channel “nobody” here: there are desk, team."
    assert SECRET not in answer.text
    assert (studio.jobs.list(), studio.jobs.batches()) == ([], [])


def test_a_recording_that_is_sent_is_refused_likewise(client: TestClient, studio: Studio) -> None:
    """Before it is stored."""
    parameters = '{"notify": [{"kind": "channel", "channel": "nobody"}]}'
    answer = client.post("/v1/jobs", files={"file": ("talk.wav", b"RIFF")}, data={"parameters": parameters})

    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_channel")
    assert list(studio.objects.list("incoming")) == []
