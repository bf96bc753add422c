"""Batches of what lies below an S3 prefix, asked for over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from mixdown.api import create_app
from mixdown.api.asking import MOST_RECORDINGS, Wanted, gathered
from mixdown.errors import InvalidRequest
from mixdown.model import JobSpec, Source
from mixdown.settings import Settings
from mixdown.storage import incoming_key
from mixdown.studio import Studio, open_studio
from tests.services.s3_server import S3

SHOW = "season 3"


@pytest.fixture
def studio(tmp_path: Path, s3: S3) -> Studio:
    """Ports whose results lie in the bucket that is open to clients."""
    options = s3.options
    return open_studio(
        Settings(
            home=tmp_path / "home",
            results_url=f"s3://{s3.bucket}/{SHOW}/masters",
            source_buckets=s3.bucket,
            s3_endpoint_url=options.endpoint_url,
            s3_key=options.key,
            s3_secret=options.secret,
            s3_region=options.region,
        )
    )


@pytest.fixture
def client(studio: Studio) -> Iterator[TestClient]:
    """A client on this machine, where no keys are asked for."""
    with TestClient(create_app(studio, open_to_all=True), raise_server_exceptions=False) as client:
        yield client


def put(s3: S3, *keys: str) -> None:
    """Objects in the bucket."""
    for key in keys:
        s3.client.put_object(Bucket=s3.bucket, Key=key, Body=b"RIFF" + key.encode())


def test_everything_below_a_prefix_becomes_a_batch(client: TestClient, studio: Studio, s3: S3) -> None:
    """Recordings only, each with its size; not what is hidden, beside it, or our own."""
    put(
        s3,
        f"{SHOW}/01 größe.wav",
        f"{SHOW}/extra/02.mp3",
        f"{SHOW}/notes.txt",
        f"{SHOW}/.trash/03.wav",
        "other/04.wav",
    )
    put(s3, f"{SHOW}/masters/{incoming_key('0' * 64, '.wav')}")

    body = {
        "items": [{"source": f"s3://{s3.bucket}/{SHOW}/", "parameters": {"preset": "audiobook-acx"}}],
        "parameters": {"preset": "podcast"},
    }
    answer = client.post("/v1/batches", json=body)

    assert answer.status_code == 202, answer.text
    jobs = studio.jobs.list(batch_id=UUID(answer.json()["id"]), oldest_first=True)
    where = f"s3://{s3.bucket}/{SHOW}"
    assert [job.spec.source.uri for job in jobs] == [f"{where}/01 größe.wav", f"{where}/extra/02.mp3"]
    assert all(job.size_bytes > 4 and job.spec.from_outside for job in jobs)
    assert {job.spec.work.preset for job in jobs} == {"audiobook-acx"}
    assert {job.origin for job in jobs} == {f"s3://{s3.bucket}"}


def test_prefixes_that_lead_to_nothing(client: TestClient, studio: Studio, s3: S3) -> None:
    """Empty, of a bucket that is not open to clients, or our own: refused in a sentence, and nothing is written."""
    put(s3, "talk.wav")
    addresses = {
        f"s3://{s3.bucket}/nothing/": (422, "invalid_request"),
        "s3://somebody-elses/": (400, "source_forbidden"),
        f"s3://{s3.bucket}/../x/": (400, "source_forbidden"),
        f"s3://{s3.bucket}/{SHOW}/masters/": (400, "source_forbidden"),
    }

    for address, expected in addresses.items():
        answer = client.post("/v1/batches", json={"items": [{"source": address}]})
        assert (answer.status_code, answer.json()["code"]) == expected, address

    assert (studio.jobs.list(), studio.jobs.batches()) == ([], [])


def test_a_manifest_in_a_bucket_lists_what_lies_there(client: TestClient, studio: Studio, s3: S3) -> None:
    """Read as strangers may read: where the bucket is open."""
    rows = f"source,preset\ns3://{s3.bucket}/a.wav,podcast\ns3://{s3.bucket}/b.wav,\n"
    s3.client.put_object(Bucket=s3.bucket, Key="list.csv", Body=rows.encode())

    answer = client.post("/v1/batches", json={"manifest": f"s3://{s3.bucket}/list.csv"})
    closed = client.post("/v1/batches", json={"manifest": "s3://somebody-elses/list.csv"})

    assert (answer.status_code, answer.json()["total"]) == (202, 2), answer.text
    assert (closed.status_code, closed.json()["code"]) == (400, "source_forbidden")


def test_a_batch_has_an_end() -> None:
    """Whatever lists its recordings, they are held in memory: more than that are refused, and not looked at."""
    each = Wanted(what=Source(uri="https://example.com/a.wav"), spec=JobSpec(source=Source(uri="/")))

    assert len(gathered(repeat(each, MOST_RECORDINGS))) == MOST_RECORDINGS
    with pytest.raises(InvalidRequest, match="at most 50,000 recordings"):
        gathered(repeat(each))
