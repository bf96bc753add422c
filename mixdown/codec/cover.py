"""Cover pictures: known by their first bytes, passed through, never decoded."""

from __future__ import annotations

import base64
import struct

#: A picture that is larger is left behind.
COVER_BYTES = 10 * 2**20

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"

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


def picture_block(picture: bytes) -> bytes:
    """A front cover as FLAC describes it (RFC 9639, section 8.8); its dimensions are left open, as is allowed."""
    kind = (picture_type(picture) or "").encode()
    return b"".join(
        [
            struct.pack(">II", FRONT_COVER, len(kind)) + kind,
            struct.pack(">I", 0),  # no description
            struct.pack(">IIIII", 0, 0, 0, 0, len(picture)),
            picture,
        ]
    )


def picture_comment(picture: bytes) -> str:
    """Value of the comment METADATA_BLOCK_PICTURE, in which Ogg files carry a cover."""
    return base64.b64encode(picture_block(picture)).decode()
