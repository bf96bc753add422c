"""A script as it is to be performed: sentences, pauses, chapters, cues, in their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Gap(StrEnum):
    """What lies between a sentence and the one before it; see `speech.joining` for how long that is."""

    none = "none"  #: It goes on within a sentence, where a long one was divided.
    sentence = "sentence"
    paragraph = "paragraph"
    speaker = "speaker"  #: Somebody else speaks.
    heading = "heading"  #: Before and after a heading.


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A sentence that is said."""

    text: str  #: as it is written, for captions
    said: str  #: as it is to be said: abbreviations, substitutions and the lexicon's respellings applied
    speaker: str = ""  #: who says it, as the script calls them
    voice: str = ""  #: a voice asked for by name; "": that of the speaker, else that of the job
    language: str = ""  #: where it differs from the script's
    rate: float = 1.0  #: of this sentence, beside that of the job
    ipa: Mapping[str, str] = field(default_factory=dict)  #: words of `said` and how they sound
    gap: Gap = Gap.sentence
    heading: bool = False
    line_number: int = 0  #: of the script where it begins, from 1; 0: unknown


@dataclass(frozen=True, slots=True)
class Pause:
    """So much silence, instead of what would stand between the sentences beside it."""

    duration_s: float


@dataclass(frozen=True, slots=True)
class ChapterStart:
    """A chapter begins with the next sentence or sound."""

    title: str


@dataclass(frozen=True, slots=True)
class MusicCue:
    """From here on this bed plays under what is said."""

    bed: str  #: name of a bed; "": the music fades out
    level_lu: float | None = None  #: against the voice; None: the usual


@dataclass(frozen=True, slots=True)
class EffectCue:
    """A sound of its own: what is said waits until it is over."""

    name: str = ""  #: of a sound that is made here: logo, sting, tone …
    uri: str = ""  #: or of a recording
    parameters: Mapping[str, str] = field(default_factory=dict)


#: What a script is made of.
Item = Line | Pause | ChapterStart | MusicCue | EffectCue


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script, read."""

    items: tuple[Item, ...]
    language: str  #: BCP 47
    title: str = ""
    cast: Mapping[str, str] = field(default_factory=dict)  #: voices of speakers, as the script itself names them
    tags: Mapping[str, str] = field(default_factory=dict)  #: title, author … of its front matter
    warnings: tuple[str, ...] = ()  #: what was passed over, as sentences

    @property
    def lines(self) -> tuple[Line, ...]:
        """The sentences."""
        return tuple(item for item in self.items if isinstance(item, Line))

    @property
    def characters(self) -> int:
        """How much there is to say."""
        return sum(len(line.said) for line in self.lines)
