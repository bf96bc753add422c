"""The edit that changes nothing but what is written on a recording."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mixdown.codec.cover import COVER_BYTES, picture_type
from mixdown.codec.sniff import open_regular
from mixdown.editing.desk import Desk
from mixdown.errors import BeyondTheEnd, UnreadablePicture
from mixdown.intermediate import Recording
from mixdown.model import Label, Mark


def labelled(step: Label, recording: Recording, desk: Desk) -> Recording:
    """The recording with other tags, another cover or other chapters; what is not given stays."""
    labels = recording.labels
    if step.tags:
        tags = {**labels.tags, **{name.strip().lower(): value for name, value in step.tags.items()}}
        labels = replace(labels, tags={name: value for name, value in tags.items() if value.strip()})
    if step.cover is not None:
        labels = replace(labels, cover=_picture(desk.path_of(step.cover), name=step.cover.name))
    if step.chapters:
        marks = sorted((Mark(each.start_s, each.title) for each in step.chapters), key=lambda mark: mark.start_s)
        if marks[-1].start_s >= recording.audio.duration_s:
            raise BeyondTheEnd(
                f"{desk.name} is {recording.audio.duration_s:.1f} s long:"
                f" no chapter can begin at {marks[-1].start_s:.1f} s."
            )
        labels = replace(labels, marks=tuple(marks))
    return replace(recording, labels=labels)


def _picture(path: Path, *, name: str) -> bytes:
    """A JPEG or PNG, by its first bytes; it is never decoded.

    Raises
    ------
    SourceError, UnreadablePicture
    """
    with open(open_regular(path, name=name), "rb") as file:  # noqa: PTH123 -- a descriptor, not a path
        picture = file.read(COVER_BYTES + 1)
    if len(picture) > COVER_BYTES:
        raise UnreadablePicture(f"{name} is larger than the {COVER_BYTES // 2**20} MiB that a cover may have.")
    if picture_type(picture) is None:
        raise UnreadablePicture(f"{name} is no JPEG or PNG picture.")
    return picture
