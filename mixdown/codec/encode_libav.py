"""M4A, Opus, FLAC and WAV by FFmpeg's encoders and muxers, the same bytes on every run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

import av
import numpy as np
from av import AudioFrame, Packet
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.stream import Disposition
from numpy.typing import NDArray

from mixdown.codec.cover import picture_size, picture_type
from mixdown.codec.cue import append_cues
from mixdown.codec.vorbis_comment import chapter_comments, ogg_comments
from mixdown.dsp.dither import Dither, quantize
from mixdown.model import AudioFormat, Labels, Mark

if TYPE_CHECKING:
    from av.container.core import Chapter  # of the stubs alone


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How FFmpeg makes one format."""

    muxer: str
    encoder: str
    sample_format: str
    encoder_options: dict[str, str] = field(default_factory=dict)
    muxer_options: dict[str, str] = field(default_factory=dict)


_RECIPES = {
    (AudioFormat.m4a, 24): _Recipe("ipod", "aac", "fltp", {"aac_coder": "fast"}, {"movflags": "+faststart"}),
    (AudioFormat.opus, 24): _Recipe("opus", "libopus", "flt", {"application": "audio"}),
    (AudioFormat.flac, 16): _Recipe("flac", "flac", "s16"),
    (AudioFormat.flac, 24): _Recipe("flac", "flac", "s32"),
    (AudioFormat.wav, 16): _Recipe("wav", "pcm_s16le", "s16", {}, {"rf64": "auto"}),
    (AudioFormat.wav, 24): _Recipe("wav", "pcm_s24le", "s32", {}, {"rf64": "auto"}),
}


#: The muxer for iPods takes no pictures; that for MP4 does, under the same brand.
_WITH_COVER = replace(
    _RECIPES[AudioFormat.m4a, 24], muxer="mp4", muxer_options={"movflags": "+faststart", "brand": "M4A "}
)

#: Formats whose cover is a stream to FFmpeg.
_ATTACHING = (AudioFormat.m4a, AudioFormat.flac)


class LibavEncoder:
    """One encoder into one muxer."""

    def __init__(
        self,
        path: Path,
        format: AudioFormat,  # noqa: A002 -- the field's own word
        *,
        sample_rate_hz: int,
        channels: int,
        bitrate_kbps: int,
        bit_depth: Literal[16, 24],
        labels: Labels,
    ) -> None:
        recipe = _RECIPES[format, bit_depth if format.lossless else 24]
        if format is AudioFormat.m4a and labels.cover is not None:
            recipe = _WITH_COVER
        self._format = format
        self._labels = labels
        self._sample_rate_hz = sample_rate_hz
        self._layout = "mono" if channels == 1 else "stereo"
        self._sample_format = recipe.sample_format
        self._bit_depth = bit_depth
        self._dither = Dither()
        self._frames = 0
        # A file of ours: one that FFmpeg opens stays open when its header cannot be written.
        self._path = path
        self._file = path.open("wb")
        self._container = av.open(
            self._file,
            "w",
            format=recipe.muxer,
            io_open=self._open_written,
            container_options={
                "fflags": "+bitexact",
                "movie_timescale": str(sample_rate_hz),  # else the edit list counts milliseconds
                **recipe.muxer_options,
            },
        )
        self._container.metadata.update({**labels.tags, **_comments(format, labels)})
        self._stream = cast(
            AudioStream,
            self._container.add_stream(recipe.encoder, rate=sample_rate_hz, options=recipe.encoder_options),
        )
        encoder = self._stream.codec_context
        encoder.layout = self._layout
        encoder.format = recipe.sample_format
        encoder.flags |= Flags.bitexact
        encoder.thread_count = 1
        if not format.lossless:
            encoder.bit_rate = bitrate_kbps * 1000
        self._picture = self._picture_packet() if format in _ATTACHING and labels.cover is not None else None

    def write(self, block: NDArray[np.float32]) -> None:
        frame = AudioFrame.from_ndarray(self._packed(block), format=self._sample_format, layout=self._layout)
        frame.sample_rate = self._sample_rate_hz
        frame.time_base = Fraction(1, self._sample_rate_hz)
        frame.pts = self._frames
        self._frames += len(block)
        if self._picture is not None:
            self._container.start_encoding()
            self._container.mux(self._picture)
            self._picture = None
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        self._container.mux(self._stream.encode(None))
        marks = [mark for mark in self._labels.marks if mark.start_s * self._sample_rate_hz < self._frames]
        if self._format is AudioFormat.m4a and marks:  # only now is it known where the last chapter ends
            self._container.set_chapters(self._chapters(marks))
        self._container.close()
        self._file.close()
        if self._format is AudioFormat.wav and marks:
            with self._path.open("r+b") as file:
                append_cues(file, marks, sample_rate_hz=self._sample_rate_hz)

    def abandon(self) -> None:
        with suppress(OSError):  # what could not be written need not be
            self._file.close()
        self._container.close()  # writes no more once its file is closed

    def _picture_packet(self) -> Packet:
        """The cover as a stream of one packet, which muxers write as what it is."""
        picture = self._labels.cover or b""
        codec = "png" if picture_type(picture) == "image/png" else "mjpeg"
        # Muxers refuse a picture without a size.
        width, height = (max(1, size) for size in picture_size(picture))
        stream = self._container.add_mux_stream(codec, width=width, height=height)
        stream.disposition = Disposition.attached_pic
        stream.metadata["comment"] = "Cover (front)"
        packet = Packet(picture)
        packet.stream = stream
        packet.time_base = Fraction(1, self._sample_rate_hz)
        packet.pts = packet.dts = 0
        packet.is_keyframe = True
        return packet

    def _chapters(self, marks: Sequence[Mark]) -> list[Chapter]:
        """Marks as FFmpeg's chapters, which have an end."""
        if marks[0].start_s > 0.0:  # a chapter track has no gaps: players would begin the first one at once
            marks = [Mark(0.0, ""), *marks]
        starts = [round(mark.start_s * self._sample_rate_hz) for mark in marks]
        return [
            {
                "id": number,
                "start": start,
                "end": end,
                "time_base": Fraction(1, self._sample_rate_hz),
                "metadata": {"title": mark.title},
            }
            for number, (mark, start, end) in enumerate(
                zip(marks, starts, [*starts[1:], self._frames], strict=True), start=1
            )
        ]

    def _open_written(self, url: str, flags: int, options: dict[str, str]) -> BinaryIO:
        """What has been written so far, for reading: the MP4 muxer moves it to make room for the index."""
        self._file.flush()
        return self._path.open("rb", buffering=0)

    def _packed(self, block: NDArray[np.float32]) -> NDArray[np.float32] | NDArray[np.int16] | NDArray[np.int32]:
        """Samples as the encoder takes them: planes, or one row of interleaved samples."""
        if self._sample_format == "fltp":
            return np.ascontiguousarray(block.T)
        if self._sample_format == "flt":
            return np.ascontiguousarray(block).reshape(1, -1)
        return quantize(block, self._bit_depth, self._dither).reshape(1, -1)


def _comments(format: AudioFormat, labels: Labels) -> dict[str, str]:  # noqa: A002
    """What a format says of chapters and cover in its comments."""
    if format is AudioFormat.opus:
        return ogg_comments(labels)
    return chapter_comments(labels.marks) if format is AudioFormat.flac else {}
