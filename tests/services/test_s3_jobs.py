"""The whole way with S3: sources, results and deliveries in real buckets."""

from __future__ import annotations

from pathlib import Path

import pytest

from mixdown.errors import SourceChanged
from mixdown.model import AudioFormat, OutputSpec, Source, Status
from mixdown.runner import run_jobs
from mixdown.settings import Settings
from mixdown.storage import ObjectStore
from mixdown.studio import Studio, open_studio
from mixdown.submission import enhance_specs, sources, submit
from tests.services.s3_server import S3
from tests.signals import recording

FLAC = [OutputSpec(format=AudioFormat.flac)]


@pytest.fixture
def studio(s3: S3, tmp_path: Path) -> Studio:
    """A studio whose results are in a bucket."""
    return open_studio(
        Settings(home=tmp_path / "home", results_url=s3.url),
        objects=ObjectStore(s3.url, s3=s3.options),
        s3=s3.options,
    )


def _upload(s3: S3, path: Path, key: str) -> str:
    s3.client.put_object(Bucket=s3.bucket, Key=key, Body=path.read_bytes())
    return f"s3://{s3.bucket}/{key}"


def test_from_a_bucket_to_a_bucket(studio: Studio, s3: S3, tmp_path: Path) -> None:
    """An `s3://` source is mastered into the bucket, with a copy under its own name; nothing stays staged."""
    uri = _upload(s3, recording(tmp_path / "talk.wav"), "inbox/talk.wav")
    wanted = enhance_specs(sources([uri]), "podcast", outputs=FLAC, deliver_to=f"s3://{s3.bucket}/outbox")

    [record] = run_jobs(studio, [record.id for record in submit(studio, wanted)])

    assert record.status is Status.succeeded, record.error_detail
    assert record.result is not None
    keys = s3.object_keys()
    assert "outbox/talk.flac" in keys
    assert "inbox/talk.wav" in keys
    assert not [key for key in keys if "staged" in key]
    [again] = submit(studio, wanted)
    assert (again.id, again.status) == (record.id, Status.succeeded)


def test_a_local_source_is_staged_for_other_machines(studio: Studio, s3: S3, tmp_path: Path) -> None:
    """With results in S3, a local file travels through the bucket: no path is needed elsewhere."""
    wanted = enhance_specs(sources([str(recording(tmp_path / "talk.wav"))]), "podcast", outputs=FLAC)

    [record] = run_jobs(studio, [record.id for record in submit(studio, wanted)])

    assert record.status is Status.succeeded, record.error_detail
    assert record.work["validated"]["source"]["uri"].startswith("s3://")
    assert not [key for key in s3.object_keys() if "staged" in key]


def test_a_source_that_is_not_what_was_claimed_is_refused(studio: Studio, s3: S3, tmp_path: Path) -> None:
    """A claimed SHA-256 is checked against the bytes in the bucket."""
    uri = _upload(s3, recording(tmp_path / "talk.wav"), "inbox/talk.wav")
    wanted = enhance_specs([Source(uri=uri, sha256="0" * 64)], "podcast", outputs=FLAC)

    [record] = run_jobs(studio, [record.id for record in submit(studio, wanted)])

    assert (record.status, record.error_code) == (Status.failed, SourceChanged.code)


def test_a_lost_master_is_made_again(studio: Studio, s3: S3, tmp_path: Path) -> None:
    """A master that was deleted from the bucket is noticed, and made again with the same bytes."""
    wanted = enhance_specs(sources([str(recording(tmp_path / "talk.wav"))]), "podcast", outputs=FLAC)
    [first] = run_jobs(studio, [record.id for record in submit(studio, wanted)])
    assert first.result is not None
    studio.objects.delete(first.result.renditions[0].object.uri)

    [again] = submit(studio, wanted)
    assert again.status is Status.queued
    [second] = run_jobs(studio, [again.id])

    assert second.result is not None
    assert second.result.renditions[0].object == first.result.renditions[0].object
