"""Scripts become audio: planned, said in parts, joined, mastered; what was said once is not said again."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mixdown.codec.probe import probe
from mixdown.errors import InvalidRequest
from mixdown.items import Defaults
from mixdown.model import Generate, JobRecord, JobSpec, Listening, OutputSpec, Source, Status
from mixdown.runner import run_jobs
from mixdown.scripts import (
    generate_of,
    music_of,
    row_requests,
    rows_at,
    script_requests,
    scripts_at,
    source_of_text,
)
from mixdown.settings import Settings
from mixdown.storage import SPEECH
from mixdown.studio import Studio, open_studio
from mixdown.submission import submit
from tests.golden.other_meter import loudness_lufs

DRAFT = Generate(quality="draft", listening=Listening.off)

SCRIPT = """# The keys

Nobody knows where the old keys have gone. They hung behind the door for years.

# The end

Then, one morning, they were back. [pause 1.0] She laughed.
"""


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return open_studio(Settings(home=tmp_path / "home", workers=2))


def asked(source: Source, work: Generate = DRAFT, *outputs: OutputSpec) -> JobSpec:
    [(spec, _)] = script_requests([source], Defaults(work=work, outputs=outputs))
    return spec


def generated(studio: Studio, source: Source, work: Generate = DRAFT, *outputs: OutputSpec) -> JobRecord:
    [record] = submit(studio, [asked(source, work, *outputs)])
    [record] = run_jobs(studio, [record.id])
    return record


def chunks_in(studio: Studio) -> set[str]:
    return {key for key, _, _ in studio.objects.list(SPEECH)}


def attachment(studio: Studio, record: JobRecord, name: str) -> str:
    assert record.result is not None
    [found] = [each for each in record.result.attachments if each.name == name]
    return studio.objects.read_bytes(found.object.uri).decode()


def master(studio: Studio, record: JobRecord, index: int = 0) -> Path:
    assert record.result is not None, record.error_detail
    path = studio.objects.local_path(record.result.renditions[index].object.uri)
    assert path is not None
    return path


def test_a_script_becomes_a_master_with_chapters_and_captions(studio: Studio) -> None:
    """At the loudness of its preset; everything that was written is in the captions, in order."""
    record = generated(studio, source_of_text(SCRIPT, "keys.md"), DRAFT, OutputSpec(format="mp3"))

    assert record.status is Status.succeeded, record.error_detail
    assert record.result is not None
    [rendition] = record.result.renditions
    assert rendition.target_lufs is not None
    assert rendition.after.integrated_lufs == pytest.approx(rendition.target_lufs, abs=0.2)
    timings = json.loads(attachment(studio, record, "timings.json"))
    assert [line["text"] for line in timings] == [
        "The keys",
        "Nobody knows where the old keys have gone.",
        "They hung behind the door for years.",
        "The end",
        "Then, one morning, they were back.",
        "She laughed.",
    ]
    assert timings[-1]["start_s"] - timings[-2]["end_s"] == pytest.approx(1.0, abs=0.01)
    assert timings[-1]["end_s"] <= rendition.after.duration_s
    assert attachment(studio, record, "captions.vtt").startswith("WEBVTT")
    report = json.loads(studio.objects.read_bytes(record.result.report.uri))
    assert (report["speech"]["engine"], report["work"]["kind"]) == ("pico", "generate")
    probed = probe(master(studio, record), name="keys.mp3", limits=studio.settings.limits)
    assert probed.tags["title"] == "The keys"


def test_a_changed_sentence_costs_one_chunk(studio: Studio) -> None:
    """All others are found again, whatever the job."""
    text = " ".join(f"This is sentence number {number} of the story." for number in range(30))
    generated(studio, source_of_text(text))
    before = chunks_in(studio)

    record = generated(studio, source_of_text(text.replace("number 17 of", "number seventeen of")))

    assert record.status is Status.succeeded
    assert len(before) == 30
    assert len(chunks_in(studio) - before) == 1


def test_the_same_script_gives_the_same_job_and_another_output_the_same_speech(studio: Studio) -> None:
    """Nothing is done twice."""
    first = generated(studio, source_of_text(SCRIPT, "keys.md"))
    before = {key: at for key, _, at in studio.objects.list(SPEECH)}

    again = generated(studio, source_of_text(SCRIPT, "keys.md"))
    other = generated(studio, source_of_text(SCRIPT, "keys.md"), DRAFT, OutputSpec(format="flac"))

    assert again.id == first.id
    assert other.status is Status.succeeded
    assert {key: at for key, _, at in studio.objects.list(SPEECH)} == before


def test_a_long_script_is_said_in_parts_and_sounds_as_in_one(studio: Studio, tmp_path: Path) -> None:
    """Parts leave chunks in the store and nothing else: two processes at once give the very same bytes."""
    text = "\n\n".join(
        f"Paragraph {n} begins here. It goes on for some more words, and then it ends." for n in range(60)
    )
    alone = open_studio(Settings(home=tmp_path / "alone", workers=1))

    together = generated(studio, source_of_text(text))
    one_by_one = generated(alone, source_of_text(text))

    assert together.status is one_by_one.status is Status.succeeded, together.error_detail
    parts = together.work["validated"]["speech"]["parts"]
    assert parts > 1
    assert master(studio, together).read_bytes() == master(alone, one_by_one).read_bytes()


def test_a_damaged_chunk_is_said_again(studio: Studio) -> None:
    """What lies in the store is never trusted unseen."""
    first = generated(studio, source_of_text(SCRIPT, "keys.md"), DRAFT, OutputSpec(format="wav"))
    key = sorted(chunks_in(studio))[0]
    path = studio.objects.local_path(studio.objects.uri(key))
    assert path is not None
    path.write_bytes(path.read_bytes()[:-400] + b"\0" * 400)

    other = generated(studio, source_of_text(SCRIPT, "keys again.md"), DRAFT.model_copy(update={"title": "x"}))

    assert other.status is Status.succeeded, other.error_detail
    assert first.result is not None
    assert other.result is not None
    assert other.result.before.integrated_lufs == first.result.before.integrated_lufs


@pytest.mark.parametrize(
    ("text", "work", "code"),
    [
        ("\n\n", DRAFT, "invalid_script"),
        ("Hello.", DRAFT.model_copy(update={"voice": "nobody"}), "unknown_voice"),
        ("Hello.", DRAFT.model_copy(update={"language": "fi"}), "unknown_language"),
        ("Hello.", DRAFT.model_copy(update={"quality": "cloud:none"}), "no_such_engine"),
        ("[sfx nosuchthing] Hello.", DRAFT, "unknown_sound"),
        ("[music bed=nosuchbed] Hello.", DRAFT, "unknown_sound"),
        ("<speak><p>Hello", DRAFT, "invalid_script"),
    ],
    ids=["nothing", "voice", "language", "engine", "sound", "bed", "xml"],
)
def test_what_cannot_be_made_is_told_in_a_sentence(
    studio: Studio, tmp_path: Path, text: str, work: Generate, code: str
) -> None:
    """With a code, and no neighbor suffers."""
    path = tmp_path / ("script.xml" if text.startswith("<") else "script.txt")
    path.write_text(text)

    record = generated(studio, Source(uri=str(path)), work)

    assert (record.status, record.error_code) == (Status.failed, code)
    assert record.error_detail
    assert str(tmp_path) not in record.error_detail
    assert chunks_in(studio) == set()  # it was found before anything was said


def test_rows_become_files_and_a_bad_row_stops_no_other(studio: Studio, tmp_path: Path) -> None:
    """Each named after its row, said in its own voice where the row says so."""
    (tmp_path / "rows.csv").write_text("sku,name,price,voice\nA1,Lamp,9.99,\nA2,Chair,49,de-DE\nA3,,5,\n")
    (tmp_path / "row.txt").write_text("{{ name or missing.thing }} costs {{ price }} dollars.")
    bad: list[str] = []

    rows = list(rows_at(tmp_path / "rows.csv", str(tmp_path / "row.txt"), bad.append))
    specs = [spec for spec, _ in row_requests(rows, Defaults(work=DRAFT))]
    records = run_jobs(studio, [each.id for each in submit(studio, specs)])

    assert [record.status for record in records] == [Status.succeeded] * 2, [r.error_detail for r in records]
    assert [Path(record.spec.filename).stem for record in records] == ["Lamp", "Chair"]
    assert [record.spec.work.voice for record in records if isinstance(record.spec.work, Generate)] == ["", "de-DE"]
    assert len(bad) == 1
    assert "3" in bad[0]


def test_a_folder_of_scripts_is_its_scripts(tmp_path: Path) -> None:
    """Nothing else in it is read out."""
    for name in ("b.md", "a.txt", "notes.pdf", ".hidden.txt"):
        (tmp_path / name).write_text("Hello.")

    assert [source.name for source in scripts_at([str(tmp_path)])] == ["a.txt", "b.md"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidRequest, match="no script"):
        scripts_at([str(tmp_path / "empty")])


def test_what_a_person_mistypes_is_named() -> None:
    """By the parameter that is wrong."""
    with pytest.raises(InvalidRequest, match="quality"):
        generate_of(quality="best")
    with pytest.raises(InvalidRequest, match="name of a bed"):
        music_of("Warm Bed")


@pytest.mark.parametrize(
    "text", ["Music under a voice.", "[music bed=calm] Music under a voice. [music off] None."]
)
def test_music_lies_under_what_is_said(studio: Studio, text: str) -> None:
    """Of the job or of the script: in stereo, with room before and after the voice where the job asks for it."""
    work = DRAFT if "[" in text else DRAFT.model_copy(update={"music": music_of("warm")})

    record = generated(studio, source_of_text(text), work)

    assert record.status is Status.succeeded, record.error_detail
    assert record.result is not None
    [rendition] = record.result.renditions
    assert rendition.after.channels == 2
    timings = json.loads(attachment(studio, record, "timings.json"))
    if work.music:
        assert timings[0]["start_s"] == pytest.approx(work.music.lead_in_s, abs=0.01)
        assert rendition.after.duration_s - timings[-1]["end_s"] == pytest.approx(work.music.lead_out_s, abs=0.1)


def test_sounds_and_recordings_stand_between_sentences(studio: Studio, tmp_path: Path) -> None:
    """What is said waits until they are over."""
    speech = generated(studio, source_of_text("A recording."), DRAFT, OutputSpec(format="wav"))
    path = master(studio, speech)
    script = tmp_path / "show.ssml"
    script.write_text(f"<speak><s>Before.</s><audio src='{path.as_uri()}'/><s>After.</s></speak>")

    record = generated(studio, Source(uri=str(script)))
    logo = generated(studio, source_of_text("Before. [sfx logo] After."))

    assert record.status is logo.status is Status.succeeded, (record.error_detail, logo.error_detail)
    for each in (record, logo):
        before, after = json.loads(attachment(studio, each, "timings.json"))
        assert after["start_s"] - before["end_s"] > 1.0


def test_a_recording_in_a_script_is_as_loud_as_the_voice(studio: Studio, tmp_path: Path) -> None:
    """However loud or quiet it is; what would clip on the way is held under the ceiling."""
    noise = np.random.default_rng(0).normal(0, 0.2, (2 * 48_000, 2))
    soundfile.write(tmp_path / "loud.wav", np.clip(4 * noise, -1, 1), 48_000)
    soundfile.write(tmp_path / "quiet.wav", 0.08 * noise, 48_000)
    effects = [f"<audio src='{(tmp_path / name).as_uri()}'/>" for name in ("loud.wav", "quiet.wav")]
    script = tmp_path / "show.ssml"
    script.write_text(
        f"<speak><s>One calm sentence.</s>{effects[0]}<s>Another one.</s>{effects[1]}<s>End.</s></speak>"
    )

    record = generated(studio, Source(uri=str(script)), DRAFT, OutputSpec(format="wav"))

    samples, rate_hz = soundfile.read(master(studio, record), always_2d=True)
    assert np.abs(samples).max() < 1.0
    times = [(line["start_s"], line["end_s"]) for line in json.loads(attachment(studio, record, "timings.json"))]
    played = [(before[1] + 0.5, after[0] - 0.5) for before, after in pairwise(times)]
    voice, loud, quiet = (
        loudness_lufs(samples[round(start_s * rate_hz) : round(end_s * rate_hz)], rate_hz)
        for start_s, end_s in (times[0], *played)
    )
    assert loud == pytest.approx(quiet, abs=1.0)
    assert loud == pytest.approx(voice, abs=3.0)


def test_what_would_become_far_too_long_is_refused_before_it_is_said(tmp_path: Path) -> None:
    """By the number of its letters; and a file that is no script is not read into memory."""
    studio = open_studio(Settings(home=tmp_path / "home", max_duration_s=5))
    big = tmp_path / "big.txt"
    with big.open("wb") as file:
        file.truncate(1 << 30)

    long = generated(studio, source_of_text("This sentence is said again and again. " * 20))
    huge = generated(studio, Source(uri=str(big)))

    assert (long.error_code, huge.error_code) == ("too_long", "invalid_script")
    assert chunks_in(studio) == set()


def test_captions_are_delivered_beside_the_master(studio: Studio, tmp_path: Path) -> None:
    """Under the script's own name: players find them there."""
    defaults = Defaults(work=DRAFT, outputs=(OutputSpec(format="mp3"),), deliver_to=str(tmp_path / "out"))
    [(spec, _)] = script_requests([source_of_text("Welcome.", "show.txt")], defaults)

    [record] = run_jobs(studio, [each.id for each in submit(studio, [spec])])

    assert record.status is Status.succeeded, record.error_detail
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["show.mp3", "show.srt", "show.vtt"]
