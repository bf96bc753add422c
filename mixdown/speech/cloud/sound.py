"""The sound that cloud engines send: PCM, by itself or in a WAV file whose header may be that of a stream."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from mixdown.speech.cloud.answers import Unusable
from mixdown.speech.port import Spoken

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_FORMAT_BYTES = 16
_SUBFORMAT = slice(24, 26)  # the first bytes of the GUID say what the plain tag would
_MOST_CHANNELS = 8


def pcm(body: bytes, sample_rate_hz: int) -> Spoken:
    """Mono samples of 16 bits, little-endian.

    Parameters
    ----------
    body : bytes
        Signed 16-bit samples; a half sample at the end is left out.
    sample_rate_hz : int

    Returns
    -------
    Spoken
    """
    whole = np.frombuffer(body[: len(body) // 2 * 2], dtype="<i2")
    return Spoken(samples=_mono(whole.astype(np.float32) / np.float32(2**15), 1), sample_rate_hz=sample_rate_hz)


def wav(body: bytes, name: str) -> Spoken:
    """The sound of a WAV file, its channels mixed to one.

    Parameters
    ----------
    body : bytes
        PCM of 16, 24 or 32 bits, or 32-bit float; lengths in the header may be those of an endless stream.
    name : str
        Who sent it, for the message.

    Raises
    ------
    Unusable
        It is none.
    """
    if body[:4] != b"RIFF" or body[8:12] != b"WAVE":
        raise Unusable(f"{name} answers with something that is not the WAV it was asked for.")
    at, form = 12, b""
    while at + 8 <= len(body):
        kind, size = struct.unpack_from("<4sI", body, at)
        at += 8
        if kind == b"data":
            return _sound(form, body[at : at + size], name)
        if kind == b"fmt ":
            form = body[at : at + size]
        at += size + size % 2
    raise Unusable(f"{name} answers with a WAV file in which there is no sound.")


def _sound(form: bytes, data: bytes, name: str) -> Spoken:
    if len(form) < _FORMAT_BYTES:
        raise Unusable(f"{name} answers with a WAV file that does not say what it holds.")
    tag, channels, sample_rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", form)
    if tag == _EXTENSIBLE and len(form) >= _SUBFORMAT.stop:
        tag = int.from_bytes(form[_SUBFORMAT], "little")
    if not 0 < channels <= _MOST_CHANNELS or not sample_rate_hz:
        raise Unusable(f"{name} answers with a WAV file that does not say what it holds.")
    data = data[: len(data) // (channels * bits // 8 or 1) * (channels * bits // 8 or 1)]
    if (tag, bits) == (_PCM, 16):
        samples = np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(2**15)
    elif (tag, bits) == (_PCM, 24):
        wide = np.zeros((len(data) // 3, 4), dtype=np.uint8)
        wide[:, 1:] = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3)
        samples = wide.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)
    elif (tag, bits) == (_PCM, 32):
        samples = np.frombuffer(data, dtype="<i4").astype(np.float32) / np.float32(2**31)
    elif (tag, bits) == (_FLOAT, 32):
        samples = np.frombuffer(data, dtype="<f4").astype(np.float32)
    else:
        raise Unusable(f"{name} answers with a WAV file of a kind that is not read here ({tag}, {bits} bits).")
    return Spoken(samples=_mono(samples, channels), sample_rate_hz=sample_rate_hz)


def _mono(samples: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    if channels == 1:
        return samples.reshape(-1, 1)
    return samples.reshape(-1, channels).mean(axis=1, dtype=np.float32, keepdims=True)
