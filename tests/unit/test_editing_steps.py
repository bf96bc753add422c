"""Edits as users ask for them: what is refused, what stays on the scratch disk, what comes from outside."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from mixdown.editing import Desk, edit
from mixdown.editing.cutting import kept
from mixdown.editing.timeline import mixed
from mixdown.errors import (
    BeyondTheEnd,
    MixdownError,
    NoChapters,
    NothingLeft,
    PermanentError,
    SourceNotFound,
    TooLong,
    TooManyParts,
    UnreadablePicture,
    UnsupportedFormat,
)
from mixdown.model import (
    Bed,
    Channels,
    Chapter,
    Concatenate,
    Edit,
    Fade,
    Gain,
    Insert,
    Intro,
    Label,
    Labels,
    Limits,
    Mark,
    Outro,
    Pitch,
    Reverse,
    Source,
    Speed,
    Split,
    Stretch,
    Trim,
)
from tests.edits import Workplace, samples_of
from tests.unit.signals import noise

RATE_HZ = 8_000
JPEG = b"\xff\xd8\xff\xe0" + b"a picture" * 20


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def ten_seconds(place: Workplace, **labels):
    return place.recording(noise(10 * RATE_HZ, 1), RATE_HZ, **labels)


CHAPTERS = (Mark(0.0, "One"), Mark(4.0, "Two"), Mark(7.5, "Three"))


# -- what cannot be done ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "error", "sentence"),
    [
        (Trim(start_s=10.0), NothingLeft, "Nothing would be left of interview.wav: it is 10.0 s long"),
        (Trim(start_s=86_000.0), NothingLeft, "what lies before 86000.0 s was to be cut"),
        (Trim(start_s=5.0, end_s=4.0), NothingLeft, "the end to keep lies before the start"),
        (Trim(start_s=5.0, end_s=5.0), NothingLeft, "the end to keep lies before the start"),
        (Split(at_s=(3.0, 11.0)), BeyondTheEnd, "interview.wav is 10.0 s long: it cannot be cut at 11.0 s."),
        (Split(at_chapters=True), NoChapters, "interview.wav has no chapter marks"),
        (Label(chapters=(Chapter(start_s=12.0),)), BeyondTheEnd, "no chapter can begin at 12.0 s"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(
    place: Workplace, step: Edit, error: type[PermanentError], sentence: str
):
    """With a code of its own, trying again will not help, and nothing is left lying about."""
    recording = ten_seconds(place)
    before = place.files

    with pytest.raises(error, match=sentence.replace(".", r"\.")) as caught:
        edit(step, recording, place.desk)

    assert isinstance(caught.value, PermanentError)
    assert caught.value.code not in (PermanentError.code, MixdownError.code)
    assert place.files == before


def test_an_insert_beyond_the_end_or_at_no_chapter_is_refused(place: Workplace):
    """Before the jingle is even decoded."""
    jingle = place.material(noise(1_000, 1), RATE_HZ)

    with pytest.raises(BeyondTheEnd, match=r"nothing can be put in at 12\.0 s"):
        edit(Insert(source=jingle, at_s=(1.0, 12.0)), ten_seconds(place), place.desk)
    with pytest.raises(NoChapters, match="no chapter mark after the first"):
        edit(Insert(source=jingle, at_chapters=True), ten_seconds(place, marks=CHAPTERS[:1]), place.desk)


def test_more_than_999_parts_are_not_made(place: Workplace):
    """1,000 s in parts of a second."""
    recording = place.recording(np.zeros((1_000 * 1_000, 1), np.float32), 1_000)

    with pytest.raises(TooManyParts, match="1,000 parts; at most 999"):
        edit(Split(every_s=1.0), recording, place.desk)
    assert len(place.files) == 1


def test_what_would_become_too_long_is_not_begun(tmp_path: Path):
    """A stretch, a bed or many inserts may not fill the disk: the limit is that of any recording."""
    place = Workplace(tmp_path, limits=Limits(duration_s=30.0))
    jingle = place.material(noise(4 * RATE_HZ, 1), RATE_HZ)
    steps = [
        Stretch(factor=0.25),
        Speed(factor=0.25),
        Insert(source=jingle, at_s=tuple(float(number) for number in range(8))),
        Concatenate(sources=(jingle,) * 6),
        Bed(source=jingle, lead_out_s=86_400.0),
    ]
    for step in steps:
        with pytest.raises(TooLong, match=r"interview\.wav would become .* hours long"):
            edit(step, ten_seconds(place), place.desk)


# -- the scratch disk ---------------------------------------------------------------------------------


def test_what_an_edit_used_is_gone_afterwards(place: Workplace):
    """One recording in, one out, and nothing of what came from outside."""
    jingle = place.material(noise(4_000, 2), 44_100)
    recording = ten_seconds(place, marks=CHAPTERS)
    steps: list[Edit] = [
        Trim(start_s=1.0),
        Fade(in_s=1.0, out_s=100.0),
        Gain(gain_db=-3.0),
        Concatenate(sources=(jingle, jingle), crossfade_s=60.0),
        Intro(source=jingle, overlap_s=60.0),
        Outro(source=jingle, overlap_s=60.0),
        Insert(source=jingle, at_chapters=True),
        Speed(factor=1.1),
        Stretch(factor=0.9),
        Pitch(semitones=-3.0),
        Reverse(),
        Channels(take="stereo"),
        Label(tags={"title": "New"}),
    ]
    for step in steps:
        (recording,) = edit(step, recording, place.desk)
        assert place.files == {recording.audio.path.name}, step.kind
        assert recording.audio.path.stat().st_size == recording.audio.frames * recording.audio.channels * 4
    assert recording.audio.channels == 2
    assert recording.audio.frames > 0
    assert sum(place.ticked) > 10 * 10 * RATE_HZ


def test_a_material_that_cannot_be_used_is_named(place: Workplace, tmp_path: Path):
    """The codec's error comes through, with the material's name and not the recording's."""
    text = tmp_path / "notes.txt"
    text.write_text("no sound at all")
    recording = ten_seconds(place)

    with pytest.raises(UnsupportedFormat, match=r"notes\.txt is a text"):
        edit(Intro(source=place.file(text)), recording, place.desk)
    place.paths["s3://outside/gone.wav"] = tmp_path / "gone.wav"
    with pytest.raises(SourceNotFound, match=r"gone\.wav"):
        edit(Outro(source=Source(uri="s3://outside/gone.wav")), recording, place.desk)

    assert place.files == {recording.audio.path.name}


def test_a_material_is_brought_to_the_recording(place: Workplace):
    """A second of stereo at 44.1 kHz becomes a second of mono at 8 kHz."""
    left_and_right = np.full((44_100, 2), 0.25, np.float32)

    (result,) = edit(
        Outro(source=place.material(left_and_right, 44_100), match_loudness=False), ten_seconds(place), place.desk
    )

    sound = samples_of(result)
    assert sound.shape == (11 * RATE_HZ, 1)
    assert sound[-4_500:-3_500] == pytest.approx(0.25, abs=1e-3)


def test_work_can_be_stopped(place: Workplace):
    """The tick may raise; what was half made is removed."""

    class Stop(Exception):
        pass

    def stop(_: int) -> None:
        raise Stop

    recording = ten_seconds(place)
    with pytest.raises(Stop):
        edit(Gain(gain_db=1.0), recording, Desk(place.scratch, {}, Limits(), stop))

    assert place.files == {recording.audio.path.name}


@pytest.mark.parametrize(
    "step",
    [
        Trim(start_s=1.0),
        Reverse(),
        Speed(factor=1.1),
        Stretch(factor=1.1),
        Pitch(semitones=1.0),
        Concatenate(sources=(Source(uri="s3://outside/long.wav"),), crossfade_s=30.0),
        Bed(source=Source(uri="s3://outside/long.wav")),
    ],
    ids=lambda step: step.kind,
)
def test_no_edit_holds_a_whole_recording(place: Workplace, step: Edit):
    """Ten minutes are 19 MB of samples, the material's too; less than half of that is ever held."""
    sound = np.tile(noise(60 * RATE_HZ, 1), (10, 1))
    recording = place.recording(sound, RATE_HZ)
    place.material(sound, RATE_HZ, "long.wav")
    del sound
    tracemalloc.start()

    edit(step, recording, place.desk)

    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 9_000_000


# -- cuts in pauses -----------------------------------------------------------------------------------


def test_a_cut_is_a_crossfade_of_equal_power_and_keeps_the_length(place: Workplace):
    """Over a constant the gains themselves are to be seen: one everywhere, sine plus cosine over 15 ms."""
    audio = place.recording(np.ones((10 * RATE_HZ, 1), np.float32), RATE_HZ).audio

    clips, moves = kept([(RATE_HZ, 3 * RATE_HZ), (5 * RATE_HZ, 9 * RATE_HZ)], audio)

    sound = np.concatenate(list(mixed(clips, frames=6 * RATE_HZ, channels=1)))[:, 0]
    crossfaded = np.flatnonzero(sound != 1.0)
    assert len(crossfaded) == round(0.015 * RATE_HZ)
    assert np.ptp(crossfaded) == len(crossfaded) - 1
    assert sound[crossfaded].min() > 1.0
    assert sound.max() == pytest.approx(2**0.5, abs=1e-4)
    assert moves[1].to_s == pytest.approx(moves[0].end_s - moves[0].start_s)
    assert clips[-1].end_frame == 6 * RATE_HZ


def test_a_cut_moves_to_where_it_is_quiet(place: Workplace):
    """A knock where the cut was to be is left whole or left out; the length stays."""
    samples = noise(10 * RATE_HZ, 1, rms=0.001)
    samples[3 * RATE_HZ : 3 * RATE_HZ + 100] = 0.5
    audio = place.recording(samples, RATE_HZ).audio

    clips, _ = kept([(RATE_HZ, 3 * RATE_HZ), (5 * RATE_HZ, 9 * RATE_HZ)], audio)

    sound = np.concatenate(list(mixed(clips, frames=6 * RATE_HZ, channels=1)))
    assert np.count_nonzero(sound > 0.4) in (0, 100)
    assert np.count_nonzero((sound > 0.01) & (sound < 0.49)) == 0
    assert clips[-1].end_frame == 6 * RATE_HZ


# -- parts --------------------------------------------------------------------------------------------


def test_parts_at_chapters_have_their_titles(place: Workplace):
    """Each part is called like its chapter, numbered, and says which album it is from."""
    recording = ten_seconds(place, marks=CHAPTERS, tags={"title": "The Show", "artist": "Us"})

    parts = edit(Split(at_chapters=True), recording, place.desk)

    assert [part.title for part in parts] == ["One", "Two", "Three"]
    assert [part.audio.duration_s for part in parts] == [4.0, 3.5, 2.5]
    assert [part.labels.marks for part in parts] == [(), (), ()]
    assert parts[1].labels.tags == {"title": "Two", "artist": "Us", "album": "The Show", "track": "2/3"}
    assert place.files == {part.audio.path.name for part in parts}


def test_parts_of_a_length_keep_the_chapters_in_them(place: Workplace):
    """Four-second parts; the last is what is left; a chapter that goes on is marked anew."""
    parts = edit(Split(every_s=3.0), ten_seconds(place, marks=CHAPTERS), place.desk)

    assert [part.title for part in parts] == ["Part 1", "Part 2", "Part 3", "Part 4"]
    assert [part.audio.duration_s for part in parts] == [3.0, 3.0, 3.0, 1.0]
    assert [part.labels.marks for part in parts] == [
        (),
        (Mark(0.0, "One"), Mark(1.0, "Two")),
        (Mark(0.0, "Two"), Mark(1.5, "Three")),
        (),
    ]


def test_a_recording_without_a_place_to_cut_is_one_part(place: Workplace):
    """Cuts at its very start and end make no empty parts."""
    (part,) = edit(Split(at_s=(0.0, 10.0)), ten_seconds(place), place.desk)

    assert part.title == "Part 1"
    assert part.audio.frames == 10 * RATE_HZ


# -- labels -------------------------------------------------------------------------------------------


def test_labels_are_changed_and_the_sound_is_not(place: Workplace, tmp_path: Path):
    """Tags are added and removed, chapters put in order, a cover read; the intermediate stays where it is."""
    picture = tmp_path / "cover.jpg"
    picture.write_bytes(JPEG)
    step = Label(
        tags={"Title": "New", "genre": ""},
        cover=place.file(picture),
        chapters=(Chapter(start_s=5.0, title="B"), Chapter(start_s=0.0, title="A")),
    )
    recording = ten_seconds(place, tags={"title": "Old", "genre": "Talk", "artist": "Us"})

    (result,) = edit(step, recording, place.desk)

    assert result.audio is recording.audio
    assert place.files == {recording.audio.path.name}
    assert result.labels == Labels(
        tags={"title": "New", "artist": "Us"}, cover=JPEG, marks=(Mark(0.0, "A"), Mark(5.0, "B"))
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"GIF89a" + bytes(50), "is no JPEG or PNG"), (JPEG + bytes(10 * 2**20), "is larger than the 10 MiB")],
)
def test_a_cover_is_a_picture_of_moderate_size(place: Workplace, tmp_path: Path, content: bytes, sentence: str):
    """By its first bytes, whatever it is called."""
    picture = tmp_path / "cover.jpg"
    picture.write_bytes(content)

    with pytest.raises(UnreadablePicture, match=f"cover.jpg {sentence}"):
        edit(Label(cover=place.file(picture)), ten_seconds(place), place.desk)
