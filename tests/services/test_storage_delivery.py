"""Copies under the owner's name: into folders and other stores, over nobody's file."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mixdown.errors import InvalidRequest, StorageUnavailable
from mixdown.storage import ObjectStore, master_key
from tests.services.s3_server import S3
from tests.services.store_roots import BODY, RESULT_KEY, Root, stage


def test_delivering_twice_is_delivering_once(store: ObjectStore, tmp_path: Path) -> None:
    """The same bytes under the same name are there already."""
    stored = stage(store)

    first = store.copy_out(stored, str(tmp_path / "out"), "Übung.mp3")
    second = store.copy_out(stored, (tmp_path / "out").as_uri(), "Übung.mp3")

    assert first == second == (tmp_path / "out" / "Übung.mp3").as_uri()
    assert store.holds(first)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["Übung.mp3"]


def test_a_different_file_is_never_overwritten(store: ObjectStore, out: Path) -> None:
    """A file, a folder or a link of the owner that has the name stays; the copy goes beside it, once."""
    stored = stage(store)
    (out / "file.mp3").write_bytes(b"mine")
    (out / "folder.mp3").mkdir()
    (out / "link.mp3").symlink_to(out / "file.mp3")
    (out / "dangling.mp3").symlink_to(out / "nowhere")

    for stem in ("file", "folder", "link", "dangling"):
        first = store.copy_out(stored, str(out), f"{stem}.mp3")
        again = store.copy_out(stored, str(out), f"{stem}.mp3")
        assert first == again == (out / f"{stem}.{stored.sha256[:8]}.mp3").as_uri()

    assert (out / "file.mp3").read_bytes() == b"mine"
    assert (out / "link.mp3").is_symlink()
    assert not (out / "nowhere").exists()
    assert len(list(out.iterdir())) == 8


def test_a_delivery_that_finds_no_free_name_says_so(store: ObjectStore, out: Path) -> None:
    """When somebody has put other files under every name a copy could get, none is overwritten."""
    stored = stage(store)
    for name in ("talk.mp3", f"talk.{stored.sha256[:8]}.mp3", f"talk.{stored.sha256}.mp3"):
        (out / name).write_bytes(b"mine")

    with pytest.raises(StorageUnavailable, match="taken by another file"):
        store.copy_out(stored, str(out), "talk.mp3")

    assert {path.read_bytes() for path in out.iterdir()} == {b"mine"}


def test_a_delivered_copy_is_the_owners(store: ObjectStore, tmp_path: Path) -> None:
    """What the owner does to the copy does not reach the master."""
    master = store.promote(stage(store), master_key(RESULT_KEY, "0.mp3"))
    store.copy_out(master, str(tmp_path), "talk.mp3")

    with (tmp_path / "talk.mp3").open("r+b") as file:
        file.write(b"edited in place")

    assert store.read_bytes(master.uri) == BODY


def test_threads_that_deliver_under_one_name_lose_nothing(store: ObjectStore, out: Path) -> None:
    """Of several recordings of one name each is delivered, whole, and each is where its address says."""
    masters = [stage(store, f"recording {number % 4}".encode() * 9999, f"{number}.mp3") for number in range(8)]

    with ThreadPoolExecutor(8) as pool:
        uris = list(pool.map(lambda master: store.copy_out(master, str(out), "talk.mp3"), masters))

    for master, uri in zip(masters, uris, strict=True):
        assert ObjectStore("/").describe(uri).sha256 == master.sha256
    assert len(list(out.iterdir())) == 4


def test_delivering_into_another_store(store: ObjectStore, root: Root) -> None:
    """A copy can go to a prefix of the same engine or of another one, under the same rules."""
    stored, other = stage(store), stage(store, b"another", "1.mp3")
    targets = [f"memory://{uuid.uuid4()}/out"] + ([f"s3://{root.s3.bucket}/out"] if root.s3 else [])

    for target in targets:
        first = store.copy_out(stored, target, "talk.mp3")
        assert store.copy_out(stored, target, "talk.mp3") == first == f"{target}/talk.mp3"
        beside = store.copy_out(other, target, "talk.mp3")
        assert beside == f"{target}/talk.{other.sha256[:8]}.mp3"
        assert store.holds(first)
        assert store.holds(beside)
        assert not store.holds(f"{target}/nothing.mp3")


def test_two_jobs_deliver_to_s3_under_one_name(s3: S3) -> None:
    """Both recordings are delivered even when their jobs find the name free at the same moment."""
    store = ObjectStore(s3.url, s3=s3.options)
    masters = [stage(store, f"recording {number}".encode() * 99, f"{number}.mp3") for number in range(6)]
    target = f"s3://{s3.bucket}/out"

    with ThreadPoolExecutor(6) as pool:
        uris = list(pool.map(lambda master: store.copy_out(master, target, "talk.mp3"), masters))

    out = ObjectStore(target, s3=s3.options)
    assert [out.describe(uri).sha256 for uri in uris] == [master.sha256 for master in masters]


def test_strange_targets_are_refused(store: ObjectStore) -> None:
    """A job cannot have its copies sent to whatever else a library happens to speak."""
    stored = stage(store)

    for target in ("ftp://example.org/out", "file://elsewhere/out", "local://out", "github://a:b@/out"):
        with pytest.raises(InvalidRequest):
            store.copy_out(stored, target, "talk.mp3")
    with pytest.raises(InvalidRequest, match="no bucket"):
        store.copy_out(stored, "s3:///out", "talk.mp3")
