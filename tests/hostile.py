"""Hostile and broken files: what strangers send, by intent or by accident."""

from __future__ import annotations

import gzip
import os
import socket
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile
from PIL import Image

from mixdown.codec.encode import open_writer
from mixdown.codec.ogg_page import OggPage, take_page
from mixdown.model import AudioFormat, Labels, OutputSpec
from tests.flac_bomb import flac_of_silence
from tests.recordings import RATE_HZ, by_ffmpeg, by_soundfile, lame, tone, written

#: A name that is no address: nothing may try to reach it.
ELSEWHERE = "http://127.0.0.1:9/secret.mp3"


@dataclass(frozen=True, slots=True)
class HostileFile:
    """A file and what a job over it ends with."""

    make: Callable[[Path], None]
    code: str | None  #: of the error; None where the job must succeed
    warning: str | None = None  #: part of a warning that must be given


def make_all(folder: Path) -> dict[str, Path]:
    """Every hostile file in a folder, by its name."""
    paths = {name: folder / name for name in HOSTILE}
    for name, path in paths.items():
        HOSTILE[name].make(path)
    return paths


def _bytes(body: bytes) -> Callable[[Path], None]:
    return written(lambda: body)


def _text(body: str) -> Callable[[Path], None]:
    return _bytes(body.encode())


def _patched(
    make: Callable[[Path], None], change: Callable[[bytearray], bytes | bytearray]
) -> Callable[[Path], None]:
    """A good file with its bytes changed."""

    def make_patched(path: Path) -> None:
        make(path)
        path.write_bytes(change(bytearray(path.read_bytes())))

    return make_patched


def _put(marker: bytes, offset: int, new: bytes) -> Callable[[bytearray], bytearray]:
    """Overwrite bytes at an offset behind the first place a marker is found."""

    def change(body: bytearray) -> bytearray:
        start = body.index(marker) + len(marker) + offset
        body[start : start + len(new)] = new
        return body

    return change


def _cut(share: float) -> Callable[[bytearray], bytearray]:
    return lambda body: body[: round(len(body) * share)]


def _put_on_first_page(marker: bytes, offset: int, new: bytes) -> Callable[[bytearray], bytes]:
    """As `_put`, on the first page of an Ogg file, whose checksum is made right again."""

    def change(body: bytearray) -> bytes:
        page = take_page(body)
        assert page is not None
        changed = _put(marker, offset, new)(bytearray(page.body))
        first = OggPage(page.flags, page.granule, page.serial, page.sequence, page.lacing, bytes(changed))
        return first.to_bytes() + bytes(body)

    return change


def ours(output_format: AudioFormat, *, duration_s: float = 2.0) -> Callable[[Path], None]:
    """A maker of a file of a tone by our own encoders."""
    rate_hz = 48_000 if output_format is AudioFormat.opus else RATE_HZ

    def make(path: Path) -> None:
        output = OutputSpec(format=output_format)
        with open_writer(
            path, output, sample_rate_hz=rate_hz, channels=2, labels=Labels(tags={"title": "x"})
        ) as writer:
            writer.write(tone(duration_s=duration_s, rate_hz=rate_hz))

    return make


_WAV = by_soundfile("WAV", "PCM_16")
_AIFF = by_soundfile("AIFF", "PCM_16")
_FLAC = by_soundfile("FLAC", "PCM_16")
_RF64 = by_soundfile("RF64", "PCM_16")


def _float_wav(*values: float) -> Callable[[Path], None]:
    """A tone with some values in its middle that are none."""

    def make(path: Path) -> None:
        samples = tone()
        samples[20_000 : 20_000 + len(values), 0] = values
        soundfile.write(path, samples, RATE_HZ, subtype="FLOAT", format="WAV")

    return make


def _silence(path: Path) -> None:
    soundfile.write(path, np.zeros((2 * RATE_HZ, 2), np.float32), RATE_HZ, subtype="PCM_16", format="WAV")


def _endless_samples(body: bytearray) -> bytearray:
    """An RF64 header that claims 2^36 frames of 16-bit stereo."""
    return _put(b"ds64", 4, struct.pack("<QQQ", 2**38 + 72, 2**38, 2**36))(body)


def _opus_of_silence(hours: float) -> bytes:
    """Opus in Ogg, 120 ms in two bytes."""
    serial, packet, packet_frames = 1, bytes([3 << 3 | 3, 2]), 5760  # SILK, two empty frames of 60 ms
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 312, 48_000, 0, 0)
    tags = b"OpusTags" + struct.pack("<II", 0, 0)
    pages = [OggPage(2, 0, serial, 0, bytes([len(head)]), head), OggPage(0, 0, serial, 1, bytes([len(tags)]), tags)]
    full_pages = round(hours * 3600 * 48_000 / packet_frames / 255)
    for number in range(1, full_pages + 1):
        flags = 4 if number == full_pages else 0
        granule = number * 255 * packet_frames
        pages.append(OggPage(flags, granule, serial, number + 1, b"\x02" * 255, packet * 255))
    return b"".join(page.to_bytes() for page in pages)


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def _with_external_data(body: bytearray, target: bytes) -> bytes:
    """A QuickTime file whose samples lie in another file: an alias record in place of its own data."""
    alias = bytearray(200)
    struct.pack_into(">H", alias, 4, len(alias))
    struct.pack_into(">HH", alias, 0, 0, 0)
    alias[10 : 10 + 28] = bytes([4]) + b"disk".ljust(27, b"\0")
    alias[50 : 50 + 64] = bytes([len(target)]) + target.ljust(63, b"\0")
    struct.pack_into(">HH", alias, 130, 1, 1)
    record = (
        bytes(alias[:150])
        + struct.pack(">HH", 2, len(target))
        + target
        + b"\0" * (len(target) % 2)
        + b"\xff\xff\0\0"
    )
    entry = _box(b"alis", bytes(4) + record)

    def rebuild(data: bytes) -> bytes:
        rebuilt, offset = b"", 0
        while offset + 8 <= len(data):
            size, kind = struct.unpack_from(">I4s", data, offset)
            inner = data[offset + 8 : offset + size]
            if kind in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
                inner = rebuild(inner)
            elif kind == b"dref":
                inner = struct.pack(">II", 0, 1) + entry
            rebuilt += _box(kind, inner)
            offset += size
        return rebuilt

    return rebuild(bytes(body))


def _picture(path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(path, format="PNG")


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("song.mp3", lame())


def _gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(lame()))


def _link(path: Path) -> None:
    target = path.with_name("target-of-a-link.wav")
    _WAV(target)
    path.symlink_to(target)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))


def _noise(size: int) -> bytes:
    return np.random.default_rng(1).bytes(size)


def _video_without_audio(path: Path) -> None:
    with av.open(f"file:{path}", "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


_PLAYLISTS = {
    "list.m3u": f"{ELSEWHERE}\nother.wav\n",
    "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{ELSEWHERE}\n#EXT-X-ENDLIST\n",
    "list.pls": f"[playlist]\nFile1={ELSEWHERE}\nNumberOfEntries=1\n",
    "list.ffconcat": "ffconcat version 1.0\nfile other.wav\n",
    "list.cue": 'FILE "other.wav" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
    "list.asx": f'<asx version="3.0"><entry><ref href="{ELSEWHERE}"/></entry></asx>',
    "list.xspf": f'<?xml version="1.0"?><playlist version="1"><trackList><track><location>{ELSEWHERE}</location>',
    "list.sdp": "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nc=IN IP4 127.0.0.1\r\nm=audio 9 RTP/AVP 0\r\n",
    "list.mpd": f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema"><BaseURL>{ELSEWHERE}</BaseURL></MPD>',
    "playlist.mp3": f"#EXTM3U\n#EXTINF:10,\n{ELSEWHERE}\n",
    "playlist.wav": "ffconcat version 1.0\nfile other.wav\n",
}

_REFUSED = "unsupported_format"

HOSTILE: dict[str, HostileFile] = {
    # -- not a recording --------------------------------------------------------------------------
    "empty.mp3": HostileFile(_bytes(b""), "empty_file"),
    "text.mp3": HostileFile(_text("This is a letter, not a song.\n" * 20), _REFUSED),
    "utf16.mp3": HostileFile(_bytes("Ein Brief, kein Lied.".encode("utf-16")), _REFUSED),
    "zeros.mp3": HostileFile(_bytes(bytes(50_000)), "unreadable_audio"),
    "ones.mp3": HostileFile(_bytes(b"\xff" * 50_000), "unreadable_audio"),
    "noise.mp3": HostileFile(written(lambda: _noise(50_000)), "unreadable_audio"),
    "only-a-tag.mp3": HostileFile(_bytes(b"ID3\x04\0\0\0\0\x10\0" + bytes(2048)), "unreadable_audio"),
    "one-byte.wav": HostileFile(_bytes(b"R"), _REFUSED),
    "picture.mp3": HostileFile(_picture, _REFUSED),
    "archive.mp3": HostileFile(_zip, _REFUSED),
    "packed.mp3": HostileFile(_gzip, _REFUSED),
    "score.mid": HostileFile(_bytes(b"MThd\0\0\0\x06\0\x01\0\x01\0\x60MTrk" + bytes(20)), _REFUSED),
    "page.html": HostileFile(_text("<!DOCTYPE html><html><body>404 Not Found</body></html>"), _REFUSED),
    "silent-film.mp4": HostileFile(_video_without_audio, "no_audio_stream"),
    "folder.wav": HostileFile(Path.mkdir, "not_a_regular_file"),
    "pipe.wav": HostileFile(os.mkfifo, "not_a_regular_file"),
    "socket.wav": HostileFile(_socket, "not_a_regular_file"),
    "link.wav": HostileFile(_link, "not_a_regular_file"),
    "link-to-nothing.wav": HostileFile(lambda path: path.symlink_to("nothing.wav"), "not_a_regular_file"),
    # -- that point elsewhere ---------------------------------------------------------------------
    **{name: HostileFile(_text(body), _REFUSED) for name, body in _PLAYLISTS.items()},
    "elsewhere.mov": HostileFile(
        _patched(by_ffmpeg("mov", "pcm_s16le"), lambda body: _with_external_data(body, b"other.wav")),
        "unreadable_audio",
    ),
    # -- headers that lie -------------------------------------------------------------------------
    "no-channels.wav": HostileFile(_patched(_WAV, _put(b"fmt ", 6, b"\0\0")), "bad_header"),
    "no-rate.wav": HostileFile(_patched(_WAV, _put(b"fmt ", 8, bytes(4))), "bad_header"),
    "no-channels.aiff": HostileFile(_patched(_AIFF, _put(b"COMM", 4, b"\0\0")), "bad_header"),
    "no-rate.aiff": HostileFile(_patched(_AIFF, _put(b"COMM", 12, bytes(10))), "bad_header"),
    "no-channels.ogg": HostileFile(
        _patched(ours(AudioFormat.ogg), _put_on_first_page(b"vorbis", 4, b"\0")), "bad_header"
    ),
    "no-rate.ogg": HostileFile(
        _patched(ours(AudioFormat.ogg), _put_on_first_page(b"vorbis", 5, bytes(4))), "bad_header"
    ),
    "no-channels.opus": HostileFile(
        _patched(ours(AudioFormat.opus), _put_on_first_page(b"OpusHead", 1, b"\0")), "bad_header"
    ),
    "no-rate.flac": HostileFile(
        _patched(_FLAC, lambda body: body[:18] + bytes(2) + bytes([body[20] & 15]) + body[21:]), None
    ),  # every frame says it again
    "17-channels.wav": HostileFile(_patched(_WAV, _put(b"fmt ", 6, b"\x11\0")), "too_many_channels"),
    "1-hz.wav": HostileFile(_patched(_WAV, _put(b"fmt ", 8, b"\x01\0\0\0")), "unsupported_sample_rate"),
    "4-ghz.wav": HostileFile(_patched(_WAV, _put(b"fmt ", 8, b"\xff" * 4)), "unsupported_sample_rate"),
    "2^36-samples.wav": HostileFile(_patched(_RF64, _endless_samples), None, "shorter than its header says"),
    "2^36-samples.flac": HostileFile(
        _patched(_FLAC, lambda body: body[:21] + bytes([body[21] | 15]) + b"\xff" * 4 + body[26:]), "too_long"
    ),
    "unknown-length.flac": HostileFile(
        _patched(_FLAC, lambda body: body[:21] + bytes([body[21] & 0xF0]) + bytes(4) + body[26:]), None
    ),
    "streamed.wav": HostileFile(_patched(_WAV, _put(b"data", 0, b"\xff" * 4)), None),
    "crashed-recorder.wav": HostileFile(_patched(_WAV, _put(b"data", 0, bytes(4))), None),
    "header-only.wav": HostileFile(_patched(_WAV, lambda body: body[:44]), "unreadable_audio"),
    "half-a-header.wav": HostileFile(_patched(_WAV, lambda body: body[:30]), "unreadable_audio"),
    # -- samples that are no sound ----------------------------------------------------------------
    "nan.wav": HostileFile(_float_wav(float("nan")), "invalid_samples"),
    "infinite.wav": HostileFile(_float_wav(float("inf"), -float("inf")), "invalid_samples"),
    "absurd.wav": HostileFile(_float_wav(1e6), "invalid_samples"),
    "over-full-scale.wav": HostileFile(_float_wav(3.0, -3.0), None),
    "silence.wav": HostileFile(_silence, "silent_audio"),
    # -- far more than their size -----------------------------------------------------------------
    "ten-hours.flac": HostileFile(written(lambda: flac_of_silence(10.0)), "decompression_bomb"),
    "ten-hours-declared.flac": HostileFile(written(lambda: flac_of_silence(10.0, declared=True)), "too_long"),
    "five-hours.opus": HostileFile(written(lambda: _opus_of_silence(5.0)), "decompression_bomb"),
    "ten-hours.opus": HostileFile(written(lambda: _opus_of_silence(10.0)), "too_long"),
    # -- cut off ----------------------------------------------------------------------------------
    "cut.wav": HostileFile(_patched(_WAV, _cut(0.5)), None, "shorter than its header says"),
    "cut.aiff": HostileFile(_patched(_AIFF, _cut(0.5)), None, "shorter than its header says"),
    "cut.flac": HostileFile(_patched(_FLAC, _cut(0.5)), None, "shorter than its header says"),
    "cut.mp3": HostileFile(_patched(ours(AudioFormat.mp3), _cut(0.5)), None, "shorter than its header says"),
    "cut.ogg": HostileFile(_patched(ours(AudioFormat.ogg, duration_s=20.0), _cut(0.7)), None, "cut off"),
    "cut.opus": HostileFile(_patched(ours(AudioFormat.opus, duration_s=8.0), _cut(0.7)), None, "cut off"),
    "cut.m4a": HostileFile(_patched(ours(AudioFormat.m4a), _cut(0.5)), None, "shorter than its header says"),
    "cut-index.mp4": HostileFile(_patched(by_ffmpeg("mp4", "aac"), _cut(0.9)), "unreadable_audio"),
    "cut.mkv": HostileFile(
        _patched(by_ffmpeg("matroska", "flac"), _cut(0.5)), None, "shorter than its header says"
    ),
    "cut.aac": HostileFile(_patched(by_ffmpeg("adts", "aac"), _cut(0.505)), None, "cut off"),
    "cut-to-nothing.ogg": HostileFile(_patched(ours(AudioFormat.ogg), _cut(0.01)), "unreadable_audio"),
    # -- damaged in the middle --------------------------------------------------------------------
    **{
        f"damaged.{kind}": HostileFile(
            _patched(ours(kind), lambda body: body[: len(body) // 2] + _noise(600) + body[len(body) // 2 + 600 :]),
            None,
        )
        for kind in AudioFormat
    },
    # -- good, with a name that hurts -------------------------------------------------------------
    "with spaces and Ümläuts 🎧.wav": HostileFile(_WAV, None),
    "new\nline.wav": HostileFile(_WAV, None),
    "-rf.wav": HostileFile(_WAV, None),
    "concat:a|b.mp3": HostileFile(written(lame), None),
    "%d.mp3": HostileFile(written(lame), None),
    "flac-called.mp3": HostileFile(_FLAC, None),
    "no suffix": HostileFile(_WAV, None),
}
