"""What is done where a master is worse than its source: less, step by step, until it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from mixdown.model import (
    Aspect,
    Comparison,
    Compress,
    DeClick,
    DeClip,
    DeEss,
    DeHum,
    Denoise,
    Finding,
    Level,
    NeverWorse,
    NoiseReduction,
    Step,
)

#: Noise reduction, each weaker than the one before.
WEAKER = (NoiseReduction.full, NoiseReduction.db24, NoiseReduction.db18, NoiseReduction.db12, NoiseReduction.off)

#: Steps that change what is heard, not only how loud; the high-pass stays, as no aspect can lay anything on it.
RESTORING = (Denoise, DeClick, DeClip, DeHum, DeEss, Level, Compress)

#: Steps that work on the spectrum: where there is one, speech is to be scored.
SPECTRAL = (Denoise, DeClick, DeClip)

#: What weaker noise reduction may mend.
_OF_NOISE_REDUCTION = {
    Aspect.speech_signal,
    Aspect.speech_overall,
    Aspect.bandwidth,
    Aspect.crest,
    Aspect.dropouts,
    Aspect.silence,
}


class Tried(Protocol):
    """What came of running a chain."""

    @property
    def comparisons(self) -> Sequence[Comparison]:
        """Each master held against the source."""
        ...


Attempt = TypeVar("Attempt", bound=Tried)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled(Generic[Attempt]):
    """The attempt that is delivered."""

    tried: Attempt
    steps: tuple[Step, ...]  #: those it was made with
    sentences: tuple[str, ...]  #: what there is to say about it; none where all is well
    attempts: int


def is_spectral(steps: Sequence[Step]) -> bool:
    """Whether a chain works on the spectrum, so that speech is to be scored."""
    return any(isinstance(step, SPECTRAL) for step in steps)


def never_worse(
    attempt: Callable[[tuple[Step, ...]], Attempt], steps: tuple[Step, ...], mode: NeverWorse
) -> Settled[Attempt]:
    """Run a chain; under `gate`, again with less for as long as the result is worse than the source.

    Noise reduction is stepped down to none; if that does not help, only what changes the level is left. That is
    delivered even where it is worse still, and said so. Under `report` the first attempt is delivered.
    """
    tried = attempt(steps)
    first = _complaints(tried)
    if mode is NeverWorse.off or not first:
        return Settled(tried=tried, steps=steps, sentences=(), attempts=1)
    if mode is NeverWorse.report:
        return Settled(tried=tried, steps=steps, sentences=tuple(_sentences(first)), attempts=1)
    tries, made_with, left = 1, steps, first
    for less in _less(steps, first):
        tried, made_with, tries = attempt(less), less, tries + 1
        left = _complaints(tried)
        if not left:
            break
    return Settled(tried=tried, steps=made_with, sentences=_in_words(steps, made_with, first, left), attempts=tries)


def _complaints(tried: Tried) -> list[Finding]:
    """Whatever is worse, of any master."""
    return [finding for comparison in tried.comparisons for finding in comparison.findings if finding.worse]


def _less(steps: tuple[Step, ...], complaints: Sequence[Finding]) -> Iterator[tuple[Step, ...]]:
    """Chains that do less and less. Noise reduction is passed over where it is not what is complained of."""
    seen = steps
    denoise = _denoise(steps)
    if denoise is not None and any(finding.aspect in _OF_NOISE_REDUCTION for finding in complaints):
        for reduction in WEAKER[WEAKER.index(denoise.reduction) + 1 :]:
            yield (seen := _with(steps, reduction))
    level_only = tuple(step for step in steps if not isinstance(step, RESTORING))
    if level_only != seen:
        yield level_only


def _denoise(steps: Sequence[Step]) -> Denoise | None:
    return next((step for step in steps if isinstance(step, Denoise)), None)


def _with(steps: tuple[Step, ...], reduction: NoiseReduction) -> tuple[Step, ...]:
    """The chain with this noise reduction; without the step where it would do nothing."""
    if reduction is NoiseReduction.off:
        return tuple(step for step in steps if not isinstance(step, Denoise))
    changed = {"reduction": reduction}
    return tuple(step.model_copy(update=changed) if isinstance(step, Denoise) else step for step in steps)


def _in_words(
    asked: tuple[Step, ...], made_with: tuple[Step, ...], first: Sequence[Finding], left: Sequence[Finding]
) -> tuple[str, ...]:
    before, now = _denoise(asked), _denoise(made_with)
    why = _sentences(first)[0]
    why = why[0].lower() + why[1:]
    restored = any(isinstance(step, RESTORING) for step in made_with)
    if made_with == asked:
        said = f"It is worse than its source, and there is nothing to leave out: {why}"
    elif before is not None and (now is not None or restored):
        instead = f"with {_amount(now.reduction)}" if now is not None else "without"
        asked_for = _amount(before.reduction)
        said = f"With {asked_for} noise reduction it was worse than before: {why} It was made {instead}."
    else:
        said = f"Only its level was changed, as restoring made it worse than before: {why}"
    return (said, *(f"Even so: {sentence}" for sentence in _sentences(left)))


def _sentences(findings: Sequence[Finding]) -> list[str]:
    """What is complained of, each once."""
    return list(dict.fromkeys(finding.sentence for finding in findings))


def _amount(reduction: NoiseReduction) -> str:
    return "full" if reduction is NoiseReduction.full else f"{reduction.value} dB"
