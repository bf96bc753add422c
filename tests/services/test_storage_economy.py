"""The object store in batches: the same promises, with few requests."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from mixdown.errors import CorruptObject, RetryableError, StorageUnavailable
from mixdown.model import StoredObject
from mixdown.storage import ObjectStore, S3Options, master_key, staged_key
from tests.services.faulty_proxy import Request, faulty_proxy
from tests.services.s3_server import S3
from tests.services.store_roots import BODY, JOB, RESULT_KEY, Root, stage

NAMES = ("0.mp3", "report.json", "waveform.png")


@contextmanager
def watched(s3: S3) -> Iterator[tuple[ObjectStore, list[str]]]:
    """A store, and what it asks S3: methods with what is special about them."""
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.method + (" list" if "list-type" in request.path else ""))

    with faulty_proxy(str(s3.options.endpoint_url), note) as url:
        yield ObjectStore(s3.url, s3=replace(s3.options, endpoint_url=url)), asked


def staged_result(store: ObjectStore, number: int = 0) -> list[tuple[StoredObject, str]]:
    """The staged objects of a job, with their final keys."""
    key, job = hashlib.sha256(str(number).encode()).hexdigest(), uuid.UUID(int=number)
    return [
        (
            store.put_bytes(f"{name} {number}".encode(), staged_key(job, name), media_type="x/y", durable=False),
            master_key(key, name),
        )
        for name in NAMES
    ]


# -- how many requests ----------------------------------------------------------------------------


def test_a_job_costs_few_requests(s3: S3) -> None:
    """Each object is put once and copied once; it takes two looks at the store, and no object is read."""
    with watched(s3) as (store, asked):
        staged = staged_result(store)
        assert asked == ["PUT"] * 3
        promoted = store.promote_all(staged)

    assert sorted(asked[3:]) == ["GET list"] * 2 + ["PUT"] * 3
    store = ObjectStore(s3.url, s3=s3.options)
    assert [store.read_bytes(each.uri) for each in promoted] == [f"{name} 0".encode() for name in NAMES]


def test_another_process_promotes_without_reading(s3: S3) -> None:
    """What the engine vouches for is kept with the object: one question an object tells who did not put it."""
    staged = staged_result(ObjectStore(s3.url, s3=s3.options))

    with watched(s3) as (store, asked):
        store.promote_all(staged)

    assert sorted(asked) == ["GET list"] * 2 + ["HEAD"] * 3 + ["PUT"] * 3


def test_a_large_object_is_not_read_back(s3: S3, tmp_path: Path) -> None:
    """What went up in parts is proven by its checksum too, when it is put and when it is promoted."""
    large = tmp_path / "long.wav"
    with large.open("wb") as file:
        for number in range(48):
            file.write(hashlib.sha256(str(number).encode()).digest() * (1 << 15))

    with watched(s3) as (store, asked):
        staged = store.put_file(large, staged_key(JOB, "0.wav"), media_type="audio/wav")
        master = store.promote(staged, master_key(RESULT_KEY, "0.wav"))

    assert "GET" not in asked
    assert ObjectStore(s3.url, s3=s3.options).describe(master.uri).sha256 == master.sha256


def test_promoting_again_reads_nothing(s3: S3) -> None:
    """What lies under the final key already is known by its checksum."""
    with watched(s3) as (store, asked):
        staged = staged_result(store)
        first = store.promote_all(staged)
        asked.clear()
        assert store.promote_all(staged) == first

    assert {"GET", "PUT"}.isdisjoint(asked)


def test_jobs_are_cleared_away_together(s3: S3) -> None:
    """Deleting what many jobs staged takes a listing each and one request more."""
    with watched(s3) as (store, asked):
        for number in range(5):
            staged_result(store, number)
        asked.clear()
        store.delete_prefixes([staged_key(uuid.UUID(int=number), "") for number in range(5) if number != JOB.int])

    assert sorted(asked) == ["GET list"] * 4 + ["POST"]
    left = [key.partition("/")[2] for key in s3.object_keys()]
    assert sorted(left) == sorted(staged_key(JOB, name) for name in NAMES)


# -- the promises ---------------------------------------------------------------------------------


def test_promoting_together_is_promoting_each(store: ObjectStore) -> None:
    """Each object gets its key, in order; to repeat it changes nothing, also when the staged ones are gone."""
    staged = staged_result(store)

    first = store.promote_all(staged)
    store.delete_prefixes([staged_key(uuid.UUID(int=0), "")])

    assert [store.read_bytes(each.uri) for each in first] == [f"{name} 0".encode() for name in NAMES]
    assert store.promote_all(staged) == first
    assert len(list(store.list())) == 3
    assert store.promote_all([]) == []


def test_what_somebody_else_staged_meanwhile_is_not_promoted(root: Root) -> None:
    """A staged object that another process has replaced by sound bytes of its own is not what the ledger knows."""
    ours, theirs = root.open(), root.open()
    staged = stage(ours)
    stage(theirs, b"what a process thought dead has made")

    with pytest.raises(CorruptObject):
        ours.promote_all([(staged, master_key(RESULT_KEY, "0.mp3"))])

    assert list(ours.list("masters")) == []


def test_what_was_stored_without_a_checksum_is_read(root: Root) -> None:
    """An object that nobody vouches for, as an older version or another engine would leave it, is promoted too."""
    store = root.open()
    staged = stage(store)
    root.write(staged.uri, BODY)

    master = store.promote(staged, master_key(RESULT_KEY, "0.mp3"))

    assert store.read_bytes(master.uri) == BODY


def test_a_staged_object_need_not_last(root: Root, tmp_path: Path) -> None:
    """What is not durable is whole all the same, and makes a master like any other."""
    path = tmp_path / "master.mp3"
    path.write_bytes(BODY)
    store = root.open()

    staged = store.put_file(path, staged_key(JOB, "0.mp3"), media_type="audio/mpeg", durable=False)

    assert store.read_bytes(store.promote(staged, master_key(RESULT_KEY, "0.mp3")).uri) == BODY


def test_a_folder_takes_scratch_over_without_a_copy(tmp_path: Path) -> None:
    """What is not durable becomes the object itself; one to last, or on another disk, is copied."""
    store = ObjectStore(str(tmp_path / "results"))
    elsewhere = Path("/dev/shm") / uuid.uuid4().hex
    try:
        for number, (path, durable, taken) in enumerate(
            ((tmp_path / "0", False, True), (tmp_path / "1", True, False), (elsewhere, False, False))
        ):
            path.write_bytes(BODY)
            key = staged_key(JOB, f"{number}.mp3")
            stored = store.put_file(path, key, media_type="audio/mpeg", durable=durable)
            place = store.local_path(stored.uri)
            assert place is not None
            assert place.samefile(path) == taken
            path.unlink()
            assert store.read_bytes(stored.uri) == BODY
            assert [each.name for each in place.parent.glob(".*")] == []
    finally:
        elsewhere.unlink(missing_ok=True)


def test_an_engine_without_bulk_deletes_is_served_too(httpserver: HTTPServer) -> None:
    """Where the request for many is not known, each object is deleted by itself."""
    listed = "".join(f"<Contents><Key>staged/1/{n}</Key><Size>1</Size></Contents>" for n in range(3))
    listed = listed.replace("</Size>", "</Size><LastModified>2026-11-23T00:00:00Z</LastModified>")
    httpserver.expect_request("/bucket", method="GET").respond_with_data(
        f"<ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>"
    )
    httpserver.expect_request("/bucket", method="POST").respond_with_data(
        "<Error><Code>NotImplemented</Code><Message>no</Message></Error>", status=400
    )
    for number in range(3):
        httpserver.expect_oneshot_request(f"/bucket/staged/1/{number}", method="DELETE").respond_with_data(
            status=204
        )
    options = S3Options(endpoint_url=httpserver.url_for(""), key="k", secret="s", region="x")

    ObjectStore("s3://bucket", s3=options).delete_prefix("staged/1")

    httpserver.check_assertions()
    assert [request.method for request, _ in httpserver.log].count("DELETE") == 3


# -- is it all still there? -----------------------------------------------------------------------


def test_what_is_missing_is_found_among_many(store: ObjectStore, root: Root, tmp_path: Path) -> None:
    """Of many objects and delivered copies exactly those are named that are no longer where they were."""
    results = [store.promote_all(staged_result(store, number)) for number in range(20)]
    copies = [store.copy_out(each[0], str(tmp_path / "out"), f"{n}.mp3") for n, each in enumerate(results)]
    targets = [f"memory://{uuid.uuid4()}/out"] + ([f"s3://{root.s3.bucket}/out"] if root.s3 else [])
    copies += [store.copy_out(results[0][0], target, "talk.mp3") for target in targets]
    gone = {results[3][1].uri, results[7][0].uri, copies[4]}
    store.delete(results[3][1].uri)
    store.delete(results[7][0].uri)
    (tmp_path / "out" / "4.mp3").unlink()
    never = {f"{targets[0]}/other.mp3", (tmp_path / "nowhere" / "x.mp3").as_uri(), store.uri("masters/x/y/z.mp3")}
    uris = [each.uri for some in results for each in some] + copies

    assert store.missing([*uris, *never]) == gone | never
    assert store.missing(uris[:1]) == set()
    assert store.missing([]) == set()


def test_many_results_are_looked_for_with_few_requests(s3: S3) -> None:
    """Whether a batch's results are all there takes a few listings, not a question for each."""
    store = ObjectStore(s3.url, s3=s3.options)
    with ThreadPoolExecutor(8) as pool:
        promoted = list(pool.map(lambda number: store.promote_all(staged_result(store, number)), range(60)))
    uris = [each.uri for some in promoted for each in some]

    with watched(s3) as (watcher, asked):
        assert watcher.missing(uris) == set()

    assert set(asked) == {"GET list"}
    assert len(asked) <= 8


# -- what does not serve --------------------------------------------------------------------------


def test_a_store_that_is_down_says_so(tmp_path: Path) -> None:
    """Who waits for the results store, or for the bucket of a delivery, is told which of them it is."""
    nobody = S3Options(endpoint_url="http://127.0.0.1:9", key="k", secret="s", region="x")
    local = ObjectStore(str(tmp_path), s3=nobody)

    with pytest.raises(StorageUnavailable) as results:
        stage(ObjectStore("s3://bucket", s3=nobody))
    with pytest.raises(StorageUnavailable) as delivery:
        local.copy_out(stage(local), "s3://theirs/out", "talk.mp3")

    assert (results.value.dependency, delivery.value.dependency) == ("results", "s3://theirs")


def test_damage_of_one_object_is_no_outage(store: ObjectStore, root: Root, tmp_path: Path) -> None:
    """A damaged object says nothing about the store."""
    stored = stage(store)
    root.flip_a_bit(stored.uri)

    with pytest.raises(RetryableError) as caught:
        store.download(stored, tmp_path / "copy")

    assert caught.value.dependency == ""


# -- being stopped --------------------------------------------------------------------------------


class Stop(Exception):
    """Somebody wants it to end."""


def stop() -> None:
    """The check of a job that was cancelled."""
    raise Stop


def test_storing_and_reading_can_be_stopped(store: ObjectStore, tmp_path: Path) -> None:
    """A check that raises ends a download and an upload, and leaves neither file nor object."""
    stored = stage(store)
    path = tmp_path / "master.mp3"
    path.write_bytes(BODY)

    with pytest.raises(Stop):
        store.download(stored, tmp_path / "copy", check=stop)
    with pytest.raises(Stop):
        store.put_file(path, staged_key(JOB, "1.mp3"), media_type="audio/mpeg", check=stop)

    assert not (tmp_path / "copy").exists()
    assert not store.exists(staged_key(JOB, "1.mp3"))


_UPLOAD = """
import sys
from pathlib import Path
from mixdown.storage import ObjectStore, S3Options
options = S3Options(endpoint_url=sys.argv[2], key=sys.argv[3], secret=sys.argv[4], region=sys.argv[5])
ObjectStore(sys.argv[1], s3=options).put_file(Path(sys.argv[6]), "staged/1/0.wav", media_type="audio/wav")
"""


def test_a_killed_upload_is_invisible_and_swept(s3: S3, tmp_path: Path) -> None:
    """A process killed between two parts of an upload leaves no object, and what it did leave is swept."""
    large = tmp_path / "long.wav"
    with large.open("wb") as file:
        file.truncate(80 << 20)
    reached, killed = threading.Event(), threading.Event()

    def hold(request: Request) -> None:
        if "partNumber=4" in request.path:
            reached.set()
            killed.wait(30)

    with faulty_proxy(str(s3.options.endpoint_url), hold) as url:
        arguments = [s3.url, url, str(s3.options.key), str(s3.options.secret), "us-east-1", str(large)]
        with subprocess.Popen([sys.executable, "-c", _UPLOAD, *arguments]) as process:
            assert reached.wait(60)
            process.kill()
        killed.set()
    store = ObjectStore(s3.url, s3=s3.options)

    assert list(store.list()) == []
    assert len(s3.uploads()) == 1
    assert store.sweep(older_than=timedelta(seconds=-5)) == 1
    assert s3.uploads() == []


def test_more_uploads_than_a_page_holds_are_swept(s3: S3) -> None:
    """Of the uploads that nobody finished none is left, however many there are."""

    def begin(number: int) -> None:
        key = f"some prefix/staged/{number}"
        s3.client.create_multipart_upload(Bucket=s3.bucket, Key=key)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(begin, range(1005)))

    assert ObjectStore(s3.url, s3=s3.options).sweep(older_than=timedelta(seconds=-5)) == 1005
    assert s3.uploads() == []
