"""Sources that clients name and must not have."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from mixdown.model import Status
from mixdown.runner import run_jobs
from mixdown.studio import Studio


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("http://169.254.169.254/latest/meta-data/", "address_refused"),
        ("http://[::ffff:10.0.0.1]/talk.wav", "address_refused"),
        ("http://2130706433/talk.wav", "address_refused"),
        ("https://localhost:8000/v1/jobs", "address_refused"),
        ("file:///etc/passwd", "source_forbidden"),
        ("s3://somebody/talk.wav", "source_forbidden"),
        ("ftp://example.com/talk.wav", "invalid_request"),
    ],
)
def test_internal_places_are_refused_at_the_door(
    client: TestClient, studio: Studio, source: str, code: str
) -> None:
    """Nothing is written down for an address that strangers may not name; the answer has the code."""
    answer = client.post("/v1/jobs", json={"source": source})

    assert 400 <= answer.status_code < 500
    assert answer.json()["code"] == code
    assert studio.jobs.list(limit=1) == []


def test_other_recordings_and_deliveries_are_held_to_the_same(client: TestClient, tmp_path: Path) -> None:
    """An intro and a folder to deliver to are places, too."""
    intro = {"edits": [{"kind": "intro", "source": {"uri": "http://10.0.0.1/intro.wav"}}]}
    for parameters, code in ((intro, "address_refused"), ({"deliver_to": str(tmp_path)}, "source_forbidden")):
        answer = client.post("/v1/jobs", json={"source": "https://example.com/talk.wav", "parameters": parameters})

        assert answer.json()["code"] == code


def test_a_job_of_a_client_is_marked(client: TestClient, studio: Studio) -> None:
    """What is checked at the door is checked again by whoever fetches it."""
    client.post("/v1/jobs", json={"source": "https://example.com/talk.wav"}).raise_for_status()

    [job] = studio.jobs.list(limit=2)
    assert job.spec.from_outside


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"lexicon": {"uri": "/etc/passwd"}}, "source_forbidden"),
        ({"music": {"source": {"uri": "http://169.254.169.254/"}}}, "address_refused"),
    ],
)
def test_what_a_script_needs_is_held_to_the_same(
    client: TestClient, studio: Studio, parameters: dict[str, Any], code: str
) -> None:
    """A lexicon and music are places, too."""
    asked = {"source": {"text": "Hello."}, "parameters": {"kind": "generate", **parameters}}

    answer = client.post("/v1/jobs", json=asked)

    assert answer.json()["code"] == code
    assert studio.jobs.list(limit=1) == []


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("file:///etc/passwd", "source_forbidden"),
        ("/etc/passwd", "source_forbidden"),
        ("http://169.254.169.254/", "address_refused"),
        ("s3://somebody/talk.wav", "source_forbidden"),
    ],
)
def test_what_a_script_itself_names_is_refused_when_it_is_read(
    client: TestClient, studio: Studio, address: str, code: str
) -> None:
    """Only reading it tells which recordings it plays: its job fails, and nothing is fetched."""
    script = f"<speak>Before. <audio src='{address}'/> After.</speak>"
    asked = {"source": {"text": script}, "parameters": {"kind": "generate", "form": "ssml", "quality": "draft"}}
    accepted = client.post("/v1/jobs", json=asked)
    assert accepted.status_code == 202, accepted.text

    [job] = run_jobs(studio, [UUID(accepted.json()["id"])])

    assert (job.status, job.error_code) == (Status.failed, code)


def test_a_text_is_no_recording(client: TestClient) -> None:
    """It is said at the door."""
    answer = client.post("/v1/jobs", json={"source": {"text": "Hello."}})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
