"""Jobs over HTTP: listed, looked at, called off, tried again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from mixdown.api import create_app
from mixdown.keys import KeyStore
from mixdown.model import Analyze, Status
from mixdown.studio import Studio
from tests.api.finished import failed, submitted, succeeded


def ids(answer: dict) -> list[str]:
    """The ids on a page."""
    return [item["id"] for item in answer["items"]]


@pytest.fixture
def guarded(studio: Studio) -> Iterator[TestClient]:
    """A client of an API that asks for keys."""
    with TestClient(create_app(studio), raise_server_exceptions=False) as client:
        yield client


def test_a_job_says_how_it_stands(client: TestClient, studio: Studio) -> None:
    """Its state is a word, its links are paths, and the address of its recording is not told."""
    job = submitted(studio, "talk.wav")

    answer = client.get(f"/v1/jobs/{job.id}").json()

    assert answer["status"] == "queued"
    assert answer["filename"] == "talk.wav"
    assert answer["status_url"] == f"/v1/jobs/{job.id}"
    assert answer["results_url"] is None
    assert answer["error"] is None
    assert "/recordings" not in str(answer)


def test_a_failed_job_says_why(client: TestClient, studio: Studio) -> None:
    """The code, the sentence and the stage."""
    job = failed(studio)

    answer = client.get(f"/v1/jobs/{job.id}").json()

    assert answer["status"] == "failed"
    assert answer["error"] == {"code": "unreadable_audio", "message": "It is no audio.", "stage": "validate"}


def test_what_is_not_there_is_a_404_with_a_code(client: TestClient) -> None:
    """A problem document says so."""
    answer = client.get(f"/v1/jobs/{uuid4()}")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "job_not_found"


def test_pages_go_on_where_the_one_before_ended(client: TestClient, studio: Studio) -> None:
    """Following `next` shows every job once, newest first, though more are asked for meanwhile."""
    jobs = [str(submitted(studio, f"{number}.wav").id) for number in range(7)]

    first = client.get("/v1/jobs?limit=3").json()
    submitted(studio, "later.wav")
    second = client.get(first["next"]).json()
    third = client.get(second["next"]).json()

    assert ids(first) + ids(second) + ids(third) == jobs[::-1]
    assert third["next"] is None


def test_next_keeps_the_filters(client: TestClient, studio: Studio) -> None:
    """The second page is of the same kind as the first."""
    wanted = [str(failed(studio).id) for _ in range(3)]
    submitted(studio)

    first = client.get("/v1/jobs?status=failed&limit=2").json()
    second = client.get(first["next"]).json()

    assert ids(first) + ids(second) == wanted[::-1]


def test_filters(client: TestClient, studio: Studio) -> None:
    """By state, kind of work, code, batch and time."""
    batch_id = studio.jobs.open_batch("some")
    queued = submitted(studio, batch_id=batch_id)
    analyzed = submitted(studio, work=Analyze())
    broken = failed(studio, code="too_long")
    between = (analyzed.created_at - timedelta(microseconds=1)).isoformat()

    def listed(**asked: str) -> set[str]:
        answer = client.get("/v1/jobs", params=asked)
        assert answer.status_code == 200, answer.text
        return set(ids(answer.json()))

    assert listed(status="failed") == {str(broken.id)}
    assert listed(kind="analyze") == {str(analyzed.id)}
    assert listed(kind="enhance") == {str(queued.id), str(broken.id)}
    assert listed(code="too_long") == {str(broken.id)}
    assert listed(batch_id=str(batch_id)) == {str(queued.id)}
    assert listed(created_after=between) == {str(analyzed.id), str(broken.id)}
    assert listed(created_before=between) == {str(queued.id)}


@pytest.mark.parametrize(
    "query",
    [
        "statu=failed",
        "status=done",
        "limit=0",
        "limit=501",
        "cursor=nonsense",
        "cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5LjA=",
        "created_after=2026-01-01T00:00:00",
        "created_after=0001-01-01T00:00:00%2B23:59",
    ],
)
def test_a_query_that_makes_no_sense_is_refused(client: TestClient, query: str) -> None:
    """A 422; what is not known is named."""
    answer = client.get(f"/v1/jobs?{query}")

    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"
    assert query.partition("=")[0] in answer.json()["detail"]


def test_a_history_is_told(client: TestClient, studio: Studio) -> None:
    """Every event so far, oldest first."""
    job = failed(studio)

    answer = client.get(f"/v1/jobs/{job.id}/events-history").json()

    assert [event["kind"] for event in answer["items"]] == ["queued", "claimed", "failed"]


def test_a_job_is_called_off(client: TestClient, studio: Studio) -> None:
    """Twice is fine; one that has ended stays what it is."""
    job, done = submitted(studio), succeeded(studio)

    assert client.post(f"/v1/jobs/{job.id}/cancel").json()["status"] == "cancelled"
    assert client.post(f"/v1/jobs/{job.id}/cancel").status_code == 200
    refused = client.post(f"/v1/jobs/{done.id}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "illegal_transition")


def test_a_failed_job_is_tried_again(client: TestClient, studio: Studio) -> None:
    """It waits anew, for whoever looks for work; a second time there is nothing to try."""
    batch_id = studio.jobs.open_batch("some")
    job = failed(studio, batch_id=batch_id)
    studio.jobs.close_batch(batch_id)

    answer = client.post(f"/v1/jobs/{job.id}/retry")

    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/jobs/{job.id}"
    assert answer.json()["status"] == "queued"
    assert answer.json()["error"] is None
    waiting = studio.jobs.unattended(grace_s=0.0, lease_s=60.0, is_alive=lambda _: False)
    assert [studio.jobs.counts(batch.id)[Status.queued] for batch in waiting] == [1]
    assert client.post(f"/v1/jobs/{job.id}/retry").status_code == 409


def test_a_loose_job_is_tried_again(client: TestClient, studio: Studio) -> None:
    """One that was asked for by itself is gathered as before."""
    job = failed(studio)

    assert client.post(f"/v1/jobs/{job.id}/retry").status_code == 202

    gathered = studio.jobs.gather_loose()
    assert gathered is not None
    assert studio.jobs.counts(gathered)[Status.queued] == 1


def test_a_key_sees_what_was_made_with_it(guarded: TestClient, studio: Studio) -> None:
    """Jobs of others are not there for it, wherever it looks; the admin's key sees all."""
    keys = KeyStore(studio.jobs.engine)
    (mine, secret), (_, admins) = keys.create("mine"), keys.create("all", scopes=["read", "admin"])
    own = submitted(studio, key_id=mine.id)
    other = succeeded(studio, key_id=uuid4())
    bearer = {"authorization": f"Bearer {secret}"}

    assert ids(guarded.get("/v1/jobs", headers=bearer).json()) == [str(own.id)]
    for path in ("", "/events-history", "/results", "/files/report.json"):
        answer = guarded.get(f"/v1/jobs/{other.id}{path}", headers=bearer)
        assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")
    for verb in ("cancel", "retry"):
        assert guarded.post(f"/v1/jobs/{other.id}/{verb}", headers=bearer).status_code == 404
    all_there = guarded.get("/v1/jobs", headers={"authorization": f"Bearer {admins}"}).json()
    assert ids(all_there) == [str(other.id), str(own.id)]
