"""M4A, Opus, FLAC and WAV by FFmpeg's encoders and muxers, the same bytes on every run."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av import AudioFrame
from av.codec.context import Flags
from numpy.typing import NDArray

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
        bit_depth: int,
        tags: Tags,
    ) -> None:
        recipe = _RECIPES[format, bit_depth if format.lossless else 24]
        self._sample_rate_hz = sample_rate_hz
        self._layout = "mono" if channels == 1 else "stereo"
        self._sample_format = recipe.sample_format
        self._bit_depth = bit_depth if format.lossless else None
        self._frames = 0
        self._container = av.open(
            f"file:{path}",
            "w",
            format=recipe.muxer,
            container_options={"fflags": "+bitexact", **recipe.muxer_options},
        )
        self._container.metadata.update(tags)
        self._stream = self._container.add_stream(
            recipe.encoder, rate=sample_rate_hz, options=recipe.encoder_options
        )
        encoder = self._stream.codec_context
        encoder.layout = self._layout
        encoder.format = recipe.sample_format
        encoder.flags |= Flags.bitexact
        if not format.lossless:
            encoder.bit_rate = bitrate_kbps * 1000

    def write(self, block: NDArray[np.float32]) -> None:
        if len(block) == 0:
            return
        frame = AudioFrame.from_ndarray(self._packed(block), format=self._sample_format, layout=self._layout)
        frame.sample_rate = self._sample_rate_hz
        frame.time_base = Fraction(1, self._sample_rate_hz)
        frame.pts = self._frames
        self._frames += len(block)
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def abandon(self) -> None:
        self._container.close()

    def _packed(self, block: NDArray[np.float32]) -> NDArray[np.generic]:
        """Samples as the encoder takes them: planes, or one row of interleaved samples."""
        if self._sample_format == "fltp":
            return np.ascontiguousarray(block.T)
        if self._sample_format == "flt":
            return block.reshape(1, -1)
        if self._sample_format == "s16":
            return np.rint(np.clip(block, -1.0, 1.0) * 32767.0).astype(np.int16).reshape(1, -1)
        samples = np.rint(np.clip(block.astype(np.float64), -1.0, 1.0) * (2**23 - 1)).astype(np.int32)
        return (samples << 8).reshape(1, -1)
