"""What those outside may have read and written for them, and what they may not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mixdown.errors import AddressRefused, InvalidRequest, MixdownError, NotARegularFile, SourceForbidden
from mixdown.fetch import Fetched, fetch
from mixdown.model import Enhance, JobSpec, Limits, Outro, Source, Status
from mixdown.runner import run_jobs
from mixdown.settings import Settings
from mixdown.storage import ObjectStore, incoming_key
from mixdown.strangers import Strangers, from_outside
from mixdown.studio import Studio, open_studio
from mixdown.submission import submit
from tests.recordings import RECORDINGS

#: Settings of a machine by their names.
Opened = Callable[..., Strangers]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """The strangers of a machine with these settings; its results are in `results`."""

    def open_with(**settings: str) -> Strangers:
        found = Settings(home=tmp_path / "home", results_url=str(tmp_path / "results"), **settings)
        return Strangers(found, ObjectStore(found.effective_results_url))

    return open_with


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that is open to strangers, with one recording in it, beside a file that is nobody's business."""
    folder = tmp_path / "open"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "talk.wav").write_bytes(b"sound")
    (tmp_path / "secret.wav").write_bytes(b"secret")
    return folder


def refused(strangers: Strangers, uri: str) -> MixdownError:
    """The error that naming this address ends with."""
    with pytest.raises(MixdownError) as caught:
        strangers.check(Source(uri=uri))
    return caught.value


def read(strangers: Strangers, path: Path, to: Path) -> Fetched:
    """Fetch a local file for a stranger."""
    return fetch(Source(uri=str(path)), to, limits=Limits(), timeout_s=60, strangers=strangers)


def test_nothing_but_public_addresses_is_open_at_first(opened: Opened, folder: Path) -> None:
    """Files, buckets, internal hosts and other schemes are refused, whether they exist or not."""
    strangers = opened()

    strangers.check(Source(uri="https://example.com/talk.mp3"))
    for uri in (
        f"{folder}/deep/talk.wav",
        "/etc/passwd",
        "/no/such/file",
        "file:///etc/passwd",
        "s3://any/talk.wav",
    ):
        assert isinstance(refused(strangers, uri), SourceForbidden), uri
    for uri in (
        "http://169.254.169.254/latest",
        "http://127.0.0.1:8000/x",
        "https://localhost/x",
        "http://[::1]/x",
    ):
        assert isinstance(refused(strangers, uri), AddressRefused), uri
    for uri in (
        "ftp://example.com/x",
        "memory://x/y",
        "gopher://x",
        "file://elsewhere/x",
        "a\0b",
        "concat:a|b:/\0",
    ):
        assert isinstance(refused(strangers, uri), InvalidRequest), uri


def test_files_below_a_root_are_read_and_copied(opened: Opened, folder: Path, tmp_path: Path) -> None:
    """A file of an opened folder is fetched as a copy of its own."""
    found = read(opened(source_roots=str(folder)), folder / "deep" / "talk.wav", tmp_path / "copy")

    assert found.path == tmp_path / "copy"
    assert found.path.read_bytes() == b"sound"
    assert found.filename == "talk.wav"


def test_no_way_leads_out_of_a_root(opened: Opened, folder: Path, tmp_path: Path) -> None:
    """Neither dots nor links, of files or of folders, nor a neighbour whose name begins alike."""
    (folder / "link.wav").symlink_to(tmp_path / "secret.wav")
    (folder / "out").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder / "loop")
    beside = tmp_path / "open-not"
    beside.mkdir()
    (beside / "talk.wav").write_bytes(b"secret")
    strangers = opened(source_roots=f"{folder}, {tmp_path / 'none'}")

    for path in (
        folder / "link.wav",
        folder / "out" / "secret.wav",
        folder / ".." / "secret.wav",
        folder / "deep" / ".." / ".." / "secret.wav",
        beside / "talk.wav",
        folder,
    ):
        with pytest.raises(SourceForbidden):
            read(strangers, path, tmp_path / "copy")
        assert not (tmp_path / "copy").exists()
    with pytest.raises(NotARegularFile):
        read(strangers, folder / "loop", tmp_path / "copy")


def test_a_link_within_a_root_is_followed(opened: Opened, folder: Path, tmp_path: Path) -> None:
    """What lies below the root may be named by a link that is there, too."""
    (folder / "today").symlink_to(folder / "deep")

    assert read(opened(source_roots=str(folder)), folder / "today" / "talk.wav", tmp_path / "copy").size_bytes == 5


def test_results_are_not_to_be_had_as_sources(opened: Opened, tmp_path: Path) -> None:
    """Even where a root holds the results, and other people's recordings with them, they stay closed."""
    (tmp_path / "results" / "incoming").mkdir(parents=True)
    (tmp_path / "results" / "incoming" / "talk.wav").write_bytes(b"sound")

    error = refused(opened(source_roots=str(tmp_path)), str(tmp_path / "results" / "incoming" / "talk.wav"))

    assert isinstance(error, SourceForbidden)


def test_buckets_are_opened_one_by_one(opened: Opened) -> None:
    """A bucket, or a prefix of one; names that begin alike and ways up are none of it."""
    strangers = opened(source_buckets="podcasts, archive/2026/")

    for uri in ("s3://podcasts/talk.wav", "S3://podcasts/a/b.wav", "s3://archive/2026/talk.wav"):
        strangers.check(Source(uri=uri))
    for uri in (
        "s3://podcasts-private/talk.wav",
        "s3://archive/2025/talk.wav",
        "s3://archive/20260/talk.wav",
        "s3://archive/2026/../2025/talk.wav",
        "s3://podcasts",
        "s3:///podcasts/talk.wav",
    ):
        assert isinstance(refused(strangers, uri), SourceForbidden), uri


def test_masters_are_delivered_to_opened_places_only(opened: Opened, tmp_path: Path) -> None:
    """A stranger writes nowhere that the operator has not opened."""
    strangers = opened(delivery_places=f"{tmp_path / 'out'}, s3://masters/new")

    strangers.check_delivery(str(tmp_path / "out" / "show"))
    strangers.check_delivery("s3://masters/new/show/")
    for place in (
        str(tmp_path),
        f"{tmp_path}/out/../x",
        "/etc/cron.d",
        "s3://masters/old/",
        "file:///etc",
        "s3://x/",
    ):
        with pytest.raises(SourceForbidden):
            strangers.check_delivery(place)


@pytest.fixture
def studio(tmp_path: Path, folder: Path) -> Studio:
    """A machine with one open folder."""
    settings = Settings(home=tmp_path / "home", source_roots=str(folder), workers=1)
    return open_studio(settings)


def test_jobs_of_strangers_are_checked_when_they_are_worked_on(
    studio: Studio, folder: Path, tmp_path: Path
) -> None:
    """However a request got past the door, its source and all other recordings that it needs are checked again."""
    RECORDINGS["16.wav"].make(folder / "talk.wav")
    RECORDINGS["16.wav"].make(tmp_path / "private.wav")
    inside, outside = Source(uri=str(folder / "talk.wav")), Source(uri=str(tmp_path / "private.wav"))
    own = JobSpec(source=outside)
    specs = [
        own,
        from_outside(own),
        from_outside(JobSpec(source=inside)),
        from_outside(JobSpec(source=inside, work=Enhance(edits=(Outro(source=outside),)))),
        from_outside(JobSpec(source=Source(uri="http://127.0.0.1:9/talk.wav"))),
    ]

    records = run_jobs(studio, [record.id for record in submit(studio, specs)])

    codes = [record.error_code for record in records]
    assert codes == [None, "source_forbidden", None, "source_forbidden", "address_refused"]
    assert records[2].status is Status.succeeded


def test_what_a_stranger_has_sent_is_read(studio: Studio, tmp_path: Path) -> None:
    """An upload lies in our own store, where the job finds it."""
    RECORDINGS["16.wav"].make(tmp_path / "sent.wav")
    stored = studio.objects.put_file(
        tmp_path / "sent.wav", incoming_key("ab" * 32, ".wav"), media_type="application/octet-stream"
    )
    [job] = submit(studio, [from_outside(JobSpec(source=Source(uri=stored.uri)))])

    assert run_jobs(studio, [job.id])[0].error_code is None


def test_a_request_of_a_person_here_keeps_its_form() -> None:
    """The mark is written down only where it is set, so that earlier requests keep their keys."""
    spec = JobSpec(source=Source(uri="talk.wav"))

    assert "from_outside" not in spec.model_dump(mode="json")
    marked = from_outside(spec)
    assert JobSpec.model_validate(marked.model_dump(mode="json")).from_outside
