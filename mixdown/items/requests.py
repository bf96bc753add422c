"""Items become requests: what they share is checked once, what a row of a manifest says goes before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from mixdown import presets
from mixdown.errors import InvalidRequest
from mixdown.items.item import Item, in_a_sentence
from mixdown.model import (
    Analyze,
    Enhance,
    Generate,
    JobSpec,
    Label,
    NeverWorse,
    NoiseReduction,
    OutputSpec,
    Source,
    Step,
    Transform,
    Work,
)
from mixdown.step_text import parse_steps

#: Different parameters whose requests are remembered: rows of one kind follow each other.
_REMEMBERED = 1024
_OF_OUTPUTS = ("bitrate_kbps", "sample_rate_hz", "channels", "bit_depth")
_SOMEWHERE = Source(uri="/")


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """What is asked of every item that does not say otherwise."""

    preset: str = "podcast"
    noise_reduction: NoiseReduction | None = None
    outputs: tuple[OutputSpec, ...] = ()  #: none: as the preset says
    deliver_to: str | None = None
    notify_url: str | None = None
    edits: tuple[Step, ...] = ()
    steps: tuple[Step, ...] | None = None  #: a chain instead of the preset's
    never_worse: NeverWorse = NeverWorse.report
    preset_folder: Path | None = None
    work: Transform | Analyze | Generate | None = None  #: this, instead of enhancing


def requests_of(items: Iterable[Item], defaults: Defaults) -> Iterator[tuple[JobSpec, Item]]:
    """A request for each item, in their order; those with equal parameters share all but the source."""
    template = templates(defaults)
    for item in items:
        yield template(item.parameters).model_copy(update={"source": item.source}), item


def templates(defaults: Defaults) -> Callable[[Mapping[str, Any]], JobSpec]:
    """Makes the request for parameters of a row, its source left open; InvalidRequest where it makes no sense."""

    @lru_cache(maxsize=_REMEMBERED)
    def made(parameters: tuple[tuple[str, Any], ...]) -> JobSpec:
        return _request(defaults, dict(parameters))

    def of(parameters: Mapping[str, Any]) -> JobSpec:
        if "title" not in parameters:
            return made(tuple(parameters.items()))
        # Titles differ where all else is alike.
        plain = made(tuple((name, value) for name, value in parameters.items() if name != "title"))
        return plain.model_copy(update={"work": _titled(plain.work, parameters["title"])})

    return of


def _titled(work: Work, title: str) -> Work:
    label = Label(tags={"title": title})
    if isinstance(work, Enhance):
        return work.model_copy(update={"edits": (*work.edits, label)})
    if isinstance(work, Transform):
        return work.model_copy(update={"steps": (*work.steps, label)})
    if isinstance(work, Generate):
        return work.model_copy(update={"title": title})
    raise InvalidRequest("title: there is none where recordings are only measured.")


def _request(defaults: Defaults, own: dict[str, Any]) -> JobSpec:
    """The request of a row, about a recording that lies nowhere."""
    from mixdown.submission import enhance_specs, job_specs  # here: it takes items, and so needs this package

    steps = parse_steps(own["steps"]) if "steps" in own else None
    place, hook = own.get("deliver_to", defaults.deliver_to), own.get("notify_url", defaults.notify_url)
    if defaults.work is None:
        [spec] = enhance_specs(
            [_SOMEWHERE],
            own.get("preset", defaults.preset),
            NoiseReduction(own["denoise"]) if "denoise" in own else defaults.noise_reduction,
            _outputs(defaults, own),
            place,
            hook,
            None if "preset" in own else defaults.steps,
            defaults.edits if steps is None else steps,
            NeverWorse(own["never_worse"]) if "never_worse" in own else defaults.never_worse,
            defaults.preset_folder,
        )
        return spec
    for name in ("preset", "denoise", "never_worse"):
        if name in own:
            raise InvalidRequest(f"{name}: there is none where recordings are not enhanced.")
    work = defaults.work
    if steps is not None and isinstance(work, Transform):
        work = work.model_copy(update={"steps": steps})
    elif steps:
        raise InvalidRequest("steps: there are none where recordings are only measured, or scripts are said.")
    outputs = _outputs(defaults, own)
    if isinstance(work, Generate):
        work = presets.settled_speech(work, defaults.preset_folder)
        usual = presets.load(work.preset, folder=defaults.preset_folder).output
        outputs = outputs or ((usual,) if usual else ())
    [spec] = job_specs([_SOMEWHERE], work, outputs, place, hook)
    return spec


def _outputs(defaults: Defaults, own: dict[str, Any]) -> tuple[OutputSpec, ...]:
    """The files of a row: each of its formats, else those of all, with what else it says of them."""
    asked = {name: own[name] for name in _OF_OUTPUTS if name in own}
    if not asked and "format" not in own:
        return defaults.outputs
    usual = [each.model_dump() for each in defaults.outputs or _usual(defaults, own.get("preset", defaults.preset))]
    if "format" in own:
        usual = [{**usual[0], "format": each} for each in own["format"]]
    with in_a_sentence("an output"):
        return tuple(OutputSpec.model_validate({**output, **asked}) for output in usual)


def _usual(defaults: Defaults, preset: str) -> tuple[OutputSpec, ...]:
    if defaults.work is not None or defaults.steps:
        return (OutputSpec(),)
    return (presets.load(preset, folder=defaults.preset_folder).output or OutputSpec(),)
