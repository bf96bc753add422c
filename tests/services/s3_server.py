"""Real S3 endpoints over a socket: moto's server anywhere, Ceph's gateway as root on Debian, or a given one."""

from __future__ import annotations

import ipaddress
import os
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mixdown.storage import S3Options
from tests.services import radosgw

_GIVEN = "MIXDOWN_TEST_S3_URL"


@dataclass(frozen=True, kw_only=True)
class S3:
    """A fresh bucket of a real endpoint."""

    options: S3Options
    bucket: str
    engine: str  #: moto, radosgw, given
    client: Any  #: a botocore client: what a test does behind the product's back

    @property
    def url(self) -> str:
        """Root for an object store; a prefix with a space, because people have such."""
        return f"s3://{self.bucket}/some prefix"


def engines() -> list[str]:
    """The engines that this machine can run."""
    if os.environ.get(_GIVEN):
        return ["moto", "given"]
    return ["moto", "radosgw"] if radosgw.can_run_here() else ["moto"]


def given_options(url: str) -> S3Options:
    """The options in `http://key:secret@127.0.0.1:9000`; a host that is not this machine is refused."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host != "localhost" and not (_is_address(host) and ipaddress.ip_address(host).is_loopback):
        raise pytest.UsageError(f"{_GIVEN} names the host {host!r}: tests only write to this machine")
    return S3Options(
        endpoint_url=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        key=parts.username,
        secret=parts.password,
        region="us-east-1",
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _moto() -> Iterator[S3Options]:
    from moto.server import ThreadedMotoServer  # here: a second that tests without S3 need not wait

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield S3Options(
            endpoint_url=f"http://{host}:{port}", key="test-key", secret=uuid.uuid4().hex, region="us-east-1"
        )
    finally:
        server.stop()


def _radosgw() -> Iterator[S3Options]:
    # A short path: Ceph's admin sockets must fit in 107 bytes.
    with tempfile.TemporaryDirectory(prefix="rgw-", dir="/tmp") as folder:
        radosgw.install()
        gateway = radosgw.RadosGateway(Path(folder))
        gateway.start()
        try:
            yield S3Options(
                endpoint_url=gateway.endpoint_url, key=gateway.key, secret=gateway.secret, region="us-east-1"
            )
        finally:
            gateway.stop()


def _given() -> Iterator[S3Options]:
    yield given_options(os.environ[_GIVEN])


_ENGINES = {"moto": _moto, "radosgw": _radosgw, "given": _given}


@pytest.fixture(scope="session", params=engines())
def s3_engine(request: pytest.FixtureRequest) -> Iterator[tuple[str, S3Options]]:
    """Each engine in turn, started when the first test asks for it. One that does not come up is an error."""
    for options in _ENGINES[request.param]():
        yield request.param, options


@pytest.fixture
def s3(s3_engine: tuple[str, S3Options]) -> Iterator[S3]:
    """A fresh bucket, emptied and removed afterwards."""
    import botocore.session

    engine, options = s3_engine
    client = botocore.session.Session().create_client(
        "s3",
        endpoint_url=options.endpoint_url,
        aws_access_key_id=options.key,
        aws_secret_access_key=options.secret,
        region_name=options.region,
    )
    bucket = f"mixdown-{uuid.uuid4().hex[:16]}"
    client.create_bucket(Bucket=bucket)
    try:
        yield S3(options=options, bucket=bucket, engine=engine, client=client)
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for found in page.get("Contents", ()):
                client.delete_object(Bucket=bucket, Key=found["Key"])
        for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", ()):
            client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        client.delete_bucket(Bucket=bucket)
    finally:
        client.close()
