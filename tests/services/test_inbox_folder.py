"""Hot folders: what strangers put into them, what goes wrong with them, and processes that die at them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from mixdown.errors import InvalidRequest
from mixdown.inbox import Arrival, file_away, open_inbox, sweep
from mixdown.model import Status
from mixdown.storage import S3Options
from tests.services.inbox_desks import ASKED, BucketDesk, Desk, FolderDesk, inbox_of, look, open_jobs, succeed
from tests.services.s3_server import S3, fresh_bucket

FILES = 300


@pytest.fixture
def desk(tmp_path: Path) -> FolderDesk:
    """A hot folder."""
    return FolderDesk(tmp_path, f"sqlite:///{tmp_path / 'mixdown.db'}")


def test_a_file_that_is_being_written_is_left(desk: FolderDesk) -> None:
    """It is neither moved nor given a job until it has been quiet; then it is taken without another change."""
    desk.put("talk.wav")

    left = sweep(desk.studio, inbox_of(desk, settle_s=30), ASKED)

    assert (left.taken, left.settling, left.left[0].name) == (0, 1, "talk.wav")
    assert desk.names() == ["talk.wav"]
    assert sweep(desk.studio, inbox_of(desk, settle_s=0.5), ASKED, patience_s=20).taken == 1


@pytest.mark.skipif(not Path("/proc/self/fdinfo").exists(), reason="there is no /proc here")
def test_a_file_that_somebody_has_open_for_writing_is_left(desk: FolderDesk) -> None:
    """A recorder that pauses has not finished, however long nothing comes."""
    with (desk.root / "live.wav").open("wb") as live:
        live.write(b"the beginning")
        live.flush()

        swept = look(desk)

        assert (swept.taken, swept.settling) == (0, 1)
    assert look(desk).taken == 1


def test_links_are_never_followed(desk: FolderDesk, tmp_path: Path) -> None:
    """Neither a link to a file nor one to a folder gives a job, and what they lead to stays where it is."""
    secret = tmp_path / "secret" / "talk.wav"
    secret.parent.mkdir()
    secret.write_bytes(b"nobody's business")
    (desk.root / "link.wav").symlink_to(secret)
    (desk.root / "folder").symlink_to(secret.parent)
    os.mkfifo(desk.root / "pipe.wav")

    swept = look(desk)

    assert swept.taken == 0
    assert {(left.name, left.why) for left in swept.left} == {
        ("link.wav", "it is a link"),
        ("pipe.wav", "it is no file"),
    }
    assert secret.read_bytes() == b"nobody's business"


def test_a_folder_that_becomes_a_link_is_not_followed(desk: FolderDesk, tmp_path: Path) -> None:
    """Between the look and the move a stranger swaps the folder for a link: nothing outside is moved."""
    outside = tmp_path / "outside" / "talk.wav"
    outside.parent.mkdir()
    outside.write_bytes(b"sound")
    desk.put("sub/talk.wav")
    inbox = inbox_of(desk)
    inbox.prepare()
    [seen] = [found for found in inbox.look() if isinstance(found, Arrival)]
    (desk.root / "sub").rename(tmp_path / "moved")
    (desk.root / "sub").symlink_to(outside.parent)

    assert inbox.take(seen) is None
    assert outside.exists()


@pytest.mark.parametrize("name", ["processing", "done", "failed"])
def test_its_own_folders_may_not_be_links(desk: FolderDesk, tmp_path: Path, name: str) -> None:
    """A stranger who makes `done` a link does not get recordings, or have files written elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    (desk.root / name).symlink_to(tmp_path / "elsewhere")
    desk.put("talk.wav")

    with pytest.raises(InvalidRequest):
        look(desk)

    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_names_that_are_no_text_go_through(desk: FolderDesk) -> None:
    """Bytes that are no UTF-8, line breaks and signs that turn the writing around are only names."""
    names = [b"\xff\xfe.wav", "a\nb\u202e.wav".encode(), b"\x1b[31m.wav"]
    for name in names:
        Path(os.fsdecode(os.fsencode(desk.root) + b"/" + name)).write_bytes(b"sound")
    look(desk)
    for job in open_jobs(desk).values():
        succeed(desk, job)

    look(desk)

    done = {os.fsencode(each.name) for each in (desk.root / "done").iterdir()}
    assert done == {*names, *(name + b".json" for name in names)}


def test_folders_without_end_are_left(desk: FolderDesk) -> None:
    """Somebody nests folders for fun: a look ends, the rest is taken."""
    deep = desk.root.joinpath(*["d"] * 60)
    deep.mkdir(parents=True)
    (deep / "talk.wav").write_bytes(b"sound")
    desk.put("talk.wav")

    swept = look(desk)

    assert swept.taken == 1
    assert "too many to look into" in swept.left[0].why


def test_a_folder_that_vanishes_during_a_look_is_no_error(desk: FolderDesk) -> None:
    """What is gone is gone; the others are taken."""
    for number in range(5):
        desk.put(f"{number}/talk.wav")
    inbox = inbox_of(desk)
    inbox.prepare()

    taken = 0
    for found in inbox.look():
        if isinstance(found, Arrival):
            taken += inbox.take(found) is not None
            for number in (3, 4):
                if (desk.root / str(number)).exists():
                    desk.remove(f"{number}/talk.wav")
                    (desk.root / str(number)).rmdir()

    assert taken == 3


def _fill(path: Path) -> None:
    """Write until nothing more fits."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    with suppress(OSError):
        while os.write(fd, bytes(512)):
            pass
    os.close(fd)


def test_a_full_disk_loses_nothing(full_folder: Path, desk: FolderDesk) -> None:
    """There is no room for a report: the recording stays in `processing`, and is filed when there is."""
    full = FolderDesk(desk.root.parent, f"sqlite:///{desk.root.parent / 'mixdown.db'}")
    full.root, full.where = full_folder, str(full_folder)
    full.put("talk.wav", b"sound")
    look(full)
    succeed(full, open_jobs(full)["talk.wav"])
    filler = full_folder / ".filler"
    _fill(filler)

    hindered = file_away(full.studio, inbox_of(full))

    if full_folder.is_mount():  # elsewhere only large files find no room
        assert [left.name for left in hindered.left] == ["talk.wav"]
    filler.unlink()
    assert hindered.done + look(full).done == 1
    assert full.names() == ["done/talk.wav", "done/talk.wav.json"]


def test_a_file_as_an_inbox_is_refused(desk: FolderDesk) -> None:
    """A file, or nothing, is no folder to take recordings from."""
    desk.put("talk.wav")

    for where in (f"{desk.where}/talk.wav", f"{desk.where}/nothing", ""):
        with pytest.raises(InvalidRequest):
            open_inbox(where, desk.studio)


def test_empty_folders_of_what_was_taken_are_cleared_away(desk: FolderDesk) -> None:
    """Folders that people made stay; those in `processing` go with the last recording in them."""
    desk.put("monday/talk.wav")
    look(desk)
    succeed(desk, open_jobs(desk)["talk.wav"])
    look(desk)

    assert (desk.root / "monday").is_dir()
    assert list((desk.root / "processing").iterdir()) == []


def test_who_may_read_a_recording_may_read_it_when_it_is_filed(desk: FolderDesk) -> None:
    """Moving is renaming: owner, mode and times of a recording stay."""
    desk.put("talk.wav")
    (desk.root / "talk.wav").chmod(0o640)
    before = (desk.root / "talk.wav").stat()
    look(desk)
    succeed(desk, open_jobs(desk)["talk.wav"])
    look(desk)

    after = (desk.root / "done" / "talk.wav").stat()
    assert (after.st_ino, after.st_mtime_ns, stat.S_IMODE(after.st_mode)) == (
        before.st_ino,
        before.st_mtime_ns,
        0o640,
    )


@pytest.fixture(params=["folder", "moto"])
def crowded(
    request: pytest.FixtureRequest, tmp_path: Path, desk: FolderDesk, s3_options_of: Callable[[str], S3Options]
) -> Desk:
    """An inbox with many recordings, in a folder and in a bucket."""
    found: Desk = desk
    if request.param == "moto":
        bucket: S3 = request.getfixturevalue("moto_bucket")
        found = BucketDesk(tmp_path, f"sqlite:///{tmp_path / 'mixdown.db'}", bucket)
    for number in range(FILES):
        found.put(f"{number}.wav", str(number).encode())
    return found


@pytest.fixture
def moto_bucket(s3_options_of: Callable[[str], S3Options]) -> object:
    """A fresh bucket of the engine that starts anywhere."""
    with fresh_bucket("moto", s3_options_of("moto")) as bucket:
        yield bucket


def test_sweepers_at_once_share_an_inbox(crowded: Desk) -> None:
    """Three look at the same time: each recording gets one job, none is lost."""
    with ThreadPoolExecutor(3) as pool:
        swept = list(pool.map(lambda _: look(crowded), range(3)))

    last = look(crowded)
    jobs = crowded.studio.jobs.list(limit=10_000)
    assert sorted(job.spec.filename for job in jobs) == sorted(f"{number}.wav" for number in range(FILES))
    assert {job.status for job in jobs} == {Status.queued}
    assert (last.taken, last.held) == (0, FILES)
    assert sum(each.taken for each in swept) >= FILES


def test_a_process_may_be_killed_at_every_step(tmp_path: Path) -> None:
    """SIGKILL between any two things that are done to files: nothing is lost and nothing done twice."""
    said = _killed("folder", str(tmp_path))

    assert int(said.split()[1]) > 30


def test_a_process_at_a_bucket_may_be_killed_at_any_moment(tmp_path: Path, moto_bucket: S3) -> None:
    """SIGKILL at random moments of taking in and filing away objects."""
    options = moto_bucket.options
    said = _killed(
        *("bucket", str(tmp_path), moto_bucket.bucket),
        *(str(options.endpoint_url), str(options.key), str(options.secret), "4"),
    )

    assert int(said.split()[1]) > 5


def _killed(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.services.inbox_kills", *words],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
