"""A preset put to its test: its recordings are made, run through its chain, and measured as they are delivered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mixdown.errors import MixdownError
from mixdown.model import MEASURED, Case, OutputSpec, Preset
from mixdown.presets.recipes import record

#: Renders a recording: `mixdown.render.render`.
Render = Callable[..., Any]

#: What is measured on a delivered file, by the names of `MEASURED`.
Measuring = Callable[[Path], Mapping[str, float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One number that was asked for, and the one that came."""

    measure: str
    least: float | None
    most: float | None
    measured: float | None  #: None: this is not measured

    @property
    def passed(self) -> bool:
        """Whether the number, as it is printed, lies where it was asked to."""
        if self.measured is None:
            return False
        printed = round(self.measured, MEASURED[self.measure].decimals)
        return (self.least is None or printed >= self.least) and (self.most is None or printed <= self.most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one case."""

    preset: str
    case: str
    readings: tuple[Reading, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str | None = None  #: why there is nothing to read

    @property
    def passed(self) -> bool:
        """Whether everything came as it was asked for."""
        return self.error is None and all(each.passed for each in self.readings)


def run(preset: Preset, *, render: Render, measure: Measuring) -> Iterator[Outcome]:
    """Try a preset on each of its cases, in order."""
    for case in preset.cases:
        with TemporaryDirectory(prefix="mixdown-") as folder:
            yield _tried(preset, case, Path(folder), render=render, measure=measure)


def _tried(preset: Preset, case: Case, folder: Path, *, render: Render, measure: Measuring) -> Outcome:
    workspace = folder / "work"
    workspace.mkdir()
    output = case.output or preset.output or OutputSpec()
    try:
        source = record(case.recipe, folder / "source.wav")
        rendered = render(source, preset.steps, (output,), workspace, name=case.title)
        measured = measure(rendered.masters[0].path)
    except MixdownError as error:
        return Outcome(preset=preset.name, case=case.title, error=f"{error.message} ({error.code})")
    return Outcome(
        preset=preset.name,
        case=case.title,
        readings=tuple(readings(preset, case, measured)),
        warnings=tuple(rendered.warnings),
    )


def readings(preset: Preset, case: Case, measured: Mapping[str, float | None]) -> Iterator[Reading]:
    """What a case expects and, where it says nothing of a measure, what the preset requires of every file."""
    required = {each.measure: (each.at_least, each.at_most) for each in preset.asked_of(_channels(measured))}
    asked = {**required, **case.expect}
    for name in MEASURED:
        if name in asked:
            least, most = asked[name]
            yield Reading(measure=name, least=least, most=most, measured=measured.get(name))


def _channels(measured: Mapping[str, float | None]) -> int:
    return round(measured.get("channels") or 0)
