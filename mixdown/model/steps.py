"""What to do to the sound of a recording: the steps that restore it and those that bring it to its level."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema


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


class DcRemoval(Request):
    """Takes a constant offset out of the signal."""

    model_config = ConfigDict(title="DC removal")
    kind: Literal["dc_removal"] = "dc_removal"


class DualMono(Request):
    """Puts a recording that is on one side only on both sides."""

    model_config = ConfigDict(title="One side to both")
    kind: Literal["dual_mono"] = "dual_mono"


class HighPass(Request):
    """Removes rumble and handling noise below a frequency."""

    model_config = ConfigDict(title="High-pass")
    kind: Literal["high_pass"] = "high_pass"
    cutoff_hz: float = Field(default=80.0, ge=10, le=500, title="Cutoff (Hz)", description="−3 dB point.")


class DeHum(Request):
    """Finds mains hum and notches the harmonics that are there."""

    model_config = ConfigDict(title="De-hum")
    kind: Literal["de_hum"] = "de_hum"
    mains_hz: Literal["auto", "50", "60"] = Field(
        default="auto", title="Mains (Hz)", description="auto: 50 or 60 Hz, whichever is heard."
    )


class DeClick(Request):
    """Repairs clicks and crackle."""

    model_config = ConfigDict(title="De-click")
    kind: Literal["de_click"] = "de_click"
    sensitivity: float = Field(
        default=0.5, ge=0, le=1, title="Sensitivity", description="Higher finds fainter clicks, and may err."
    )


class DeClip(Request):
    """Rebuilds peaks that were cut off."""

    model_config = ConfigDict(title="De-clip")
    kind: Literal["de_clip"] = "de_clip"


class DenoiseMethod(StrEnum):
    """How noise is told from speech."""

    deepfilternet = "deepfilternet"
    log_mmse = "log_mmse"


class Denoise(Request):
    """Turns noise down and leaves speech."""

    model_config = ConfigDict(title="Noise reduction")
    kind: Literal["denoise"] = "denoise"
    reduction: NoiseReduction = Field(
        default=NoiseReduction.db18,
        title="Reduction (dB)",
        description="The most that noise is turned down. “full” sounds unnatural on clean speech.",
    )
    method: DenoiseMethod = Field(
        default=DenoiseMethod.deepfilternet,
        title="Method",
        description="deepfilternet is the better one; log_mmse costs a tenth and is for steady noise.",
    )


class DeEss(Request):
    """Turns sharp s sounds down."""

    model_config = ConfigDict(title="De-esser")
    kind: Literal["de_ess"] = "de_ess"
    reduction_db: float = Field(
        default=6.0, ge=0, le=18, title="Reduction (dB)", description="The most an s is turned down."
    )


class Level(Request):
    """Lifts quiet speakers and lowers loud ones; music is treated gently, noise and silence are never lifted."""

    model_config = ConfigDict(title="Leveller")
    kind: Literal["level"] = "level"
    amount: float = Field(
        default=0.7, ge=0, le=1, title="Amount", description="1 brings every speaker to the same loudness."
    )
    largest_gain_db: float = Field(
        default=12.0, ge=0, le=12, title="Largest gain (dB)", description="Up or down, at most."
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


class RmsLevel(Request):
    """Brings the delivered file to an RMS level, as audiobook platforms ask, its peaks under a ceiling."""

    model_config = ConfigDict(title="RMS level")
    kind: Literal["rms_level"] = "rms_level"
    target_rms_dbfs: float = Field(
        default=-20.5, ge=-40, le=-5, title="Target (dBFS)", description="RMS of the whole file."
    )
    ceiling_dbtp: float = Field(
        default=-3.2, ge=-12, le=0, title="Ceiling (dBTP)", description="Highest true peak."
    )
