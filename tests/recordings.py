"""Good files of every accepted kind, made by encoders that are not ours wherever there are others."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import lameenc
import numpy as np
import soundfile
from av.stream import Disposition
from numpy.typing import NDArray

RATE_HZ = 44_100
DURATION_S = 1.5
FREQUENCY_HZ = 440.0
LEVEL = 0.25


def tone(
    *,
    frequency_hz: float = FREQUENCY_HZ,
    duration_s: float = DURATION_S,
    rate_hz: int = RATE_HZ,
    channels: int = 2,
    level: float = LEVEL,
) -> NDArray[np.float32]:
    """A sine, shape (frames, channels); the second channel and those behind it at half the level."""
    seconds = np.arange(round(duration_s * rate_hz)) / rate_hz
    sine = level * np.sin(2 * np.pi * frequency_hz * seconds)
    gains = np.array([1.0] + [0.5] * (channels - 1))
    return (sine[:, None] * gains).astype(np.float32)


def by_soundfile(
    container: str, subtype: str, *, rate_hz: int = RATE_HZ, channels: int = 2
) -> Callable[[Path], None]:
    """A maker of a file that libsndfile writes."""

    def make(path: Path) -> None:
        soundfile.write(path, tone(rate_hz=rate_hz, channels=channels), rate_hz, subtype=subtype, format=container)

    return make


def by_ffmpeg(
    muxer: str,
    encoder: str,
    *,
    rate_hz: int = RATE_HZ,
    channels: int = 2,
    duration_s: float = DURATION_S,
    video: str | None = None,
    options: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
) -> Callable[[Path], None]:
    """A maker of a file that FFmpeg's libraries write, with a picture track if a video encoder is named."""

    def make(path: Path) -> None:
        with av.open(f"file:{path}", "w", format=muxer, container_options=options or {}) as container:
            container.metadata.update(tags or {})
            pictures = _add_video(container, video) if video else None
            stream = container.add_stream(encoder, rate=rate_hz)
            stream.codec_context.layout = "mono" if channels == 1 else "stereo"
            if pictures is not None:
                for index in range(round(duration_s * 10)):
                    frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), index, np.uint8), format="rgb24")
                    frame.pts = index
                    container.mux(pictures.encode(frame))
                container.mux(pictures.encode(None))
            _encode(container, stream, tone(duration_s=duration_s, rate_hz=rate_hz, channels=channels), rate_hz)

    return make


def _add_video(container: av.container.OutputContainer, encoder: str) -> av.VideoStream:
    stream = container.add_stream(encoder, rate=10)
    stream.width = stream.height = 64
    stream.pix_fmt = "yuv420p"
    return stream


def _encode(
    container: av.container.OutputContainer, stream: av.AudioStream, samples: NDArray[np.float32], rate_hz: int
) -> None:
    layout = stream.codec_context.layout.name
    for start in range(0, len(samples), 4096):
        block = np.ascontiguousarray(samples[start : start + 4096].T)
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, start, Fraction(1, rate_hz)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def two_tracks(path: Path) -> None:
    """Matroska with a 1 kHz track first, and a 440 Hz track marked as the default one."""
    with av.open(f"file:{path}", "w", format="matroska") as container:
        streams = [container.add_stream("flac", rate=RATE_HZ) for _ in range(2)]
        streams[0].disposition = Disposition(0)
        streams[1].disposition = Disposition.default
        for stream, frequency_hz in zip(streams, (1000.0, FREQUENCY_HZ), strict=True):
            _encode(container, stream, tone(frequency_hz=frequency_hz), RATE_HZ)


def lame(*, vbr: bool = False, rate_hz: int = RATE_HZ, channels: int = 2) -> bytes:
    """An MP3 as bare frames: no tag, no Xing or Info frame."""
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_channels(channels)
    encoder.set_in_sample_rate(rate_hz)
    encoder.set_out_sample_rate(rate_hz)
    if vbr:
        encoder.set_vbr(4)
        encoder.set_vbr_quality(4)
    samples = np.rint(tone(rate_hz=rate_hz, channels=channels) * 32_767).astype("<i2")
    return bytes(encoder.encode(samples.tobytes()) + encoder.flush())


def id3_with_picture(picture_bytes: int = 300_000, filler: bytes = b"\x00\xff\xfb\x90") -> bytes:
    """An ID3v2.3 tag with a title and a cover as large as covers are, full of what looks like MP3 frames."""
    title = _id3_frame(b"TIT2", b"\x03" + "Größe 🎧".encode())
    cover = _id3_frame(
        b"APIC", b"\x00image/png\x00\x03\x00" + b"\x89PNG\r\n\x1a\n" + filler * (picture_bytes // len(filler))
    )
    body = title + cover
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + size + body


def _id3_frame(name: bytes, body: bytes) -> bytes:
    return name + struct.pack(">I", len(body)) + b"\x00\x00" + body


def joined(*makers: Callable[[Path], None]) -> Callable[[Path], None]:
    """A maker of a file that is several files, one behind the other."""

    def make(path: Path) -> None:
        parts = []
        for maker in makers:
            maker(path)
            parts.append(path.read_bytes())
        path.write_bytes(b"".join(parts))

    return make


def written(body: Callable[[], bytes]) -> Callable[[Path], None]:
    """A maker of a file with these bytes."""
    return lambda path: _write(path, [body()])


def _write(path: Path, parts: Iterable[bytes]) -> None:
    path.write_bytes(b"".join(parts))


def _bw64(path: Path) -> None:
    by_soundfile("RF64", "PCM_24")(path)
    path.write_bytes(path.read_bytes().replace(b"RF64", b"BW64", 1))


@dataclass(frozen=True, slots=True)
class Recording:
    """A file that must be read."""

    make: Callable[[Path], None]
    container: str
    codec: str
    bit_depth: int | None = None
    rate_hz: int = RATE_HZ
    channels: int = 2
    duration_s: float = DURATION_S
    padding_s: float = 0.0  #: how much longer or shorter it may decode to: what its format cannot say
    error: float = (
        0.02  #: how far samples may be off, RMS; 2.0 where the start is not told, so that they are shifted
    )


_LOSSY_PADDING_S = 0.06

RECORDINGS: dict[str, Recording] = {
    "u8.wav": Recording(by_soundfile("WAV", "PCM_U8"), "wav", "pcm_u8", 8),
    "16.wav": Recording(by_soundfile("WAV", "PCM_16"), "wav", "pcm_s16le", 16, error=1e-4),
    "24.wav": Recording(by_soundfile("WAV", "PCM_24"), "wav", "pcm_s24le", 24, error=1e-6),
    "32.wav": Recording(by_soundfile("WAV", "PCM_32"), "wav", "pcm_s32le", 32, error=1e-6),
    "float.wav": Recording(by_soundfile("WAV", "FLOAT"), "wav", "pcm_f32le", 32, error=0.0),
    "double.wav": Recording(by_soundfile("WAV", "DOUBLE"), "wav", "pcm_f64le", 64, error=0.0),
    "a-law.wav": Recording(by_soundfile("WAV", "ALAW"), "wav", "pcm_alaw"),
    "mu-law.wav": Recording(by_soundfile("WAV", "ULAW"), "wav", "pcm_mulaw"),
    "adpcm.wav": Recording(by_soundfile("WAV", "MS_ADPCM"), "wav", "adpcm_ms", padding_s=0.1, error=0.1),
    "mp3.wav": Recording(
        by_ffmpeg("wav", "libmp3lame"), "wav", "mp3", padding_s=0.1, error=2.0
    ),  # its delay is not told
    "extensible.wav": Recording(by_soundfile("WAVEX", "PCM_24"), "wav", "pcm_s24le", 24, error=1e-6),
    "rf64.wav": Recording(by_soundfile("RF64", "PCM_16"), "wav", "pcm_s16le", 16, error=1e-4),
    "bw64.wav": Recording(_bw64, "wav", "pcm_s24le", 24, error=1e-6),
    "5.1.wav": Recording(
        by_soundfile("WAVEX", "PCM_16", channels=6), "wav", "pcm_s16le", 16, channels=6, error=1e-4
    ),
    "mono8k.wav": Recording(
        by_soundfile("WAV", "PCM_16", rate_hz=8000, channels=1), "wav", "pcm_s16le", 16, 8000, 1, error=1e-4
    ),
    "192k.wav": Recording(
        by_soundfile("WAV", "PCM_24", rate_hz=192_000), "wav", "pcm_s24le", 24, 192_000, error=1e-6
    ),
    "16.aiff": Recording(by_soundfile("AIFF", "PCM_16"), "aiff", "pcm_s16be", 16, error=1e-4),
    "24.aiff": Recording(by_soundfile("AIFF", "PCM_24"), "aiff", "pcm_s24be", 24, error=1e-6),
    "float.aifc": Recording(by_soundfile("AIFF", "FLOAT"), "aiff", "pcm_f32be", 32, error=0.0),
    "16.flac": Recording(by_soundfile("FLAC", "PCM_16"), "flac", "flac", 16, error=1e-4),
    "24.flac": Recording(by_soundfile("FLAC", "PCM_24"), "flac", "flac", 24, error=1e-6),
    "id3.flac": Recording(
        joined(written(id3_with_picture), by_soundfile("FLAC", "PCM_16")), "flac", "flac", 16, error=1e-4
    ),
    "caf.caf": Recording(by_soundfile("CAF", "PCM_24"), "caf", "pcm_s24be", 24, error=1e-6),
    "w64.w64": Recording(by_soundfile("W64", "PCM_16"), "w64", "pcm_s16le", 16, error=1e-4),
    "au.au": Recording(by_soundfile("AU", "PCM_16"), "au", "pcm_s16be", 16, error=1e-4),
    "gapless.mp3": Recording(by_ffmpeg("mp3", "libmp3lame"), "mp3", "mp3", padding_s=0.001),
    "bare.mp3": Recording(written(lame), "mp3", "mp3", padding_s=0.1, error=2.0),
    "vbr.mp3": Recording(written(lambda: lame(vbr=True)), "mp3", "mp3", padding_s=0.1, error=2.0),
    "cover.mp3": Recording(written(lambda: id3_with_picture() + lame()), "mp3", "mp3", padding_s=0.1, error=2.0),
    "id3v1.mp3": Recording(written(lambda: lame() + b"TAG" + bytes(125)), "mp3", "mp3", padding_s=0.1, error=2.0),
    "junk-before.mp3": Recording(written(lambda: bytes(5000) + lame()), "mp3", "mp3", padding_s=0.1, error=2.0),
    "mpeg2.mp3": Recording(
        written(lambda: lame(rate_hz=22_050, channels=1)),
        *("mp3", "mp3", None, 22_050, 1),
        padding_s=0.1,
        error=2.0,
    ),
    "joined.mp3": Recording(
        written(lambda: lame() + id3_with_picture(2000, filler=bytes(1)) + lame()),
        *("mp3", "mp3"),
        duration_s=2 * DURATION_S,
        padding_s=0.2,
        error=2.0,
    ),
    "layer2.mp2": Recording(by_ffmpeg("mp2", "mp2"), "mp3", "mp2", padding_s=0.1, error=2.0),
    "vorbis.ogg": Recording(by_soundfile("OGG", "VORBIS"), "ogg", "vorbis"),
    "opus.opus": Recording(by_ffmpeg("opus", "libopus", rate_hz=48_000), "ogg", "opus", None, 48_000),
    "flac.oga": Recording(by_ffmpeg("ogg", "flac"), "ogg", "flac", 16, error=1e-4),
    "chained.ogg": Recording(
        joined(by_soundfile("OGG", "VORBIS"), by_soundfile("OGG", "VORBIS")),
        *("ogg", "vorbis"),
        duration_s=2 * DURATION_S,
    ),
    "aac.m4a": Recording(by_ffmpeg("ipod", "aac"), "mp4", "aac", padding_s=0.001),
    "alac.m4a": Recording(by_ffmpeg("ipod", "alac"), "mp4", "alac", 24, error=1e-6),
    "aac.aac": Recording(by_ffmpeg("adts", "aac"), "adts", "aac", padding_s=_LOSSY_PADDING_S, error=2.0),
    "video.mp4": Recording(by_ffmpeg("mp4", "aac", video="mpeg4"), "mp4", "aac", padding_s=0.001),
    "video.mov": Recording(by_ffmpeg("mov", "pcm_s24le", video="mpeg4"), "mp4", "pcm_s24le", 24, error=1e-6),
    "video.webm": Recording(
        by_ffmpeg("webm", "libopus", rate_hz=48_000, video="libvpx"), "matroska", "opus", None, 48_000
    ),
    "video.mkv": Recording(by_ffmpeg("matroska", "flac", video="mpeg4"), "matroska", "flac", 16, error=1e-4),
    "ac3.mkv": Recording(by_ffmpeg("matroska", "ac3"), "matroska", "ac3", padding_s=_LOSSY_PADDING_S, error=2.0),
    "two-tracks.mkv": Recording(two_tracks, "matroska", "flac", 16, error=1e-4),
}
