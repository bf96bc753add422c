"""The routes this project began with."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from mixdown.model import Generate, Transform
from mixdown.studio import Studio

TALK = b"RIFF" + bytes(2000)


def process(client: TestClient, **data: str) -> Any:
    """A recording that is sent to be processed."""
    return client.post("/api/audio/process", files={"file": ("talk.wav", TALK)}, data=data)


def test_a_recording_is_processed(client: TestClient, studio: Studio) -> None:
    """It becomes a job, which is asked about under the address that the answer gives."""
    answer = process(client, processing_type="transform", parameters='{"outputs": [{"format": "flac"}]}')

    assert answer.status_code == 202, answer.text
    [job] = studio.jobs.list()
    assert isinstance(job.spec.work, Transform)
    assert [output.format for output in job.spec.outputs] == ["flac"]
    looked = client.get(answer.headers["location"])
    assert (looked.json()["job_id"], looked.json()["status"]) == (str(job.id), "queued")


def test_a_script_is_sent_to_become_audio(client: TestClient, studio: Studio) -> None:
    """The file is the script."""
    answer = process(client, processing_type="generate", parameters='{"quality": "draft", "voice": "en-GB"}')

    assert answer.status_code == 202, answer.text
    [job] = studio.jobs.list()
    assert isinstance(job.spec.work, Generate)
    assert (job.spec.work.quality, job.spec.work.voice) == ("draft", "en-GB")


def test_a_script_may_be_a_parameter(client: TestClient, studio: Studio) -> None:
    """Text needs no file."""
    form = {"processing_type": "generate", "parameters": '{"text": "Welcome.", "quality": "draft"}'}

    answer = client.post("/api/audio/process", files={name: (None, value) for name, value in form.items()})

    assert answer.status_code == 202, answer.text
    [job] = studio.jobs.list()
    assert job.spec.source.text == "Welcome."


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({"processing_type": "improve"}, "body/processing_type"),
        ({"parameters": '{"prest": "podcast"}'}, "body/parameters/enhance/prest"),
        ({"parameters": "[]"}, "body/parameters"),
        ({"preset": "podcast"}, "body/preset"),
    ],
)
def test_what_makes_no_sense_is_named(client: TestClient, data: dict[str, str], place: str) -> None:
    """A kind of processing that there is not; parameters that mean nothing."""
    answer = process(client, **data)

    assert answer.status_code == 422
    assert place in [each["at"] for each in answer.json()["errors"]]


def test_the_clients_own_id_gives_the_same_job_back(client: TestClient, studio: Studio) -> None:
    """What was asked for under it is done once, and asked about under it."""
    first, again = process(client, job_id="spring 1/2"), process(client, job_id="spring 1/2")

    assert first.json()["id"] == again.json()["id"]
    assert len(studio.jobs.list()) == 1


def test_a_batch_under_the_clients_own_id(client: TestClient, studio: Studio) -> None:
    """Its files are jobs of a batch; how they stand, and what there is of each, is asked about under the id."""
    files = [f"https://example.com/{name}.wav" for name in "ab"]
    config = {"processing_type": "enhance", "preset": "voice-over"}

    answer = client.post("/api/audio/batch", json={"job_id": "spring", "files": files, "config": config})

    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == "/api/jobs/spring"
    looked = client.get("/api/jobs/spring").json()
    assert (looked["job_id"], looked["status"], looked["total"]) == ("spring", "queued", 2)
    results = client.get("/api/jobs/spring/results").json()
    assert [(each["filename"], each["status"]) for each in results["results"]] == [
        ("a.wav", "queued"),
        ("b.wav", "queued"),
    ]


def test_a_batch_of_files_that_are_sent(client: TestClient, studio: Studio) -> None:
    """Each file is a job; the batch is found under our id of it."""
    files = [("files", (f"{name}.wav", TALK + name.encode())) for name in "ab"]

    answer = client.post("/api/audio/batch", files=files, data={"config": '{"preset": "voice-over"}'})

    assert answer.status_code == 202, answer.text
    assert client.get(f"/api/jobs/{answer.json()['id']}").json()["total"] == 2


@pytest.mark.parametrize("job_id", ["none-such", str(uuid4())])
@pytest.mark.parametrize("what", ["", "/results"])
def test_what_is_not_there(client: TestClient, job_id: str, what: str) -> None:
    """A 404, whether it could be an id of ours or not."""
    answer = client.get(f"/api/jobs/{job_id}{what}")

    assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")


def test_results_of_many_come_in_pages(client: TestClient, studio: Studio) -> None:
    """A thousand at a time, in the order they were asked for; behind a stranger's job there is nothing."""
    files = [f"https://example.com/{n:04}.wav" for n in range(1_001)]
    asked = client.post("/api/audio/batch", json={"job_id": "spring", "files": files, "config": {}})

    first = client.get(asked.json()["results_url"]).json()
    second = client.get(first["next"]).json()
    lost = client.get(asked.json()["results_url"], params={"after": str(uuid4())})

    assert asked.status_code == 202, asked.text
    assert [each["filename"] for each in first["results"]] == [f"{n:04}.wav" for n in range(1_000)]
    assert [each["filename"] for each in second["results"]] == ["1000.wav"]
    assert second["next"] is None
    assert lost.status_code == 404
