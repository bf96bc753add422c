"""Recordings held against what presets require."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mixdown.analysis.words import limit_words, measure_words
from mixdown.model import MEASURED, Check, Preset, Requirement, Verdict


def verdicts(measures: Mapping[str, float | None], presets: Iterable[Preset]) -> tuple[Verdict, ...]:
    """Whether a recording meets the requirements of each preset that has any."""
    return tuple(_verdict(measures, preset) for preset in presets if preset.requirements)


def _verdict(measures: Mapping[str, float | None], preset: Preset) -> Verdict:
    asked = [each for each in preset.requirements if each.channels in (None, measures["channels"])]
    checks = tuple(_check(measures.get(each.measure), each) for each in asked)
    failed = [check.text for check in checks if check.passes is False]
    unknown = [MEASURED[check.measure].title for check in checks if check.passes is None]
    if failed:
        words = f"fails {'; '.join(failed)}"
    elif unknown:
        words = f"cannot be told: {', '.join(unknown)} not measured"
    else:
        words = "meets all that is required"
    return Verdict(
        preset=preset.name,
        title=preset.title,
        passes=False if failed else None if unknown else True,
        text=f"{preset.title}: {words}",
        checks=checks,
    )


def _check(value: float | None, requirement: Requirement) -> Check:
    measure = MEASURED[requirement.measure]
    least, most = requirement.at_least, requirement.at_most
    passes = None
    if value is not None:
        # Held against the limits as it is printed: nothing "fails −60.0 (at most −60)".
        shown = round(value, measure.decimals)
        passes = (least is None or shown >= least) and (most is None or shown <= most)
    return Check(
        measure=requirement.measure,
        value=value,
        at_least=least,
        at_most=most,
        passes=passes,
        text=f"{measure.title}, {measure_words(requirement.measure, value)} ({range_words(least, most)})",
    )


def range_words(at_least: float | None, at_most: float | None) -> str:
    """What is allowed: `at most −60`, `−23 to −18`, `exactly 1`."""
    if at_least is None:
        return "anything" if at_most is None else f"at most {limit_words(at_most)}"
    if at_most is None:
        return f"at least {limit_words(at_least)}"
    if at_least == at_most:
        return f"exactly {limit_words(at_least)}"
    return f"{limit_words(at_least)} to {limit_words(at_most)}"
