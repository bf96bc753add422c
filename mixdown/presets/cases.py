"""A preset put to its test: its recordings are made, run through its chain, and measured as they are delivered."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mixdown.errors import MixdownError
from mixdown.model import MEASURES, Case, OutputSpec, Preset
from mixdown.presets.recipes import record

#: Renders a recording: `mixdown.render.render`.
Render = Callable[..., Any]

#: What is measured on a delivered file, by the names of `MEASURES`.
Measure = Callable[[Path], Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One number that was asked for, and the one that came."""

    measure: str
    least: float
    most: float
    measured: float | None  #: None: this is not measured

    @property
    def unit(self) -> str:
        """What the numbers are in."""
        return MEASURES[self.measure]

    @property
    def passed(self) -> bool:
        """Whether the number lies where it was asked to."""
        return self.measured is not None and self.least <= self.measured <= self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one case."""

    preset: str
    case: str
    checks: tuple[Check, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str | None = None  #: why there is nothing to check

    @property
    def passed(self) -> bool:
        """Whether everything came as it was asked for."""
        return self.error is None and all(check.passed for check in self.checks)


def run(preset: Preset, *, render: Render, measure: Measure) -> Iterator[Outcome]:
    """Try a preset on each of its cases, in order."""
    for case in preset.cases:
        with TemporaryDirectory(prefix="mixdown-") as folder:
            yield _tried(preset, case, Path(folder), render=render, measure=measure)


def _tried(preset: Preset, case: Case, folder: Path, *, render: Render, measure: Measure) -> Outcome:
    workspace = folder / "work"
    workspace.mkdir()
    output = case.output or preset.output or OutputSpec()
    try:
        source = record(case.recipe, folder / "source.wav")
        rendered = render(source, preset.steps, (output,), workspace, name=case.title)
        measured = measure(rendered.masters[0].path)
    except MixdownError as error:
        return Outcome(preset=preset.name, case=case.title, error=f"{error.message} ({error.code})")
    channels = int(measured.get("channels", 0))
    return Outcome(
        preset=preset.name,
        case=case.title,
        checks=tuple(checks(preset, case, measured, channels=channels)),
        warnings=tuple(rendered.warnings),
    )


def checks(preset: Preset, case: Case, measured: Mapping[str, float], *, channels: int) -> Iterator[Check]:
    """What a case expects and, where it says nothing of a measure, what the preset requires of every file."""
    asked = dict(case.expect)
    for each in preset.asked_of(channels):
        least = -math.inf if each.at_least is None else each.at_least
        most = math.inf if each.at_most is None else each.at_most
        if each.measure not in case.expect:
            before = asked.get(each.measure, (-math.inf, math.inf))
            asked[each.measure] = (max(least, before[0]), min(most, before[1]))
    for name in MEASURES:
        if name in asked:
            least, most = asked[name]
            yield Check(measure=name, least=least, most=most, measured=measured.get(name))
