"""Real S3 endpoints over a socket: moto's server anywhere, Ceph's gateway as root on Debian, or one given.

A fixture `s3` is a fresh bucket on each of them in turn.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
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
    client: Any  #: botocore's own client: for what a test does behind the product's back

    @property
    def url(self) -> str:
        """Root for an object store; a prefix with a space, because people have such."""
        return f"s3://{self.bucket}/some prefix"

    def object_keys(self) -> list[str]:
        """Every key in the bucket."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def uploads(self) -> list[tuple[str, str]]:
        """Key and id of every upload in parts that is not finished."""
        answer = self.client.list_multipart_uploads(Bucket=self.bucket)
        return [(upload["Key"], upload["UploadId"]) for upload in answer.get("Uploads", ())]


def engines() -> list[str]:
    """The engines that this machine can run."""
    if os.environ.get(_GIVEN):
        return ["moto", "given"]
    return ["moto", "radosgw"] if radosgw.can_run_here() else ["moto"]


def given_options(url: str) -> S3Options:
    """The options in `http://key:secret@127.0.0.1:9000`; a host that is not this machine is refused."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host != "localhost" and not _is_loopback(host):
        raise pytest.UsageError(f"{_GIVEN} names the host {host!r}: tests only write to this machine")
    return S3Options(
        endpoint_url=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        key=parts.username,
        secret=parts.password,
        region="us-east-1",
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
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


@contextmanager
def _radosgw() -> Iterator[S3Options]:
    radosgw.install()
    for left_over in Path("/tmp").glob("mixdown-rgw-*"):  # by test runs that were killed
        if not psutil.pid_exists(int(left_over.name.split("-")[2])):
            shutil.rmtree(left_over, ignore_errors=True)
    # A short path: Ceph's admin sockets must fit in 107 bytes.
    prefix = f"mixdown-rgw-{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir="/tmp", ignore_cleanup_errors=True) as folder:
        gateway = radosgw.RadosGateway(Path(folder))
        gateway.start()
        try:
            yield S3Options(
                endpoint_url=gateway.endpoint_url, key=gateway.key, secret=gateway.secret, region="us-east-1"
            )
        finally:
            gateway.stop()


@contextmanager
def _given() -> Iterator[S3Options]:
    yield given_options(os.environ[_GIVEN])


_ENGINES = {"moto": _moto, "radosgw": _radosgw, "given": _given}


def engine_running(engine: str) -> AbstractContextManager[S3Options]:
    """An engine of one's own, for programs that are no tests."""
    return _ENGINES[engine]()


@pytest.fixture(scope="session")
def s3_options_of() -> Iterator[Callable[[str], S3Options]]:
    """Starts an engine when it is first asked for. One that does not come up is an error, each time."""
    started: dict[str, S3Options] = {}
    failed: dict[str, radosgw.NotUp] = {}
    with ExitStack() as running:

        def options(engine: str) -> S3Options:
            if engine in failed:
                raise failed[engine]
            if engine not in started:
                try:
                    started[engine] = running.enter_context(_ENGINES[engine]())
                except radosgw.NotUp as error:
                    failed[engine] = error
                    raise
            return started[engine]

        yield options


@contextmanager
def fresh_bucket(engine: str, options: S3Options) -> Iterator[S3]:
    """A bucket of one's own, emptied and removed afterwards."""
    import botocore.session

    client = botocore.session.Session().create_client(
        "s3",
        endpoint_url=options.endpoint_url,
        aws_access_key_id=options.key,
        aws_secret_access_key=options.secret,
        region_name=options.region,
    )
    s3 = S3(options=options, bucket=f"mixdown-{uuid.uuid4().hex[:16]}", engine=engine, client=client)
    try:
        client.create_bucket(Bucket=s3.bucket)
        yield s3
        for key, upload_id in s3.uploads():
            client.abort_multipart_upload(Bucket=s3.bucket, Key=key, UploadId=upload_id)
        for key in s3.object_keys():
            client.delete_object(Bucket=s3.bucket, Key=key)
        client.delete_bucket(Bucket=s3.bucket)
    finally:
        client.close()


@pytest.fixture(params=engines())
def s3(request: pytest.FixtureRequest, s3_options_of: Callable[[str], S3Options]) -> Iterator[S3]:
    """A fresh bucket on each engine in turn."""
    with fresh_bucket(request.param, s3_options_of(request.param)) as bucket:
        yield bucket
