"""One edit of one recording."""

from __future__ import annotations

from mixdown.editing.bed import laid_on_bed
from mixdown.editing.cutting import shortened, split, trimmed
from mixdown.editing.desk import Desk
from mixdown.editing.joining import concatenated, with_inserts, with_intro, with_outro
from mixdown.editing.labelling import labelled
from mixdown.editing.shaping import faded, louder, rechannelled, reversed_in_time
from mixdown.editing.tempo import repitched, sped, stretched
from mixdown.editing.tone import with_room_tone
from mixdown.intermediate import Recording
from mixdown.model import (
    Bed,
    Channels,
    Concatenate,
    Edit,
    Fade,
    Gain,
    Insert,
    Intro,
    Label,
    Outro,
    Pitch,
    Reverse,
    RoomTone,
    Silence,
    Speed,
    Split,
    Stretch,
    Trim,
)


def edit(step: Edit, recording: Recording, desk: Desk) -> list[Recording]:
    """What becomes of a recording: one, or the parts that it is split into.

    Its intermediate is gone afterwards, unless the edit left it as it is; what was made is in the desk's folder.

    Raises
    ------
    NothingLeft, BeyondTheEnd, NoChapters, TooManyParts, TooLong
        The edit cannot be made of this recording.
    SourceError, AudioError
        A material cannot be used; the message names it.
    ScratchFull
    """
    with desk.replacing(recording.audio) as kept:
        results = split(step, recording, desk) if isinstance(step, Split) else [_edited(step, recording, desk)]
        kept += [result.audio for result in results]
    return results


def _edited(step: Edit, recording: Recording, desk: Desk) -> Recording:
    match step:
        case Trim():
            return trimmed(step, recording, desk)
        case Silence():
            return shortened(step, recording, desk)
        case RoomTone():
            return with_room_tone(step, recording, desk)
        case Concatenate():
            return concatenated(step, recording, desk)
        case Intro():
            return with_intro(step, recording, desk)
        case Outro():
            return with_outro(step, recording, desk)
        case Insert():
            return with_inserts(step, recording, desk)
        case Bed():
            return laid_on_bed(step, recording, desk)
        case Fade():
            return faded(step, recording, desk)
        case Gain():
            return louder(step, recording, desk)
        case Speed():
            return sped(step, recording, desk)
        case Stretch():
            return stretched(step, recording, desk)
        case Pitch():
            return repitched(step, recording, desk)
        case Reverse():
            return reversed_in_time(recording, desk)
        case Channels():
            return rechannelled(step, recording, desk)
        case Label():
            return labelled(step, recording, desk)
    raise TypeError(f"{type(step).__name__} is no edit")
