"""Short pieces of audio as FLAC in memory, verified by the hash that FLAC keeps of its samples."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import soundfile

from mixdown.dsp.processor import Block
from mixdown.errors import UnreadableAudio

_FULL_SCALE = 2**23
#: Where the MD5 of the samples lies: behind `fLaC`, the block's head and 18 bytes of STREAMINFO (RFC 9639, 8.2).
_MD5 = slice(26, 42)


def flac_of(samples: Block, sample_rate_hz: int) -> bytes:
    """Samples as 24-bit FLAC.

    Parameters
    ----------
    samples : ndarray of float32, shape (frames, channels)
        Full scale ±1.0; what is beyond is clipped.
    sample_rate_hz : int
    """
    whole = np.clip(np.rint(samples.astype(np.float64) * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1)
    body = io.BytesIO()
    soundfile.write(body, whole.astype(np.int32) << 8, sample_rate_hz, format="FLAC", subtype="PCM_24")
    return body.getvalue()


def samples_of(body: bytes) -> tuple[Block, int]:
    """The samples of what `flac_of` made, shape (frames, channels), and their rate in Hz.

    Raises
    ------
    UnreadableAudio
        These are not the bytes that were written.
    """
    try:
        whole, sample_rate_hz = soundfile.read(io.BytesIO(body), dtype="int32", always_2d=True)
    except (soundfile.LibsndfileError, TypeError) as error:
        raise UnreadableAudio("This is no FLAC of ours.") from error
    packed = (whole >> 8).astype("<i4").view(np.uint8).reshape(*whole.shape, 4)[..., :3]
    if hashlib.md5(packed.tobytes(), usedforsecurity=False).digest() != body[_MD5]:
        raise UnreadableAudio("These samples are not the ones that were written.")
    return (whole.astype(np.float32) / np.float32(2**31)), sample_rate_hz
