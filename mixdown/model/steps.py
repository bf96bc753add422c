"""What to do to the sound: the steps of a chain, and presets, which are named chains."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema


class Request(BaseModel):
    """What came from outside: frozen, and nothing unknown in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def without_null_defaults(schema: dict[str, Any]) -> None:
    """Take the null defaults out of a schema: a form would send them back, and its server refuse them."""
    for field in schema["properties"].values():
        if field.get("default", ...) is None:
            del field["default"]


class NoiseReduction(StrEnum):
    """How far noise is turned down, in dB."""

    off = "off"
    db12 = "12"
    db18 = "18"
    db24 = "24"
    full = "full"

    @property
    def limit_db(self) -> float | None:
        """The most that noise is turned down, in dB; None: without limit."""
        return None if self is NoiseReduction.full else 0.0 if self is NoiseReduction.off else float(self.value)


class HighPass(Request):
    """Removes rumble and handling noise below a frequency."""

    model_config = ConfigDict(title="High-pass")
    kind: Literal["high_pass"] = "high_pass"
    cutoff_hz: float = Field(default=80.0, ge=10, le=500, title="Cutoff (Hz)", description="−3 dB point.")


class Denoise(Request):
    """Turns noise down and leaves speech (DeepFilterNet3)."""

    model_config = ConfigDict(title="Noise reduction")
    kind: Literal["denoise"] = "denoise"
    reduction: NoiseReduction = Field(
        default=NoiseReduction.db18,
        title="Reduction (dB)",
        description="The most that noise is turned down. “full” sounds unnatural on clean speech.",
    )


class Compress(Request):
    """Evens out loud and quiet passages, gently, relative to the loudness of the programme."""

    model_config = ConfigDict(title="Compressor")
    kind: Literal["compress"] = "compress"
    threshold_lu: float = Field(
        default=0.0, ge=-30, le=30, title="Threshold (LU)", description="Above the programme's loudness."
    )
    ratio: float = Field(default=2.0, ge=1, le=20, title="Ratio", description="2 means 2:1.")
    knee_db: float = Field(default=6.0, ge=0, le=24, title="Knee (dB)", description="Width of the soft knee.")
    attack_s: float = Field(default=0.010, ge=0.0005, le=0.5, title="Attack (s)", description="Time to react.")
    release_s: float = Field(
        default=0.150, ge=0.005, le=5, title="Release (s)", description="Time to let go again."
    )


class Loudness(Request):
    """Brings the delivered file to a loudness, its true peaks under a ceiling (BS.1770-4, R128)."""

    model_config = ConfigDict(title="Loudness", json_schema_extra=without_null_defaults)
    kind: Literal["loudness"] = "loudness"
    target_lufs: float = Field(
        default=-16.0, ge=-40, le=-5, title="Target (LUFS)", description="Integrated loudness."
    )
    mono_target_lufs: Annotated[float | None, WithJsonSchema({"type": "number"})] = Field(
        default=None,
        ge=-40,
        le=-5,
        title="Target for mono (LUFS)",
        description="One channel on two speakers sounds 3 LU louder; empty means the same target.",
    )
    ceiling_dbtp: float = Field(
        default=-1.0, ge=-12, le=0, title="Ceiling (dBTP)", description="Highest true peak."
    )

    def target_for(self, channels: int) -> float:
        """The integrated loudness to reach with this many channels, in LUFS."""
        mono = channels == 1 and self.mono_target_lufs is not None
        return self.mono_target_lufs if mono else self.target_lufs  # type: ignore[return-value]


class _Tabs:
    """Has a union described by `anyOf`, which forms show as tabs; of `oneOf` they make a field for raw JSON."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": handler(core)["oneOf"]}


#: One step of a chain. Order is data: a preset lists its steps as they are to be run.
Step = Annotated[HighPass | Denoise | Compress | Loudness, Field(discriminator="kind"), _Tabs()]


class Preset(Request):
    """A named chain for a purpose."""

    name: str
    title: str
    description: str
    steps: tuple[Step, ...]
