"""Webhooks in, on SQLite and on PostgreSQL: messages as S3 and MinIO send them, cut off, repeated, forged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, select

from mixdown.api import create_app
from mixdown.audit import AuditLog
from mixdown.db.engine import reading, writing
from mixdown.db.front_door import HookMessage
from mixdown.jobs import open_engine
from mixdown.keys import KeyStore
from mixdown.settings import Settings
from mixdown.studio import Studio, open_studio

TOKEN = "a-token-of-some-length"
BEARER = {"authorization": f"Bearer {TOKEN}"}
HOOK = "/v1/hooks/recordings"


@pytest.fixture
def studio(tmp_path: Path, database_url: str) -> Iterator[Studio]:
    """Ports over a database of each kind, with a trigger whose jobs are those of a key."""
    engine = open_engine(database_url)
    key, _ = KeyStore(engine).create("bucket")
    engine.dispose()
    trigger = {"kind": "s3", "signature": {"kind": "token", "secret": "token"}, "key_id": str(key.id)}
    path = tmp_path / "triggers.yaml"
    path.write_text(json.dumps({"triggers": {"recordings": trigger}}))
    opened = open_studio(
        Settings(
            home=tmp_path / "home",
            database_url=database_url,
            triggers=path,
            trigger_secrets=f'{{"token": "{TOKEN}"}}',
            source_buckets="shows",
        )
    )
    yield opened
    opened.jobs.engine.dispose()


@pytest.fixture
def client(studio: Studio) -> Iterator[TestClient]:
    """A client without any API key."""
    with TestClient(create_app(studio), raise_server_exceptions=False) as client:
        yield client


def of_aws(key: str, event: str = "ObjectCreated:Put", version: str = "2.5") -> dict[str, Any]:
    """A message with every field that AWS documents (notification content structure)."""
    return {
        "Records": [
            {
                "eventVersion": version,
                "eventSource": "aws:s3",
                "awsRegion": "us-west-2",
                "eventTime": "2026-11-23T07:00:00.000Z",
                "eventName": event,
                "userIdentity": {"principalId": "AIDAJDPLRKLG7UEXAMPLE"},
                "requestParameters": {"sourceIPAddress": "127.0.0.1"},
                "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8/IgAtTv8"},
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "testConfigRule",
                    "bucket": {
                        "name": "shows",
                        "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                        "arn": "arn:aws:s3:::shows",
                    },
                    "object": {
                        "key": key,
                        "size": 1024,
                        "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                        "versionId": "096fKKXTRTtl3on89fVO.nfljtsv6qko",
                        "sequencer": "0055AED6DCD90281E5",
                    },
                },
                "glacierEventData": {
                    "restoreEventData": {
                        "lifecycleRestorationExpiryTime": "1970-01-01T00:00:00.000Z",
                        "lifecycleRestoreStorageClass": "Source storage class for restore",
                    }
                },
            }
        ]
    }


def of_minio(
    key: str, event: str = "s3:ObjectCreated:Put", *, sequencer: str = "17B32A5B5D4A8E4C"
) -> dict[str, Any]:
    """A message as MinIO posts it to a webhook: the record, and once more what it is about."""
    stored = {
        "key": key,
        "size": 488,
        "eTag": "f22d66a7d0dbbc4a7cf1122eeeb1a106",
        "contentType": "audio/wav",
        "userMetadata": {"content-type": "audio/wav"},
        "sequencer": sequencer,
    }
    bucket = {"name": "shows", "ownerIdentity": {"principalId": "minio"}, "arn": "arn:aws:s3:::shows"}
    record = {
        "eventVersion": "2.0",
        "eventSource": "minio:s3",
        "awsRegion": "",
        "eventTime": "2026-11-23T07:00:00.633Z",
        "eventName": event,
        "userIdentity": {"principalId": "minio"},
        "requestParameters": {"principalId": "minio", "region": "", "sourceIPAddress": "10.0.2.100"},
        "responseElements": {"x-amz-request-id": "182D5E7B", "x-minio-origin-endpoint": "http://10.0.2.100:9000"},
        "s3": {"s3SchemaVersion": "1.0", "configurationId": "Config", "bucket": bucket, "object": stored},
        "source": {"host": "10.0.2.100", "port": "", "userAgent": "MinIO (linux; amd64) minio-go/v7.0.83"},
    }
    return {"EventName": event, "Key": f"shows/{key}", "Records": [record]}


def post(client: TestClient, message: Any) -> Any:
    """Send a message as its sender would."""
    return client.post(HOOK, json=message, headers=BEARER)


@pytest.mark.parametrize(
    "message",
    [
        of_aws("red+flower+%26+bees.wav"),
        of_aws("red+flower+%26+bees.wav", "ObjectCreated:CompleteMultipartUpload", "2.1"),
        of_aws("red+flower+%26+bees.wav", "ObjectCreated:Copy", "2.6"),
        of_minio("red+flower+%26+bees.wav"),
        of_minio("red+flower+%26+bees.wav", "s3:ObjectCreated:CompleteMultipartUpload"),
    ],
)
def test_messages_as_they_are_sent(client: TestClient, studio: Studio, message: Any) -> None:
    """Whatever else stands in them: one job for the object, of the trigger's key; each is in the audit log."""
    first, again = post(client, message), post(client, message)

    assert (first.status_code, again.status_code) == (202, 200), first.text
    [job] = studio.jobs.list()
    assert job.spec.source.uri == "s3://shows/red flower & bees.wav"
    assert job.key_id is not None
    assert first.json() == again.json()
    assert first.json()["batch_id"] == str(job.batch_id)
    client.app.state.desk.audit.close()
    deeds = [each.deed for each in AuditLog(studio.jobs.engine).newest()]
    assert [(deed.action, deed.key_id) for deed in deeds] == [("create", job.key_id)] * 2
    assert {deed.subject for deed in deeds} == {f"/v1/batches/{job.batch_id}"}


@pytest.mark.parametrize(
    "message",
    [
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-11-23T07:00:00.000Z", "Bucket": "shows"},
        of_aws("talk.wav", "ObjectRemoved:Delete"),
        of_aws("talk.wav", "ObjectRestore:Completed"),
        of_minio("talk.wav", "s3:ObjectRemoved:Delete"),
        of_minio("talk.wav", "s3:ObjectCreated:PutTagging"),
        of_minio("talk.wav", "s3:ObjectCreated:PutRetention"),
        of_minio("talk.wav", "s3:ObjectCreated:PutLegalHold"),
        of_minio("cover.jpg"),
    ],
)
def test_what_creates_no_recording_is_left(client: TestClient, studio: Studio, message: Any) -> None:
    """Answered, so that its sender does not repeat it; MinIO's “put” tells of tags as well."""
    answer = post(client, message)

    assert (answer.status_code, answer.json()["jobs"]) == (200, 0)
    assert studio.jobs.list() == []


def test_cut_off_before_it_was_noted_nothing_is_lost_or_done_twice(client: TestClient, studio: Studio) -> None:
    """The jobs are written down first: a process that ends there is followed by the same message again."""
    message = {"Records": [*of_minio("a.wav")["Records"], *of_minio("b.wav")["Records"]]}
    first = post(client, message)
    with writing(studio.jobs.engine) as connection:  # as though the process had ended before it noted this
        connection.execute(delete(HookMessage))

    again = post(client, message)
    part = post(client, of_minio("b.wav"))

    assert (first.status_code, again.status_code, part.status_code) == (202, 202, 200)
    assert again.json() == first.json()
    assert sorted(job.spec.source.name for job in studio.jobs.list()) == ["a.wav", "b.wav"]
    assert [batch.id for batch in studio.jobs.batches()] == [UUID(first.json()["batch_id"])]


def test_the_same_message_from_many_at_once(client: TestClient, studio: Studio) -> None:
    """One batch with one job, and each is told the same."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(client, of_aws("talk.wav")), range(16)))

    assert {answer.status_code for answer in answers} <= {200, 202}
    assert len({answer.json()["batch_id"] for answer in answers}) == 1
    assert len(studio.jobs.list()) == 1
    with reading(studio.jobs.engine) as connection:
        assert len(connection.execute(select(HookMessage.message)).all()) == 1


def test_who_tries_signatures_out_is_told_to_wait(client: TestClient, studio: Studio) -> None:
    """After some that are wrong; who knows the token is let in all the same."""
    wrong = [
        client.post(HOOK, json=of_aws("talk.wav"), headers={"authorization": f"Bearer guess-{n:016}"})
        for n in range(30)
    ]
    right = post(client, of_aws("talk.wav"))

    assert {answer.status_code for answer in wrong} == {401, 429}
    assert wrong[-1].status_code == 429
    assert int(wrong[-1].headers["retry-after"]) >= 1
    assert wrong[0].json()["code"] == "hook_refused"
    assert right.status_code == 202
    assert len(studio.jobs.list()) == 1
