"""What to do to the course of a recording: cuts, joins, fades, beds, and what is written on it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field, WithJsonSchema, model_validator

from mixdown.model.source import Source
from mixdown.model.steps import Request, without_null_defaults

StepT = TypeVar("StepT", bound=Request)

#: A number that may stay empty, as forms show it best.
_OptionalNumber = WithJsonSchema({"type": "number"})

Seconds = Annotated[float, Field(ge=0, le=86_400)]


class Silence(Request):
    """Trims silence at both ends, and shortens long pauses where asked."""

    model_config = ConfigDict(title="Silence", json_schema_extra=without_null_defaults)
    kind: Literal["silence"] = "silence"
    trim: bool = Field(default=True, title="Trim", description="Cut silence at the start and the end.")
    keep_s: Seconds = Field(default=0.3, title="Keep (s)", description="Silence left at each end.")
    shorten_to_s: Annotated[float | None, _OptionalNumber] = Field(
        default=None, ge=0.1, le=60, title="Shorten pauses to (s)", description="Empty: pauses stay as they are."
    )


class RoomTone(Request):
    """Gives a recording so much of its own room tone before the first and after the last word."""

    model_config = ConfigDict(title="Room tone")
    kind: Literal["room_tone"] = "room_tone"
    head_s: float = Field(default=0.75, ge=0, le=10, title="Head (s)", description="Before the first word.")
    tail_s: float = Field(default=2.5, ge=0, le=30, title="Tail (s)", description="After the last word.")


class Trim(Request):
    """Keeps what lies between two times."""

    model_config = ConfigDict(title="Trim", json_schema_extra=without_null_defaults)
    kind: Literal["trim"] = "trim"
    start_s: Seconds = Field(default=0.0, title="Start (s)", description="What lies before is cut.")
    end_s: Annotated[float | None, _OptionalNumber] = Field(
        default=None, gt=0, title="End (s)", description="What lies after is cut. Empty: the end."
    )


class Split(Request):
    """Cuts a recording into parts, each delivered as a file of its own. Give one way to do so."""

    model_config = ConfigDict(title="Split", json_schema_extra=without_null_defaults)
    kind: Literal["split"] = "split"
    at_s: tuple[Seconds, ...] = Field(default=(), max_length=999, title="At (s)", description="Times of the cuts.")
    every_s: Annotated[float | None, _OptionalNumber] = Field(
        default=None, ge=1, title="Every (s)", description="Length of the parts."
    )
    at_silences: bool = Field(default=False, title="At silences", description="Cut in the middle of long pauses.")
    at_chapters: bool = Field(default=False, title="At chapters", description="Cut at the chapter marks.")
    silence_s: float = Field(
        default=1.5, ge=0.2, le=60, title="Silence (s)", description="The shortest pause to cut in."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Split:
        if sum(map(bool, (self.at_s, self.every_s, self.at_silences, self.at_chapters))) != 1:
            raise ValueError("Split needs exactly one of: at_s, every_s, at_silences, at_chapters")
        return self


class Concatenate(Request):
    """Adds other recordings after this one."""

    model_config = ConfigDict(title="Concatenate")
    kind: Literal["concatenate"] = "concatenate"
    sources: tuple[Source, ...] = Field(min_length=1, max_length=100, title="Recordings")
    crossfade_s: float = Field(default=0.0, ge=0, le=60, title="Crossfade (s)", description="0: end to start.")
    match_loudness: bool = Field(
        default=True, title="Match loudness", description="Bring each to the loudness of the first."
    )


class Intro(Request):
    """Puts a recording before this one."""

    model_config = ConfigDict(title="Intro")
    kind: Literal["intro"] = "intro"
    source: Source = Field(title="Recording")
    overlap_s: float = Field(
        default=0.0, ge=0, le=60, title="Overlap (s)", description="It fades out under the beginning for so long."
    )
    match_loudness: bool = Field(default=True, title="Match loudness")


class Outro(Request):
    """Puts a recording after this one."""

    model_config = ConfigDict(title="Outro")
    kind: Literal["outro"] = "outro"
    source: Source = Field(title="Recording")
    overlap_s: float = Field(
        default=0.0, ge=0, le=60, title="Overlap (s)", description="It fades in under the end for so long."
    )
    match_loudness: bool = Field(default=True, title="Match loudness")


class Insert(Request):
    """Puts a recording into this one, at marks: a jingle, an advertisement."""

    model_config = ConfigDict(title="Insert")
    kind: Literal["insert"] = "insert"
    source: Source = Field(title="Recording")
    at_s: tuple[Seconds, ...] = Field(default=(), max_length=999, title="At (s)")
    at_chapters: bool = Field(
        default=False, title="At chapters", description="At every chapter mark but the first."
    )
    match_loudness: bool = Field(default=True, title="Match loudness")

    @model_validator(mode="after")
    def _somewhere(self) -> Insert:
        if bool(self.at_s) == self.at_chapters:
            raise ValueError("Insert needs times, or at_chapters")
        return self


class FadeCurve(StrEnum):
    """Shape of a fade."""

    linear = "linear"
    sine = "sine"
    exponential = "exponential"


class Fade(Request):
    """Fades the beginning in and the end out."""

    model_config = ConfigDict(title="Fade")
    kind: Literal["fade"] = "fade"
    in_s: Seconds = Field(default=0.0, title="In (s)")
    out_s: Seconds = Field(default=0.0, title="Out (s)")
    curve: FadeCurve = Field(default=FadeCurve.sine, title="Curve")


class Gain(Request):
    """Makes everything louder or softer."""

    model_config = ConfigDict(title="Gain")
    kind: Literal["gain"] = "gain"
    gain_db: float = Field(ge=-60, le=40, title="Gain (dB)")


class Speed(Request):
    """Plays faster or slower, like a tape: the pitch moves along."""

    model_config = ConfigDict(title="Speed")
    kind: Literal["speed"] = "speed"
    factor: float = Field(ge=0.25, le=4, title="Factor", description="2 is twice as fast.")


class Stretch(Request):
    """Plays faster or slower at the same pitch."""

    model_config = ConfigDict(title="Time-stretch")
    kind: Literal["stretch"] = "stretch"
    factor: float = Field(ge=0.25, le=4, title="Factor", description="2 is twice as fast.")


class Pitch(Request):
    """Sounds higher or lower at the same pace."""

    model_config = ConfigDict(title="Pitch-shift")
    kind: Literal["pitch"] = "pitch"
    semitones: float = Field(ge=-24, le=24, title="Semitones")


class Bed(Request):
    """Lays music under the voice, and turns it down while someone speaks."""

    model_config = ConfigDict(title="Music bed")
    kind: Literal["bed"] = "bed"
    source: Source = Field(title="Music")
    level_lu: float = Field(
        default=-6.0, ge=-40, le=6, title="Level (LU)", description="Of the music alone, against the voice."
    )
    duck_db: float = Field(
        default=14.0, ge=0, le=40, title="Ducking (dB)", description="How far it is turned down under the voice."
    )
    look_ahead_s: float = Field(
        default=0.5, ge=0, le=5, title="Look-ahead (s)", description="It is down so long before the voice begins."
    )
    release_s: float = Field(
        default=1.2, ge=0.05, le=10, title="Release (s)", description="It takes so long to come back."
    )
    lead_in_s: Seconds = Field(default=0.0, title="Lead-in (s)", description="Music alone before the voice.")
    lead_out_s: Seconds = Field(default=0.0, title="Lead-out (s)", description="Music alone after the voice.")
    fade_in_s: Seconds = Field(default=1.0, title="Fade in (s)")
    fade_out_s: Seconds = Field(default=3.0, title="Fade out (s)")
    loop: bool = Field(default=True, title="Loop", description="Begin again where the music is too short.")


class Reverse(Request):
    """Plays backwards."""

    model_config = ConfigDict(title="Reverse")
    kind: Literal["reverse"] = "reverse"


class ChannelChoice(StrEnum):
    """What becomes of the channels."""

    mono = "mono"
    stereo = "stereo"
    left = "left"
    right = "right"
    mid = "mid"
    side = "side"
    swap = "swap"


class Channels(Request):
    """Takes one channel, mixes both to one, or makes two of one."""

    model_config = ConfigDict(title="Channels")
    kind: Literal["channels"] = "channels"
    take: ChannelChoice = Field(title="Take")


class Chapter(Request):
    """A chapter mark."""

    start_s: Seconds = Field(title="Start (s)")
    title: str = Field(default="", max_length=512, title="Title")


class Label(Request):
    """Writes tags, a cover picture or chapter marks."""

    model_config = ConfigDict(title="Tags, cover, chapters", json_schema_extra=without_null_defaults)
    kind: Literal["label"] = "label"
    tags: dict[str, str] = Field(
        default_factory=dict, title="Tags", description="Such as title, artist, album. An empty one is removed."
    )
    cover: Annotated[Source | None, WithJsonSchema({"type": "object"})] = Field(
        default=None, title="Cover", description="A JPEG or PNG picture. Empty: the source's own is kept."
    )
    chapters: tuple[Chapter, ...] = Field(
        default=(), max_length=999, title="Chapters", description="Empty: the source's own are kept."
    )


#: An edit changes length, order or company; it works on a whole recording.
EDITS = (
    Silence,
    RoomTone,
    Trim,
    Split,
    Concatenate,
    Intro,
    Outro,
    Insert,
    Fade,
    Gain,
    Speed,
    Stretch,
    Pitch,
    Bed,
    Reverse,
    Channels,
    Label,
)

Edit = (
    Silence
    | RoomTone
    | Trim
    | Split
    | Concatenate
    | Intro
    | Outro
    | Insert
    | Fade
    | Gain
    | Speed
    | Stretch
    | Pitch
    | Bed
    | Reverse
    | Channels
    | Label
)


def with_sources(step: StepT, change: Callable[[Source], Source]) -> StepT:
    """The step with every other recording or picture it needs changed."""
    changed: dict[str, Any] = {}
    if isinstance(step, Concatenate):
        changed = {"sources": tuple(map(change, step.sources))}
    elif isinstance(step, Intro | Outro | Insert | Bed):
        changed = {"source": change(step.source)}
    elif isinstance(step, Label) and step.cover is not None:
        changed = {"cover": change(step.cover)}
    return step.model_copy(update=changed) if changed else step


def sources_of(edit: Request) -> tuple[Source, ...]:
    """The other recordings and pictures that a step needs."""
    if isinstance(edit, Concatenate):
        return edit.sources
    if isinstance(edit, Intro | Outro | Insert | Bed):
        return (edit.source,)
    if isinstance(edit, Label) and edit.cover is not None:
        return (edit.cover,)
    return ()
