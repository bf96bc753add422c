"""The object store: one suite over a local folder, `memory://` and real S3 engines."""

from __future__ import annotations

import hashlib
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from mixdown.errors import CorruptObject, InvalidRequest, SourceNotFound
from mixdown.storage import ObjectStore, S3Options, master_key, source_key, staged_key
from tests.services.s3_server import S3
from tests.services.store_roots import BODY, JOB, RESULT_KEY, Root, stage

ODD_NAMES = [
    "Émile Zola – «J'accuse».mp3",
    "日本語 の 録音.mp3",
    "100 % sure? #1 + more & such.mp3",
    "two  spaces and 'quotes' \"here\".mp3",
    "🎙️ emoji 👩‍👩‍👧.mp3",
    "percent%20encoded%2Fname.mp3",
    "a=b;c,d@e!f~g`h^i{j}[k].mp3",
]


# -- putting and reading --------------------------------------------------------------------------


def test_what_is_put_is_what_is_read(store: ObjectStore, tmp_path: Path) -> None:
    """A stored file comes back byte for byte, by every way of reading, and is described by what it is."""
    path = tmp_path / "master.mp3"
    path.write_bytes(BODY)

    stored = store.put_file(path, staged_key(JOB, "master.mp3"), media_type="audio/mpeg")
    store.download(stored, tmp_path / "copy")

    assert (stored.sha256, stored.size_bytes) == (hashlib.sha256(BODY).hexdigest(), len(BODY))
    assert store.read_bytes(stored.uri) == BODY
    assert (tmp_path / "copy").read_bytes() == BODY
    assert replace(store.describe(stored.uri), media_type="") == replace(stored, media_type="")
    assert path.exists()


def test_an_empty_object_is_an_object(store: ObjectStore, tmp_path: Path) -> None:
    """Nothing at all can be stored, promoted and read."""
    master = store.promote(stage(store, b""), master_key(RESULT_KEY, "0.mp3"))
    store.download(master, tmp_path / "copy")

    assert (tmp_path / "copy").read_bytes() == b""


def test_staging_again_overwrites(store: ObjectStore) -> None:
    """A stage that is run again leaves its last output under its key."""
    stage(store, b"first try")

    assert store.read_bytes(stage(store, b"second").uri) == b"second"


def test_what_another_process_wrote_is_seen_at_once(root: Root) -> None:
    """No cache answers from the past: overwritten, deleted and new objects are what they are now."""
    ours, theirs = root.open(), root.open()
    stored = stage(ours, b"old")
    before = list(ours.list("staged"))

    stage(theirs, b"longer than before")
    stage(theirs, b"new", "1.mp3")

    assert ours.describe(stored.uri).size_bytes == 18
    assert [size for _, size, _ in before] == [3]
    assert [size for _, size, _ in ours.list("staged")] == [18, 3]
    theirs.delete(stored.uri)
    assert not ours.exists(staged_key(JOB, "0.mp3"))
    assert [key for key, _, _ in ours.list("staged")] == [staged_key(JOB, "1.mp3")]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_works(store: ObjectStore, tmp_path: Path, name: str) -> None:
    """Names in any script, with spaces and signs that mean something in addresses, work everywhere."""
    staged = stage(store, name=name)
    master = store.promote(staged, master_key(RESULT_KEY, name))
    delivered = store.copy_out(master, str(tmp_path / "out"), name)

    assert store.read_bytes(master.uri) == BODY
    assert store.owns(master.uri)
    assert master.uri in [store.uri(key) for key, _, _ in store.list("masters")]
    assert ObjectStore("/").read_bytes(delivered) == BODY
    store.delete(staged.uri)
    assert not store.exists(staged_key(JOB, name))


def test_many_threads_share_a_store(store: ObjectStore, tmp_path: Path) -> None:
    """Workers put, promote, read and list through one store at the same time."""

    def work(number: int) -> bytes:
        body = str(number).encode() * 1000
        job, result = uuid.UUID(int=number), hashlib.sha256(body).hexdigest()
        staged = store.put_bytes(body, staged_key(job, "0.mp3"), media_type="audio/mpeg")
        master = store.promote(staged, master_key(result, "0.mp3"))
        store.delete_prefix(staged_key(job, ""))
        store.copy_out(master, str(tmp_path), "all the same.mp3")
        return store.read_bytes(master.uri)

    with ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(work, range(24)))

    assert bodies == [str(number).encode() * 1000 for number in range(24)]
    assert len(list(store.list("masters"))) == 24
    assert len({path.read_bytes() for path in tmp_path.glob("all the same*.mp3")}) == 24
    assert list(store.list("staged")) == []


def test_a_large_object_goes_up_in_parts(store: ObjectStore, tmp_path: Path) -> None:
    """An object of several parts is put, promoted and read like any other."""
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        for number in range(40):
            file.write(hashlib.sha256(str(number).encode()).digest() * (1 << 15))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()

    staged = store.put_file(path, staged_key(JOB, "0.wav"), media_type="audio/wav")
    master = store.promote(staged, master_key(RESULT_KEY, "0.wav"))
    store.download(master, tmp_path / "copy")

    assert master.sha256 == digest
    assert hashlib.sha256((tmp_path / "copy").read_bytes()).hexdigest() == digest


# -- promoting ------------------------------------------------------------------------------------


def test_promoting_twice_is_promoting_once(store: ObjectStore) -> None:
    """An equal object under the final key is success, even when the staged one is gone by then."""
    staged, key = stage(store), master_key(RESULT_KEY, "0.mp3")
    first = store.promote(staged, key)
    second = store.promote(staged, key)
    store.delete_prefix(staged_key(JOB, ""))
    third = store.promote(staged, key)

    final = key.replace(".mp3", f".{staged.sha256[:8]}.mp3")
    assert first == second == third == replace(staged, uri=store.uri(final))
    assert [found for found, _, _ in store.list()] == [final]


def test_a_different_object_is_never_replaced(store: ObjectStore) -> None:
    """Results that claim one key at one moment all stay readable under what their records say."""
    bodies = [f"by machine {number}".encode() * 999 for number in range(6)]
    staged = [stage(store, body, f"{number}.mp3") for number, body in enumerate(bodies)]

    with ThreadPoolExecutor(6) as pool:
        masters = list(pool.map(lambda one: store.promote(one, master_key(RESULT_KEY, "0.mp3")), staged))

    assert [store.read_bytes(master.uri) for master in masters] == bodies


def test_a_damaged_staged_object_is_not_promoted(store: ObjectStore, root: Root) -> None:
    """Bytes that changed after they were staged are found, and nothing appears under the final key."""
    staged = stage(store)
    root.flip_a_bit(staged.uri)

    with pytest.raises(CorruptObject, match="not what was stored"):
        store.promote(staged, master_key(RESULT_KEY, "0.mp3"))

    assert list(store.list("masters")) == []


def test_a_damaged_master_is_replaced_beside(store: ObjectStore, root: Root) -> None:
    """A master that went bad does not count as there: the good one is placed beside it."""
    staged, key = stage(store), master_key(RESULT_KEY, "0.mp3")
    bad = store.promote(staged, key)
    root.flip_a_bit(bad.uri)

    good = store.promote(stage(store), key)

    assert good.uri != bad.uri
    assert store.read_bytes(good.uri) == BODY


# -- what went wrong behind its back --------------------------------------------------------------


def test_damage_is_found_by_whoever_reads(store: ObjectStore, root: Root, tmp_path: Path) -> None:
    """One flipped bit is found on download and on delivery, and neither leaves a file."""
    master = store.promote(stage(store), master_key(RESULT_KEY, "0.mp3"))
    root.flip_a_bit(master.uri)
    out = tmp_path / "out"

    with pytest.raises(CorruptObject):
        store.download(master, tmp_path / "copy")
    with pytest.raises(CorruptObject):
        store.copy_out(master, str(out), "talk.mp3")

    assert not (tmp_path / "copy").exists()
    assert not out.exists() or list(out.iterdir()) == []


def test_an_object_that_is_gone_is_named(store: ObjectStore, tmp_path: Path) -> None:
    """What the ledger knows and the store has lost is CorruptObject; what nobody promised, SourceNotFound."""
    lost = stage(store)
    store.delete(lost.uri)

    with pytest.raises(CorruptObject, match="no longer there"):
        store.download(lost, tmp_path / "copy")
    with pytest.raises(CorruptObject, match="no longer there"):
        store.promote(lost, master_key(RESULT_KEY, "0.mp3"))
    with pytest.raises(SourceNotFound):
        store.read_bytes(lost.uri)
    with pytest.raises(SourceNotFound):
        store.describe(lost.uri)
    assert not (tmp_path / "copy").exists()


# -- listing and deleting -------------------------------------------------------------------------


def test_a_prefix_is_a_folder(store: ObjectStore) -> None:
    """`staged/1` is not a prefix of `staged/12/…`: neither listing nor deleting reaches a neighbour."""
    for job in ("1", "12"):
        store.put_bytes(b"x", f"staged/{job}/a.mp3", media_type="audio/mpeg")

    assert [key for key, _, _ in store.list("staged/1")] == ["staged/1/a.mp3"]
    store.delete_prefix("staged/1")
    store.delete_prefix("staged/1")
    assert [key for key, _, _ in store.list()] == ["staged/12/a.mp3"]


def test_listing_tells_size_and_time(store: ObjectStore) -> None:
    """Every object is listed with its size and an aware time."""
    stage(store, b"12345")

    [(key, size_bytes, modified_at)] = store.list()

    assert (key, size_bytes) == (staged_key(JOB, "0.mp3"), 5)
    assert modified_at.tzinfo is not None


def test_deleting_what_is_gone_is_fine(store: ObjectStore) -> None:
    """Deleting is safe to repeat."""
    stored = stage(store)
    store.delete(stored.uri)
    store.delete(stored.uri)

    assert not store.exists(staged_key(JOB, "0.mp3"))


def test_only_its_own_objects_are_touched(store: ObjectStore, tmp_path: Path) -> None:
    """An address outside the root is refused, and so is a key that climbs out of it."""
    outside = tmp_path / "outside.mp3"
    outside.write_bytes(b"x")

    with pytest.raises(SourceNotFound):
        store.delete(outside.as_uri())
    with pytest.raises(ValueError, match="not an object key"):
        store.put_bytes(b"x", "staged/../../outside.mp3", media_type="audio/mpeg")
    with pytest.raises(ValueError, match="not an object key"):
        store.delete_prefix("")
    assert not store.owns(outside.as_uri())
    assert outside.exists()


# -- the store itself -----------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["nonsense://x", "https://example.org", "file://elsewhere/x", "s3://", "s3:///x"])
def test_a_root_that_cannot_be_is_refused(url: str) -> None:
    """An address that nothing can be stored at is an invalid request, found before anything is written."""
    with pytest.raises(InvalidRequest):
        ObjectStore(url).ping()


def test_a_store_that_is_there_answers(store: ObjectStore, root: Root) -> None:
    """Ping passes before anything was stored, and leaves nothing behind."""
    store.ping()

    assert list(store.list()) == []
    assert store.is_local == (root.s3 is None and "://" not in root.url)
    assert store.owns(store.uri(source_key(JOB)))


def test_a_source_key_goes_with_its_job(store: ObjectStore) -> None:
    """The copy of a fetched source is removed together with the job's other staged objects."""
    store.put_bytes(b"x", source_key(JOB), media_type="application/octet-stream")
    store.delete_prefix(staged_key(JOB, ""))

    assert list(store.list()) == []


def test_the_folders_of_a_console_are_no_objects(s3: S3) -> None:
    """The empty objects that S3 consoles make to show a folder are not listed, and hold no name."""
    store = ObjectStore(s3.url, s3=s3.options)
    for key in ("some prefix/", "some prefix/staged/", f"some prefix/{staged_key(JOB, '')}"):
        s3.client.put_object(Bucket=s3.bucket, Key=key, Body=b"")
    stage(store)

    assert [key for key, _, _ in store.list()] == [staged_key(JOB, "0.mp3")]
    assert not store.exists("staged")


def test_s3_needs_no_region(s3: S3) -> None:
    """An endpoint of one's own works without a region."""
    store = ObjectStore(s3.url, s3=replace(s3.options, region=None))

    assert store.read_bytes(stage(store).uri) == BODY


def test_s3_keeps_media_types(s3: S3) -> None:
    """A player that is given the address of a master in S3 is told what it is, promoted or delivered."""
    store = ObjectStore(s3.url, s3=s3.options)
    master = store.promote(stage(store), master_key(RESULT_KEY, "0.mp3"))
    delivered = store.copy_out(master, f"s3://{s3.bucket}/out", "talk.mp3")

    assert store.describe(master.uri).media_type == "audio/mpeg"
    assert ObjectStore(f"s3://{s3.bucket}", s3=s3.options).describe(delivered).media_type == "audio/mpeg"


def test_stores_of_a_process_share_one_connection(s3: S3) -> None:
    """Opening a store is free after the first: an S3 client takes a second to make."""
    from mixdown.storage.s3 import S3Bucket

    same = S3Options(**{name: getattr(s3.options, name) for name in ("endpoint_url", "key", "secret", "region")})

    assert S3Bucket(s3.url, s3.options).fs is S3Bucket(f"s3://{s3.bucket}", same).fs
    assert S3Bucket(s3.url, s3.options).fs is not S3Bucket(s3.url, replace(same, region="eu-west-1")).fs
