"""Requests become jobs: what a person names, when two requests are the same, and what is done again."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mixdown import presets
from mixdown.errors import InvalidRequest, UnknownPreset
from mixdown.model import (
    AudioFormat,
    Enhance,
    HighPass,
    JobRecord,
    JobSpec,
    Loudness,
    NoiseReduction,
    OutputSpec,
    Source,
    Stage,
    Status,
)
from mixdown.runner import run_jobs
from mixdown.settings import Settings
from mixdown.storage import ObjectStore, path_of
from mixdown.studio import Studio, objects_of, open_studio
from mixdown.submission import enhance_specs, known, only, size_hint_bytes, sources, submission_key, submit
from tests.signals import recording

FLAC = (OutputSpec(format=AudioFormat.flac),)
QUICK = Enhance(steps=(Loudness(),))


def touched(path: Path) -> Path:
    """An empty file, its folders made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


# -- what a person names --------------------------------------------------------------------------


def test_a_file_is_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its suffix; the path is made absolute, as its name must mean the same in every process."""
    monkeypatch.chdir(tmp_path)
    touched(tmp_path / "talk.xyz")

    [source] = sources(["talk.xyz"])

    assert source == Source(uri=str(tmp_path / "talk.xyz"), filename="talk.xyz")


def test_a_missing_file_ends_its_own_job_later(tmp_path: Path) -> None:
    """Nothing is refused here for what only one of many jobs would fail with."""
    for name in ("missing.wav", "n" * 300, "folder/" * 500 + "x.wav"):
        [source] = sources([str(tmp_path / name)])
        assert source.name == Path(name).name


def test_a_folder_is_every_recording_below_it(tmp_path: Path) -> None:
    """By suffix in any case, however deep, in the order of their paths; folders are no recordings."""
    wanted = [touched(tmp_path / name) for name in ("a.WAV", "b/c.flac", "b/d/e.Mp3", "z.opus")]
    for name in ("notes.txt", "b/cover.jpg", "wav", "x.wav.part"):
        touched(tmp_path / name)
    (tmp_path / "album.wav").mkdir()

    assert sources([str(tmp_path)]) == [Source(uri=str(path), filename=path.name) for path in wanted]


def test_several_names_keep_their_order(tmp_path: Path) -> None:
    """Files, folders and addresses, one after the other, also twice."""
    first, second = touched(tmp_path / "b.wav"), touched(tmp_path / "folder" / "a.wav")

    found = sources([str(first), "s3://bucket/key.wav", str(tmp_path / "folder"), str(first)])

    assert [source.uri for source in found] == [str(first), "s3://bucket/key.wav", str(second), str(first)]


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    """The sentence names the folder, not where it lies."""
    touched(tmp_path / "empty" / "notes.txt")

    with pytest.raises(InvalidRequest, match=r"^There is no recording in the folder “empty”\.$"):
        sources([str(tmp_path / "empty")])


@pytest.mark.parametrize(
    "address",
    ["s3://bucket/a b.wav", "https://example.org/x.mp3?a=b#c", "HTTP://example.org/x", "ftp://x/y", "http://[::1"],
)
def test_addresses_stay_as_they_are(address: str) -> None:
    """What is wrong with one is told by who fetches it, for its job alone."""
    assert sources([address]) == [Source(uri=address)]


@pytest.mark.parametrize("name", ["", "a\0b.wav", "s3://" + "k" * 5000])
def test_what_is_no_name_is_refused(name: str) -> None:
    """In a sentence."""
    with pytest.raises(InvalidRequest, match=r"^[A-Z].*\.$"):
        sources([name])


def test_links_that_a_person_names_are_followed(tmp_path: Path) -> None:
    """The recording is where the link leads, and is called what the link is called; a circle leads nowhere."""
    target = touched(tmp_path / "target.wav")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link.wav").symlink_to(target)
    (tmp_path / "circle.wav").symlink_to(tmp_path / "circle.wav")

    assert sources([str(tmp_path / "folder")]) == [Source(uri=str(target), filename="link.wav")]
    [circle] = sources([str(tmp_path / "circle.wav")])
    assert circle.name == "circle.wav"


@pytest.mark.parametrize(
    "name",
    ["line\nbreak.wav", "a?b#c.wav", "%41.wav", "~nobody-by-this-name.wav", "http:x.wav", "-rf.wav", "[x.wav"],
)
def test_names_mean_what_they_say(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the name of a file is taken for an address, an option or a home."""
    monkeypatch.chdir(tmp_path)
    touched(tmp_path / name)

    assert path_of(sources([name])[0].uri) == tmp_path / name
    assert path_of(sources([str(tmp_path)])[0].uri) == tmp_path / name
    assert path_of(sources([(tmp_path / name).as_uri()])[0].uri) == tmp_path / name


def test_the_home_of_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tilde is the home, where a shell has not said so already."""
    monkeypatch.setenv("HOME", str(tmp_path))

    assert sources(["~/talk.wav"])[0].uri == str(tmp_path / "talk.wav")
    [spec] = enhance_specs(sources(["~/talk.wav"]), preset="podcast", deliver_to="~/masters")
    assert spec.deliver_to == str(tmp_path / "masters")


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """A name in another encoding travels percent-encoded, and is found again."""
    path = touched(tmp_path / os.fsdecode(b"caf\xe9.wav"))

    found = sources([str(tmp_path), str(path), path.as_uri()])

    for source in found:
        assert source.name == "caf\ufffd.wav"
        assert path_of(source.uri) == path
        assert source.uri.isascii()


def test_masters_are_no_recordings(tmp_path: Path) -> None:
    """Where masters are delivered into the folder that was named, the next run does not master them again."""
    talk = touched(tmp_path / "talk.wav")
    touched(tmp_path / "masters" / "deep" / "talk.mp3")
    touched(tmp_path / "masters2.wav")

    found = sources([str(tmp_path)], deliver_to=str(tmp_path / "masters"))

    assert [source.name for source in found] == ["masters2.wav", "talk.wav"]
    named = sources([str(tmp_path / "masters")], deliver_to=str(tmp_path / "masters"))
    assert [source.name for source in named] == ["talk.mp3"]
    assert len(sources([str(tmp_path)], deliver_to="s3://bucket")) == 3
    assert sources([str(talk)], deliver_to=str(tmp_path)) == sources([str(talk)])


def test_one_where_one_was_asked_for() -> None:
    """A folder of several is not one recording."""
    talk = Source(uri="/talk.wav")

    assert only([talk]) == talk
    for several in ([], [talk, talk]):
        with pytest.raises(InvalidRequest):
            only(several)


def test_sizes_are_known_where_that_is_free(tmp_path: Path) -> None:
    """The size of what lies here; 0 for what is elsewhere, not there, or cannot be."""
    (tmp_path / "a b.wav").write_bytes(b"12345")

    sizes = [
        size_hint_bytes(Source(uri=uri))
        for uri in (
            *(str(tmp_path / "a b.wav"), (tmp_path / "a b.wav").as_uri()),
            *("https://example.org/x", "s3://b/k", "http://[::1", "/missing", "/" + "n" * 300, str(tmp_path)),
        )
    ]

    assert sizes == [5, 5, 0, 0, 0, 0, 0, 0]


# -- requests -------------------------------------------------------------------------------------


def test_requests_are_alike() -> None:
    """Every recording gets the same work, the same outputs, the same receivers."""
    found = [Source(uri="/a.wav"), Source(uri="s3://b/b.wav")]

    specs = enhance_specs(found, "broadcast-ebu", NoiseReduction.full, FLAC, "s3://out", "https://example.org/hook")

    assert [spec.source for spec in specs] == found
    for spec in specs:
        assert spec.work == Enhance(preset="broadcast-ebu", noise_reduction=NoiseReduction.full)
        assert (spec.outputs, spec.deliver_to) == (FLAC, "s3://out")
        assert [target.url for target in spec.notify] == ["https://example.org/hook"]


def test_requests_that_make_no_sense_are_refused_at_once() -> None:
    """Before anything is written down, in a sentence."""
    found = [Source(uri="/a.wav")]

    with pytest.raises(UnknownPreset):
        enhance_specs(found, "vinyl")
    with pytest.raises(InvalidRequest, match="must end with its loudness step"):
        enhance_specs(found, "podcast", steps=[Loudness(), HighPass()])
    with pytest.raises(InvalidRequest, match=r"^This is not a webhook address: .*\.$"):
        enhance_specs(found, "podcast", notify_url="ftp://example.org")


def test_masters_go_to_one_folder_whoever_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is named from the root on; an address stays as it is, and none stays none."""
    monkeypatch.chdir(tmp_path)
    found = [Source(uri="/a.wav")]

    places = [
        enhance_specs(found, "podcast", deliver_to=place)[0].deliver_to
        for place in ("masters", "s3://b/p", "", None)
    ]

    assert places == [str(tmp_path / "masters"), "s3://b/p", None, None]


# -- jobs -----------------------------------------------------------------------------------------


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    """Everything in a folder of its own."""
    return open_studio(Settings(home=tmp_path / "home"))


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """A second of speech."""
    return recording(tmp_path / "talk.wav", 1)


def ask(path: Path, **more: object) -> JobSpec:
    """A request that is quick to fulfil."""
    return JobSpec.model_validate({"source": Source(uri=str(path)), "work": QUICK, "outputs": FLAC, **more})


def done(studio: Studio, *specs: JobSpec) -> list[JobRecord]:
    """Ask, and work through what is asked."""
    return run_jobs(studio, [record.id for record in submit(studio, specs)])


def test_same_request_same_key(studio: Studio, talk: Path) -> None:
    """A request about the same bytes in the same place is the same request."""
    assert submission_key(studio, ask(talk)) == submission_key(studio, ask(talk))


def test_another_request_has_another_key(studio: Studio, talk: Path, tmp_path: Path) -> None:
    """Another recording, other work, another place for the masters, other receivers, another store."""
    other = recording(tmp_path / "other.wav", 1)
    elsewhere = replace(studio, objects=ObjectStore(str(tmp_path / "elsewhere")))
    keys = [
        submission_key(studio, ask(talk)),
        submission_key(studio, ask(other)),
        submission_key(studio, ask(tmp_path / "missing.wav")),
        submission_key(studio, ask(talk, work=Enhance())),
        submission_key(studio, ask(talk, outputs=(OutputSpec(),))),
        submission_key(studio, ask(talk, deliver_to="/masters")),
        submission_key(studio, ask(talk, notify=[{"url": "https://example.org"}])),
        submission_key(elsewhere, ask(talk)),
    ]

    assert len(set(keys)) == len(keys)


def test_a_recording_that_changed_is_another_request(studio: Studio, talk: Path) -> None:
    """Also where only its time says so; and one that came back as it was is the first again."""
    before, times = submission_key(studio, ask(talk)), talk.stat()

    os.utime(talk, ns=(times.st_atime_ns, times.st_mtime_ns + 1_000_000))
    assert submission_key(studio, ask(talk)) != before
    os.utime(talk, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert submission_key(studio, ask(talk)) == before
    talk.unlink()
    assert submission_key(studio, ask(talk)) != before


def test_asked_again_it_is_the_same_job(studio: Studio, talk: Path) -> None:
    """Queued or done: the job is there, once, and what is done stays done."""
    [first], [again] = submit(studio, [ask(talk)]), submit(studio, [ask(talk)])
    assert (again.id, again.status) == (first.id, Status.queued)
    [ended] = done(studio, ask(talk))

    [later] = submit(studio, [ask(talk)])

    assert later == ended
    assert (later.status, later.attempts) == (Status.succeeded, 1)
    assert len(studio.jobs.list()) == 1


def test_twice_in_one_request_is_one_job(studio: Studio, talk: Path) -> None:
    """A recording named twice is given back twice and done once."""
    one, other = submit(studio, [ask(talk), ask(talk)])

    assert one.id == other.id
    assert len(studio.jobs.list()) == 1


def test_a_failed_job_is_queued_again(studio: Studio, tmp_path: Path) -> None:
    """Asked for again, what failed is tried again, from the start and under the same id."""
    [failed] = done(studio, ask(tmp_path / "later.wav"))
    assert (failed.status, failed.error_code) == (Status.failed, "source_not_found")

    [again] = submit(studio, [ask(tmp_path / "later.wav")])

    assert (again.id, again.status, again.error_code, again.failed_stage) == (failed.id, Status.queued, None, None)


def delete_master(studio: Studio, job: JobRecord) -> None:
    assert job.result is not None
    studio.objects.delete(job.result.renditions[0].object.uri)


def delete_report(studio: Studio, job: JobRecord) -> None:
    assert job.result is not None
    studio.objects.delete(job.result.report.uri)


def delete_copy(studio: Studio, job: JobRecord) -> None:
    copy_of(job).unlink()


def copy_of(job: JobRecord) -> Path:
    """The copy of the one master under the recording's own name."""
    assert job.result is not None
    path = path_of(job.result.renditions[0].delivered_uri or "")
    assert path is not None
    return path


@pytest.mark.parametrize("delete", [delete_master, delete_report, delete_copy])
def test_a_deleted_result_is_made_again(
    delete: Callable[[Studio, JobRecord], None], studio: Studio, talk: Path, tmp_path: Path
) -> None:
    """Whatever of it is gone, the job is queued again when it is asked for, and all of it is back."""
    spec = ask(talk, deliver_to=str(tmp_path / "masters"))
    [first] = done(studio, spec)
    delete(studio, first)

    [again] = submit(studio, [spec])

    assert (again.id, again.status, again.stage) == (first.id, Status.queued, None)
    [second] = run_jobs(studio, [again.id])
    assert second.status is Status.succeeded
    assert second.result is not None
    assert studio.intact(second.result)
    assert copy_of(second).exists()


def test_a_deleted_result_touches_no_other(studio: Studio, talk: Path, tmp_path: Path) -> None:
    """Of several jobs asked for again only the one whose result is gone is done again, in its place in the list."""
    specs = [ask(talk), ask(recording(tmp_path / "other.wav", 1, seed=5)), ask(talk, outputs=(OutputSpec(),))]
    before = done(studio, *specs)
    delete_master(studio, before[1])

    after = submit(studio, specs)

    assert [record.id for record in after] == [record.id for record in before]
    assert [record.status for record in after] == [Status.succeeded, Status.queued, Status.succeeded]


def test_same_bytes_under_another_name_are_not_processed_again(studio: Studio, talk: Path, tmp_path: Path) -> None:
    """The second job is given the masters of the first, under its own name, and says so."""
    twin = tmp_path / "twin.wav"
    twin.write_bytes(talk.read_bytes())
    place = str(tmp_path / "masters")
    [first] = done(studio, ask(talk, deliver_to=place))

    [second] = done(studio, ask(twin, deliver_to=place))

    assert first.result is not None
    assert second.result is not None
    assert second.id != first.id
    assert (first.result.reused, second.result.reused) == (False, True)
    assert objects_of(second.result) == objects_of(first.result)
    assert second.work.get("processed") is None
    assert [path.name for path in sorted(Path(place).iterdir())] == ["talk.flac", "twin.flac"]
    assert copy_of(second).read_bytes() == copy_of(first).read_bytes()


def test_a_request_put_in_other_words_is_not_processed_again(studio: Studio, talk: Path) -> None:
    """Other words, same work: steps of one's own that are those of a preset are the preset."""
    [first] = done(studio, ask(talk, work=Enhance(preset="podcast")))

    [second] = done(studio, ask(talk, work=Enhance(steps=presets.load("podcast").steps)))

    assert second.id != first.id
    assert second.result is not None
    assert second.result.reused


def test_what_is_known_is_only_looked_up(studio: Studio, talk: Path, tmp_path: Path) -> None:
    """Jobs that were asked for before, None for the others; nothing is written, and nothing is queued again."""
    [failed] = done(studio, ask(tmp_path / "missing.wav"))

    found = known(studio, [ask(talk), ask(tmp_path / "missing.wav"), ask(talk)])

    assert found == [None, failed, None]
    assert failed.failed_stage is Stage.validate
    assert [record.id for record in studio.jobs.list()] == [failed.id]


def test_a_place_that_nothing_can_be_delivered_to_is_refused_at_once() -> None:
    """Before any work is done, not after all of it."""
    with pytest.raises(InvalidRequest, match=r"delivered to ftp://: name a folder or an s3:// prefix"):
        enhance_specs([Source(uri="/x.wav")], "podcast", deliver_to="ftp://example.org/masters")
