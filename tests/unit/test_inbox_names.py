"""Names in an inbox, and when a file counts as complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixdown.inbox.names import is_hidden, is_when_taken, names_in_turn, unfit
from mixdown.inbox.settling import EMPTY_FOR_S, Settling
from mixdown.inbox.writers import open_for_writing

NOW_NS = 1_790_000_000 * 10**9


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """A clock that a test sets."""
    return Clock()


@pytest.fixture
def settling(clock: Clock) -> Settling:
    """Files count as complete after ten seconds."""
    looks = Settling(10.0, clock_s=clock)
    looks.begin()
    return looks


def _found(size: int = 100, *, content_s: float, inode_s: float) -> os.stat_result:
    """The status of a file whose times are so many seconds ago."""
    times = {"st_mtime_ns": NOW_NS - round(content_s * 1e9), "st_ctime_ns": NOW_NS - round(inode_s * 1e9)}
    return os.stat_result((0o100644, 1, 1, 1, 0, 0, size, 0, 0, 0), times)


def test_an_old_file_is_complete_at_once(settling: Settling) -> None:
    """A file that has not changed for long need not be looked at twice."""
    assert settling.unsettled("a", _found(content_s=11, inode_s=11), NOW_NS) is None


def test_a_young_file_is_not(settling: Settling) -> None:
    """Neither one that was just written to, nor one whose copying program has set its time back."""
    assert settling.unsettled("a", _found(content_s=5, inode_s=5), NOW_NS)
    assert settling.unsettled("b", _found(content_s=99999, inode_s=5), NOW_NS)


def test_a_time_in_the_future_keeps_no_file_out(settling: Settling) -> None:
    """A recorder whose clock is wrong: what the inode says is true."""
    assert settling.unsettled("a", _found(content_s=-86400, inode_s=11), NOW_NS) is None
    assert settling.unsettled("b", _found(content_s=-86400, inode_s=5), NOW_NS)


def test_two_looks_decide_where_times_cannot(settling: Settling, clock: Clock) -> None:
    """A file system with a clock of its own: what is the same after ten seconds is complete."""
    strange = _found(content_s=-500, inode_s=-500)
    assert settling.unsettled("a", strange, NOW_NS)
    clock.now_s += 9
    settling.begin()
    assert settling.unsettled("a", strange, NOW_NS)
    clock.now_s += 2
    settling.begin()

    assert settling.unsettled("a", strange, NOW_NS) is None


def test_a_file_that_grows_never_settles_and_is_told_of(settling: Settling, clock: Clock) -> None:
    """However often it is looked at, it stays; how long it has been seen is known."""
    for size in range(1, 20):
        found = settling.unsettled("a", _found(size, content_s=1, inode_s=1), NOW_NS)
        assert found is not None
        assert found.seen_for_s == pytest.approx((size - 1) * 60)
        clock.now_s += 60
        settling.begin()


def test_an_empty_file_is_given_minutes(settling: Settling) -> None:
    """Somebody is about to write to it; after a while nobody is."""
    assert settling.unsettled("a", _found(0, content_s=60, inode_s=60), NOW_NS)
    assert settling.unsettled("b", _found(0, content_s=EMPTY_FOR_S + 1, inode_s=EMPTY_FOR_S + 1), NOW_NS) is None


def test_what_is_gone_is_forgotten(settling: Settling, clock: Clock) -> None:
    """A file of the same name later begins anew: memory does not grow with all that ever came."""
    settling.unsettled("a", _found(content_s=-5, inode_s=-5), NOW_NS)
    settling.begin()
    settling.begin()
    clock.now_s += 60

    found = settling.unsettled("a", _found(content_s=-5, inode_s=-5), NOW_NS)

    assert found is not None
    assert found.seen_for_s == 0


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Path]:
    """A file that this process has open for writing, beside one that it only reads."""
    (tmp_path / "read.wav").write_bytes(b"sound")
    with (tmp_path / "written.wav").open("ab"), (tmp_path / "read.wav").open("rb"):
        yield tmp_path / "written.wav"


@pytest.mark.skipif(not Path("/proc/self/fdinfo").exists(), reason="there is no /proc here")
def test_files_open_for_writing_are_seen(written: Path) -> None:
    """Who has a file open for writing is not finished with it; who reads it does not matter."""
    found = open_for_writing()

    status, other = written.stat(), written.with_name("read.wav").stat()
    assert (status.st_dev, status.st_ino) in found
    assert (other.st_dev, other.st_ino) not in found


@pytest.mark.parametrize("name", ["talk.wav.part", "talk.wav.crdownload", "talk.tmp", "~talk.wav", "talk.wav~"])
def test_unfinished_names_are_known(name: str) -> None:
    """Programs that copy or load down give what they have not finished such names."""
    assert "not finished" in (unfit(name) or "")


@pytest.mark.parametrize(
    ("name", "hidden"), [(".a.wav", True), (".git/a.wav", True), ("a/.b/c.wav", True), ("a.b/c.wav", False)]
)
def test_hidden_is_what_begins_with_a_dot(name: str, hidden: bool) -> None:
    """The file, or any folder it lies in."""
    assert is_hidden(name) is hidden


@given(
    # As the system gives them: text, or bytes that are none.
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=300),
        st.binary(min_size=1, max_size=300).map(
            lambda name: os.fsdecode(name.replace(b"/", b"-").replace(b"\0", b"-"))
        ),
    ).filter(lambda n: n not in (".", ".."))
)
def test_every_name_can_be_filed_with_a_report_beside_it(name: str) -> None:
    """Whatever it is called: each name that is tried, and its report's, fits a file system; no two are the same."""
    names = list(names_in_turn(f"done/{name}", ("0a1b2c3d", "id")))

    assert names[0] == f"done/{name}" or len(name.encode(errors="surrogateescape")) > 250
    assert len(set(names)) == len(names) >= 2
    for each in names:
        folder, _, last = each.rpartition("/")
        assert folder == "done"
        assert 0 < len(f"{last}.json".encode(errors="surrogateescape")) <= 255


def test_folders_of_what_was_taken_are_told_from_others() -> None:
    """A folder that a person makes in `processing` is not ours."""
    assert is_when_taken("20261122-101500-3fa9c1d2")
    assert not is_when_taken("talks")
