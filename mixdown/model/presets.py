"""Presets: named chains, what a finished file has to meet, and recordings to try them on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mixdown.model.analysis import MEASURED
from mixdown.model.chains import FINAL, Step
from mixdown.model.requests import OutputSpec
from mixdown.model.steps import Request


def _known(measure: str) -> None:
    if measure not in MEASURED:
        raise ValueError(f"there is no measure “{measure}”; there are: {', '.join(MEASURED)}")


class Requirement(Request):
    """One thing that a platform asks of a file."""

    measure: str = Field(description="What is measured, as the analysis names it: integrated_lufs, rms_dbfs …")
    at_least: float | None = None
    at_most: float | None = None
    channels: Literal[1, 2] | None = Field(default=None, description="Asked of files of so many channels only.")

    @model_validator(mode="after")
    def _asks_something(self) -> Requirement:
        _known(self.measure)
        if self.at_least is None and self.at_most is None:
            raise ValueError("a requirement needs at_least, at_most or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("at_least is more than at_most")
        return self


class Recipe(Request):
    """A recording that is made in code: what is heard in it, and what disturbs. The same samples every time."""

    duration_s: float = Field(default=12.0, ge=4, le=120, description="Of all, its silences included.")
    sample_rate_hz: Literal[16000, 44100, 48000] = 48000
    channels: Literal[1, 2] = 1
    level_lufs: float = Field(default=-23.0, ge=-60, le=-8, description="Loudness of what is to be heard.")
    voice: bool = Field(default=True, description="Somebody speaks.")
    guest_db: float | None = Field(default=None, ge=-30, le=30, description="A second speaker, so much louder.")
    music: bool = Field(default=False, description="Plucked chords: before the voice, or alone.")
    noise: Literal["room", "fan"] = "room"
    noise_dbfs: float | None = Field(default=None, ge=-120, le=-10, description="RMS of the noise.")
    rumble_dbfs: float | None = Field(default=None, ge=-120, le=-10, description="RMS of a rumble below 40 Hz.")
    hum_hz: Literal[50, 60] | None = Field(default=None, description="Mains hum of this frequency.")
    hum_dbfs: float = Field(default=-40.0, ge=-120, le=-10, description="RMS of the hum.")
    clicks: int = Field(default=0, ge=0, le=500, description="How many, at random.")
    echo: bool = Field(default=False, description="Heard from the last row of a hall.")
    offset: float = Field(default=0.0, ge=-0.5, le=0.5, description="A constant, of full scale 1.0.")
    clipped_at_dbfs: float | None = Field(default=None, ge=-40, le=0, description="Peaks are cut off here.")
    one_sided: bool = Field(default=False, description="The right side is silent.")
    silence_head_s: float = Field(default=0.0, ge=0, le=60, description="Before what is to be heard.")
    silence_tail_s: float = Field(default=0.0, ge=0, le=60, description="After it.")
    seed: int = Field(default=1, ge=0, le=9999, description="Another one gives another noise.")

    @model_validator(mode="after")
    def _something_is_heard(self) -> Recipe:
        if not (self.voice or self.music):
            raise ValueError("a recipe needs voice or music: silence has no loudness")
        if self.duration_s - self.silence_head_s - self.silence_tail_s < 3:
            raise ValueError("a recipe needs 3 s between its silences")
        if self.one_sided and self.channels == 1:
            raise ValueError("one_sided needs two channels")
        return self


#: The least and the most that may be measured.
Range = Annotated[tuple[float, float], Field(description="The least and the most that may be measured.")]


class Case(Request):
    """A recording to try a preset on, and what must come of it."""

    title: str = Field(min_length=1, max_length=100)
    recipe: Recipe = Recipe()
    output: OutputSpec | None = Field(default=None, description="What is delivered; else what the preset says.")
    expect: dict[str, Range] = Field(min_length=1, description="What is measured on the delivered file.")

    @model_validator(mode="after")
    def _can_be_met(self) -> Case:
        for measure, (least, most) in self.expect.items():
            _known(measure)
            if least > most:
                raise ValueError(f"{measure}: the first number is the least, the second the most")
        return self


class Preset(Request):
    """A named chain for a purpose."""

    name: str
    title: str = Field(min_length=1, max_length=100)
    description: str = Field(min_length=1, max_length=300)
    steps: tuple[Step, ...]
    output: OutputSpec | None = Field(default=None, description="What to deliver where nothing else is asked for.")
    requirements: tuple[Requirement, ...] = Field(default=(), description="What a finished file has to meet.")
    cases: tuple[Case, ...] = Field(default=(), description="Recordings to try it on.")

    def asked_of(self, channels: int) -> tuple[Requirement, ...]:
        """The requirements that concern a file of so many channels."""
        return tuple(each for each in self.requirements if each.channels in (None, channels))

    @model_validator(mode="after")
    def _ends_with_its_loudness(self) -> Preset:
        if not self.steps or not isinstance(self.steps[-1], FINAL):
            raise ValueError("the last step must be loudness or rms_level: it decides the level of the master")
        if any(isinstance(step, FINAL) for step in self.steps[:-1]):
            raise ValueError("there is one loudness step, and it comes last")
        return self
