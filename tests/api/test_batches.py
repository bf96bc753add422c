"""Batches over HTTP."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from mixdown.api import create_app
from mixdown.keys import KeyStore
from mixdown.studio import Studio
from tests.api.finished import failed, submitted


@pytest.fixture
def batch_id(studio: Studio) -> UUID:
    """A batch with one job that waits and two that failed, each in its own way."""
    batch_id = studio.jobs.open_batch("interviews")
    submitted(studio, batch_id=batch_id)
    failed(studio, batch_id=batch_id, code="too_long")
    failed(studio, batch_id=batch_id, code="unreadable_audio")
    return batch_id


def test_a_batch_says_how_it_stands(client: TestClient, batch_id: UUID) -> None:
    """Its counts, its share, why jobs failed; its links are paths."""
    answer = client.get(f"/v1/batches/{batch_id}").json()

    assert (answer["title"], answer["status"]) == ("interviews", "queued")
    assert answer["counts"] == {
        "queued": 1,
        "running": 0,
        "succeeded": 0,
        "failed": 2,
        "cancelled": 0,
        "rejected": 0,
    }
    assert (answer["total"], answer["ended"]) == (3, 2)
    assert answer["progress"] == pytest.approx(2 / 3)
    assert {group["code"]: group["count"] for group in answer["failures"]} == {"too_long": 1, "unreadable_audio": 1}
    assert answer["jobs_url"] == f"/v1/batches/{batch_id}/jobs"


def test_jobs_of_a_batch(client: TestClient, studio: Studio, batch_id: UUID) -> None:
    """Those of others are not among them; filters and pages work as for all jobs."""
    submitted(studio)

    assert len(client.get(f"/v1/batches/{batch_id}/jobs").json()["items"]) == 3
    first = client.get(f"/v1/batches/{batch_id}/jobs?status=failed&limit=1").json()
    second = client.get(first["next"]).json()
    assert [item["error"]["code"] for item in (*first["items"], *second["items"])] == [
        "unreadable_audio",
        "too_long",
    ]
    assert second["next"] is None


def test_batches_are_listed_page_by_page(client: TestClient, studio: Studio) -> None:
    """Newest first, each once."""
    opened = [str(studio.jobs.open_batch(str(number))) for number in range(5)]

    first = client.get("/v1/batches?limit=3").json()
    second = client.get(first["next"]).json()

    assert [item["id"] for item in (*first["items"], *second["items"])] == opened[::-1]
    assert second["next"] is None


def test_a_batch_is_paused_and_goes_on(client: TestClient, batch_id: UUID) -> None:
    """Its state says so each time."""
    assert client.post(f"/v1/batches/{batch_id}/pause").json()["status"] == "paused"
    assert client.post(f"/v1/batches/{batch_id}/resume").json()["status"] == "queued"


def test_a_batch_is_called_off(client: TestClient, batch_id: UUID) -> None:
    """What waited is cancelled, what had ended stays; then there is nothing to pause."""
    answer = client.post(f"/v1/batches/{batch_id}/cancel").json()

    assert answer["status"] == "cancelled"
    assert (answer["counts"]["cancelled"], answer["counts"]["failed"]) == (1, 2)
    assert client.post(f"/v1/batches/{batch_id}/pause").status_code == 409


def test_what_failed_is_tried_again(client: TestClient, batch_id: UUID) -> None:
    """All of it, or what failed with one code."""
    some = client.post(f"/v1/batches/{batch_id}/retry", json={"code": "too_long"})
    everything = client.post(f"/v1/batches/{batch_id}/retry")

    assert some.status_code == everything.status_code == 202
    assert some.json()["counts"]["failed"] == 1
    assert everything.json()["counts"]["queued"] == 3
    assert everything.headers["location"] == f"/v1/batches/{batch_id}"
    assert client.post(f"/v1/batches/{batch_id}/retry", json={"cod": "x"}).status_code == 422


def test_a_batch_of_others_is_not_there(studio: Studio, batch_id: UUID) -> None:
    """For reading as for writing; it is not listed either."""
    _, secret = KeyStore(studio.jobs.engine).create("mine")
    with TestClient(create_app(studio), headers={"authorization": f"Bearer {secret}"}) as client:
        reading = [client.get(f"/v1/batches/{batch_id}{path}") for path in ("", "/jobs")]
        verbs = ("cancel", "pause", "resume", "retry")
        writing = [client.post(f"/v1/batches/{batch_id}/{verb}") for verb in verbs]
        listed = client.get("/v1/batches").json()["items"]

    assert [answer.status_code for answer in (*reading, *writing)] == [404] * 6
    assert listed == []


def test_there_is_no_such_batch(client: TestClient) -> None:
    """A 404 with its code."""
    answer = client.get(f"/v1/batches/{uuid4()}")

    assert (answer.status_code, answer.json()["code"]) == (404, "batch_not_found")
