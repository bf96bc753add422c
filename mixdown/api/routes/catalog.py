"""What can be done: presets and steps; and what it will probably take."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, ConfigDict, Field

from mixdown import presets
from mixdown.api.answers import problems
from mixdown.api.desk import Desk, Reader, TheDesk
from mixdown.api.views import View
from mixdown.chain import effective_steps
from mixdown.errors import UnknownPreset
from mixdown.estimate import Estimate, PastRuns, Wanted, suffix_of
from mixdown.model import Enhance, JobSpec, OutputSpec, Preset, Source, Work
from mixdown.speech.choice import CLOUD, installed
from mixdown.speech.cloud.facts import facts_from
from mixdown.step_text import step_kinds

router = APIRouter(tags=["catalog"])

_MOST_ITEMS = 10_000
_ELSEWHERE = "unread:"


class PresetView(View):
    """A named chain for a purpose."""

    name: str = Field(examples=["podcast"])
    title: str = Field(examples=["Podcast"])
    description: str
    shipped: bool = Field(description="False: it is one of this installation's own.", examples=[True])
    steps: list[dict[str, Any]] = Field(
        description="In the order in which they are run.", examples=[[{"kind": "loudness", "target_lufs": -16.0}]]
    )
    output: dict[str, Any] | None = Field(description="What is delivered where nothing else is asked for.")
    requirements: list[dict[str, Any]] = Field(description="What a finished file has to meet.")

    @classmethod
    def of(cls, preset: Preset, *, shipped: bool) -> PresetView:
        """The view of a preset."""
        return cls(
            name=preset.name,
            title=preset.title,
            description=preset.description,
            shipped=shipped,
            steps=[step.model_dump(mode="json") for step in preset.steps],
            output=preset.output.model_dump(mode="json") if preset.output else None,
            requirements=[each.model_dump(mode="json", exclude_none=True) for each in preset.requirements],
        )


class Presets(View):
    """Every preset there is."""

    items: list[PresetView]


class StepView(View):
    """A kind of step."""

    kind: str = Field(examples=["high_pass"])
    description: str = Field(examples=["Take away what is below the voice."])
    parameters: dict[str, Any] = Field(description="As a JSON schema.")


class Steps(View):
    """Every kind of step there is."""

    items: list[StepView]


class VoiceView(View):
    """A voice of an engine."""

    name: str = Field(examples=["en-GB"])
    language: str = Field(description="BCP 47.", examples=["en-GB"])
    description: str = Field(examples=["a woman"])


class EngineView(View):
    """What makes speech."""

    quality: str = Field(description="How it is asked for.", examples=["draft"])
    name: str = Field(examples=["pico"])
    available: bool = Field(examples=[True])
    missing: str = Field(description="What is missing, and how to get it; empty: nothing.", examples=[""])
    price: float = Field(description="Of a thousand characters, in the unit of `max_cost`.", examples=[0.0])
    voices: list[VoiceView] = Field(description="Empty where only a server knows them.")


class Voices(View):
    """Everything that speaks here."""

    items: list[EngineView]


class EstimateItem(BaseModel):
    """A recording as far as its owner knows it; nothing is read."""

    model_config = ConfigDict(extra="forbid")

    filename: str = Field(min_length=1, max_length=1024, examples=["talk.wav"])
    size_bytes: int = Field(default=0, ge=0, le=2**40, examples=[317520044])
    duration_s: float | None = Field(
        default=None, gt=0, le=1e6, description="Else it is told from the size.", examples=[1800.0]
    )


class EstimateRequest(BaseModel):
    """Work that might be asked for."""

    model_config = ConfigDict(extra="forbid")

    items: list[EstimateItem] = Field(min_length=1, max_length=_MOST_ITEMS)
    work: Work = Field(default=Enhance(), examples=[{"kind": "enhance", "preset": "podcast"}])
    outputs: list[OutputSpec] = Field(
        default=[], max_length=8, description="Files to make of each. Empty: the preset's, or mp3."
    )
    deliver: bool = Field(default=False, description="Whether copies go elsewhere as well.")


class EstimateView(View):
    """What work will probably take, learnt from the newest work that was done here."""

    runs: int = Field(description="Past runs that it was learnt from; 0: nothing like it was done.", examples=[120])
    audio_s: float = Field(description="Of all recordings whose length is known or can be told.", examples=[1800.0])
    time_s: float | None = Field(description="With all workers at it.", examples=[11.8])
    stored_bytes: float | None = Field(description="Masters, reports and pictures.", examples=[29000000.0])
    copied_bytes: float | None = Field(description="Masters that are delivered as well.", examples=[0.0])
    unmeasured: int = Field(description="Recordings whose length cannot be told: not in it.", examples=[0])
    workers: int = Field(description="Jobs that are worked on at once.", examples=[4])


@router.get("/v1/presets", summary="List presets", responses=problems())
def list_presets(desk: TheDesk, _: Reader) -> Presets:
    """Every preset there is: the shipped ones, then this installation's own."""
    found = presets.catalogue(desk.studio.settings.effective_presets)
    shipped = [PresetView.of(preset, shipped=True) for preset in found.shipped]
    return Presets(items=[*shipped, *(PresetView.of(preset, shipped=False) for preset in found.own)])


@router.get("/v1/presets/{name}", summary="Look at a preset", responses=problems(404))
def get_preset(
    name: Annotated[str, Path(max_length=100, description="Its name.", examples=["podcast"])],
    desk: TheDesk,
    _: Reader,
) -> PresetView:
    """One preset: its steps, and what a finished file has to meet."""
    try:
        found = presets.load(name, folder=desk.studio.settings.effective_presets)
    except UnknownPreset as error:
        raise HTTPException(404, error.message) from error
    return PresetView.of(found, shipped=name in presets.names())


@router.get("/v1/voices", summary="List engines and voices", responses=problems())
def list_voices(desk: TheDesk, _: Reader) -> Voices:
    """Every engine of speech and its voices: those that speak here, the best first, then those in the cloud."""
    settings = desk.studio.settings
    config = settings.speech_engines
    items = [
        EngineView(
            quality=each.quality,
            name=each.name,
            available=each.available,
            missing=each.why_not,
            price=0.0,
            voices=[
                VoiceView(name=voice.name, language=voice.language, description=voice.description)
                for voice in each.voices
            ],
        )
        for each in installed(settings.effective_voices)
    ]
    for name, facts in sorted(facts_from(config.get_secret_value() if config else None).items()):
        quality = f"{CLOUD}{name}"
        more = {"available": True, "missing": "", "price": facts.price, "voices": []}
        items.append(EngineView(quality=quality, name=quality, **more))
    return Voices(items=items)


@router.get("/v1/steps", summary="List kinds of step", responses=problems())
def list_steps(_: Reader) -> Steps:
    """Every kind of step, with its parameters and their limits."""
    kinds = step_kinds()
    return Steps(
        items=[
            StepView(kind=kind, description=(model.__doc__ or "").strip(), parameters=model.model_json_schema())
            for kind, model in kinds.items()
        ]
    )


@router.post("/v1/estimates", summary="Estimate work", responses=problems(400))
def estimate(asked: EstimateRequest, desk: TheDesk, _: Reader) -> EstimateView:
    """What work would take, before any of it is asked for; nothing is written, and no recording is read."""
    studio = desk.studio
    own = studio.settings.effective_presets
    effective_steps(presets.settled(asked.work, own) if isinstance(asked.work, Enhance) else asked.work)
    past = PastRuns(studio.jobs)
    spec = JobSpec(source=Source(uri=_ELSEWHERE), work=asked.work, outputs=_outputs(asked, desk))
    wanted = Wanted(spec, items=len(asked.items), copied=len(asked.items) if asked.deliver else 0)
    lengths = [_length_s(item, past) for item in asked.items]
    audio_s = sum(length for length in lengths if length is not None)
    found = past.estimate([(wanted, audio_s)], workers=studio.settings.workers) if audio_s else None
    return _view(found, audio_s, lengths.count(None), studio.settings.workers)


def _outputs(asked: EstimateRequest, desk: Desk) -> tuple[OutputSpec, ...]:
    """What is made where nothing is said, as when a job is asked for."""
    if not asked.outputs and isinstance(asked.work, Enhance) and not asked.work.steps:
        usual = presets.load(asked.work.preset, folder=desk.studio.settings.effective_presets).output
        return (usual or OutputSpec(),)
    return tuple(asked.outputs) or (OutputSpec(),)


def _length_s(item: EstimateItem, past: PastRuns) -> float | None:
    if item.duration_s is not None:
        return item.duration_s
    rate = past.seconds_per_byte(suffix_of(Source(uri=_ELSEWHERE, filename=item.filename)))
    return rate * item.size_bytes if rate is not None and item.size_bytes else None


def _view(found: Estimate | None, audio_s: float, unmeasured: int, workers: int) -> EstimateView:
    return EstimateView(
        runs=found.runs if found else 0,
        audio_s=audio_s,
        time_s=found.time_s if found else None,
        stored_bytes=found.stored_bytes if found else None,
        copied_bytes=found.copied_bytes if found else None,
        unmeasured=unmeasured,
        workers=workers,
    )
