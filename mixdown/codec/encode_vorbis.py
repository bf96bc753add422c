"""Ogg Vorbis: by libvorbis inside libsndfile, then through FFmpeg's Ogg muxer for tags and constant bytes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from mixdown.codec.libav import audio_stream, open_container
from mixdown.codec.sniff import Container
from mixdown.model import Tags


class VorbisEncoder:
    """Variable bitrate about a nominal one."""

    def __init__(self, path: Path, *, sample_rate_hz: int, channels: int, bitrate_kbps: int, tags: Tags) -> None:
        self._path = path
        self._tags = tags
        # libsndfile picks a random stream serial: what it writes is a draft without a name on disk.
        self._draft = tempfile.TemporaryFile(dir=path.parent)
        self._encoder = soundfile.SoundFile(
            self._draft.fileno(),
            "w",
            samplerate=sample_rate_hz,
            channels=channels,
            format="OGG",
            subtype="VORBIS",
            closefd=False,
            compression_level=1.0 - _quality(bitrate_kbps / channels),
        )

    def write(self, block: NDArray[np.float32]) -> None:
        self._encoder.write(block)

    def finish(self) -> None:
        self._encoder.close()
        with (
            self._draft,
            open_container(
                self._draft.fileno(), Container.ogg, name="the draft", start=0, end=self._draft.seek(0, 2)
            ) as draft,
            av.open(
                f"file:{self._path}", "w", format="ogg", container_options={"fflags": "+bitexact"}
            ) as container,
        ):
            stream = audio_stream(draft, name="the draft")
            copy = container.add_stream_from_template(stream)
            copy.metadata.update(self._tags)
            for packet in draft.demux(stream):
                if packet.dts is not None:
                    packet.stream = copy
                    container.mux(packet)

    def abandon(self) -> None:
        self._encoder.close()
        self._draft.close()


def _quality(kbps_per_channel: float) -> float:
    """libvorbis' quality (0 to 1) for a nominal bitrate per channel at 44.1 kHz."""
    return float(
        np.interp(kbps_per_channel, [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 250], np.linspace(0, 1, 11))
    )
