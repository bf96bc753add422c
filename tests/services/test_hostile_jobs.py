"""What strangers send, the whole way: each file ends its own job, in a sentence, and nothing else."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from typer.testing import CliRunner

from mixdown.cli import app
from mixdown.model import (
    AudioFormat,
    Enhance,
    JobRecord,
    JobSpec,
    NoiseReduction,
    OutputSpec,
    Source,
    Stage,
    Status,
    StoredObject,
)
from mixdown.runner import run_jobs
from mixdown.settings import Settings
from mixdown.stages import run_stage
from mixdown.storage import ObjectStore, path_of
from mixdown.studio import Studio, open_studio
from mixdown.submission import sources, submit
from tests.hostile import HOSTILE, make_all
from tests.recordings import RECORDINGS
from tests.signals import recording

ROOT = Path(__file__).parent.parent.parent

#: Good recordings, with names that hurt.
NAMES = (
    "with spaces .wav",
    "Ümläut 🎧.wav",
    "line\nbreak.wav",
    "carriage\rreturn.wav",
    "tab\there.wav",
    "\x1b[31mred.wav",
    "\u202egnp.wav",
    "--out.wav",
    "~nobody-by-this-name.wav",
    "..two dots.wav",
    "%2e%2e%2fup.wav",
    "a%00b.wav",
    "a?b#c.wav",
    "http:x.wav",
    "back\\..\\slash.wav",
    "'; DROP TABLE jobs; --.wav",
    "$(touch pwned).wav",
    "[red]markup.wav",
    "{0} %s %n.wav",
    "x" * 251 + ".wav",
    "é" * 125 + ".wav",
    os.fsdecode(b"latin-\xe9.wav"),
    os.fsdecode(b"\xff\xfe.wav"),
)

#: No recordings, with names that hurt.
BROKEN = (
    "broken\nline.mp3",
    "\x1b[31mbroken.mp3",
    "broken \u202e3pm.mp3",
    os.fsdecode(b"broken-\xe9.mp3"),
    "z" * 251 + ".mp3",
)

#: Names that a request may claim for a recording; what is delivered is named after them.
CLAIMED = (
    "../../../escaped.wav",
    "/etc/passwd",
    "..",
    ".",
    "-",
    "a\0b.wav",
    "C:\\windows\\x.wav",
    "y" * 1024,
    "  ",
)

#: Decoded for minutes before they are known for what they are: without the noise reduction that this would cost.
_BOMBS = ("ten-hours.flac", "five-hours.opus")


@dataclass(frozen=True)
class Batch:
    """One batch of everything, as it ended."""

    folder: Path
    studio: Studio
    records: dict[str, JobRecord]
    good: list[JobRecord]
    broken: list[JobRecord]
    before: set[Path]

    @property
    def masters(self) -> Path:
        """Where copies were asked for."""
        return self.folder / "deep" / "masters"


def tree(folder: Path) -> set[Path]:
    """Every file, folder and link below a folder."""
    return set(folder.rglob("*"))


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every hostile file and every hostile name, among two good recordings."""
    folder = tmp_path_factory.mktemp("hostile") / "inbox"
    folder.mkdir()
    with chdir(folder):  # for the socket, whose address must be short
        make_all(folder)
    RECORDINGS["16.wav"].make(folder / "good.wav")
    for name in NAMES:
        (folder / name).hardlink_to(folder / "good.wav")
    for name in BROKEN:
        (folder / name).write_text("This is a letter, not a song.")
    recording(folder / "talk.wav", 2)
    return folder


@pytest.fixture(scope="module")
def batch(inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> Batch:
    """All of it through the core, as one batch."""
    folder = tmp_path_factory.mktemp("batch")
    studio = open_studio(Settings(home=folder / "home"))
    before = tree(folder) | tree(inbox)
    masters = str(folder / "deep" / "masters")
    hostile = {
        name: JobSpec(
            source=Source(uri=str(inbox / name)),
            work=Enhance(noise_reduction=NoiseReduction.off if name in _BOMBS else None),
            deliver_to=masters,
        )
        for name in HOSTILE
    }
    good = [
        *(source for name in (*NAMES, "good.wav", "talk.wav") for source in sources([str(inbox / name)])),
        *(Source(uri=str(inbox / "good.wav"), filename=name) for name in CLAIMED),
        Source(uri=f"{inbox}/../inbox/../{inbox.name}/good.wav"),
        Source(uri="file://" + quote(os.fsencode(inbox / NAMES[-1]))),
    ]
    broken = sources([str(inbox / name) for name in BROKEN])
    others = [JobSpec(source=source, deliver_to=masters) for source in (*broken, *good)]
    ended = run_jobs(studio, [record.id for record in submit(studio, [*hostile.values(), *others])])
    start, end = len(hostile), len(hostile) + len(broken)
    return Batch(folder, studio, dict(zip(hostile, ended, strict=False)), ended[end:], ended[start:end], before)


def assert_a_sentence(message: str | None, name: str) -> None:
    """One line for a person, which names the recording and nothing of this machine."""
    assert message
    assert name[:90] in message  # the longest are cut
    assert message.endswith(".")
    assert "\n" not in message
    assert len(message) < 200
    for leak in ("/tmp", "/proc", "scratch", "Traceback", "Error", "Exception", 'File "', " 0x"):
        assert leak not in message


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_each_hostile_file_ends_one_job(batch: Batch, name: str) -> None:
    """A job that failed has the code of what is wrong and says so; one that succeeded says what it had to skip."""
    record, expected = batch.records[name], HOSTILE[name]

    assert record.error_code == expected.code
    if expected.code is None:
        assert record.status is Status.succeeded
        assert record.result is not None
        warnings = record.result.warnings
        assert expected.warning is None or any(expected.warning in warning for warning in warnings), warnings
        assert (batch.masters / delivered_name(record)).stat().st_size > 1000
    else:
        assert record.status is Status.failed
        assert record.result is None
        assert record.failed_stage in (Stage.validate, Stage.process)
        assert_a_sentence(record.error_detail, name)


def delivered_name(record: JobRecord) -> str:
    """What the copy of a master is called."""
    assert record.result is not None
    [master] = record.result.renditions
    path = path_of(master.delivered_uri or "")
    assert path is not None
    return path.name


def test_broken_files_are_named_on_one_line(batch: Batch) -> None:
    """Whatever its name is made of, a sentence about a file stays a sentence and shows what can be shown of it."""
    for record in batch.broken:
        assert record.error_code == "unsupported_format"
        assert record.spec.filename.isprintable()
        assert_a_sentence(record.error_detail, record.spec.filename)


def test_every_job_ends_once(batch: Batch) -> None:
    """No job is tried again, none is left running, and each has one end in its history."""
    for record in [*batch.records.values(), *batch.good, *batch.broken]:
        kinds = Counter(event.kind for event in batch.studio.jobs.events(record.id))
        assert (kinds["claimed"], kinds["succeeded"] + kinds["failed"]) == (1, 1), record.spec.source.uri
        assert record.attempts == 1


def test_good_neighbors_succeed(batch: Batch) -> None:
    """Whatever it is called, and whatever it is called by others, a good recording is delivered."""
    failed = {record.spec.filename: record.error_detail for record in batch.good if record.error_code}

    assert failed == {}


def test_masters_have_harmless_names(batch: Batch) -> None:
    """Copies lie in the folder that was asked for, not in or above others, under names that hurt nobody."""
    copies = sorted(batch.masters.iterdir())

    assert {"escaped.mp3", "passwd.mp3", "x.mp3", "slash.mp3"} <= {path.name for path in copies}
    assert {delivered_name(record) for record in batch.good} <= {path.name for path in copies}
    assert all(path.is_file() and not path.is_symlink() for path in copies)
    for path in copies:
        assert path.name.isprintable()
        assert path.name.encode().decode() == path.name
        assert not path.name.startswith(("-", "."))
        assert not set(path.name) & set('/\\:*?"<>|\u202e')


def test_nothing_is_left_behind(batch: Batch, inbox: Path) -> None:
    """New are the ledger, the results and the copies; scratch is empty, nothing is staged, no source is touched."""
    settings = batch.studio.settings
    new = (tree(batch.folder) | tree(inbox)) - batch.before
    home, deep = settings.home, batch.folder / "deep"

    assert {path for path in new if not path.is_relative_to(home) and not path.is_relative_to(deep)} == set()
    assert tree(deep) - {deep, batch.masters} == set(batch.masters.iterdir())
    assert {path.name.partition("-")[0] for path in home.iterdir()} <= {"mixdown.db", "results", "scratch"}
    assert tree(settings.effective_scratch) == set()
    assert [key for key, _, _ in batch.studio.objects.list() if not key.startswith("masters/")] == []


def test_the_same_recording_under_many_names_is_one_result(batch: Batch) -> None:
    """However often its bytes come in, under whatever name, a recording is mastered once and stored once."""
    keys = {record.result.result_key for record in batch.good if record.result}

    assert len(batch.good) == len(NAMES) + len(CLAIMED) + 4
    assert len(keys) == 2  # good.wav and talk.wav


# -- the command line -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str
    folder: Path


@pytest.fixture(scope="module")
def command(inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """`mixdown process` over the whole folder, at ten minutes of audio at most."""
    folder = tmp_path_factory.mktemp("command")
    (folder / "cwd").mkdir()
    return process(folder, str(inbox), "--out", "../deep/masters", "--json", MIXDOWN_MAX_DURATION_S="600")


def process(folder: Path, *arguments: str, **settings: str) -> Ran:
    """Run the command in `cwd` of this folder, with `home` of this folder for its home."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MIXDOWN_", "PREFECT_"))}
    ran = subprocess.run(
        [sys.executable, "-m", "mixdown.cli", "process", *arguments],
        cwd=folder / "cwd",
        env={**clean, "MIXDOWN_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT), **settings},
        capture_output=True,
        check=False,
    )
    return Ran(ran.returncode, ran.stdout.decode(), ran.stderr.decode(), folder)


def test_command_line_tells_programs_what_came_of_each(command: Ran, batch: Batch) -> None:
    """Exit code 1, valid JSON with the state of each recording, and nothing on stderr to be frightened by."""
    documents = json.loads(command.out)

    assert command.code == 1
    assert command.err == ""
    codes = {each["filename"]: (each["error"] or {}).get("code") for each in documents}
    assert codes["talk.wav"] is None
    expected = {
        # A person named the folder, so that links in it are followed.
        **{"link.wav": None, "target-of-a-link.wav": None, "link-to-nothing.wav": "source_not_found"},
        **dict.fromkeys(("ten-hours.flac", "five-hours.opus"), "too_long"),
    }
    for name, hostile in HOSTILE.items():
        if name in codes:
            assert codes[name] == expected.get(name, hostile.code), name
    assert len(documents) > 80
    for each in documents:
        assert each["state"] == ("failed" if each["error"] else "succeeded")
        if each["error"]:
            assert_a_sentence(each["error"]["message"], each["filename"])


def test_command_line_writes_where_it_was_told(command: Ran) -> None:
    """Copies are in the folder named by `--out`, everything else is in the home; the working folder stays empty."""
    home, masters = command.folder / "home", command.folder / "deep" / "masters"

    new = {path for path in tree(command.folder) if not path.is_relative_to(home)}

    assert new == {command.folder / "cwd", command.folder / "deep", masters, *masters.iterdir()}
    assert tree(home / "scratch") == set()
    assert len(list(masters.iterdir())) == len(
        {master["uri"] for each in json.loads(command.out) for master in each["masters"]}
    )


def test_command_line_in_a_terminal_without_unicode(inbox: Path, tmp_path: Path) -> None:
    """Names that it cannot print are escaped in the JSON; a second run finds all done, masters among it or not."""
    (tmp_path / "cwd").mkdir()
    (tmp_path / "cwd" / "🎧.wav").hardlink_to(inbox / "good.wav")

    ran = [process(tmp_path, ".", "--json", PYTHONIOENCODING="ascii") for _ in range(2)]

    for each in ran:
        [document] = json.loads(each.out)
        assert (each.code, each.err, document["filename"]) == (0, "", "🎧.wav")
    assert ran[0].out == ran[1].out
    assert [path.name for path in (tmp_path / "cwd" / "masters").iterdir()] == ["🎧.mp3"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["x.wav", "--notify", "example.org"], 2, "Whom to notify is an https:// address"),
        (["x.wav", "--preset", "vinyl"], 2, "There is no preset “vinyl”"),
        (["."], 2, "There is no recording in the folder “empty”"),
        ([""], 2, "A recording needs a name"),
    ],
)
def test_command_line_refuses_what_makes_no_sense(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, sentence: str
) -> None:
    """Exit code 2 and a sentence; nothing is written down."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)

    ran = CliRunner().invoke(app, ["process", *arguments], env={"MIXDOWN_HOME": str(tmp_path / "home")})

    assert (ran.exit_code, ran.stdout) == (code, "")
    assert sentence in " ".join(ran.stderr.split())
    assert tree(tmp_path) == {folder}


# -- no room --------------------------------------------------------------------------------------

#: Of the recordings below: too long to be held in memory.
_LONG_S = 24
#: Their frames at 8 bytes each, in whole pages: what the first pass leaves on the disk.
_INTERMEDIATE_KIB = _LONG_S * 48_000 * 8 // 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for the first pass, and for no master: for others than root, not even for that."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_INTERMEDIATE_KIB + 8}k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300 << 10, hard))  # more than the database, less than the first pass
    try:
        yield folder
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def run_through(studio: Studio, job_id: UUID) -> JobRecord:
    """A job through its stages, each one tried once."""
    with studio.at_work() as shift:
        claim = studio.claim(job_id, shift.owner)
        assert claim is not None
        claims = [claim]
        for stage in (Stage.validate, Stage.process, Stage.store):
            claims = run_stage(stage, studio, claims)
    return studio.jobs.get(job_id)


def test_a_job_waits_for_a_disk_that_is_full_at_once(full_folder: Path, tmp_path: Path) -> None:
    """No room for the first pass over a recording: the same code, the same sentence, nothing left."""
    talk = recording(tmp_path / "talk.wav", _LONG_S, channels=2)
    studio = open_studio(Settings(home=tmp_path / "home", scratch=full_folder))
    [queued] = submit(studio, [JobSpec(source=Source(uri=str(talk)))])

    record = run_through(studio, queued.id)

    assert (record.status, record.error_code, record.error_detail) == (
        *(Status.queued, "scratch_full"),
        "The scratch disk is full.",
    )
    assert tree(full_folder) == set()
    assert list(studio.objects.list()) == []


@pytest.mark.parametrize("audio_format", list(AudioFormat))
def test_a_job_waits_for_room_on_the_scratch_disk(
    small_disk: Path, tmp_path: Path, audio_format: AudioFormat
) -> None:
    """No room for a master: it waits, a code and a sentence say why, no part of one lies about; then it goes."""
    talk = recording(tmp_path / "talk.wav", _LONG_S, channels=2)
    spec = JobSpec(source=Source(uri=str(talk)), outputs=(OutputSpec(format=audio_format),))
    settings = Settings(home=tmp_path / "home", scratch=small_disk)
    studio = open_studio(settings)
    [queued] = submit(studio, [spec])

    record = run_through(studio, queued.id)

    assert (record.status, record.error_code, record.stage) == (Status.queued, "scratch_full", Stage.validate)
    assert record.error_detail == "The scratch disk is full."
    assert tree(small_disk) == set()
    assert list(studio.objects.list()) == []
    roomy = open_studio(settings.model_copy(update={"scratch": tmp_path / "roomy"}), jobs=studio.jobs)
    [again] = submit(roomy, [spec])
    assert (again.id, again.status) == (queued.id, Status.queued)
    if small_disk.is_mount():
        assert run_through(roomy, again.id).status is Status.succeeded


# -- a bug of ours --------------------------------------------------------------------------------


class ForgetfulStore(ObjectStore):
    """A store with a bug: it cannot take WAV."""

    def put_file(self, path: Path, key: str, *, media_type: str, **how: Any) -> StoredObject:
        """Store a file, or stumble."""
        if media_type == AudioFormat.wav.media_type:
            raise KeyError(f"{path} is unheard of")
        return super().put_file(path, key, media_type=media_type, **how)


def test_a_bug_ends_its_own_job_and_tells_no_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An error nobody foresaw is `internal`: details are in the log, not in the job, and neighbors go on."""
    talk = recording(tmp_path / "talk.wav", 1)
    settings = Settings(home=tmp_path / "home")
    studio = open_studio(settings, objects=ForgetfulStore(settings.effective_results_url))
    flac, wav, ogg = (OutputSpec(format=each) for each in (AudioFormat.flac, AudioFormat.wav, AudioFormat.ogg))
    specs = [JobSpec(source=Source(uri=str(talk)), outputs=outputs) for outputs in ((flac,), (flac, wav), (ogg,))]

    ended = run_jobs(studio, [record.id for record in submit(studio, specs)])

    assert [record.error_code for record in ended] == [None, "internal", None]
    assert ended[1].error_detail == "Mixdown has a bug here; its log has the details."
    assert "is unheard of" in caplog.text
    assert tree(settings.effective_scratch) == set()
    assert [key for key, _, _ in studio.objects.list() if key.startswith("staged/")] == []
