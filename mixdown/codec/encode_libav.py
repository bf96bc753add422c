"""M4A, Opus, FLAC and WAV by FFmpeg's encoders and muxers, the same bytes on every run."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Literal, cast

import av
import numpy as np
from av import AudioFrame
from av.audio.stream import AudioStream
from av.codec.context import Flags
from numpy.typing import NDArray

from mixdown.dsp.dither import Dither, quantize
from mixdown.model import AudioFormat, Tags


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
        tags: Tags,
    ) -> None:
        recipe = _RECIPES[format, bit_depth if format.lossless else 24]
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
        self._container.metadata.update(tags)
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

    def write(self, block: NDArray[np.float32]) -> None:
        frame = AudioFrame.from_ndarray(self._packed(block), format=self._sample_format, layout=self._layout)
        frame.sample_rate = self._sample_rate_hz
        frame.time_base = Fraction(1, self._sample_rate_hz)
        frame.pts = self._frames
        self._frames += len(block)
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        self._file.close()

    def abandon(self) -> None:
        with suppress(OSError):  # what could not be written need not be
            self._file.close()
        self._container.close()  # writes no more once its file is closed

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
