"""Chains: steps in the order they are run, and presets, which are named chains."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from mixdown.model.edits import Edit
from mixdown.model.steps import (
    Compress,
    DcRemoval,
    DeClick,
    DeClip,
    DeEss,
    DeHum,
    Denoise,
    DualMono,
    HighPass,
    Level,
    Loudness,
    RmsLevel,
)


class _Tabs:
    """Has a union described by `anyOf`, which forms show as tabs; of `oneOf` they make a field for raw JSON."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": handler(core)["oneOf"]}


#: Steps that bring the delivered file to its level; a chain has at most one, as its last step.
FINAL = (Loudness, RmsLevel)

#: One step of a chain. Order is data: a preset lists its steps as they are to be run.
Step = Annotated[
    DcRemoval
    | DualMono
    | HighPass
    | DeHum
    | DeClip
    | DeClick
    | Denoise
    | DeEss
    | Level
    | Compress
    | Edit
    | Loudness
    | RmsLevel,
    Field(discriminator="kind"),
    _Tabs(),
]
