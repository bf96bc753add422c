"""Comments of FLAC, Ogg Vorbis and Opus (Vorbis I specification, section 5), by name."""

from __future__ import annotations

from collections.abc import Sequence

from mixdown.codec.cover import picture_comment
from mixdown.model import Labels, Mark

#: Ogg carries a cover in a comment of this name.
_PICTURE = "METADATA_BLOCK_PICTURE"


def chapter_comments(marks: Sequence[Mark]) -> dict[str, str]:
    """Chapter marks after the Xiph wiki's chapter extension: CHAPTER001 and CHAPTER001NAME.

    It counts to 999; a chapter without a title has none.
    """
    comments = {}
    for number, mark in enumerate(marks, start=1):
        comments[f"CHAPTER{number:03}"] = _clock(mark.start_s)
        comments[f"CHAPTER{number:03}NAME"] = mark.title
    return comments


def ogg_comments(labels: Labels) -> dict[str, str]:
    """Chapters and cover of an Ogg file as comments."""
    comments = chapter_comments(labels.marks)
    return comments if labels.cover is None else {**comments, _PICTURE: picture_comment(labels.cover)}


def _clock(time_s: float) -> str:
    milliseconds = round(time_s * 1000)
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}.{milliseconds:03}"
