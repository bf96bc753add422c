"""What an engine is: text in, samples out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mixdown.dsp.processor import Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A voice that an engine has."""

    name: str  #: as it is asked for
    language: str  #: BCP 47: en-GB, de-DE …
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """What is asked of an engine at once."""

    text: str  #: at most `Engine.longest_chars`
    voice: str  #: one that `Engine.voice_for` gave
    language: str = "en"
    rate: float = 1.0  #: 0.5 to 2; 1 is the voice's own pace
    ipa: Mapping[str, str] = field(default_factory=dict)  #: words of the text and how they sound
    before: str = ""  #: what was said just before, for engines that make use of it; no part of the chunk's key
    after: str = ""
    attempt: int = 0  #: how often it was made before and sounded wrong: an engine that can, then varies its seed


class Engine(Protocol):
    """Makes speech. Used by several threads at once.

    Each method raises what `errors/speaking.py` names: a PermanentError where asking again cannot help (no such
    voice, a refused key), EngineUnavailable (with its dependency and `retry_after_s`) where it may.
    """

    @property
    def name(self) -> str:
        """What it is called: `pico`, `kokoro`, `cloud:openai`."""

    @property
    def identity(self) -> str:
        """Whatever decides the samples besides the utterance: model hash, model name, settings, version."""

    @property
    def origin(self) -> str:
        """What has to serve for it to speak: `https://host`; "" for one that speaks here."""

    @property
    def longest_chars(self) -> int:
        """The longest text of one utterance."""

    @property
    def packs_chars(self) -> int:
        """How much text is best asked for at once; 0: each sentence by itself."""

    @property
    def at_once(self) -> int:
        """How many utterances a process may ask for at the same time."""

    @property
    def price(self) -> float:
        """What a thousand characters cost, in the unit of `max_cost`; 0: nothing."""

    @property
    def voices(self) -> Sequence[Voice]:
        """The voices it has; () where it cannot tell without asking a server."""

    def voice_for(self, asked: str, language: str) -> str:
        """The voice by its name, or for "" its own for a language. Raises UnknownVoice, UnknownLanguage."""

    def speak(self, utterance: Utterance, check: Callable[[], None] = lambda: None) -> Spoken:
        """The sound of an utterance; `check` is called now and then, and what it raises ends the work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What an engine said."""

    samples: Block  #: float32, shape (frames, 1), full scale ±1.0
    sample_rate_hz: int
