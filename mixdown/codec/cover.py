"""Cover pictures: known by their first bytes, passed through, never decoded."""

from __future__ import annotations

import base64
import struct

#: A picture that is larger is left behind.
COVER_BYTES = 10 * 2**20

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"

#: Segments of a JPEG that state its size: every start of frame (ITU-T T.81, table B.1).
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MOST_SEGMENTS = 256

#: "Front cover" in ID3 and FLAC.
FRONT_COVER = 3


def picture_type(picture: bytes) -> str | None:
    """The media type of a JPEG or PNG; None for anything else."""
    if picture.startswith(_JPEG):
        return "image/jpeg"
    return "image/png" if picture.startswith(_PNG) else None


def acceptable(picture: bytes | None) -> bytes | None:
    """A picture that may be written on a file: a JPEG or PNG that is not too large; else None."""
    fits = picture is not None and len(picture) <= COVER_BYTES and picture_type(picture) is not None
    return picture if fits else None


def picture_size(picture: bytes) -> tuple[int, int]:
    """Width and height that the header of a picture states; 0 and 0 where it states none."""
    if picture.startswith(_PNG) and len(picture) >= 24:
        width, height = struct.unpack_from(">II", picture, 16)
        return (width, height) if max(width, height) < 2**31 else (0, 0)
    at = 2
    for _ in range(_MOST_SEGMENTS):
        if picture[at : at + 1] != b"\xff" or len(picture) < at + 9:
            break
        marker, size = struct.unpack_from(">xBH", picture, at)
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", picture, at + 5)
            return width, height
        at += 2 + size
    return 0, 0


def picture_block(picture: bytes) -> bytes:
    """A front cover as FLAC describes it (RFC 9639, section 8.8); colours are left open, as is allowed."""
    kind = (picture_type(picture) or "").encode()
    return b"".join(
        [
            struct.pack(">II", FRONT_COVER, len(kind)) + kind,
            struct.pack(">I", 0),  # no description
            struct.pack(">IIIII", *picture_size(picture), 0, 0, len(picture)),
            picture,
        ]
    )


def picture_comment(picture: bytes) -> str:
    """Value of the comment METADATA_BLOCK_PICTURE, in which Ogg files carry a cover."""
    return base64.b64encode(picture_block(picture)).decode()
