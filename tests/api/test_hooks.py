"""Webhooks in: who may send, what comes of a message, and that it is heeded once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from standardwebhooks import Webhook

from mixdown.api import create_app
from mixdown.model import Enhance
from mixdown.settings import Settings
from mixdown.studio import Studio, open_studio

TOKEN = "a-token-of-some-length"
STANDARD = "whsec_" + base64.b64encode(b"k" * 32).decode()
SECRETS = json.dumps(
    {"token": [TOKEN, "the-next-token-to-be"], "standard": STANDARD, "github": "it is a long secret"}
)
BEARER = {"authorization": f"Bearer {TOKEN}"}

FILE = """
triggers:
  recordings:
    kind: s3
    signature: {kind: token, secret: token}
    title: from the bucket
    prefix: raw/
    parameters: {preset: audiobook-acx}
  productions:
    kind: form
    signature: {kind: token, secret: token}
    filename: /title
    when: {/action: start}
    from_message: {preset: /preset}
  signed:
    kind: json
    signature: {kind: standard, secret: standard}
    source: /data/url
  pushed:
    kind: json
    signature: {kind: github, secret: github}
    items: /files
    source: /url
"""


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    """Ports over SQLite and a folder, with triggers."""
    path = tmp_path / "triggers.yaml"
    path.write_text(FILE)
    return open_studio(
        Settings(home=tmp_path / "home", triggers=path, trigger_secrets=SECRETS, source_buckets="shows")
    )


@pytest.fixture
def client(studio: Studio) -> Iterator[TestClient]:
    """A client without any API key, where keys are asked for."""
    with TestClient(create_app(studio), raise_server_exceptions=False) as client:
        yield client


def s3_event(key: str = "raw/a+talk%281%29.wav", *, bucket: str = "shows", **more: Any) -> dict[str, Any]:
    """An event as S3 sends it."""
    stored = {"key": key, "size": 1024, "eTag": "d41d8cd98f", "sequencer": "0055AED6DCD90281E5", **more}
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": bucket}, "object": stored},
            }
        ]
    }


def standard(body: str, *, message_id: str = "msg_1", at: datetime | None = None) -> dict[str, str]:
    """The headers of Standard Webhooks."""
    at = at or datetime.now(UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(STANDARD).sign(message_id, at, body),
    }


def test_an_s3_event_becomes_a_batch(client: TestClient, studio: Studio) -> None:
    """Its key is decoded, and its job is what the trigger says, marked as one from outside."""
    answer = client.post("/v1/hooks/recordings", json=s3_event(), headers=BEARER)

    assert answer.status_code == 202, answer.text
    batch_id = UUID(answer.json()["batch_id"])
    [job] = studio.jobs.list(batch_id=batch_id)
    assert answer.headers["location"] == f"/v1/batches/{batch_id}"
    assert job.spec.source.uri == "s3://shows/raw/a talk(1).wav"
    assert isinstance(job.spec.work, Enhance)
    assert job.spec.work.preset == "audiobook-acx"
    assert job.spec.from_outside
    assert studio.jobs.batch(batch_id).title == "from the bucket"


def test_the_same_event_again_is_the_same_batch(client: TestClient, studio: Studio) -> None:
    """What was heeded is answered 200, and makes no second job; another version of the object does."""
    first = client.post("/v1/hooks/recordings", json=s3_event(versionId="v1"), headers=BEARER)
    again = client.post("/v1/hooks/recordings", json=s3_event(versionId="v1", sequencer="1"), headers=BEARER)
    other = client.post("/v1/hooks/recordings", json=s3_event(versionId="v2"), headers=BEARER)

    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 202)
    assert again.json() == first.json() != other.json()
    assert len(studio.jobs.list()) == 2


def test_the_same_event_at_once_makes_one_job(client: TestClient, studio: Studio) -> None:
    """Senders that repeat themselves before they are answered get one batch with one job."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: client.post("/v1/hooks/recordings", json=s3_event(), headers=BEARER), range(8))
        )

    assert {answer.status_code for answer in answers} <= {200, 202}
    assert len({answer.json()["batch_id"] for answer in answers}) == 1
    assert len(studio.jobs.list()) == 1


@pytest.mark.parametrize(
    "message",
    [
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "shows"},
        s3_event("raw/notes.txt"),
        s3_event("masters/talk.mp3"),
        s3_event("raw/"),
        {"Records": [{**s3_event()["Records"][0], "eventName": "ObjectRemoved:Delete"}]},
    ],
)
def test_what_is_no_new_recording_is_answered_and_left(
    client: TestClient, studio: Studio, message: dict[str, Any]
) -> None:
    """Test messages, other files, other folders and deletions are 200, so that they are not sent again."""
    answer = client.post("/v1/hooks/recordings", json=message, headers=BEARER)

    assert (answer.status_code, answer.json()["batch_id"]) == (200, None)
    assert studio.jobs.list() == []


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({}, "invalid_request"),
        ([], "invalid_request"),
        ({"Records": [7]}, "invalid_request"),
        (s3_event("raw/x%00.wav"), "invalid_request"),
        (s3_event("raw/%2e%2e/x.wav"), "source_forbidden"),
        (s3_event(bucket="elsewhere"), "source_forbidden"),
    ],
)
def test_messages_that_make_no_sense_are_refused(
    client: TestClient, studio: Studio, message: Any, code: str
) -> None:
    """Also one about a bucket that is not open to those outside."""
    answer = client.post("/v1/hooks/recordings", json=message, headers=BEARER)

    assert (answer.status_code, answer.json()["code"]) in ((422, code), (400, code))
    assert studio.jobs.list() == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": TOKEN[:-1]},
        {"authorization": f"Bearer {TOKEN} "[:-3]},
        {"authorization": "Basic !"},
        {"authorization": "Bearer \u00e9".encode("latin-1")},
    ],
)
def test_without_the_token_nothing_happens(client: TestClient, studio: Studio, headers: Any) -> None:
    """Whoever does not know it is refused, with a code that says so."""
    answer = client.post("/v1/hooks/recordings", json=s3_event(), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "hook_refused")
    assert studio.jobs.list() == []


@pytest.mark.parametrize(
    "shown",
    [TOKEN, f"Bearer {TOKEN}", "the-next-token-to-be", "Basic " + base64.b64encode(f"x:{TOKEN}".encode()).decode()],
)
def test_a_token_is_shown_in_several_ways(client: TestClient, shown: str) -> None:
    """Plain, as a bearer token, as the password of an address; the old one and the new one."""
    answer = client.post("/v1/hooks/recordings", json=s3_event(), headers={"authorization": shown})

    assert answer.status_code == 202


@pytest.mark.parametrize("as_form", [True, False])
def test_a_form_becomes_a_job(client: TestClient, studio: Studio, as_form: bool) -> None:
    """As Auphonic's API takes it, in either encoding; its preset and its title are heeded."""
    fields = {
        "input_file": "https://example.com/ep1.wav",
        "title": "Episode 1",
        "preset": "voiceover",
        "action": "start",
    }
    sent: dict[str, Any] = (
        {"data": fields} if as_form else {"files": {name: (None, value) for name, value in fields.items()}}
    )
    preset = "broadcast-ebu"
    fields["preset"] = preset
    if not as_form:
        sent["files"]["preset"] = (None, preset)

    answer = client.post("/v1/hooks/productions", headers=BEARER, **sent)

    assert answer.status_code == 202, answer.text
    [job] = studio.jobs.list()
    assert job.spec.source.uri == "https://example.com/ep1.wav"
    assert job.spec.filename == "Episode 1"
    assert isinstance(job.spec.work, Enhance)
    assert job.spec.work.preset == preset


def test_a_form_that_is_not_meant_is_left(client: TestClient, studio: Studio) -> None:
    """What `when` asks for is not there: answered, and nothing done."""
    fields = {"input_file": "https://example.com/ep1.wav", "action": "save"}

    answer = client.post("/v1/hooks/productions", data=fields, headers=BEARER)

    assert (answer.status_code, studio.jobs.list()) == (200, [])


@pytest.mark.parametrize("address", ["http://127.0.0.1/x.wav", "http://169.254.169.254/", "file:///etc/passwd"])
def test_addresses_of_inside_are_refused(client: TestClient, studio: Studio, address: str) -> None:
    """A message cannot have what lies within read."""
    answer = client.post("/v1/hooks/productions", data={"input_file": address, "action": "start"}, headers=BEARER)

    assert answer.status_code == 400, answer.text
    assert studio.jobs.list() == []


def test_standard_webhooks(client: TestClient, studio: Studio) -> None:
    """A signed message makes a batch; the same again is a replay that changes nothing."""
    body = json.dumps({"type": "recording.ready", "data": {"url": "https://example.com/a.wav"}})
    headers = standard(body)

    first = client.post("/v1/hooks/signed", content=body, headers=headers)
    again = client.post("/v1/hooks/signed", content=body, headers=headers)

    assert (first.status_code, again.status_code) == (202, 200), first.text
    assert again.json() == first.json()
    assert len(studio.jobs.list()) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda headers: standard("{}"),
        lambda headers: {**headers, "webhook-id": "msg_2"},
        lambda headers: {**headers, "webhook-timestamp": "nan"},
        lambda headers: {**headers, "webhook-signature": "v1"},
        lambda headers: {**headers, "webhook-signature": "v1,!"},
        lambda headers: {},
    ],
)
def test_forged_standard_webhooks_are_refused(
    client: TestClient, studio: Studio, change: Callable[[dict[str, str]], dict[str, str]]
) -> None:
    """Another body, another id, no time, no signature."""
    body = json.dumps({"data": {"url": "https://example.com/a.wav"}})

    answer = client.post("/v1/hooks/signed", content=body, headers=change(standard(body)))

    assert (answer.status_code, answer.json()["code"]) == (401, "hook_refused")
    assert studio.jobs.list() == []


@pytest.mark.parametrize("minutes", [-6, 6])
def test_messages_of_another_time_are_refused(client: TestClient, studio: Studio, minutes: int) -> None:
    """Well signed, but more than five minutes off."""
    body = json.dumps({"data": {"url": "https://example.com/a.wav"}})

    answer = client.post(
        "/v1/hooks/signed",
        content=body,
        headers=standard(body, at=datetime.now(UTC) + timedelta(minutes=minutes)),
    )

    assert (answer.status_code, studio.jobs.list()) == (401, [])


def test_github_signs_the_body(client: TestClient, studio: Studio) -> None:
    """A list of recordings becomes one batch; one byte more in the body, and it is refused."""
    body = json.dumps({"files": [{"url": f"https://example.com/{n}.wav"} for n in range(3)]}).encode()
    signature = "sha256=" + hmac.new(b"it is a long secret", body, hashlib.sha256).hexdigest()

    answer = client.post("/v1/hooks/pushed", content=body, headers={"x-hub-signature-256": signature})
    forged = client.post("/v1/hooks/pushed", content=body + b" ", headers={"x-hub-signature-256": signature})

    assert (answer.status_code, forged.status_code) == (202, 401)
    assert answer.json()["jobs"] == len(studio.jobs.list()) == 3


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[" * 100_000, b'{"files": {"url": 1}}'])
def test_signed_nonsense_is_a_422(client: TestClient, body: bytes) -> None:
    """What is no JSON of the right shape is refused in a sentence."""
    signature = "sha256=" + hmac.new(b"it is a long secret", body, hashlib.sha256).hexdigest()

    answer = client.post("/v1/hooks/pushed", content=body, headers={"x-hub-signature-256": signature})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_a_trigger_that_is_not_there(client: TestClient) -> None:
    """An unknown name is a 404 with a code of its own."""
    answer = client.post("/v1/hooks/nobody", json={})

    assert (answer.status_code, answer.json()["code"]) == (404, "trigger_not_found")
