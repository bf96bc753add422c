"""Inboxes for tests: a folder and a bucket, and how to reach into them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

from mixdown.inbox import Inbox, Swept, open_inbox, sweep
from mixdown.items import Defaults
from mixdown.model import JobRecord, Status
from mixdown.settings import Settings
from mixdown.storage import ObjectStore, S3Options
from mixdown.studio import Studio, open_studio
from tests.services.ledger_samples import LEASE_S, result
from tests.services.s3_server import S3

ASKED = Defaults(preset="podcast")


class Desk(Protocol):
    """An inbox, a ledger, and a hand that reaches into both."""

    studio: Studio
    where: str

    def put(self, name: str, body: bytes = b"sound") -> None:
        """Put a file into the inbox."""

    def read(self, name: str) -> bytes:
        """What lies in the inbox under a name."""

    def remove(self, name: str) -> None:
        """Take a file away."""

    def names(self) -> list[str]:
        """Every name in the inbox, in order."""


class FolderDesk:
    """A hot folder."""

    def __init__(self, tmp_path: Path, database_url: str) -> None:
        self.root = tmp_path / "in box"
        self.root.mkdir(parents=True, exist_ok=True)
        self.where = str(self.root)
        self.studio = open_studio(Settings(home=tmp_path / "home", database_url=database_url))

    def put(self, name: str, body: bytes = b"sound") -> None:
        """Put a file into the folder."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def read(self, name: str) -> bytes:
        """What lies there."""
        return (self.root / name).read_bytes()

    def remove(self, name: str) -> None:
        """Remove a file."""
        (self.root / name).unlink()

    def names(self) -> list[str]:
        """Every file below the folder."""
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if not path.is_dir())


class BucketDesk:
    """An inbox in a bucket."""

    def __init__(self, tmp_path: Path, database_url: str, s3: S3) -> None:
        self._s3 = s3
        self.where = f"s3://{s3.bucket}/in box"
        self.studio = open_studio(
            Settings(home=tmp_path / "home", database_url=database_url, results_url=f"s3://{s3.bucket}/results"),
            objects=ObjectStore(f"s3://{s3.bucket}/results", s3=s3.options),
            s3=s3.options,
        )

    def put(self, name: str, body: bytes = b"sound") -> None:
        """Put an object into the inbox."""
        self._s3.client.put_object(Bucket=self._s3.bucket, Key=f"in box/{name}", Body=body)

    def read(self, name: str) -> bytes:
        """What lies there."""
        found = self._s3.client.get_object(Bucket=self._s3.bucket, Key=f"in box/{name}")
        body: bytes = found["Body"].read()
        return body

    def remove(self, name: str) -> None:
        """Delete an object."""
        self._s3.client.delete_object(Bucket=self._s3.bucket, Key=f"in box/{name}")

    def names(self) -> list[str]:
        """Every key below the inbox."""
        keys = self._s3.object_keys()
        return sorted(key.removeprefix("in box/") for key in keys if key.startswith("in box/"))


def opened(bucket: str, options: S3Options) -> S3:
    """A bucket that is there, as another process reaches it."""
    import botocore.session

    client = botocore.session.Session().create_client(
        "s3",
        endpoint_url=options.endpoint_url,
        aws_access_key_id=options.key,
        aws_secret_access_key=options.secret,
        region_name=options.region,
    )
    return S3(options=options, bucket=bucket, engine="given", client=client)


def inbox_of(desk: Desk, settle_s: float = 0.0) -> Inbox:
    """The inbox, as another process would open it; files count as complete at once unless told otherwise."""
    return open_inbox(desk.where, desk.studio, settle_s=settle_s)


def look(desk: Desk, asked: Defaults = ASKED) -> Swept:
    """One sweep, as by a new process."""
    return sweep(desk.studio, inbox_of(desk), asked)


def open_jobs(desk: Desk) -> dict[str, JobRecord]:
    """The jobs that have not ended, by the name of their recording."""
    return {record.spec.filename: record for record in desk.studio.jobs.list(status=Status.queued, limit=10_000)}


def succeed(desk: Desk, record: JobRecord) -> None:
    """Somebody does the job."""
    claim = desk.studio.jobs.claim(record.id, owner="worker", lease_s=LEASE_S)
    assert claim is not None
    desk.studio.jobs.succeed(claim, result(str(record.id)))


def fail(desk: Desk, record: JobRecord) -> None:
    """Somebody finds that the job cannot be done."""
    claim = desk.studio.jobs.claim(record.id, owner="worker", lease_s=LEASE_S)
    assert claim is not None
    desk.studio.jobs.fail(claim, code="unreadable_audio", detail="It is no sound.")


def report(desk: Desk, name: str) -> dict[str, Any]:
    """A report that lies in the inbox."""
    found: dict[str, Any] = json.loads(desk.read(name))
    return found


def recordings(desk: Desk) -> list[str]:
    """The names in the inbox, but for reports; what is worked on without when it was taken."""
    shown = []
    for name in desk.names():
        first, *rest = name.split("/")
        if first == "processing":
            shown.append("/".join(["processing", *rest[1:]]))
        elif not name.endswith(".json"):
            shown.append(name)
    return sorted(shown)
