"""A plan tells what a batch would do, from what there is, and changes nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from mixdown.cli import batch_plan
from mixdown.items import Defaults, items_of, requests_of
from mixdown.jobs import JobStore
from mixdown.model import AudioFormat, Loudness, OutputSpec, Status
from mixdown.plan_view import plan_screen, size_words, time_words
from mixdown.planning import Plan, plan
from mixdown.runner import run_jobs
from mixdown.settings import Settings
from mixdown.storage import ObjectStore
from mixdown.studio import Studio, open_studio
from mixdown.submission import submit
from tests.signals import recording

QUICK = Defaults(steps=(Loudness(),), outputs=(OutputSpec(format=AudioFormat.flac),))


@pytest.fixture
def studio(tmp_path: Path, job_store: JobStore) -> Studio:
    """Everything in a folder of its own, the ledger on each kind of database."""
    return open_studio(Settings(home=tmp_path / "home", workers=2), jobs=job_store)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where recordings lie."""
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def planned(studio: Studio, *names: object, defaults: Defaults = QUICK, **more: bool) -> Plan:
    """The plan for what these names lead to."""
    return plan(studio, requests_of(items_of([str(name) for name in names]), defaults), **more)


def asked(studio: Studio, *names: object, run: bool = False) -> list[Status]:
    """Write jobs down, and work on them; their states then."""
    records = submit(studio, [spec for spec, _ in requests_of(items_of([str(name) for name in names]), QUICK)])
    if run:
        records = run_jobs(studio, [record.id for record in records])
    return [record.status for record in records]


def test_what_was_never_asked_for_is_new(studio: Studio, folder: Path) -> None:
    """With its size and length, by the headers; nothing is written down, and of the time nothing is invented."""
    for number in (1, 2, 3):
        recording(folder / f"{number}.wav", number, seed=number)

    found = planned(studio, folder)

    assert (found.items, found.new, found.to_do, found.headers) == (3, 3, 3, 3)
    assert found.audio_s == pytest.approx(6.0, abs=0.01)
    assert found.source_bytes == found.to_do_bytes == sum(path.stat().st_size for path in folder.iterdir())
    assert (found.estimate, found.sampled, dict(found.unreadable)) == (None, False, {})
    assert studio.jobs.list() == []


def test_what_was_asked_for_before_is_told_by_its_state(studio: Studio, folder: Path) -> None:
    """Done, waiting, failed, called off, its result gone, changed since, named twice: each is counted once."""
    for seed, name in enumerate(("done", "lost", "waiting", "off", "changed", "new")):
        recording(folder / f"{name}.wav", 1, seed=seed)
    (folder / "failed.wav").write_text("no audio")
    before = [folder / f"{name}.wav" for name in ("done", "lost", "failed", "changed")]
    assert asked(studio, *before, run=True).count(Status.succeeded) == 3
    asked(studio, folder / "waiting.wav", folder / "off.wav")
    for record in studio.jobs.list():
        if record.spec.filename == "lost.wav" and record.result is not None:
            studio.objects.delete(record.result.renditions[0].object.uri)
        if record.spec.filename == "off.wav":
            studio.jobs.cancel(record.id)
    recording(folder / "changed.wav", 2)
    states = {record.id: record.status for record in studio.jobs.list()}

    found = planned(studio, folder, folder / "done.wav", folder / "new.wav")

    assert (found.items, found.duplicates, found.done, found.queued) == (9, 2, 1, 1)
    assert (found.new, found.failed, found.cancelled, found.lost) == (2, 1, 1, 1)
    assert found.to_do == 5
    assert {record.id: record.status for record in studio.jobs.list()} == states


def test_what_cannot_be_read_is_told_with_its_code(studio: Studio, folder: Path) -> None:
    """By a look at the file, or at its header; a sentence for each of the first twenty, and how many in all."""
    recording(folder / "good.wav", 1)
    for number in range(30):
        (folder / f"empty {number}.wav").touch()
    (folder / "text.wav").write_text("hello")
    os.mkfifo(folder / "pipe.wav")

    found = planned(studio, folder, folder / "gone.wav", folder / "gone.wav")

    assert found.unreadable == {
        "empty_file": 30,
        "unsupported_format": 1,
        "not_a_regular_file": 1,
        "source_not_found": 1,
    }
    assert len(found.examples) == 20
    assert found.examples[0].message == "empty 0.wav is empty."
    assert found.audio_s == pytest.approx(1.0, abs=0.01)
    assert planned(studio, folder, probe=False).unreadable.get("unsupported_format") is None


def test_of_many_recordings_an_even_part_is_opened(studio: Studio, folder: Path) -> None:
    """And the length of all is told by it; the plan says how many it were."""
    first = recording(folder / "0.wav", 0.5)
    longer = recording(folder / "1.wav", 1.5)
    for number in range(2, 2_600):
        os.link(longer if number % 2 else first, folder / f"{number}.wav")

    found = planned(studio, folder)

    assert (found.new, found.headers, found.readable, found.sampled) == (2_600, 500, 2_600, True)
    assert found.audio_s == pytest.approx(2_600.0, rel=0.1)


def test_past_runs_tell_time_and_storage(studio: Studio, folder: Path) -> None:
    """By seconds of audio, from runs of the same kind, on as many workers as there are."""
    asked(studio, recording(folder / "past.wav", 2), run=True)
    [past] = studio.jobs.list()
    assert past.result is not None
    for number in (2, 3):
        recording(folder / f"{number}.wav", 4, seed=number)
    names = [folder / "2.wav", folder / "3.wav"]

    estimate = planned(studio, *names).estimate

    assert estimate is not None
    assert (estimate.runs, estimate.unlike, estimate.copied_bytes) == (1, 0, 0)
    assert estimate.time_s == pytest.approx(past.result.elapsed_s / 2 * 8 / 2, rel=0.01)
    masters = past.result.renditions[0].object.size_bytes / 2 * 8
    beside = (past.result.report.size_bytes + past.result.picture.size_bytes) * 2
    assert estimate.stored_bytes == pytest.approx(masters + beside, rel=0.01)

    copied = planned(studio, *names, defaults=Defaults(steps=QUICK.steps, outputs=QUICK.outputs, deliver_to="/m"))
    assert copied.estimate is not None
    assert copied.estimate.copied_bytes == pytest.approx(masters, rel=0.01)
    other_files = planned(studio, *names, defaults=Defaults(steps=QUICK.steps)).estimate
    assert other_files is not None
    assert other_files.stored_bytes is None
    assert planned(studio, *names, defaults=Defaults(preset="streaming")).estimate is None


def test_what_was_only_found_again_teaches_nothing(studio: Studio, folder: Path) -> None:
    """A job that was given the result of another took no time of its own."""
    first = recording(folder / "1.wav", 1)
    (folder / "2.wav").write_bytes(first.read_bytes())
    asked(studio, folder / "1.wav", run=True)
    asked(studio, folder / "2.wav", run=True)
    recording(folder / "3.wav", 1, seed=3)

    estimate = planned(studio, folder / "3.wav").estimate

    assert estimate is not None
    assert estimate.runs == 1


def test_what_lies_elsewhere_is_counted_and_not_looked_into(studio: Studio) -> None:
    """No request leaves for an https:// address."""
    found = planned(studio, "https://192.0.2.1/a.wav", "https://192.0.2.1/b.wav")

    assert (found.new, found.remote, found.unsized, found.headers, found.audio_s) == (2, 2, 2, 0, None)


def test_damaged_stores_are_noticed_wherever_they_are(studio: Studio, folder: Path, tmp_path: Path) -> None:
    """In a store that is no folder as well."""
    elsewhere = replace(studio, objects=ObjectStore(f"memory://{tmp_path.name}"))
    asked(elsewhere, recording(folder / "a.wav", 1), recording(folder / "b.wav", 1, seed=2), run=True)
    record = elsewhere.jobs.list()[0]
    assert record.result is not None
    elsewhere.objects.delete(record.result.report.uri)

    found = planned(elsewhere, folder)

    assert (found.done, found.lost, found.new) == (1, 1, 0)


# -- as people see it -----------------------------------------------------------------------------


def shown(found: Plan) -> str:
    """The plan as text."""
    console = Console(width=100, file=StringIO())
    console.print(plan_screen(found, place="masters"))
    return console.file.getvalue()


def test_a_plan_is_read_at_a_glance(studio: Studio, folder: Path) -> None:
    """What there is to do, for how long, what fails, and nothing that is not so."""
    recording(folder / "good.wav", 1)
    (folder / "bad [b].wav").touch()

    text = shown(planned(studio, folder))

    assert "2 recordings" in text
    assert "2  new" in text
    assert "unknown: nothing like it was done here before" in text
    assert "1 cannot be read" in text
    assert "bad [b].wav is empty." in text
    assert "already done" not in text


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (123_456_789, "123 MB"),
        (9.96e9, "10.0 GB"),
        (2.5e15, "2,500.0 TB"),
    ],
)
def test_sizes_in_words(size_bytes: float, words: str) -> None:
    """As disks are sold."""
    assert size_words(size_bytes) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (89, "89 s"), (90, "2 min"), (3600, "1 h"), (12_000, "3 h 20 min"), (4 * 86_400, "4 days")],
)
def test_times_in_words(seconds: float, words: str) -> None:
    """Roughly, as they are known."""
    assert time_words(seconds) == words


# -- the commands ---------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CliRunner]:
    """A user's folder with recordings, and the two commands."""
    for number in (1, 2):
        recording(tmp_path / "recordings" / f"{number}.wav", 1, seed=number)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIXDOWN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MIXDOWN_WORKERS", "1")
    return CliRunner()


@pytest.fixture
def commands() -> typer.Typer:
    """The two commands."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(batch_plan.plan)
    app.command()(batch_plan.submit)
    return app


def test_plan_submit_plan(desk: CliRunner, commands: typer.Typer) -> None:
    """What a plan calls new is accepted, and then waits; asked for again it is the same jobs."""
    found = json.loads(desk.invoke(commands, ["plan", "recordings", "--json"]).stdout)
    assert (found["items"], found["new"], found["to_do"]) == (2, 2, 2)

    told = desk.invoke(commands, ["submit", "recordings", "--title", "Show", "--urgent"])

    assert told.exit_code == 0, told.output
    [batch] = open_studio(Settings()).jobs.batches()
    assert (batch.title, batch.priority.value, batch.attached) == ("Show", "urgent", False)
    assert f"Batch {batch.id.hex[:8]}: 2 new." in told.stdout
    assert f"mixdown batch run {batch.id.hex[:8]}" in told.stdout
    assert json.loads(desk.invoke(commands, ["plan", "recordings", "--json"]).stdout)["queued"] == 2
    assert len(open_studio(Settings()).jobs.list()) == 2


def test_a_batch_that_somebody_takes_up(desk: CliRunner, commands: typer.Typer) -> None:
    """Where a warm process is there, the command says so."""
    jobs = open_studio(Settings()).jobs
    jobs.begin_shift("warm", batch_id=None, flow_run_id=None)

    told = desk.invoke(commands, ["submit", "recordings"])

    assert "It is taken up now." in told.stdout


def test_a_batch_worked_on_at_once(desk: CliRunner, commands: typer.Typer, tmp_path: Path) -> None:
    """With a manifest's own parameters; the masters lie where they are to be, and all is done afterwards."""
    (tmp_path / "list.csv").write_text("source,format,title\nrecordings/1.wav,flac,One\nrecordings/2.wav,wav,Two\n")

    told = desk.invoke(commands, ["submit", "--manifest", "list.csv", "--here", "--json"])

    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["counts"]["succeeded"] == 2
    assert sorted(path.name for path in (tmp_path / "masters").iterdir()) == ["1.flac", "2.wav"]
    again = json.loads(desk.invoke(commands, ["plan", "--manifest", "list.csv", "--json"]).stdout)
    assert (again["done"], again["to_do"]) == (2, 0)

    assert desk.invoke(commands, ["submit", "--manifest", "list.csv"]).exit_code == 0

    newest, _ = open_studio(Settings()).jobs.batches()
    assert newest.closed_at is not None  # nothing is left to do: nobody has to come for it


@pytest.mark.parametrize(
    ("words", "title"),
    [
        (["recordings"], "recordings"),
        (["recordings/1.wav", "recordings/*"], "1.wav and 1 more"),
        (["https://user:secret@192.0.2.1?signature=x"], "192.0.2.1"),
    ],
)
def test_a_batch_is_called_after_what_was_handed_in(
    words: list[str], title: str, desk: CliRunner, commands: typer.Typer
) -> None:
    """Without where it lies, and without what is nobody's business."""
    assert desk.invoke(commands, ["submit", *words]).exit_code == 0

    [batch] = open_studio(Settings()).jobs.batches()
    assert batch.title == title


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nowhere/*.wav"],
        ["recordings", "--preset", "vinyl"],
        ["recordings", "--step", "loudness"],
        ["recordings", "--out", "ftp://x"],
        ["--manifest", "missing.csv"],
    ],
)
def test_a_request_that_is_wrong_leaves_nothing_behind(
    words: list[str], desk: CliRunner, commands: typer.Typer
) -> None:
    """A sentence, exit code 2, and no batch."""
    for command in ("plan", "submit"):
        assert desk.invoke(commands, [command, *words]).exit_code == 2

    assert open_studio(Settings()).jobs.batches() == []
