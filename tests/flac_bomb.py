"""FLAC of silence, made by hand: hours in a few kilobytes (RFC 9639)."""

from __future__ import annotations

_RATE_HZ = 8_000
_BLOCK_FRAMES = 65_535


def flac_of_silence(hours: float, *, declared: bool = False) -> bytes:
    """Mono at 8 kHz; the header says how long it is, or leaves it open."""
    blocks = round(hours * 3600 * _RATE_HZ / _BLOCK_FRAMES)
    total = blocks * _BLOCK_FRAMES if declared else 0
    packed = _RATE_HZ << 44 | 0 << 41 | 15 << 36 | total  # rate, channels - 1, bits - 1, total samples
    sizes = _BLOCK_FRAMES.to_bytes(2, "big") * 2 + bytes(6)
    stream_info = sizes + packed.to_bytes(8, "big") + bytes(16)
    header = b"fLaC" + b"\x80" + len(stream_info).to_bytes(3, "big") + stream_info
    return header + b"".join(_frame(number) for number in range(blocks))


def _frame(number: int) -> bytes:
    """A frame with one constant subframe of zeros."""
    # Fixed block size, given in 16 bits; rate 8 kHz; mono; 16 bits.
    header = b"\xff\xf8\x74\x08" + _coded(number) + (_BLOCK_FRAMES - 1).to_bytes(2, "big")
    frame = header + bytes([_crc(header, bits=8, polynomial=0x07)]) + b"\x00\x00\x00"
    return frame + _crc(frame, bits=16, polynomial=0x8005).to_bytes(2, "big")


def _coded(number: int) -> bytes:
    """A frame number in FLAC's extension of UTF-8."""
    return chr(number).encode("utf-8", "surrogatepass")


def _crc(data: bytes, *, bits: int, polynomial: int) -> int:
    crc, top = 0, 1 << (bits - 1)
    for byte in data:
        crc ^= byte << (bits - 8)
        for _ in range(8):
            crc = (crc << 1 ^ polynomial if crc & top else crc << 1) & (2 * top - 1)
    return crc
