"""`mixdown batch` and `mixdown jobs`, over a ledger on SQLite and on PostgreSQL."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import Result
from sqlalchemy import update
from typer.testing import CliRunner

from mixdown.cli import app
from mixdown.db.engine import writing
from mixdown.db.tables import Job
from mixdown.jobs import JobStore
from mixdown.model import Status
from tests.services.ctrl_c import heed_ctrl_c
from tests.services.ledger_samples import claimed, result, submit
from tests.signals import recording

Mixdown = Callable[..., Result]
MIXDOWN = [str(Path(sys.executable).parent / "mixdown")]


@pytest.fixture
def mixdown(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mixdown:
    """The command line, over the ledger of this test."""
    monkeypatch.setenv("MIXDOWN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MIXDOWN_DATABASE_URL", database_url)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def batch(job_store: JobStore) -> UUID:
    """A batch of six: two succeeded, two failed for different reasons, two are queued."""
    batch_id = job_store.open_batch("Interviews")
    jobs = submit(job_store, *"abcdef", batch_id=batch_id)
    for job in jobs[:2]:
        job_store.succeed(claimed(job_store, job), result(job.idempotency_key))
    for job, code in zip(jobs[2:4], ("unreadable_audio", "source_unavailable"), strict=True):
        job_store.fail(claimed(job_store, job), code=code, detail=f"It is {code}.")
    return batch_id


def test_batches_are_listed(mixdown: Mixdown, batch: UUID) -> None:
    """Alone, or with `list`: the beginning of the id, the title, the state, the numbers."""
    alone, listed = mixdown("batch"), mixdown("batch", "list")

    assert alone.exit_code == listed.exit_code == 0
    for part in (batch.hex[:8], "Interviews", "queued", "4/6"):
        assert part in alone.stdout
        assert part in listed.stdout


def test_a_ledger_without_batches_says_how_to_make_one(mixdown: Mixdown) -> None:
    """An empty table would help nobody."""
    assert "mixdown batch submit" in mixdown("batch").stdout


def test_a_batch_is_shown_by_the_beginning_of_its_id(mixdown: Mixdown, batch: UUID) -> None:
    """With `show` and without; why jobs failed is told with an example."""
    shown, short = mixdown("batch", "show", batch), mixdown("batch", batch.hex[:6])

    assert shown.exit_code == short.exit_code == 0
    for part in (
        str(batch),
        "4 of 6",
        "1 unreadable_audio",
        "c.wav: It is unreadable_audio.",
        "nobody works on it",
    ):
        assert part in shown.stdout
        assert part in short.stdout


def test_programs_get_json(mixdown: Mixdown, batch: UUID) -> None:
    """One document of a batch, a list of several; `--json` may stand before or after the command."""
    one = json.loads(mixdown("batch", "show", batch, "--json").stdout)
    again = json.loads(mixdown("batch", "--json", batch).stdout)
    [listed] = json.loads(mixdown("batch", "list", "--json").stdout)

    assert one["id"] == again["id"] == listed["id"] == str(batch)
    assert (one["state"], one["jobs"], one["ended"]) == ("queued", 6, 4)
    assert one["counts"] == {**dict.fromkeys(Status, 0), "succeeded": 2, "failed": 2, "queued": 2}
    assert {each["code"] for each in one["failures"]} == {"unreadable_audio", "source_unavailable"}


def test_what_is_no_batch_is_said_to_be_none(mixdown: Mixdown, batch: UUID) -> None:
    """1 for an id of nothing, 2 for a word that is neither a command nor an id."""
    assert mixdown("batch", "show", "00000000").exit_code == 1
    assert mixdown("batch", "wach").exit_code == 2


def test_a_batch_is_paused_and_resumed(mixdown: Mixdown, batch: UUID, job_store: JobStore) -> None:
    """The ledger says so, and the terminal says how to go on."""
    paused = mixdown("batch", "pause", batch)

    assert f"mixdown batch resume {batch.hex[:8]}" in paused.stdout
    assert job_store.batch(batch).paused_at is not None

    resumed = mixdown("batch", "resume", batch)

    assert "nobody works on it" in resumed.stdout
    assert job_store.batch(batch).paused_at is None
    assert "not paused" in mixdown("batch", "resume", batch).stdout


def test_a_batch_is_called_off(mixdown: Mixdown, batch: UUID, job_store: JobStore) -> None:
    """What has not ended is cancelled; what is done stays."""
    said = mixdown("batch", "cancel", batch).stdout

    assert "Cancelled 2 jobs." in said
    assert job_store.counts(batch)[Status.cancelled] == 2
    assert job_store.counts(batch)[Status.succeeded] == 2
    assert mixdown("batch", "pause", batch).exit_code == 1


def test_only_what_failed_is_tried_again(mixdown: Mixdown, batch: UUID, job_store: JobStore) -> None:
    """With a code only what failed with it; then there is nothing left."""
    by_code = mixdown("batch", "retry", batch, "--code", "source_unavailable")

    assert "Queued 1 job again" in by_code.stdout
    assert [job.error_code for job in job_store.list(batch_id=batch, status=Status.failed)] == ["unreadable_audio"]

    assert "Queued 1 job again" in mixdown("batch", "retry", batch).stdout
    assert job_store.counts(batch)[Status.queued] == 4
    assert "Nothing has failed." in mixdown("batch", "retry", batch).stdout


def test_a_report_has_a_line_for_each_job(mixdown: Mixdown, job_store: JobStore, tmp_path: Path) -> None:
    """In the order in which they were asked for, over several pages; names cannot become formulas."""
    batch_id = job_store.open_batch("many")
    names = [f"{n:03}" for n in range(449)]
    jobs = submit(job_store, *names, "=cmd()", batch_id=batch_id)
    job_store.succeed(claimed(job_store, jobs[0]), result("000"))
    job_store.fail(claimed(job_store, jobs[1]), code="unreadable_audio", detail="No.")

    said = mixdown("batch", "report", batch_id, "--csv", tmp_path / "report.csv")

    assert "450 jobs" in said.stdout
    with (tmp_path / "report.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [*(f"{name}.wav" for name in names), "'=cmd().wav"]
    assert (rows[0]["state"], rows[0]["duration_s"]) == ("succeeded", "2.50")
    assert rows[0]["masters"] == "memory://masters/000/one.mp3 | memory://masters/000/two.mp3"
    assert (rows[1]["code"], rows[1]["reason"]) == ("unreadable_audio", "No.")
    assert mixdown("batch", "report", batch_id, "--csv", "-").stdout.count("\n") == 451
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".report")] == []


def test_a_report_is_json_or_a_table(mixdown: Mixdown, batch: UUID, tmp_path: Path) -> None:
    """The same documents as of `mixdown jobs --json`; a file that cannot be written is a sentence."""
    documents = json.loads(mixdown("batch", "report", batch, "--json").stdout)

    assert [each["filename"] for each in documents] == [f"{name}.wav" for name in "abcdef"]
    assert [each["state"] for each in documents] == ["succeeded"] * 2 + ["failed"] * 2 + ["queued"] * 2
    assert "failed: unreadable_audio" in mixdown("batch", "report", batch).stdout
    assert mixdown("batch", "report", batch, "--csv", tmp_path / "no folder" / "report.csv").exit_code == 2


def test_failures_are_grouped(job_store: JobStore, batch: UUID) -> None:
    """By code, the most frequent first, with the first examples of each."""
    jobs = submit(job_store, *"wxyz", batch_id=batch)
    for job in jobs:
        job_store.fail(claimed(job_store, job), code="too_long", detail="No.")

    first, *others = job_store.failures(batch, examples=2)

    assert (first.code, first.number) == ("too_long", 4)
    assert first.examples == (("w.wav", "No."), ("x.wav", "No."))
    assert [group.number for group in others] == [1, 1]
    assert set(job_store.failed_among([jobs[0].id, jobs[1].id])) == {jobs[0].id, jobs[1].id}


def test_jobs_are_listed_shown_and_named_by_their_ids(mixdown: Mixdown, batch: UUID, job_store: JobStore) -> None:
    """Of a batch, of a state; one by its id, with or without `show`."""
    [job] = [job for job in job_store.list(batch_id=batch) if job.error_code == "unreadable_audio"]
    submit(job_store, "elsewhere")

    listed = mixdown("jobs", "--batch", batch.hex[:8], "--json")
    failed = mixdown("jobs", "--status", "failed")

    assert len(json.loads(listed.stdout)) == 6
    assert "c.wav" in failed.stdout
    assert "elsewhere" not in failed.stdout
    assert mixdown("jobs", job.id).stdout == mixdown("jobs", "show", job.id.hex[:8]).stdout
    assert json.loads(mixdown("jobs", job.id, "--json").stdout)["events"][0]["kind"] == "queued"
    assert mixdown("jobs", "nothing").exit_code == 2


def test_jobs_are_called_off_and_tried_again_by_id(mixdown: Mixdown, batch: UUID, job_store: JobStore) -> None:
    """One that is done can neither be cancelled nor be tried again; the others become a batch of their own."""
    done, *_, failed, _, queued = job_store.list(batch_id=batch, oldest_first=True)

    cancelled = mixdown("jobs", "cancel", queued.id, done.id)

    assert cancelled.exit_code == 1
    assert job_store.get(queued.id).status is Status.cancelled
    assert job_store.get(done.id).status is Status.succeeded

    assert mixdown("jobs", "retry", done.id).exit_code == 1
    again = mixdown("jobs", "retry", failed.id, queued.id)

    assert "Queued 2 jobs again" in again.stdout
    newest = job_store.batches(limit=1)[0]
    assert newest.id != batch
    assert {job.id for job in job_store.list(batch_id=newest.id)} == {failed.id, queued.id}
    assert job_store.counts(newest.id)[Status.queued] == 2


def test_what_was_rejected_is_tried_again_where_somebody_says_so(
    mixdown: Mixdown, batch: UUID, job_store: JobStore
) -> None:
    """Not by asking for the same again; with others that are waiting, none is queued."""
    *_, rejected, _, queued = job_store.list(batch_id=batch, oldest_first=True)
    with writing(job_store.engine) as connection:
        connection.execute(update(Job).where(Job.id == rejected.id).values(status=Status.rejected))

    job_store.submit([(rejected.spec, rejected.idempotency_key)])
    before = job_store.get(rejected.id).status
    refused = mixdown("jobs", "retry", rejected.id, queued.id)
    among = job_store.get(rejected.id).status
    again = mixdown("jobs", "retry", rejected.id)

    assert (before, among) == (Status.rejected, Status.rejected)
    assert refused.exit_code == 1
    assert "is queued: there is nothing to try again" in refused.stderr
    assert "Queued 1 job again" in again.stdout
    assert job_store.get(rejected.id).status is Status.queued
    assert len(job_store.batches()) == 2


def test_what_queued_jobs_wait_for_is_told(mixdown: Mixdown, batch: UUID, job_store: JobStore) -> None:
    """A server that is down, below the jobs, on the card of the batch and in `watch`."""
    for job in submit(job_store, *"12345", batch_id=batch):
        job_store.not_served("https://example.com", job.id, code="source_unavailable", detail="No.")

    for words in (("jobs",), ("batch", batch)):
        assert "https://example.com has been down since" in " ".join(mixdown(*words).stdout.split())


def test_watching_ends_with_the_batch(mixdown: Mixdown, batch: UUID, job_store: JobStore) -> None:
    """Without a terminal there is a line, then how it ended and why; 1 where something failed."""
    mixdown("batch", "cancel", batch)

    watched = mixdown("batch", "watch", batch)

    assert watched.exit_code == 1
    assert "6 of 6 · 2 failed · 2 cancelled" in watched.stdout
    assert "1 unreadable_audio" in watched.stdout


def test_ctrl_c_stops_watching_and_nothing_else(
    mixdown: Mixdown, batch: UUID, job_store: JobStore, tmp_path: Path
) -> None:
    """The batch goes on, and the terminal says so."""
    watching = subprocess.Popen(
        [*MIXDOWN, "batch", "watch", str(batch)],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,
    )
    assert watching.stdout is not None
    assert "4 of 6" in watching.stdout.readline()
    time.sleep(0.2)
    watching.send_signal(signal.SIGINT)
    _, said = watching.communicate(timeout=60)

    assert watching.returncode == 130
    assert "The batch goes on." in said
    assert job_store.batch(batch).cancelled_at is None
    assert job_store.counts(batch)[Status.queued] == 2


def test_a_batch_is_worked_on_here(mixdown: Mixdown, job_store: JobStore, tmp_path: Path) -> None:
    """What was submitted is done by `run`, which tells of each job; once done there is nothing left to do."""
    for n in (1, 2):
        recording(tmp_path / "in" / f"{n}.wav", seconds=1.0, seed=n)
    (tmp_path / "in" / "broken.wav").write_bytes(b"no sound at all")
    mixdown("batch", "submit", tmp_path / "in", "--out", tmp_path / "out", "--format", "flac")
    [batch] = job_store.batches()

    ran = subprocess.run([*MIXDOWN, "batch", "run", batch.id.hex[:8]], capture_output=True, text=True, check=False)

    assert ran.returncode == 1, ran.stderr
    assert {"1.wav: succeeded", "2.wav: succeeded"} <= set(ran.stderr.splitlines())
    assert "3 of 3 · 1 failed" in ran.stdout
    assert f"mixdown batch retry {batch.id.hex[:8]}" in ran.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1.flac", "2.flac"]


def test_a_batch_that_was_called_off_is_not_worked_on(mixdown: Mixdown, batch: UUID) -> None:
    """Trying it again is asked for by name."""
    mixdown("batch", "cancel", batch)

    ran = mixdown("batch", "run", batch)

    assert ran.exit_code == 1
    assert "batch_cancelled" in ran.stderr


@pytest.mark.parametrize(
    "words", [("process",), ("transform",), ("batch", "submit"), ("batch", "plan"), ("watch", "--once")]
)
def test_a_channel_that_is_not_set_up_is_refused(
    mixdown: Mixdown, job_store: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """When it is asked for, in a sentence that names those that are; nothing is written down."""
    monkeypatch.setenv("MIXDOWN_CHANNELS", '{"team": "ntfy://127.0.0.1/team", "desk": "ntfy://127.0.0.1/desk"}')
    (tmp_path / "in").mkdir()
    file = recording(tmp_path / "in" / "talk.wav")

    said = mixdown(
        *words, file.parent if words[0] == "watch" else file, "--notify", "nobody", "--out", tmp_path / "out"
    )

    assert said.exit_code == 2
    assert "unknown_channel: There is no channel “nobody” here: there are desk, team." in said.stderr
    assert (job_store.list(), job_store.batches()) == ([], [])
