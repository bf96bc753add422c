"""The run form: parameters as Prefect's UI shows them best. It sends back what it shows: nothing may be null."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from mixdown import presets
from mixdown.model import NoiseReduction, OutputSpec, Step
from mixdown.step_text import parse_step

#: The shipped presets, as a list to choose from.
PresetName = StrEnum("PresetName", {name.replace("-", "_"): name for name in presets.names()})  # type: ignore[misc]
PODCAST = PresetName("podcast")

#: Amounts of noise reduction to choose from.
NoiseChoice = StrEnum(  # type: ignore[misc]
    "NoiseChoice", {"preset": "preset", **{each.name: each.value for each in NoiseReduction}}
)
AS_PRESET = NoiseChoice("preset")

MP3 = OutputSpec()


def _as_step(given: Any) -> Any:
    """A step written on a line becomes a step; from Python it may be given as it is."""
    return parse_step(given) if isinstance(given, str) else given


#: A step as the form takes it, on a line: a union of 29 kinds would be a row of tabs wider than any screen.
StepLine = Annotated[Step, BeforeValidator(_as_step), WithJsonSchema({"type": "string"})]


def chosen(choice: NoiseChoice) -> NoiseReduction | None:
    """The amount that was chosen; None: as the preset says."""
    return None if choice is AS_PRESET else NoiseReduction(choice)
