"""The object store when the network, the engine or the disk fails."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mixdown.errors import (
    CorruptObject,
    InvalidRequest,
    MixdownError,
    RetryableError,
    ScratchFull,
    SourceForbidden,
    StorageUnavailable,
)
from mixdown.model import StoredObject
from mixdown.storage import ObjectStore, S3Options, master_key, staged_key
from tests.services.faulty_proxy import Fault, Request, faulty_proxy
from tests.services.s3_server import S3

JOB = uuid.UUID(int=1)
SECRET = "the-secret-nobody-may-see"
BODY = bytes(range(256)) * 1024


@contextmanager
def behind_proxy(s3: S3, choose: Callable[[Request], Fault | None]) -> Iterator[ObjectStore]:
    """A store that reaches S3 through a proxy with faults."""
    with faulty_proxy(str(s3.options.endpoint_url), choose) as url:
        yield ObjectStore(s3.url, s3=replace(s3.options, endpoint_url=url))


def stage(store: ObjectStore, body: bytes = BODY, job: uuid.UUID = JOB) -> StoredObject:
    """A staged object."""
    return store.put_bytes(body, staged_key(job, "0.mp3"), media_type="audio/mpeg")


# -- nobody there ---------------------------------------------------------------------------------


@pytest.mark.timeout(30)  # botocore's own patience is minutes
@pytest.mark.parametrize("host", ["127.0.0.1:1", "storage.invalid"])
def test_a_missing_endpoint_is_found_at_once(host: str) -> None:
    """Where nobody listens, the answer comes in seconds, as a sentence, with no secret in it."""
    options = S3Options(endpoint_url=f"http://{host}", key="key", secret=SECRET, region="us-east-1")
    store = ObjectStore("s3://bucket/results", s3=options)

    for attempt in (
        store.ping,
        lambda: store.exists("masters/x"),
        lambda: list(store.list()),
        lambda: stage(store),
        lambda: store.read_bytes("s3://bucket/results/masters/x"),
    ):
        with pytest.raises(StorageUnavailable) as caught:
            attempt()
        assert f"s3://bucket/results at {host} cannot be used now (it cannot be" in caught.value.message
        assert SECRET not in caught.value.message + repr(options) + repr(store)


def test_an_endpoint_with_credentials_in_it_is_refused() -> None:
    """Credentials in an address end up in logs: they are refused there, and not shown."""
    with pytest.raises(InvalidRequest) as caught:
        S3Options(endpoint_url=f"http://user:{SECRET}@127.0.0.1:1")

    assert SECRET not in caught.value.message


def test_a_missing_bucket_is_named(s3: S3) -> None:
    """An operator who mistyped the bucket reads so."""
    store = ObjectStore("s3://mixdown-no-such-bucket/results", s3=s3.options)

    for attempt in (store.ping, lambda: stage(store), lambda: list(store.list())):
        with pytest.raises(StorageUnavailable, match=r"mixdown-no-such-bucket.*is not there"):
            attempt()


def test_wrong_credentials_are_refused(s3: S3) -> None:
    """A wrong secret is a permanent error that does not show the secret."""
    if s3.engine == "moto":
        return  # it lets everyone in
    store = ObjectStore(s3.url, s3=replace(s3.options, secret=SECRET))

    for attempt in (store.ping, lambda: stage(store), lambda: list(store.list())):
        with pytest.raises(SourceForbidden) as caught:
            attempt()
        assert SECRET not in caught.value.message


def test_no_credentials_are_refused(s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without any credentials the error says so, permanently."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store = ObjectStore(s3.url, s3=replace(s3.options, key=None, secret=None))

    with pytest.raises(SourceForbidden):
        store.ping()


# -- an engine with bad days ----------------------------------------------------------------------


def test_a_third_of_the_answers_may_be_errors(s3: S3) -> None:
    """With 30 % of all answers 500 or 503, everything still works."""
    dice = random.Random(1)
    lock = threading.Lock()

    def choose(request: Request) -> Fault | None:
        with lock:
            return dice.choice([Fault.error_500, Fault.error_503]) if dice.random() < 0.3 else None

    def work(number: int) -> bytes:
        staged = stage(store, str(number).encode() * 99, uuid.UUID(int=number))
        master = store.promote(staged, master_key(f"{number:064x}", "0.mp3"))
        store.delete_prefix(staged_key(uuid.UUID(int=number), ""))
        return store.read_bytes(master.uri)

    with behind_proxy(s3, choose) as store, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [str(number).encode() * 99 for number in range(8)]

    assert len(s3.object_keys()) == 8


def test_refusal_is_permanent(s3: S3) -> None:
    """A 403 is not tried again."""
    seen: list[Request] = []

    def choose(request: Request) -> Fault:
        seen.append(request)
        return Fault.refused

    with behind_proxy(s3, choose) as store, pytest.raises(SourceForbidden, match="refuses access"):
        stage(store)

    assert len(seen) == 1


def test_an_upload_that_breaks_off_leaves_nothing(s3: S3) -> None:
    """When every connection ends in the middle of the upload, no object is visible, not even a part of one."""

    def choose(request: Request) -> Fault | None:
        return Fault.cut_request if request.method == "PUT" else None

    with behind_proxy(s3, choose) as store, pytest.raises(StorageUnavailable):
        stage(store)

    assert s3.object_keys() == []


def test_an_upload_in_parts_that_breaks_off_leaves_nothing(s3: S3, tmp_path: Path) -> None:
    """When the last part of a large upload is refused, there is neither an object nor an upload left over."""
    large = tmp_path / "long.wav"
    with large.open("wb") as file:
        file.truncate(40 << 20)

    def choose(request: Request) -> Fault | None:
        return Fault.refused if "partNumber=3" in request.path else None

    with behind_proxy(s3, choose) as store, pytest.raises(SourceForbidden):
        store.put_file(large, staged_key(JOB, "0.wav"), media_type="audio/wav")

    assert s3.object_keys() == []
    assert s3.uploads() == []


def test_what_a_killed_upload_left_is_swept(s3: S3) -> None:
    """An upload in parts that nobody finished is aborted once it is old, and only under our own prefix."""
    for key in ("some prefix/staged/x", "another prefix/staged/x"):
        s3.client.create_multipart_upload(Bucket=s3.bucket, Key=key)
    store = ObjectStore(s3.url, s3=s3.options)

    if s3.engine != "moto":  # for which every upload was begun in 2010
        assert store.sweep() == 0
        assert len(s3.uploads()) == 2
        time.sleep(1.1)  # S3 knows whole seconds
    assert store.sweep(older_than=timedelta(0)) == 1
    assert [key for key, _ in s3.uploads()] == ["another prefix/staged/x"]


def test_damage_on_the_way_up_is_found(s3: S3) -> None:
    """A bit that flips on its way to the engine never passes for a stored object, whether it looks or not."""

    def choose(request: Request) -> Fault | None:
        return Fault.damaged_request if request.method == "PUT" else None

    with behind_proxy(s3, choose) as store, pytest.raises(RetryableError):
        stage(store)


def test_damage_on_the_way_down_is_found(s3: S3, tmp_path: Path) -> None:
    """A bit that flips on its way from the engine is found, and the file is not kept."""
    stored = stage(ObjectStore(s3.url, s3=s3.options))

    def choose(request: Request) -> Fault | None:
        return Fault.damaged_answer if request.method == "GET" else None

    with behind_proxy(s3, choose) as store, pytest.raises(CorruptObject):
        store.download(stored, tmp_path / "copy")

    assert not (tmp_path / "copy").exists()


def test_a_download_that_breaks_off_is_tried_again(s3: S3, tmp_path: Path) -> None:
    """One connection lost in the middle of a download is made good; when it is every one, nothing is kept."""
    stored = stage(ObjectStore(s3.url, s3=s3.options))
    to_cut = [1]

    def choose(request: Request) -> Fault | None:
        if request.method != "GET" or not to_cut[0]:
            return None
        to_cut[0] -= 1
        return Fault.cut_answer

    with behind_proxy(s3, choose) as store:
        store.download(stored, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == BODY
        to_cut[0] = 1000
        with pytest.raises(StorageUnavailable):
            store.download(stored, tmp_path / "second")

    assert not (tmp_path / "second").exists()


# -- a disk that is full --------------------------------------------------------------------------


def test_a_full_disk_leaves_no_half_file(full_folder: Path) -> None:
    """When the results do not fit, the error says so and the disk is as it was."""
    store = ObjectStore(str(full_folder / "results"))
    small = store.put_bytes(b"fits", staged_key(JOB, "0.mp3"), media_type="audio/mpeg")

    with pytest.raises(StorageUnavailable, match="is full"):
        stage(store)

    assert store.read_bytes(small.uri) == b"fits"
    assert [path.name for path in full_folder.rglob("*") if path.is_file()] == ["0.mp3"]


def test_a_delivery_that_does_not_fit_leaves_no_half_file(full_folder: Path) -> None:
    """When the owner's folder is full, nothing appears in it."""
    store = ObjectStore(f"memory://{uuid.uuid4()}")

    with pytest.raises(StorageUnavailable, match="is full"):
        store.copy_out(stage(store), str(full_folder), "talk.mp3")

    assert list(full_folder.iterdir()) == []


def test_a_download_that_does_not_fit_leaves_no_half_file(full_folder: Path) -> None:
    """A full scratch disk is the scratch disk's fault, not the store's."""
    store = ObjectStore(f"memory://{uuid.uuid4()}")

    with pytest.raises(ScratchFull):
        store.download(stage(store), full_folder / "copy")

    assert list(full_folder.iterdir()) == []


# -- a folder -------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    """Results in a folder below a file is a mistake that reads as one."""
    (tmp_path / "file").write_bytes(b"x")
    store = ObjectStore(str(tmp_path / "file" / "results"))

    with pytest.raises(MixdownError) as caught:
        store.ping()
    assert "The folder “results”" in caught.value.message
    assert str(tmp_path) not in caught.value.message  # clients of the API are told it as well
    with pytest.raises(StorageUnavailable):
        stage(store)


_DELIVER_FOR_EVER = """
import sys, itertools
from mixdown.storage import ObjectStore
store = ObjectStore("memory://results")
obj = store.put_bytes(bytes(64 << 20), "staged/1/0.wav", media_type="audio/wav")
for number in itertools.count():
    store.copy_out(obj, sys.argv[1], f"{number}.wav")
"""


def test_a_killed_delivery_leaves_nothing_for_long(tmp_path: Path) -> None:
    """A process killed in the middle of a copy leaves no file of that name; the next delivery clears up."""
    out = tmp_path / "out"
    left_over: list[Path] = []
    while not left_over:
        with subprocess.Popen([sys.executable, "-c", _DELIVER_FOR_EVER, str(out)]) as process:
            while not (out.exists() and any(path.name.startswith(".mixdown-") for path in out.iterdir())):
                assert process.poll() is None
                time.sleep(0.001)
            process.kill()
        left_over = list(out.glob(".mixdown-*"))
    assert all(path.stat().st_size == 64 << 20 for path in out.glob("*.wav"))

    store = ObjectStore(f"memory://{uuid.uuid4()}")
    store.copy_out(stage(store), str(out), "talk.mp3")

    assert list(out.glob(".mixdown-*")) == []
    assert (out / "talk.mp3").exists()


def test_what_a_living_process_writes_is_left_alone(tmp_path: Path) -> None:
    """Clearing up touches nothing that is being written now."""
    swept: list[int] = []
    store = ObjectStore(str(tmp_path / "results"))
    source = ObjectStore(f"memory://{uuid.uuid4()}")
    large = source.put_bytes(bytes(64 << 20), staged_key(JOB, "0.wav"), media_type="audio/wav")

    with ThreadPoolExecutor(1) as pool:
        delivering = pool.submit(source.copy_out, large, str(tmp_path / "results"), "talk.wav")
        while not delivering.done():
            swept.append(store.sweep())

    assert set(swept) == {0}
    assert store.read_bytes(delivering.result()) == bytes(64 << 20)


def test_a_connection_that_is_accepted_and_dropped_is_unavailable() -> None:
    """A port that answers nothing sensible is an unavailable store, not a bug."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        done = threading.Event()

        def hang_up() -> None:
            while not done.is_set():
                try:
                    server.accept()[0].close()
                except TimeoutError:
                    continue

        thread = threading.Thread(target=hang_up)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        store = ObjectStore("s3://bucket", s3=S3Options(endpoint_url=url, key="k", secret=SECRET, region="x"))
        try:
            with pytest.raises(StorageUnavailable) as caught:
                store.ping()
        finally:
            done.set()
            thread.join()

    assert SECRET not in caught.value.message
