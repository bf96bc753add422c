"""What is asked for: a job, its source, its outputs, whom to tell."""

from __future__ import annotations

import hashlib
import json
import operator
from enum import StrEnum
from typing import Annotated, Any, Literal, get_args

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, WithJsonSchema, model_serializer

from mixdown.model.chains import Step
from mixdown.model.generate import Generate
from mixdown.model.source import Source
from mixdown.model.steps import NoiseReduction, Request, without_null_defaults


class AudioFormat(StrEnum):
    """Formats of a master."""

    mp3 = "mp3"
    m4a = "m4a"
    opus = "opus"
    ogg = "ogg"
    flac = "flac"
    wav = "wav"

    @property
    def suffix(self) -> str:
        """File name suffix, with its dot."""
        return f".{self.value}"

    @property
    def media_type(self) -> str:
        """MIME type of a file of this format."""
        return _MEDIA_TYPES[self]

    @property
    def lossless(self) -> bool:
        """Whether the samples survive the format."""
        return self in (AudioFormat.flac, AudioFormat.wav)


_MEDIA_TYPES = {
    AudioFormat.mp3: "audio/mpeg",
    AudioFormat.m4a: "audio/mp4",
    AudioFormat.opus: "audio/ogg",
    AudioFormat.ogg: "audio/ogg",
    AudioFormat.flac: "audio/flac",
    AudioFormat.wav: "audio/wav",
}

#: Bitrate of a stereo master when none is asked for, in kbit/s; mono takes a little over half.
DEFAULT_BITRATE_KBPS = {
    AudioFormat.mp3: 128,
    AudioFormat.m4a: 128,
    AudioFormat.opus: 96,
    AudioFormat.ogg: 128,
}


#: Sample rates that a master may be asked in, in Hz.
SampleRateHz = Literal[16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000]


def _shown_as(kind: str, **limits: Any) -> WithJsonSchema:
    """An optional value as forms show it best: a field that may stay empty, not a choice of types."""
    return WithJsonSchema({"type": kind, **limits})


class OutputSpec(Request):
    """One file to deliver."""

    model_config = ConfigDict(title="Output", json_schema_extra=without_null_defaults)
    format: AudioFormat = Field(
        default=AudioFormat.mp3,
        title="Format",
        json_schema_extra={"position": 0},
        description="Kind of file.",
    )
    bitrate_kbps: Annotated[int | None, _shown_as("integer", minimum=24, maximum=512)] = Field(
        default=None,
        ge=24,
        le=512,
        title="Bitrate (kbit/s)",
        json_schema_extra={"position": 1},
        description="For mp3, m4a, opus and ogg. Empty: a sound default for the format.",
    )
    sample_rate_hz: Annotated[SampleRateHz | None, _shown_as("integer", enum=get_args(SampleRateHz))] = Field(
        default=None,
        title="Sample rate (Hz)",
        json_schema_extra={"position": 2},
        description="Empty: the source's own where it is 44.1 or 48 kHz, else 48 kHz.",
    )
    channels: Annotated[Literal[1, 2] | None, _shown_as("integer", enum=(1, 2))] = Field(
        default=None,
        title="Channels",
        json_schema_extra={"position": 3},
        description="1 is mono, 2 is stereo. Empty: like the source (surround becomes stereo).",
    )
    bit_depth: Literal[16, 24] = Field(
        default=24,
        title="Bit depth",
        json_schema_extra={"position": 4},
        description="For flac and wav; 16 bit is dithered.",
    )

    @model_serializer(mode="wrap")
    def _what_was_asked(self, as_usual: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in as_usual(self).items() if value is not None}


class NeverWorse(StrEnum):
    """What is done with the comparison of a master with its source."""

    off = "off"  #: They are not compared.
    report = "report"  #: They are compared, and the report says what was found.
    gate = "gate"  #: What is worse is made again with less noise reduction, or without.


class Enhance(Request):
    """Clean a recording, even it out and bring it to its loudness."""

    kind: Literal["enhance"] = "enhance"
    preset: str = Field(default="podcast", description="Name of the preset.")
    steps: tuple[Step, ...] | None = Field(
        default=None, description="A chain of one's own, instead of the preset's."
    )
    noise_reduction: NoiseReduction | None = Field(
        default=None, description="Overrides the preset's amount of noise reduction."
    )
    edits: tuple[Step, ...] = Field(
        default=(), description="Steps that follow the chain, before its loudness: an intro, a bed, a fade."
    )
    never_worse: NeverWorse = Field(
        default=NeverWorse.report, description="Compare what is delivered with what came in."
    )


class Transform(Request):
    """Convert, cut, join, stretch, mix or label a recording."""

    kind: Literal["transform"] = "transform"
    steps: tuple[Step, ...] = Field(default=(), description="What is done, in order; nothing only converts.")


class Analyze(Request):
    """Measure a recording and draw it; no new audio."""

    kind: Literal["analyze"] = "analyze"
    presets: tuple[str, ...] = Field(default=(), description="Presets to hold it against. Empty: all shipped ones.")
    music: bool = Field(default=True, description="Tempo, beats, key and onsets as well.")


#: What a job does.
Work = Annotated[Enhance | Transform | Analyze | Generate, Field(discriminator="kind")]


class WebhookTarget(Request):
    """An address that is told how a job ended."""

    kind: Literal["webhook"] = "webhook"
    url: str = Field(pattern="^https?://", max_length=2048)

    @property
    def address(self) -> str:
        """Where it leads, for the ledger."""
        return self.url


class ChannelTarget(Request):
    """People who are told how a job ended, through a channel that the operator has set up: e-mail, chat."""

    kind: Literal["channel"] = "channel"
    channel: str = Field(pattern="^[a-z0-9][a-z0-9-]{0,62}$", description="Name of the channel.")

    @property
    def address(self) -> str:
        """Where it leads, for the ledger; its true address is a secret."""
        return f"channel:{self.channel}"


#: Whom to tell.
Target = WebhookTarget | ChannelTarget


class JobSpec(Request):
    """A job as it was asked for."""

    source: Source
    work: Work = Enhance()
    outputs: tuple[OutputSpec, ...] = Field(
        default=(OutputSpec(),), min_length=1, max_length=8, description="Files to make; `analyze` makes none."
    )
    deliver_to: str | None = Field(
        default=None,
        description="A folder or `s3://` prefix that gets a copy under the recording's own name.",
    )
    notify: tuple[Target, ...] = ()
    from_outside: bool = Field(
        default=False,
        exclude_if=operator.not_,  # as ever where it is not set: a request keeps its digest
        description="Set by the API: what strangers may not have read is refused.",
    )

    @property
    def filename(self) -> str:
        """The name its owner knows the recording by, fit to be printed on one line."""
        return self.source.name


def digest(*parts: object) -> str:
    """SHA-256 of JSON-able parts in a canonical form: equal parts, equal digest."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
