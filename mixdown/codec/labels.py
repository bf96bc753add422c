"""All that is written on a file beside its sound: tags, a cover picture, chapter marks."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

import av.error
from av.container import InputContainer
from av.stream import Discard, Disposition

from mixdown.codec.cover import acceptable
from mixdown.codec.cue import read_cues
from mixdown.codec.sniff import Container
from mixdown.codec.tags import clean, clean_title
from mixdown.model import Labels, Mark, Tags

#: More are no chapters, but an attack on whoever lists them.
MOST_MARKS = 999

#: Pictures of a file that are looked at for one to keep.
_MOST_PICTURES = 16

_FRONT = "Cover (front)"

#: What programs call the chapters of an MP3 within it.
_ELEMENT = re.compile(r"^ch[ap]{0,3}\d+$")


def clean_labels(labels: Labels) -> Labels:
    """Labels fit to be written: known tags of safe text, a cover that is a picture, marks in order."""
    return Labels(tags=clean(labels.tags), cover=acceptable(labels.cover), marks=clean_marks(labels.marks))


def clean_marks(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """Marks in the order of their times, with safe titles, one to a place and not endlessly many."""
    placed = {
        round(mark.start_s, 6): clean_title(mark.title)
        for mark in marks
        if math.isfinite(mark.start_s) and mark.start_s >= 0.0
    }
    return tuple(Mark(start_s, title) for start_s, title in sorted(placed.items())[:MOST_MARKS])


def read_labels(opened: InputContainer, fd: int, container: Container, tags: Tags) -> Labels:
    """What is written on an opened file, which is not good for anything else afterwards."""
    marks = read_cues(fd) if container is Container.wav else list(_chapters(opened))
    if container is Container.mp3:  # FFmpeg gives a chapter without a title the name of its element
        marks = [Mark(mark.start_s, _ELEMENT.sub("", mark.title)) for mark in marks]
    if container is Container.mp4 and len(marks) > 1 and marks[0] == Mark(0.0, ""):  # what stands before the first
        del marks[0]
    return Labels(tags=tags, cover=_cover(opened), marks=clean_marks(marks))


def _chapters(opened: InputContainer) -> Iterator[Mark]:
    for chapter in opened.chapters():
        if chapter["time_base"]:
            yield Mark(float(chapter["start"] * chapter["time_base"]), chapter["metadata"].get("title", ""))


def _cover(opened: InputContainer) -> bytes | None:
    """The picture said to be the front cover, else the first; pictures are not decoded."""
    pictures = [stream for stream in opened.streams if stream.disposition & Disposition.attached_pic]
    pictures = sorted(pictures[:_MOST_PICTURES], key=lambda stream: stream.metadata.get("comment") != _FRONT)
    for stream in opened.streams:
        stream.discard = Discard.all
    wanted = {stream.index: place for place, stream in enumerate(pictures)}
    found: dict[int, bytes] = {}
    for stream in pictures:
        stream.discard = Discard.default
    try:
        # FFmpeg hands out the pictures before anything else.
        for packet in opened.demux(pictures) if pictures else ():
            if packet.size and (picture := acceptable(bytes(packet))) is not None:
                found.setdefault(wanted[packet.stream.index], picture)
            if not packet.size or len(found) == len(pictures):
                break
    except av.error.FFmpegError:
        pass
    return found[min(found)] if found else None
