"""Webhook endpoints over HTTP, and what was sent to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook, WebhookVerificationError

from mixdown.api import create_app
from mixdown.jobs import Asked
from mixdown.keys import KeyStore
from mixdown.model import JobSpec, Source
from mixdown.notices import deliver_waiting
from mixdown.settings import Settings
from mixdown.studio import Studio, open_studio
from tests.services.webhook_samples import SECRET

ELSEWHERE = "https://example.com/hooks/mixdown"


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    """Ports that sign, and that may send to this machine."""
    settings = Settings(
        home=tmp_path / "home", webhook_secret=SECRET, allow_internal_webhooks="127.0.0.1,localhost"
    )
    return open_studio(settings)


def added(client: TestClient, url: str = ELSEWHERE, **asked: Any) -> dict[str, Any]:
    """An endpoint that was just made."""
    answer = client.post("/v1/webhook-endpoints", json={"url": url, **asked})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/webhook-endpoints/{made['id']}"
    return made


def cancelled(studio: Studio, name: str = "talk.wav", key_id: UUID | None = None) -> UUID:
    """A job that has ended, as it was called off."""
    spec = JobSpec(source=Source(uri=f"/recordings/{name}", filename=name))
    [job] = studio.jobs.accept([Asked(spec=spec, key=uuid4().hex, key_id=key_id)], batch_id=None).records
    studio.jobs.cancel(job.id)
    return job.id


def test_an_endpoint_is_made_changed_and_removed(client: TestClient) -> None:
    """It is there until it is removed, with what was changed; its secret is shown once."""
    made = added(client, description="archive")
    where = f"/v1/webhook-endpoints/{made['id']}"
    assert made["secret"].startswith("whsec_")
    assert client.get(where).json() == {name: value for name, value in made.items() if name != "secret"}

    changed = client.patch(where, json={"events": ["job.failed"], "enabled": False}).json()

    assert (changed["events"], changed["enabled"], changed["description"]) == (["job.failed"], False, "archive")
    assert client.patch(where, json={"enabled": True}).json()["enabled"]
    assert [each["id"] for each in client.get("/v1/webhook-endpoints").json()["items"]] == [made["id"]]
    assert client.delete(where).status_code == 204
    gone = client.get(where)
    assert (gone.status_code, gone.json()["code"]) == (404, "endpoint_not_found")


def test_endpoints_are_listed_page_by_page(client: TestClient) -> None:
    """`next` leads through all of them, newest first."""
    made = [added(client, f"{ELSEWHERE}/{number}")["url"] for number in range(3)]

    seen, following = [], "/v1/webhook-endpoints?limit=2"
    while following:
        page = client.get(following).json()
        seen += [each["url"] for each in page["items"]]
        following = page["next"]

    assert seen == made[::-1]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"url": "ftp://example.com"}, 422),
        ({"url": "https://"}, 422),
        ({"url": ELSEWHERE, "events": []}, 422),
        ({"url": ELSEWHERE, "events": ["job.exploded"]}, 422),
        ({"url": ELSEWHERE, "colour": "red"}, 422),
        ({"url": "http://169.254.169.254/latest/meta-data"}, 400),
        ({"url": "http://10.0.0.1/"}, 400),
    ],
)
def test_what_is_no_endpoint_is_refused(client: TestClient, asked: dict[str, Any], status: int) -> None:
    """What is no address, an internal address, unknown events and unknown parameters make no endpoint."""
    answer = client.post("/v1/webhook-endpoints", json=asked)

    assert answer.status_code == status, answer.text
    assert client.get("/v1/webhook-endpoints").json()["items"] == []


def test_without_a_secret_there_are_no_endpoints(tmp_path: Path) -> None:
    """Where nothing can be signed nobody can be told: the answer says so."""
    silent = open_studio(Settings(home=tmp_path / "silent"))
    with TestClient(create_app(silent, open_to_all=True), raise_server_exceptions=False) as unsigned:
        answer = unsigned.post("/v1/webhook-endpoints", json={"url": ELSEWHERE})

    assert (answer.status_code, answer.json()["code"]) == (409, "no_signing_secret")


def test_a_test_message_arrives_signed_with_its_own_secret(
    studio: Studio, client: TestClient, httpserver: HTTPServer
) -> None:
    """The receiver verifies with the secret of the endpoint, and not with ours; the attempt is a row."""
    httpserver.expect_request("/hook").respond_with_data("thanks")
    made = added(client, httpserver.url_for("/hook"))

    asked = client.post(f"/v1/webhook-endpoints/{made['id']}/test")
    deliver_waiting(studio)

    assert asked.status_code == 202
    request, _ = httpserver.log[0]
    headers = dict(request.headers.items())
    assert Webhook(made["secret"]).verify(request.get_data(), headers)["type"] == "endpoint.test"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(request.get_data(), headers)
    sent = client.get(asked.headers["location"]).json()
    assert (sent["status"], sent["event"], sent["attempts"]) == ("delivered", "endpoint.test", 1)
    assert [(each["delivered"], each["answer"]) for each in sent["history"]] == [(True, "200 OK")]


def test_after_a_rotation_both_secrets_verify(studio: Studio, client: TestClient, httpserver: HTTPServer) -> None:
    """A receiver that has not heard of the new secret yet still understands; one of another endpoint never does."""
    httpserver.expect_request("/hook").respond_with_data()
    made, other = added(client, httpserver.url_for("/hook")), added(client)

    rotated = client.post(f"/v1/webhook-endpoints/{made['id']}/rotate").json()
    client.post(f"/v1/webhook-endpoints/{made['id']}/test")
    deliver_waiting(studio)

    request, _ = httpserver.log[0]
    headers = dict(request.headers.items())
    assert len({made["secret"], rotated["secret"], other["secret"]}) == 3
    for secret in (made["secret"], rotated["secret"]):
        Webhook(secret).verify(request.get_data(), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(other["secret"]).verify(request.get_data(), headers)


def test_endpoints_are_told_of_the_jobs_of_their_key(studio: Studio, client: TestClient) -> None:
    """One without a key hears of jobs without one, of the kinds of end that it wants, and not of others' jobs."""
    everything, failures = added(client), added(client, events=["job.failed"])

    job_id = cancelled(studio)
    cancelled(studio, key_id=uuid4())

    [told] = client.get("/v1/deliveries").json()["items"]
    assert (told["job_id"], told["endpoint_id"], told["event"]) == (str(job_id), everything["id"], "job.cancelled")
    assert client.get(f"/v1/deliveries?endpoint_id={failures['id']}").json()["items"] == []


def test_an_endpoint_that_is_gone_is_told_nothing_more(
    studio: Studio, client: TestClient, httpserver: HTTPServer
) -> None:
    """410 disables it, with the reason; jobs that end later make no messages to it, until it is enabled."""
    httpserver.expect_request("/hook").respond_with_data("left", status=410)
    made = added(client, httpserver.url_for("/hook"))

    cancelled(studio)
    deliver_waiting(studio)
    cancelled(studio, "later.wav")

    shown = client.get(f"/v1/webhook-endpoints/{made['id']}").json()
    assert (shown["enabled"], "410" in shown["disabled_why"]) == (False, True)
    [only] = client.get("/v1/deliveries").json()["items"]
    assert only["status"] == "given_up"


def test_a_delivery_is_sent_again(studio: Studio, client: TestClient, httpserver: HTTPServer) -> None:
    """Replay sends the same bytes under the same id, whether they arrived or not, and keeps every attempt."""
    httpserver.expect_request("/hook").respond_with_data()
    added(client, httpserver.url_for("/hook"))
    cancelled(studio)
    deliver_waiting(studio)
    [sent] = client.get("/v1/deliveries?status=delivered").json()["items"]

    again = client.post(f"{sent['status_url']}/replay")
    assert (again.status_code, again.json()["status"]) == (202, "waiting")
    deliver_waiting(studio)

    bodies = {(request.headers["webhook-id"], request.get_data()) for request, _ in httpserver.log}
    assert (len(httpserver.log), len(bodies)) == (2, 1)
    assert len(client.get(sent["status_url"]).json()["history"]) == 2


def test_a_delivery_that_is_not_there(client: TestClient) -> None:
    """Neither looked at nor sent again."""
    for answer in (client.get(f"/v1/deliveries/{uuid4()}"), client.post(f"/v1/deliveries/{uuid4()}/replay")):
        assert (answer.status_code, answer.json()["code"]) == (404, "delivery_not_found")


def test_what_another_key_made_is_not_there(studio: Studio) -> None:
    """Neither its endpoints nor its deliveries: not in lists, and a 404 for whoever knows an id."""
    keys = KeyStore(studio.jobs.engine)
    with TestClient(create_app(studio), raise_server_exceptions=False) as client:
        ours, theirs = (
            {"authorization": f"Bearer {keys.create(name, ('read', 'write'))[1]}"} for name in ("ours", "theirs")
        )
        made = client.post("/v1/webhook-endpoints", json={"url": ELSEWHERE}, headers=ours).json()
        endpoint = f"/v1/webhook-endpoints/{made['id']}"
        delivery = client.post(f"{endpoint}/test", headers=ours).headers["location"]

        assert client.get(delivery, headers=ours).status_code == 200
        for method, path in [
            ("GET", endpoint),
            ("DELETE", endpoint),
            ("POST", f"{endpoint}/rotate"),
            ("POST", f"{endpoint}/test"),
            ("GET", delivery),
            ("POST", f"{delivery}/replay"),
        ]:
            assert client.request(method, path, headers=theirs).status_code == 404, (method, path)
        for path in ("/v1/webhook-endpoints", "/v1/deliveries"):
            assert client.get(path, headers=theirs).json()["items"] == []
            assert len(client.get(path, headers=ours).json()["items"]) == 1
