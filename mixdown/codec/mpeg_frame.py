"""Headers of MPEG audio frames (MP1, MP2, MP3) and of ADTS frames (AAC), enough to find them in a stream."""

from __future__ import annotations

from dataclasses import dataclass

#: kbit/s by bitrate index, for (MPEG-1?, layer); ISO/IEC 11172-3 table 2.4.2.3, ISO/IEC 13818-3.
_BITRATES_KBPS = {
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLE_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


@dataclass(frozen=True, slots=True)
class MpegFrame:
    """One MPEG audio frame by its four-byte header (ISO/IEC 11172-3, 2.4.1.3)."""

    version: int  #: the two header bits: 3 is MPEG-1, 2 is MPEG-2, 0 is MPEG-2.5
    layer: int
    bitrate_kbps: int
    sample_rate_hz: int
    channels: int
    size_bytes: int

    @property
    def frames(self) -> int:
        """Sample frames it decodes to."""
        if self.layer == 1:
            return 384
        return 1152 if self.layer == 2 or self.version == 3 else 576

    @property
    def side_info_bytes(self) -> int:
        """Size of a layer III frame's side information: what a Xing or Info tag stands behind."""
        if self.version == 3:
            return 17 if self.channels == 1 else 32
        return 9 if self.channels == 1 else 17


def mpeg_frame(header: bytes) -> MpegFrame | None:
    """The frame these four bytes begin, or None if they begin none (free format counts as none)."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bitrate_index, rate_index = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer == 4 or bitrate_index in (0, 15) or rate_index == 3:
        return None
    bitrate_kbps = _BITRATES_KBPS[version == 3, layer][bitrate_index]
    sample_rate_hz = _SAMPLE_RATES_HZ[version][rate_index]
    padding = header[2] >> 1 & 1
    if layer == 1:
        size_bytes = (12_000 * bitrate_kbps // sample_rate_hz + padding) * 4
    else:
        half = layer == 3 and version != 3
        size_bytes = (72_000 if half else 144_000) * bitrate_kbps // sample_rate_hz + padding
    channels = 1 if header[3] >> 6 == 3 else 2
    return MpegFrame(version, layer, bitrate_kbps, sample_rate_hz, channels, size_bytes)


def adts_frame_bytes(header: bytes) -> int | None:
    """Size of the ADTS frame these six bytes begin, or None if they begin none (ISO/IEC 13818-7, 6.2)."""
    if len(header) < 6 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0 or header[2] >> 2 & 15 > 12:
        return None
    size_bytes = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return size_bytes if size_bytes > 7 else None
