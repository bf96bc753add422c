"""The run form: parameters as Prefect's UI shows them best. It sends back what it shows: nothing may be null."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from pydantic import ConfigDict, Field, model_validator

from mixdown import presets
from mixdown.model import NoiseReduction, OutputSpec, Request, Step

#: The shipped presets, as a list to choose from.
PresetName = StrEnum("PresetName", {name.replace("-", "_"): name for name in presets.names()})  # type: ignore[misc]
PODCAST = PresetName("podcast")

#: Amounts of noise reduction to choose from.
NoiseChoice = StrEnum(  # type: ignore[misc]
    "NoiseChoice", {"preset": "preset", **{each.name: each.value for each in NoiseReduction}}
)
AS_PRESET = NoiseChoice("preset")

MP3 = OutputSpec()


class ChainStep(Request):
    """A step of a chain, in a box of its own: only so the form shows the kinds of steps as tabs."""

    model_config = ConfigDict(title="Step")
    step: Step = Field(title="Step", description="What is done to the sound.")

    @model_validator(mode="before")
    @classmethod
    def _or_bare(cls, given: Any) -> Any:
        """From Python a step may be given as it is."""
        is_bare = isinstance(given, Request) and not isinstance(given, ChainStep)
        return {"step": given} if is_bare or (isinstance(given, dict) and "kind" in given) else given


def chosen(choice: NoiseChoice) -> NoiseReduction | None:
    """The amount that was chosen; None: as the preset says."""
    return None if choice is AS_PRESET else NoiseReduction(choice)


def bare(steps: Sequence[ChainStep]) -> list[Step]:
    """The steps themselves."""
    return [each.step for each in steps]
