"""What a recording says it is, by its header."""

from __future__ import annotations

from pathlib import Path

from mixdown.codec.decode import open_audio
from mixdown.model import Limits, ProbedAudio


def probe(path: Path, *, name: str, limits: Limits) -> ProbedAudio:
    """Read the header of a recording and hold it against the limits; no audio is decoded.

    Parameters
    ----------
    path : Path
    name : str
        What its owner calls it; the only name in a message.
    limits : Limits

    Returns
    -------
    ProbedAudio
        ``duration_s`` is None where the format does not declare one; of a chained Ogg file it is that of the
        first link.

    Raises
    ------
    SourceError, AudioError
        The member that fits; see `mixdown.errors`.
    """
    with open_audio(path, name=name, limits=limits) as reader:
        return reader.probe
