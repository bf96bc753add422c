"""The small parts of the codecs against the standards they follow."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixdown.codec.byte_range import ByteRange
from mixdown.codec.id3 import id3_tag
from mixdown.codec.info_frame import crc16, info_frame, info_frame_bytes
from mixdown.codec.mpeg_frame import adts_frame_bytes, mpeg_frame
from mixdown.codec.ogg_links import ogg_links
from mixdown.codec.ogg_page import CONTINUED, NO_GRANULE, OggPage, crc32, header_pages, take_page
from mixdown.codec.remix import remix
from mixdown.codec.sniff import Container, id3_end, identify
from mixdown.codec.tags import KEPT, clean
from mixdown.errors import UnreadableAudio, UnsupportedFormat
from mixdown.model import Labels
from tests.recordings import RECORDINGS, id3_with_picture

# -- checksums ------------------------------------------------------------------------------------


def test_checksums_are_the_published_ones() -> None:
    """CRC-16/ARC of "123456789" is 0xBB3D (the catalogue's check value); Ogg's CRC-32 of it is 0x89A1897F."""
    assert crc16(0, b"123456789") == 0xBB3D
    assert crc16(crc16(0, b"1234"), b"56789") == 0xBB3D
    assert crc32(b"123456789") == 0x89A1897F


# -- MPEG and ADTS frames -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "layer", "kbps", "rate_hz", "channels", "size_bytes", "frames"),
    [
        ("fffb9044", 3, 128, 44_100, 2, 417, 1152),
        ("fffb9244", 3, 128, 44_100, 2, 418, 1152),
        ("fff380c4", 3, 64, 22_050, 1, 208, 576),
        ("ffe31844", 3, 8, 8_000, 2, 72, 576),
        ("fffda400", 2, 192, 48_000, 2, 576, 1152),
        ("ffffc000", 1, 384, 44_100, 2, 416, 384),
    ],
)
def test_mpeg_frame_headers(header, layer, kbps, rate_hz, channels, size_bytes, frames) -> None:
    """Four bytes tell version, layer, bitrate, rate, channels and the size of the frame."""
    frame = mpeg_frame(bytes.fromhex(header))

    assert frame is not None
    assert (frame.layer, frame.bitrate_kbps, frame.sample_rate_hz) == (layer, kbps, rate_hz)
    assert (frame.channels, frame.size_bytes, frame.frames) == (channels, size_bytes, frames)


@pytest.mark.parametrize(
    "header", ["", "ff", "00000000", "fffbf044", "fffb0044", "fffb9c44", "ffeb9044", "fff99044"]
)
def test_what_is_no_mpeg_frame(header) -> None:
    """Reserved versions, layers, rates and bitrates begin no frame, nor does free format."""
    assert mpeg_frame(bytes.fromhex(header)) is None


def test_adts_frame_headers() -> None:
    """Thirteen bits behind the sync word tell the size of an AAC frame; MP3 headers are none."""
    assert adts_frame_bytes(bytes.fromhex("fff150801f7c")) == 0xFB
    assert adts_frame_bytes(bytes.fromhex("fffb90440000")) is None
    assert adts_frame_bytes(b"\xff\xf1") is None


# -- Info frame -----------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["fffb9044", "fffb10c4", "fffb1464", "fff380c4", "ffe31844", "ffe310c4"])
def test_info_frame_is_a_frame_that_tells_the_gaps(header) -> None:
    """It is one whole frame at the stream's rate with delay and padding where players look, checksum included."""
    stream = mpeg_frame(bytes.fromhex(header))
    assert stream is not None
    frames = 100 * stream.frames - 576 - 700

    body = info_frame(bytes.fromhex(header), mpeg_frames=100, audio_bytes=5000, audio_crc=0x1234, frames=frames)

    host = mpeg_frame(body)
    assert host is not None
    assert (host.sample_rate_hz, host.channels, host.version) == (
        stream.sample_rate_hz,
        stream.channels,
        stream.version,
    )
    assert len(body) == host.size_bytes == info_frame_bytes(bytes.fromhex(header))
    tag = 4 + host.side_info_bytes
    assert body[tag : tag + 4] == b"Info"
    assert int.from_bytes(body[tag + 8 : tag + 12], "big") == 100
    assert body[tag + 120 : tag + 129] == b"LAME3.100"
    gaps = int.from_bytes(body[tag + 141 : tag + 144], "big")
    assert (gaps >> 12, gaps & 0xFFF) == (576, 700)
    assert int.from_bytes(body[tag + 154 : tag + 156], "big") == crc16(0, body[: tag + 154])


# -- tags -----------------------------------------------------------------------------------------


def test_tags_are_folded_to_one_vocabulary() -> None:
    """Other spellings of a name count where the name itself is not there; what nobody asked for is dropped."""
    assert dict(clean({"TITLE": "a", "Year": "1999", "albumartist": "b", "tracknumber": "4", "TBPM": "120"})) == {
        "title": "a",
        "date": "1999",
        "album_artist": "b",
        "track": "4",
    }
    assert dict(clean({"date": "2001-01-01", "year": "1999"})) == {"date": "2001-01-01"}
    assert dict(clean({"language": "und"})) == {}


@given(st.dictionaries(st.sampled_from([*KEPT, "Year", "x"]), st.text(st.characters(), max_size=60)))
def test_cleaned_tags_are_clean(tags: dict[str, str]) -> None:
    """Whatever comes in, what goes out is text without control characters, not empty, and stays as it is."""
    cleaned = clean(tags)

    assert set(cleaned) <= set(KEPT)
    for name, value in cleaned.items():
        assert value == value.strip() != ""
        value.encode()
        assert all(character.isprintable() or ord(character) > 127 or name == "comment" for character in value)
        assert "\x00" not in value
    assert clean(cleaned) == cleaned


def test_id3_sizes_never_look_like_frames() -> None:
    """A tag states its size in bytes whose top bit is clear, and is nothing where there is nothing to say."""
    tag = id3_tag(Labels(tags={"title": "x" * 500, "comment": "y", "date": "not a date"}), ends_at_s=0.0)

    assert id3_tag(Labels(), ends_at_s=0.0) == b""
    assert tag[:6] == b"ID3\x04\x00\x00"
    assert all(byte < 128 for byte in tag[6:10])
    assert tag[6] << 21 | tag[7] << 14 | tag[8] << 7 | tag[9] == len(tag) - 10
    assert b"TDRC" not in tag


# -- Ogg ------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 200_000).map(lambda size: bytes([size % 251]) * size), min_size=1, max_size=3))
def test_header_packets_survive_paging(packets: list[bytes]) -> None:
    """Packets of any size are found again behind the lacing of the pages they were cut into."""
    stream = bytearray(b"".join(page.to_bytes() for page in header_pages(packets)))
    pages = []
    while (page := take_page(stream)) is not None:
        pages.append(page)

    found, packet = [], b""
    for page in pages:
        assert bool(page.flags & CONTINUED) == bool(packet)
        assert (page.granule == NO_GRANULE) == all(lace == 255 for lace in page.lacing)
        body = page.body
        for lace in page.lacing:
            packet, body = packet + body[:lace], body[lace:]
            if lace < 255:
                found, packet = [*found, packet], b""
    assert stream == b""
    assert found == packets


def test_half_a_page_is_left_where_it_is() -> None:
    """As long as a page is not complete nothing is taken."""
    whole = OggPage(0, 7, 1, 2, b"\x05", b"abcde").to_bytes()
    for size in range(len(whole)):
        assert take_page(bytearray(whole[:size])) is None
    data = bytearray(whole + b"rest")
    page = take_page(data)
    assert page is not None
    assert page.body == b"abcde"
    assert data == b"rest"


def test_links_of_a_chain(tmp_path: Path) -> None:
    """A chain has one link per part, which cover the file, and junk between pages is stepped over."""
    RECORDINGS["vorbis.ogg"].make(tmp_path / "one.ogg")
    one = (tmp_path / "one.ogg").read_bytes()
    (tmp_path / "three.ogg").write_bytes(one + b"junk" * 30 + one + one[:-10])
    fd = os.open(tmp_path / "three.ogg", os.O_RDONLY)
    try:
        links = list(ogg_links(fd))
    finally:
        os.close(fd)

    assert [link.end_marked for link in links] == [True, True, False]
    assert [link.start for link in links] == [0, len(one) + 120, 2 * len(one) + 120]
    assert links[0].end == links[1].start
    assert links[-1].end == 3 * len(one) + 110


# -- reading --------------------------------------------------------------------------------------


def test_a_range_is_a_file_of_its_own(tmp_path: Path) -> None:
    """Reading and seeking stay inside the range, whatever is asked for."""
    (tmp_path / "x").write_bytes(bytes(range(100)))
    fd = os.open(tmp_path / "x", os.O_RDONLY)
    try:
        part = ByteRange(fd, 10, 20)
        assert part.read(4) == bytes(range(10, 14))
        assert part.read() == bytes(range(14, 20))
        assert part.read(1) == b""
        assert part.seek(0, os.SEEK_END) == 10
        assert part.seek(-3, os.SEEK_CUR) == 7
        assert part.read(100) == bytes(range(17, 20))
        assert part.seek(-5) == 0
        assert part.seek(1000) == 1000
        assert part.read(1) == b""
    finally:
        os.close(fd)


@pytest.mark.parametrize("name", sorted(RECORDINGS))
def test_kinds_are_told_by_content(name: str, tmp_path: Path) -> None:
    """A file is what its bytes say, without its name."""
    RECORDINGS[name].make(tmp_path / "x")
    fd = os.open(tmp_path / "x", os.O_RDONLY)
    try:
        assert identify(fd, name="it") is Container(RECORDINGS[name].container)
        assert os.lseek(fd, 0, os.SEEK_CUR) == 0
    finally:
        os.close(fd)


@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_are_something_or_refused(body: bytes) -> None:
    """Telling a kind never fails in any other way than by refusing."""
    fd = os.memfd_create("it")
    try:
        os.write(fd, body)
        with contextlib.suppress(UnsupportedFormat, UnreadableAudio):
            assert isinstance(identify(fd, name="it"), Container)
    finally:
        os.close(fd)


def test_tags_in_front_are_stepped_over(tmp_path: Path) -> None:
    """Several ID3 tags in a row end where the audio begins."""
    (tmp_path / "x").write_bytes(id3_with_picture(1000) + id3_with_picture(50) + b"audio")
    fd = os.open(tmp_path / "x", os.O_RDONLY)
    try:
        assert os.pread(fd, 5, id3_end(fd)) == b"audio"
    finally:
        os.close(fd)


# -- channels -------------------------------------------------------------------------------------

_H = 2**-0.5


@pytest.mark.parametrize(
    ("channels", "left", "right"),
    [
        (3, [1, 0, _H], [0, 1, _H]),
        (4, [1, 0, _H, 0], [0, 1, 0, _H]),
        (5, [1, 0, _H, _H, 0], [0, 1, _H, 0, _H]),
        (6, [1, 0, _H, 0, _H, 0], [0, 1, _H, 0, 0, _H]),
        (8, [1, 0, _H, 0, _H, 0, _H, 0], [0, 1, _H, 0, 0, _H, 0, _H]),
        (10, [0.2, 0] * 5, [0, 0.2] * 5),
    ],
)
def test_downmix_gains(channels, left, right) -> None:
    """Each channel reaches left and right with the gain of ITU-R BS.775; the low-frequency channel with none."""
    one_each = np.eye(channels, dtype=np.float32)

    assert remix(one_each, 2) == pytest.approx(np.array([left, right]).T, abs=1e-6)
    assert remix(one_each, 1) == pytest.approx(np.mean([left, right], axis=0)[:, None], abs=1e-6)


def test_mono_and_stereo() -> None:
    """Mono goes to both sides as it is, stereo to mono as the mean, and an equal count is the same array."""
    mono = np.array([[0.5], [-0.25]], np.float32)
    stereo = np.array([[0.5, 0.0], [0.5, 0.5]], np.float32)

    assert remix(mono, 2).tolist() == [[0.5, 0.5], [-0.25, -0.25]]
    assert remix(stereo, 1).tolist() == [[0.25], [0.5]]
    assert remix(stereo, 2) is stereo
    assert remix(stereo, 1).flags.c_contiguous
    with pytest.raises(ValueError, match="no down-mix"):
        remix(np.zeros((1, 6), np.float32), 4)
