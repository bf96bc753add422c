"""What the tests of services share."""

from __future__ import annotations

import resource
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mixdown.storage import ObjectStore, S3Options
from tests.services.s3_server import engines, fresh_bucket
from tests.services.store_roots import Root


@pytest.fixture
def full_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that takes small files only: a tiny file system for root, else a limit on the size of files."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode == 0:
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, hard))
    try:
        yield folder
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(params=["folder", "memory", *engines()])
def root(
    request: pytest.FixtureRequest, tmp_path: Path, s3_options_of: Callable[[str], S3Options]
) -> Iterator[Root]:
    """An empty root of each kind in turn."""
    with ExitStack() as stack:
        if request.param == "folder":
            yield Root(url=str(tmp_path / "results of ours"))
        elif request.param == "memory":
            yield Root(url=f"memory://{uuid.uuid4()}")
        else:
            bucket = stack.enter_context(fresh_bucket(request.param, s3_options_of(request.param)))
            yield Root(url=bucket.url, s3=bucket)


@pytest.fixture
def store(root: Root) -> ObjectStore:
    """A store over an empty root."""
    return root.open()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder to deliver to."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"
