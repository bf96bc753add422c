"""Recordings in real buckets: listed page by page, with what a look at each would tell."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mixdown.errors import InvalidRequest, SourceNotFound
from mixdown.fetch import source_version
from mixdown.items import Defaults, items_of, requests_of, versions_of
from mixdown.items.remote import s3_items
from mixdown.model import Source, Status
from mixdown.planning import plan
from mixdown.settings import Settings
from mixdown.sharing import expire_shared, share
from mixdown.storage import ObjectStore
from mixdown.studio import Studio, open_studio
from mixdown.submission import submit
from tests.services.s3_server import S3


def uploaded(s3: S3, *keys: str) -> None:
    """Objects that hold their own key."""
    for key in keys:
        s3.client.put_object(Bucket=s3.bucket, Key=key, Body=key.encode())


def keys(s3: S3, *names: str, **more: str) -> list[str]:
    """The keys that these names lead to, each as `prefix/name`, in this bucket."""
    found = items_of([f"s3://{s3.bucket}{name}" for name in names], s3=s3.options, **more)
    return [item.source.uri.removeprefix(f"s3://{s3.bucket}/") for item in found]


def test_a_prefix_is_every_recording_below_it(s3: S3) -> None:
    """In the order of their keys; what is hidden, no recording or a console's folder is left out."""
    uploaded(
        s3, "in/b c.WAV", "in/a/x.mp3", "in/notes.txt", "in/.hidden.wav", "in/.trash/y.wav", "in/", "inside.wav"
    )

    assert keys(s3, "/in/") == ["in/a/x.mp3", "in/b c.WAV"]
    assert keys(s3, "/in") == ["in/a/x.mp3", "in/b c.WAV"]
    assert keys(s3, "") == keys(s3, "/") == ["in/a/x.mp3", "in/b c.WAV", "inside.wav"]


def test_a_listing_tells_version_and_size(s3: S3) -> None:
    """What `source_version` would say of each object, without asking for it."""
    uploaded(s3, "in/a.wav", "in/long.wav", "in/raw")
    s3.client.put_object(Bucket=s3.bucket, Key="in/empty.wav", Body=b"")

    items = list(items_of([f"s3://{s3.bucket}/in/", f"s3://{s3.bucket}/in/raw"], s3=s3.options))

    assert [item.size_bytes for item in items] == [8, 0, 11, 6]
    assert [item.version for item in items] == [source_version(item.source, s3.options) for item in items]


def test_an_object_is_itself(s3: S3) -> None:
    """Named like a recording it costs no request now; otherwise one tells whether it is an object or a prefix."""
    uploaded(s3, "talk", "talk-2.wav", "talk/x.wav", "other/y.wav")

    [known] = items_of([f"s3://{s3.bucket}/in/missing.wav"], s3=s3.options)

    assert (known.version, known.size_bytes) == (None, 0)
    assert versions_of([known], s3.options) == ["missing"]
    assert keys(s3, "/talk") == ["talk"]
    assert keys(s3, "/other") == ["other/y.wav"]


def test_more_objects_than_fit_on_a_page(s3: S3) -> None:
    """All of them, and the first while the last is not asked for yet."""
    uploaded(s3, *(f"in/{number}.wav" for number in range(8)))

    items = s3_items(f"s3://{s3.bucket}/in/", s3.options, page=3)
    first = next(items)
    s3.client.delete_object(Bucket=s3.bucket, Key="in/6.wav")

    assert first.source.name == "0.wav"
    assert [item.source.name for item in items] == [f"{number}.wav" for number in (1, 2, 3, 4, 5, 7)]


def test_masters_and_results_are_no_recordings(s3: S3) -> None:
    """A prefix that masters go to, or that is the store itself, is left out below one that was named."""
    uploaded(s3, "in/a.wav", "in/masters/a.mp3", "in/masters2/b.wav")

    assert keys(s3, "/in/", deliver_to=f"s3://{s3.bucket}/in/masters/") == ["in/a.wav", "in/masters2/b.wav"]
    assert keys(s3, "/in/masters/", deliver_to=f"s3://{s3.bucket}/in/masters") == ["in/masters/a.mp3"]


@pytest.mark.parametrize("name", ["/nothing/", "/nothing", "/in/*.wav"])
def test_a_prefix_without_recordings_is_refused(name: str, s3: S3) -> None:
    """In a sentence, at once."""
    uploaded(s3, "in/notes.txt")

    with pytest.raises(InvalidRequest, match=r"^There is no recording below “"):
        items_of([f"s3://{s3.bucket}{name}"], s3=s3.options)


def test_a_bucket_that_is_not_there(s3: S3) -> None:
    """Is told by its name."""
    gone = f"mixdown-{uuid.uuid4().hex}"

    with pytest.raises(SourceNotFound, match=f"^There is no bucket “{gone}”.$"):
        items_of([f"s3://{gone}/in/"], s3=s3.options)


def test_a_manifest_in_a_bucket(s3: S3) -> None:
    """Names in it are relative to where it lies."""
    uploaded(s3, "show/in/a.wav")
    body = "source,format\nin/a.wav,flac\n../b.wav,wav\ns3://other/c.wav,\n/d.wav,\n"
    s3.client.put_object(Bucket=s3.bucket, Key="show/list.csv", Body=body.encode())

    items = list(items_of([], manifest=f"s3://{s3.bucket}/show/list.csv", s3=s3.options))

    where = [item.source.uri for item in items]
    assert where == [f"s3://{s3.bucket}/show/in/a.wav", f"s3://{s3.bucket}/b.wav", "s3://other/c.wav", "/d.wav"]
    assert items[0].parameters == {"format": ("flac",)}


# -- planned and shared ---------------------------------------------------------------------------


@pytest.fixture
def studio(s3: S3, tmp_path: Path) -> Studio:
    """A studio whose results are in a bucket."""
    return open_studio(
        Settings(home=tmp_path / "home", results_url=s3.url),
        objects=ObjectStore(s3.url, s3=s3.options),
        s3=s3.options,
    )


def test_a_prefix_is_planned_by_its_listing(studio: Studio, s3: S3) -> None:
    """Existence and size come from the listing; nothing is fetched. Once asked for, it is waiting already."""
    uploaded(s3, "in/a.wav", "in/b.wav")
    names = [f"s3://{s3.bucket}/in/", f"s3://{s3.bucket}/in/a.wav"]
    requests = list(requests_of(items_of(names, s3=s3.options), Defaults()))

    found = plan(studio, requests)

    assert (found.items, found.new, found.duplicates, found.remote) == (3, 2, 1, 2)
    assert (found.to_do_bytes, found.headers, found.unsized) == (16, 0, 0)
    submit(studio, [spec for spec, _ in requests])
    assert plan(studio, requests).queued == 2


@dataclass(frozen=True)
class Shared:
    """A local recording, and where it is shared."""

    local: Path
    source: Source


@pytest.fixture
def shared(studio: Studio, tmp_path: Path) -> Shared:
    """A recording that was shared."""
    local = tmp_path / "Talk 1.WAV"
    local.write_bytes(b"talk")
    [source] = share(studio, [Source(uri=str(local))])
    return Shared(local, source)


def test_a_local_recording_is_shared_under_its_hash(studio: Studio, s3: S3, shared: Shared) -> None:
    """Its name and hash go with it; the same bytes are sent once, whatever they are called."""
    twin = shared.local.with_name("twin.wav")
    twin.write_bytes(b"talk")

    [again] = share(studio, [Source(uri=twin.as_uri(), filename="Zwilling.wav")])

    sha256 = shared.source.sha256
    assert sha256 is not None
    assert shared.source.filename == "Talk 1.WAV"
    assert shared.source.uri == f"{s3.url}/incoming/{sha256[:2]}/{sha256}.wav"
    assert studio.objects.read_bytes(shared.source.uri) == b"talk"
    assert again == Source(uri=shared.source.uri, filename="Zwilling.wav", sha256=sha256)
    assert len([key for key in s3.object_keys() if "incoming" in key]) == 1


def test_what_cannot_be_shared_stays_as_it_is(studio: Studio, tmp_path: Path, shared: Shared) -> None:
    """One that is missing, empty or not what it was claimed to be stops no other; addresses stay."""
    (tmp_path / "empty.wav").touch()
    odd = [
        Source(uri=str(tmp_path / "missing.wav")),
        Source(uri=str(tmp_path / "empty.wav")),
        Source(uri=str(tmp_path)),
        Source(uri=str(shared.local), sha256="0" * 64),
        Source(uri="s3://bucket/x.wav"),
        Source(uri="https://example.org/x.wav"),
    ]

    assert share(studio, [*odd, Source(uri=str(shared.local))]) == [*odd, shared.source]


def test_shared_recordings_expire_once_no_open_job_needs_them(
    studio: Studio, shared: Shared, tmp_path: Path
) -> None:
    """Never before they are two days old, and never below a job that waits."""
    (tmp_path / "other.wav").write_bytes(b"other")
    [other] = share(studio, [Source(uri=str(tmp_path / "other.wav"))])
    [record] = submit(studio, [spec for spec, _ in requests_of(items_of([shared.source.uri]), Defaults())])
    assert record.status is Status.queued

    later = datetime.now(UTC) + timedelta(days=3)
    assert expire_shared(studio, 0) == 0
    assert expire_shared(studio, 4, now=later) == 0
    assert expire_shared(studio, 1, now=later) == 1
    assert not studio.objects.holds(other.uri)
    assert studio.objects.holds(shared.source.uri)
    studio.jobs.cancel(record.id)
    assert expire_shared(studio, 1, now=later) == 1
