"""What is written on a file: cover pictures and chapter marks come back as they went in, and hurt nobody."""

import base64
import io
import struct
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mixdown.codec.cover import COVER_BYTES, picture_block, picture_size, picture_type
from mixdown.codec.cue import append_cues, read_cues
from mixdown.codec.decode import open_audio
from mixdown.codec.encode import open_writer
from mixdown.codec.id3 import id3_tag
from mixdown.codec.labels import MOST_MARKS, clean_labels, clean_marks
from mixdown.model import AudioFormat, Labels, Limits, Mark, OutputSpec
from tests.unit.signals import noise

RATE_HZ = 48_000
FRAMES = 3 * RATE_HZ
SOUND = noise(FRAMES)
MARKS = (Mark(0.0, "Öffnung"), Mark(1.25, "Second, with = and ;"), Mark(2.5, ""))

every_format = pytest.mark.parametrize("format_", AudioFormat, ids=str)
with_cover = pytest.mark.parametrize(
    "format_", [each for each in AudioFormat if each is not AudioFormat.wav], ids=str
)


def picture(kind: str, size: tuple[int, int] = (64, 48)) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(made, kind)
    return made.getvalue()


def written(path: Path, format_: AudioFormat, labels: Labels) -> Path:
    with open_writer(path, OutputSpec(format=format_), sample_rate_hz=RATE_HZ, channels=2, labels=labels) as writer:
        writer.write(SOUND)
    return path


def read_back(path: Path) -> tuple[Labels, int]:
    """The labels, read first, and the frames that are decoded nevertheless."""
    with open_audio(path, name="it", limits=Limits()) as reader:
        labels = reader.labels
        frames = sum(len(block) for block in reader.blocks())
        assert reader.warnings == []
    return labels, frames


@every_format
def test_chapters_come_back(tmp_path: Path, format_: AudioFormat):
    """Times to the millisecond, titles whole, and not a frame of sound is lost or gained."""
    labels, frames = read_back(written(tmp_path / "x", format_, Labels(marks=MARKS)))

    assert labels.marks == MARKS
    assert frames == FRAMES


@with_cover
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_cover_comes_back(tmp_path: Path, format_: AudioFormat, kind: str):
    """The very bytes, beside tags and chapters."""
    labels = Labels(tags={"title": "Tïtle", "artist": "Us"}, cover=picture(kind), marks=MARKS)

    read, frames = read_back(written(tmp_path / "x", format_, labels))

    assert read == labels
    assert frames == FRAMES


@every_format
def test_the_same_labels_give_the_same_bytes(tmp_path: Path, format_: AudioFormat):
    """In every format, also with all of them."""
    labels = Labels(tags={"title": "x"}, cover=picture("PNG"), marks=MARKS)

    first, second = (written(tmp_path / name, format_, labels).read_bytes() for name in "ab")

    assert first == second


@every_format
def test_labels_leave_the_sound_alone(tmp_path: Path, format_: AudioFormat):
    """What is decoded is the same with and without."""
    sounds = []
    for name, labels in (("a", Labels()), ("b", Labels(cover=picture("JPEG"), marks=MARKS))):
        with open_audio(written(tmp_path / name, format_, labels), name="it", limits=Limits()) as reader:
            sounds.append(np.concatenate(list(reader.blocks())))

    assert np.array_equal(*sounds)


@with_cover
def test_a_large_cover_is_carried(tmp_path: Path, format_: AudioFormat):
    """Nine MiB that only begin like a picture: passed through, never looked into."""
    cover = picture("JPEG") + bytes(9 * 2**20)

    read, frames = read_back(written(tmp_path / "x", format_, Labels(cover=cover)))

    assert read.cover == cover
    assert frames == FRAMES


@every_format
def test_hundreds_of_chapters_are_carried(tmp_path: Path, format_: AudioFormat):
    """More than a table of contents in an MP3 can list: all of them come back."""
    marks = tuple(Mark(number / 200, f"Chapter {number}") for number in range(500))

    read, _ = read_back(written(tmp_path / "x", format_, Labels(marks=marks)))

    assert [mark.title for mark in read.marks] == [mark.title for mark in marks]
    assert [mark.start_s for mark in read.marks] == pytest.approx([mark.start_s for mark in marks], abs=6e-4)


@every_format
def test_the_first_chapter_need_not_begin_at_the_start(tmp_path: Path, format_: AudioFormat):
    """A mark at 1.5 s stays there."""
    read, _ = read_back(written(tmp_path / "x", format_, Labels(marks=(Mark(1.5, "Late"),))))

    assert read.marks == (Mark(1.5, "Late"),)


@every_format
@pytest.mark.parametrize(
    "cover", [b"", b"GIF89a" + bytes(100), b"<svg/>", b"\xff\xd8", picture("JPEG") + bytes(COVER_BYTES)]
)
def test_what_is_no_fit_picture_is_left_behind(tmp_path: Path, format_: AudioFormat, cover: bytes):
    """Another kind, an empty one, one that is too large: the file is written without."""
    plain = written(tmp_path / "plain", format_, Labels()).read_bytes()

    assert written(tmp_path / "x", format_, Labels(cover=cover)).read_bytes() == plain


@with_cover
def test_a_picture_cut_short_is_no_danger(tmp_path: Path, format_: AudioFormat):
    """Only its first bytes are right: it is carried as it is, and the sound is read."""
    for cover in (
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + b"\xff" * 40,
        b"\xff\xd8\xff" + b"\xff" * 40,
    ):
        read, frames = read_back(written(tmp_path / "x", format_, Labels(cover=cover)))
        assert read.cover == cover
        assert frames == FRAMES


def test_marks_behind_the_end_do_not_lengthen_a_file(tmp_path: Path):
    """M4A and WAV leave them out; nothing gets longer."""
    for format_ in (AudioFormat.m4a, AudioFormat.wav):
        read, frames = read_back(written(tmp_path / "x", format_, Labels(marks=(Mark(1.0, "A"), Mark(99.0, "B")))))
        assert read.marks[-1] == Mark(1.0, "A")
        assert frames == FRAMES


def test_labels_are_cleaned_before_they_are_written():
    """Marks in order, one to a place, no endless titles, nothing that is no text, nothing before the start."""
    marks = (
        Mark(5.0, "b\x00\x1b[31m"),
        Mark(1.0, "x" * 9_999),
        Mark(1.0, "a\nb"),
        Mark(-1.0, "no"),
        Mark(np.nan, "no"),
    )

    cleaned = clean_labels(Labels(tags={"Title": " x "}, marks=marks))

    assert cleaned == Labels(tags={"title": "x"}, marks=(Mark(1.0, "a b"), Mark(5.0, "b[31m")))
    assert len(clean_marks(Mark(float(number), "") for number in range(5_000))) == MOST_MARKS


@pytest.mark.parametrize("format_", [AudioFormat.mp3, AudioFormat.m4a])
def test_the_last_chapter_ends_with_the_sound(tmp_path: Path, format_: AudioFormat):
    """Known only when all is written, and written nevertheless: other readers ask for it."""
    with av.open(written(tmp_path / "x", format_, Labels(marks=MARKS))) as opened:
        chapters = opened.chapters()

    ends_s = [float(chapter["end"] * chapter["time_base"]) for chapter in chapters]
    assert ends_s == pytest.approx([1.25, 2.5, 3.0], abs=1e-3)


# -- the parts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("size", [(1, 1), (64, 48), (3_000, 2_000)])
def test_the_size_of_a_picture_is_read_from_its_header(kind: str, size: tuple[int, int]):
    """Without decoding it."""
    made = picture(kind, size)

    assert picture_size(made) == size
    assert picture_type(made) == f"image/{kind.lower()}"


@given(st.binary(max_size=200))
def test_any_bytes_have_some_size(content: bytes):
    """Nonsense behind the right first bytes gives numbers, not errors."""
    for magic in (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"):
        width, height = picture_size(magic + content)
        assert 0 <= width < 2**31
        assert 0 <= height < 2**31


def test_a_picture_block_is_as_flac_describes_it():
    """RFC 9639, section 8.8: type 3, media type, no description, width, height, the bytes."""
    cover = picture("PNG")

    block = picture_block(cover)

    assert block[:4] == struct.pack(">I", 3)
    assert block[8:17] == b"image/png"
    assert struct.unpack_from(">III", block, 17) == (0, 64, 48)
    assert block.endswith(cover)


def test_the_length_of_an_id3_tag_does_not_depend_on_the_end():
    """So it can be written again over itself once that is known."""
    labels = Labels(tags={"title": "x"}, marks=MARKS)

    assert len(id3_tag(labels, ends_at_s=0.0)) == len(id3_tag(labels, ends_at_s=20_000.0))


def test_an_opus_cover_is_a_comment(tmp_path: Path):
    """As every player of Ogg looks for it."""
    cover = picture("PNG")

    content = written(tmp_path / "x", AudioFormat.opus, Labels(cover=cover)).read_bytes()

    assert b"METADATA_BLOCK_PICTURE=" + base64.b64encode(picture_block(cover)) in content


def test_cues_of_an_rf64_file_leave_its_riff_size_alone(tmp_path: Path):
    """The size stands in its ds64 chunk, which comes first."""
    path = tmp_path / "x.wav"
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8_000, 16_000, 2, 16)
    ds64 = struct.pack("<4sIQQQI", b"ds64", 28, 0, 100, 50, 0)
    path.write_bytes(b"RF64" + b"\xff" * 4 + b"WAVE" + ds64 + fmt + b"data" + b"\xff" * 4 + bytes(100))
    with path.open("r+b") as file:
        append_cues(file, [Mark(0.001, "A")], sample_rate_hz=8_000)

    content = path.read_bytes()
    assert content[4:8] == b"\xff" * 4
    assert struct.unpack_from("<Q", content, 20)[0] == len(content) - 8


@given(body=st.binary(max_size=120), adtl=st.binary(max_size=120))
def test_any_bytes_in_cue_chunks_are_read_without_harm(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, adtl: bytes
):
    """Whatever a stranger's chunks hold, some marks come of it, or none."""
    path = tmp_path_factory.getbasetemp() / "cue.wav"
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8_000, 16_000, 2, 16)
    chunks = [
        b"cue " + struct.pack("<I", len(body)) + body,
        b"LIST" + struct.pack("<I", 4 + len(adtl)) + b"adtl" + adtl,
    ]
    path.write_bytes(b"RIFF\0\0\0\0WAVE" + fmt + b"".join(chunk + b"\0" * (len(chunk) % 2) for chunk in chunks))

    with path.open("rb") as file:
        marks = clean_marks(read_cues(file.fileno()))

    assert all(mark.start_s >= 0.0 for mark in marks)
