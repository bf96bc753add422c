"""What clients ask for, as the API takes it: nothing unknown in it, every number with its unit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from mixdown.items import Defaults
from mixdown.model import (
    Analyze,
    Generate,
    NeverWorse,
    NoiseReduction,
    OutputSpec,
    Priority,
    Source,
    Step,
    Target,
    Transform,
)
from mixdown.model.source import LONGEST_TEXT_CHARS
from mixdown.model.steps import Request
from mixdown.scripts import source_of_text

#: Recordings of one request at most: more come as a manifest, or in several requests.
MOST_ITEMS = 10_000

_Outputs = Annotated[tuple[OutputSpec, ...], Field(max_length=8, description="Files to make; none: as is usual.")]
_DeliverTo = Annotated[
    str | None,
    Field(
        max_length=4096, description="An `s3://` prefix or folder that gets copies, where the operator allows it."
    ),
]
_Notify = Annotated[
    tuple[Target, ...],
    Field(max_length=8, description="Whom to tell how it ended.", examples=[[]]),
]
_Steps = Annotated[tuple[Step, ...], Field(max_length=64)]


class EnhanceParameters(Request):
    """Clean, even out and bring to its loudness."""

    kind: Literal["enhance"] = "enhance"
    preset: str = Field(default="podcast", max_length=100, description="See `/v1/presets`.", examples=["podcast"])
    steps: _Steps | None = Field(default=None, min_length=1, description="A chain instead of the preset's.")
    noise_reduction: NoiseReduction | None = Field(
        default=None, description="How far noise is turned down, in dB; null: as the preset says."
    )
    edits: _Steps = Field(default=(), description="Steps before the loudness: an intro, a fade.")
    never_worse: NeverWorse = Field(
        default=NeverWorse.report, description="Compare what is delivered with what came in."
    )
    outputs: _Outputs = ()
    deliver_to: _DeliverTo = None
    notify: _Notify = ()


class TransformParameters(Request):
    """Convert, cut, join, stretch, mix or label."""

    kind: Literal["transform"]
    steps: _Steps = Field(default=(), description="What is done, in order; nothing only converts.")
    outputs: _Outputs = ()
    deliver_to: _DeliverTo = None
    notify: _Notify = ()


class AnalyzeParameters(Request):
    """Measure and draw; no new audio."""

    kind: Literal["analyze"]
    presets: tuple[str, ...] = Field(default=(), max_length=32, description="What to hold it against.")
    music: bool = Field(default=True, description="Tempo, beats, key and onsets as well.")
    deliver_to: _DeliverTo = None
    notify: _Notify = ()


class GenerateParameters(Generate):
    """Make audio from a script."""

    kind: Literal["generate"]
    outputs: _Outputs = ()
    deliver_to: _DeliverTo = None
    notify: _Notify = ()


def _kind(value: Any) -> str:
    return str(value.get("kind", "enhance") if isinstance(value, dict) else getattr(value, "kind", "enhance"))


AnyParameters = EnhanceParameters | TransformParameters | AnalyzeParameters | GenerateParameters

#: What is done with a recording, or a script.
Parameters = Annotated[
    Annotated[EnhanceParameters, Tag("enhance")]
    | Annotated[TransformParameters, Tag("transform")]
    | Annotated[AnalyzeParameters, Tag("analyze")]
    | Annotated[GenerateParameters, Tag("generate")],
    Discriminator(_kind),
]


class Text(Request):
    """A script that comes with the request."""

    text: str = Field(min_length=1, max_length=LONGEST_TEXT_CHARS, examples=["Welcome to the show."])
    filename: str | None = Field(default=None, max_length=1024, description="Your own name for it.")


def _kind_of_source(value: Any) -> str:
    if isinstance(value, str):
        return "address"
    return "text" if isinstance(value, Text) or (isinstance(value, dict) and "text" in value) else "recording"


#: An address, or a recording with its owner's name for it and its hash; or a script in so many words.
AnySource = Annotated[
    Annotated[Source, Tag("recording")]
    | Annotated[str, Field(min_length=1, max_length=4096), Tag("address")]
    | Annotated[Text, Tag("text")],
    Discriminator(_kind_of_source),
]


class JobRequest(Request):
    """A recording where it lies, and what is to be done with it."""

    source: AnySource = Field(examples=["https://example.com/talk.wav"])
    parameters: Parameters = Field(default=EnhanceParameters(), examples=[{"preset": "podcast"}])


class BatchItem(Request):
    """A recording of a batch."""

    source: AnySource = Field(examples=["s3://shows/2026/01.wav"])
    parameters: dict[str, Any] = Field(
        default={}, description="What is different from the others.", examples=[{"preset": "audiobook-acx"}]
    )


class BatchOptions(Request):
    """What goes for all recordings of a batch."""

    title: str | None = Field(default=None, max_length=200, description="What people call it.")
    priority: Priority = Field(default=Priority.normal, description="Urgent batches are taken up at once.")
    parameters: Parameters = EnhanceParameters()
    notify: tuple[Target, ...] = Field(
        default=(), max_length=8, description="Whom to tell once, when all of it has ended."
    )


class BatchRequest(BatchOptions):
    """Recordings where they lie, or the address of a manifest that lists them."""

    items: list[BatchItem] = Field(
        default=[], max_length=MOST_ITEMS, examples=[[{"source": "s3://shows/2026/01.wav"}]]
    )
    manifest: str | None = Field(
        default=None,
        min_length=1,
        max_length=4096,
        description="Address of a CSV, JSON lines or JSON file; see the docs.",
    )


def source_of(given: Source | Text | str) -> Source:
    """The recording that is named, or the script that is given; InvalidRequest where that is none."""
    if isinstance(given, Text):
        return source_of_text(given.text, given.filename)
    return given if isinstance(given, Source) else Source(uri=given)


def defaults_of(parameters: AnyParameters, presets: Path) -> Defaults:
    """Parameters in the words of the core, but for whom to tell."""
    if isinstance(parameters, EnhanceParameters):
        return Defaults(
            preset=parameters.preset,
            noise_reduction=parameters.noise_reduction,
            outputs=parameters.outputs,
            deliver_to=parameters.deliver_to,
            edits=parameters.edits,
            steps=parameters.steps,
            never_worse=parameters.never_worse,
            preset_folder=presets,
        )
    if isinstance(parameters, TransformParameters):
        work: Transform | Analyze = Transform(steps=parameters.steps)
        return Defaults(
            work=work, outputs=parameters.outputs, deliver_to=parameters.deliver_to, preset_folder=presets
        )
    if isinstance(parameters, GenerateParameters):
        return Defaults(
            work=Generate.model_validate(parameters.model_dump(include=set(Generate.model_fields))),
            outputs=parameters.outputs,
            deliver_to=parameters.deliver_to,
            preset_folder=presets,
        )
    work = Analyze(presets=parameters.presets, music=parameters.music)
    return Defaults(work=work, deliver_to=parameters.deliver_to, preset_folder=presets)
