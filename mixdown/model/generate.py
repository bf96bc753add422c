"""What is asked for where a script is to become audio."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, WithJsonSchema, model_validator

from mixdown.model.source import Source
from mixdown.model.steps import Loudness, Request, RmsLevel, without_null_defaults


class ScriptForm(StrEnum):
    """How a script is written."""

    auto = "auto"  #: By its suffix and its first lines.
    plain = "plain"  #: Paragraphs with empty lines between them.
    markdown = "markdown"  #: Headings are chapters.
    dialogue = "dialogue"  #: Lines that begin with who speaks, as in `HOST: Welcome.`
    ssml = "ssml"  #: A subset of W3C SSML 1.1.


class Listening(StrEnum):
    """What is done to find out whether everything was said."""

    off = "off"  #: Only the signal of each chunk is checked.
    auto = "auto"  #: A recogniser listens where one is installed, but not to `draft`, which leaves nothing out.
    on = "on"  #: A recogniser has to listen; without one the job fails.


class MusicBed(Request):
    """Music under all of it: one that is made here, or a recording."""

    model_config = ConfigDict(title="Music", json_schema_extra=without_null_defaults)
    bed: str = Field(
        default="warm",
        pattern="^[a-z][a-z0-9-]{0,31}$",
        title="Bed",
        description="Name of a bed that Mixdown makes.",
    )
    source: Source | None = Field(default=None, description="A recording, instead of a bed that is made.")
    seed: int = Field(default=1, ge=0, le=9999, title="Seed", description="Another one gives another piece.")
    level_lu: float = Field(
        default=-16.0, ge=-60, le=0, title="Level (LU)", description="Of the music alone, against the voice."
    )
    duck_db: float = Field(
        default=8.0, ge=0, le=40, title="Duck (dB)", description="So much less while somebody speaks."
    )
    lead_in_s: float = Field(default=2.0, ge=0, le=60, title="Lead-in (s)", description="Music before the voice.")
    lead_out_s: float = Field(default=3.0, ge=0, le=60, title="Lead-out (s)", description="Music after the voice.")


class Generate(Request):
    """Make audio from a script: speech, over music if wanted, joined, with chapters and captions."""

    model_config = ConfigDict(json_schema_extra=without_null_defaults)
    kind: Literal["generate"] = "generate"
    quality: str = Field(
        default="auto",
        pattern="^(auto|draft|standard|studio|cloud:[a-z0-9][a-z0-9-]{0,62})$",
        description="auto (the best installed), draft, standard, studio, or cloud:NAME of one that was set up.",
    )
    voice: str = Field(
        default="", max_length=200, description="Name of a voice of the engine. Empty: its own for the language."
    )
    language: str = Field(
        default="",
        pattern="^([A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*)?$",
        description="Language of the script, such as en-GB or de. Empty: as the script says, else en.",
    )
    form: ScriptForm = Field(default=ScriptForm.auto, description="How the script is written.")
    cast: dict[str, str] = Field(
        default={},
        max_length=50,
        description="Voice of each speaker; the script's front matter goes before it.",
    )
    rate: float = Field(default=1.0, ge=0.5, le=2.0, description="How fast is spoken; 1 is the voice's own pace.")
    lexicon: Source | None = Field(default=None, description="How words are said: a CSV, YAML or PLS file.")
    music: MusicBed | None = Field(default=None, description="Music under all of it.")
    preset: str = Field(default="podcast", description="Name of the preset that decides the loudness.")
    loudness: Annotated[Loudness | RmsLevel, Field(discriminator="kind")] | None = Field(
        default=None, description="A loudness of one's own, instead of the preset's."
    )
    listening: Listening = Field(default=Listening.auto, description="Have a recogniser hear whether all was said.")
    attempts: int = Field(
        default=3, ge=1, le=10, description="How often a chunk is made that sounds wrong, before the job fails."
    )
    max_cost: Annotated[float | None, WithJsonSchema({"type": "number", "minimum": 0})] = Field(
        default=None, ge=0, description="What a job may cost at paid engines. Empty: as the settings say."
    )
    title: str = Field(default="", max_length=200, description="Title tag. Empty: as the script says.")

    @model_validator(mode="after")
    def _voices_are_named(self) -> Generate:
        if any(not name.strip() or len(name) > 100 or len(voice) > 200 for name, voice in self.cast.items()):
            raise ValueError("cast: each speaker has a name of at most 100 letters, and a voice of at most 200")
        return self
