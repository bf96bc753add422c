"""Inboxes on a real folder and in real buckets: each recording taken in once, filed away once, nothing lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mixdown.errors import InvalidRequest, UnknownPreset
from mixdown.inbox import Arrival, Drawer, file_away, sweep
from mixdown.inbox.requests import key_of
from mixdown.items import Defaults
from mixdown.model import Status
from mixdown.storage import S3Options
from tests.services.inbox_desks import (
    ASKED,
    BucketDesk,
    Desk,
    FolderDesk,
    fail,
    inbox_of,
    look,
    open_jobs,
    recordings,
    report,
    succeed,
)
from tests.services.s3_server import engines, fresh_bucket


@pytest.fixture(params=["folder", *engines()])
def desk(
    request: pytest.FixtureRequest, tmp_path: Path, s3_options_of: Callable[[str], S3Options]
) -> Iterator[Desk]:
    """A folder, and a bucket on each engine in turn."""
    database_url = f"sqlite:///{tmp_path / 'mixdown.db'}"
    with ExitStack() as stack:
        if request.param == "folder":
            yield FolderDesk(tmp_path, database_url)
        else:
            bucket = stack.enter_context(fresh_bucket(request.param, s3_options_of(request.param)))
            yield BucketDesk(tmp_path, database_url, bucket)


def test_a_recording_goes_through(desk: Desk) -> None:
    """It is moved to `processing` with a job, and to `done` with a report when that has succeeded."""
    desk.put("talk.wav")

    swept = look(desk)

    assert (swept.taken, swept.held, swept.open_batches) == (1, 1, (swept.batch_id,))
    assert recordings(desk) == ["processing/talk.wav"]
    job = open_jobs(desk)["talk.wav"]
    assert job.batch_id == swept.batch_id
    succeed(desk, job)
    filed = look(desk)
    assert (filed.taken, filed.done, filed.failed, filed.held, filed.batch_id) == (0, 1, 0, 0, None)
    assert desk.names() == ["done/talk.wav", "done/talk.wav.json"]
    assert desk.read("done/talk.wav") == b"sound"
    told = report(desk, "done/talk.wav.json")
    assert (told["id"], told["state"], told["filename"]) == (str(job.id), "succeeded", "talk.wav")
    assert [master["target_lufs"] for master in told["masters"]] == [-16.0, -16.0]


def test_what_fails_is_filed_with_the_reason(desk: Desk) -> None:
    """A failed recording lies in `failed`; its report has the code and the sentence."""
    desk.put("noise.wav")
    look(desk)
    fail(desk, open_jobs(desk)["noise.wav"])

    swept = look(desk)

    assert (swept.done, swept.failed) == (0, 1)
    assert desk.names() == ["failed/noise.wav", "failed/noise.wav.json"]
    told = report(desk, "failed/noise.wav.json")
    assert told["error"] == {"code": "unreadable_audio", "message": "It is no sound."}


def test_a_cancelled_job_is_filed_too(desk: Desk) -> None:
    """What somebody called off does not stay in `processing` for ever."""
    desk.put("talk.wav")
    look(desk)
    desk.studio.jobs.cancel(open_jobs(desk)["talk.wav"].id)

    look(desk)

    assert report(desk, "failed/talk.wav.json")["state"] == "cancelled"


def test_folders_in_it_are_kept(desk: Desk) -> None:
    """A recording in a folder is done in a folder of that name, and so are its masters."""
    desk.put("monday/early/talk.wav")
    desk.put("talk.wav")

    swept = sweep(desk.studio, inbox_of(desk), replace(ASKED, deliver_to="s3://out/masters"))

    jobs = desk.studio.jobs.list(batch_id=swept.batch_id)
    assert {job.spec.deliver_to for job in jobs} == {"s3://out/masters", "s3://out/masters/monday/early"}
    for job in jobs:
        succeed(desk, job)
    look(desk)
    assert recordings(desk) == ["done/monday/early/talk.wav", "done/talk.wav"]


def test_the_same_name_again_overwrites_nothing(desk: Desk) -> None:
    """A second recording of a name is a job of its own, and is filed beside the first under a name of its own."""
    for body in (b"first", b"second", b"third"):
        desk.put("talk.wav", body)
        look(desk)
        succeed(desk, open_jobs(desk)["talk.wav"])
    look(desk)

    found = [name for name in desk.names() if not name.endswith(".json")]
    assert len(found) == 3
    assert {desk.read(name) for name in found} == {b"first", b"second", b"third"}
    assert {f"{name}.json" for name in found} <= set(desk.names())
    assert {report(desk, f"{name}.json")["id"] for name in found} == {
        str(job.id) for job in desk.studio.jobs.list(status=Status.succeeded)
    }


def test_what_others_keep_in_done_stays(desk: Desk) -> None:
    """A file, or a report, that somebody put into `done` is not touched."""
    desk.put("done/talk.wav", b"mine")
    desk.put("done/music.wav.json", b"mine too")
    desk.put("talk.wav")
    desk.put("music.wav")
    look(desk)
    for job in open_jobs(desk).values():
        succeed(desk, job)

    look(desk)

    assert desk.read("done/talk.wav") == b"mine"
    assert desk.read("done/music.wav.json") == b"mine too"
    assert len([name for name in recordings(desk) if name.startswith("done/")]) == 3
    assert "done/talk.wav.json" not in desk.names()


def test_what_failed_is_tried_again_when_it_is_put_back(desk: Desk) -> None:
    """A recording that is moved from `failed` into the inbox gets a new job."""
    desk.put("talk.wav")
    look(desk)
    fail(desk, open_jobs(desk)["talk.wav"])
    look(desk)
    desk.put("talk.wav", desk.read("failed/talk.wav"))
    desk.remove("failed/talk.wav")
    desk.remove("failed/talk.wav.json")

    look(desk)
    succeed(desk, open_jobs(desk)["talk.wav"])
    look(desk)

    assert desk.names() == ["done/talk.wav", "done/talk.wav.json"]


def test_only_recordings_are_taken(desk: Desk) -> None:
    """What is hidden is passed over; what is no recording or unfinished by its name is left and named."""
    for name in ("notes.txt", ".hidden.wav", ".git/talk.wav", "talk.wav.part", "~talk.wav", "talk.WAV"):
        desk.put(name)

    swept = look(desk)

    assert swept.taken == 1
    assert {left.name for left in swept.left} == {"notes.txt", "talk.wav.part", "~talk.wav"}
    assert "processing/talk.WAV" in recordings(desk)


def test_a_request_without_sense_moves_nothing(desk: Desk) -> None:
    """A preset that does not exist is said before any recording is touched."""
    desk.put("talk.wav")

    with pytest.raises(UnknownPreset):
        look(desk, Defaults(preset="gramophone"))

    assert desk.names() == ["talk.wav"]


def test_what_is_held_without_a_job_gets_one(desk: Desk) -> None:
    """A sweep that was cut off between moving a recording and writing it down is gone on with."""
    desk.put("talk.wav")
    inbox = inbox_of(desk)
    inbox.prepare()
    [arrival] = [found for found in inbox.look() if isinstance(found, Arrival)]
    assert inbox.take(arrival) is not None

    swept = look(desk)

    assert (swept.taken, swept.held) == (0, 1)
    assert list(open_jobs(desk)) == ["talk.wav"]
    assert look(desk).open_batches == (swept.batch_id,)


def test_other_parameters_do_not_make_another_job(desk: Desk) -> None:
    """What is being worked on keeps its job, even when the next sweep asks for something else."""
    desk.put("talk.wav")
    look(desk)

    look(desk, Defaults(preset="broadcast-ebu"))

    [job] = desk.studio.jobs.list()
    assert job.spec.work.preset == "podcast"  # type: ignore[union-attr]


def test_filing_that_was_cut_off_is_completed(desk: Desk) -> None:
    """With its report in place but the recording not moved yet, the next sweep files it under the same name."""
    desk.put("talk.wav")
    look(desk)
    job = open_jobs(desk)["talk.wav"]
    succeed(desk, job)
    desk.put("done/talk.wav.json", f'{{"id": "{job.id}"}}'.encode())

    look(desk)

    assert desk.names() == ["done/talk.wav", "done/talk.wav.json"]


def test_two_sweepers_make_one_job(desk: Desk) -> None:
    """Both see the same recording; one job is made, and both may file it."""
    desk.put("talk.wav")
    one, other = inbox_of(desk), inbox_of(desk)
    for inbox in (one, other):
        inbox.prepare()
    [seen] = [found for found in one.look() if isinstance(found, Arrival)]
    [seen_too] = [found for found in other.look() if isinstance(found, Arrival)]

    held = [taken for taken in (one.take(seen), other.take(seen_too)) if taken is not None]

    assert len({key_of(each) for each in held}) == 1
    look(desk)
    succeed(desk, open_jobs(desk)["talk.wav"])
    [again] = list(one.held())
    assert file_away(desk.studio, one).done == 1
    assert other.file_away(again, Drawer.done, "id", ("tag",), b"{}") is None
    assert desk.names() == ["done/talk.wav", "done/talk.wav.json"]


def test_a_recording_that_changed_since_it_was_seen_is_left(desk: Desk) -> None:
    """Whoever replaces a recording between a look and the move does not lose the new one."""
    desk.put("talk.wav", b"first")
    inbox = inbox_of(desk)
    inbox.prepare()
    [seen] = [found for found in inbox.look() if isinstance(found, Arrival)]
    desk.put("talk.wav", b"second, and longer")

    assert inbox.take(seen) is None
    assert desk.read("talk.wav") == b"second, and longer"
    assert look(desk).taken == 1


@pytest.mark.parametrize(
    "name", ["a b%20c?#&.wav", "naïve – 東京.wav", "*?[x].wav", "-rf.wav", "{}.wav", "x" * 248 + ".wav"]
)
def test_strange_names_go_through(desk: Desk, name: str) -> None:
    """A name is only a name; one with no room for a report beside it is cut."""
    desk.put(name)
    look(desk)
    [job] = desk.studio.jobs.list()
    assert job.spec.filename == name
    succeed(desk, job)

    look(desk)

    filed = recordings(desk)
    assert len(filed) == 1
    assert filed == [f"done/{name}"] or len(name) > 250
    assert report(desk, f"{filed[0]}.json")["id"] == str(job.id)


def test_masters_below_the_inbox_are_not_taken_in(desk: Desk) -> None:
    """A folder of masters may lie in the inbox; the inbox itself, or what is in it, may not be that folder."""
    desk.put("masters/talk.mp3")
    masters = replace(ASKED, deliver_to=f"{desk.where}/masters")
    from mixdown.inbox import open_inbox

    inbox = open_inbox(desk.where, desk.studio, deliver_to=masters.deliver_to, settle_s=0)

    assert sweep(desk.studio, inbox, masters).taken == 0
    for place in (desk.where, f"{desk.where}/processing"):
        with pytest.raises(InvalidRequest):
            open_inbox(desk.where, desk.studio, deliver_to=place)


def test_results_are_no_inbox(desk: Desk) -> None:
    """An inbox that holds Mixdown's own results is refused."""
    from mixdown.inbox import open_inbox

    with pytest.raises(InvalidRequest):
        open_inbox(desk.where.rpartition("/")[0], desk.studio)


def test_nothing_is_filed_before_its_job_has_ended(desk: Desk) -> None:
    """A running job keeps its recording where it is, however often somebody looks."""
    desk.put("talk.wav")
    look(desk)
    job = open_jobs(desk)["talk.wav"]
    assert desk.studio.jobs.claim(job.id, owner="worker", lease_s=timedelta(minutes=1).total_seconds())

    assert look(desk).held == 1
    assert recordings(desk) == ["processing/talk.wav"]
