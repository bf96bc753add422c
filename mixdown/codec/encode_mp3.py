"""MP3 by LAME, with tags and without gaps."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import lameenc
import numpy as np
from numpy.typing import NDArray

from mixdown.codec.id3 import id3_tag
from mixdown.codec.info_frame import crc16, info_frame, info_frame_bytes
from mixdown.codec.mpeg_frame import mpeg_frame
from mixdown.model import Labels

#: LAME's noise shaping: 3 is as good as 2 to the ear and a third cheaper (DESIGN §7).
_QUALITY = 3


class Mp3Encoder:
    """Constant bitrate, so that any player can seek and tell the duration."""

    def __init__(
        self, path: Path, *, sample_rate_hz: int, channels: int, bitrate_kbps: int, labels: Labels
    ) -> None:
        self._labels = labels
        self._sample_rate_hz = sample_rate_hz
        self._file = path.open("wb")
        self._lame = lameenc.Encoder()
        self._lame.silence()
        self._lame.set_channels(channels)
        self._lame.set_in_sample_rate(sample_rate_hz)
        self._lame.set_out_sample_rate(sample_rate_hz)  # else LAME resamples to what it likes for the bitrate
        self._lame.set_bit_rate(bitrate_kbps)
        self._lame.set_quality(_QUALITY)
        self._frames = 0
        self._first_header = b""
        self._mpeg_frames = 0
        self._audio_bytes = 0
        self._audio_crc = 0
        self._to_next_header = 0
        self._file.write(id3_tag(labels, ends_at_s=0.0))
        self._info_offset = self._file.tell()

    def write(self, block: NDArray[np.float32]) -> None:
        self._frames += len(block)
        samples = np.clip(np.rint(block * 32768.0), -32768.0, 32767.0).astype("<i2")
        self._append(bytes(self._lame.encode(samples.tobytes())))

    def finish(self) -> None:
        self._append(bytes(self._lame.flush()))
        self._file.seek(0)  # now that it is known where the last chapter ends; the tag is as long as it was
        self._file.write(id3_tag(self._labels, ends_at_s=self._frames / self._sample_rate_hz))
        self._file.write(
            info_frame(
                self._first_header,
                mpeg_frames=self._mpeg_frames,
                audio_bytes=self._audio_bytes,
                audio_crc=self._audio_crc,
                frames=self._frames,
            )
        )
        self._file.close()

    def abandon(self) -> None:
        with suppress(OSError):  # what could not be written need not be
            self._file.close()

    def _append(self, data: bytes) -> None:
        """Write encoded bytes and keep the Info frame's account of them."""
        if not data:
            return
        if not self._first_header:
            self._first_header = data[:4]
            self._file.write(bytes(info_frame_bytes(self._first_header)))
        while self._to_next_header < len(data):
            frame = mpeg_frame(data[self._to_next_header : self._to_next_header + 4])
            if frame is None:
                raise RuntimeError("LAME gave a stream that is not made of whole frames")
            self._mpeg_frames += 1
            self._to_next_header += frame.size_bytes
        self._to_next_header -= len(data)
        self._audio_bytes += len(data)
        self._audio_crc = crc16(self._audio_crc, data)
        self._file.write(data)
