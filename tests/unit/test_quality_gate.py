"""The gate: which chains are tried, which one is delivered, what is said."""

from dataclasses import dataclass, field

import pytest

from mixdown.model import (
    Aspect,
    Comparison,
    Compress,
    DeClick,
    Denoise,
    Finding,
    HighPass,
    Loudness,
    NeverWorse,
    NoiseReduction,
    Step,
)
from mixdown.quality.gate import is_spectral, never_worse

FULL, DB24, DB18, DB12 = (NoiseReduction(amount) for amount in ("full", "24", "18", "12"))
OFF = None


@dataclass(frozen=True)
class Result:
    """What an attempt gave."""

    comparisons: tuple[Comparison, ...]


@dataclass
class Recorder:
    """Runs nothing: finds a chain worse where it is told to, and writes down what was tried."""

    worse_with: set[NoiseReduction | str | None]
    aspect: Aspect = Aspect.speech_signal
    tried: list[tuple[Step, ...]] = field(default_factory=list)

    def __call__(self, steps: tuple[Step, ...]) -> Result:
        self.tried.append(steps)
        worse = made_of(steps) in self.worse_with
        sentence = f"The voice sounds worse than before with {made_of(steps)}."
        finding = Finding(aspect=self.aspect, before=3.1, after=2.7, unit="MOS", worse=worse, sentence=sentence)
        return Result((Comparison(findings=(finding,)),))


def made_of(steps: tuple[Step, ...]) -> NoiseReduction | str | None:
    """The noise reduction of a chain, or that only its level is changed."""
    denoise = next((step for step in steps if isinstance(step, Denoise)), None)
    if denoise is None and not any(isinstance(step, Compress | DeClick) for step in steps):
        return "level"
    return denoise.reduction if denoise else OFF


def chain(reduction: NoiseReduction) -> tuple[Step, ...]:
    """A chain with everything in it."""
    return (HighPass(), DeClick(), Denoise(reduction=reduction), Compress(), Loudness())


@pytest.mark.parametrize(
    ("asked", "worse_with", "tried", "said"),
    [
        (DB18, set(), [DB18], []),
        (
            DB18,
            {DB18},
            [DB18, DB12],
            [
                "With 18 dB noise reduction it was worse than before: the voice sounds worse than before with 18. "
                "It was made with 12 dB."
            ],
        ),
        (
            FULL,
            {FULL, DB24, DB18},
            [FULL, DB24, DB18, DB12],
            [
                "With full noise reduction it was worse than before: the voice sounds worse than before with full. "
                "It was made with 12 dB."
            ],
        ),
        (
            DB12,
            {DB12},
            [DB12, OFF],
            [
                "With 12 dB noise reduction it was worse than before: the voice sounds worse than before with 12. "
                "It was made without."
            ],
        ),
        (
            DB18,
            {DB18, DB12, OFF},
            [DB18, DB12, OFF, "level"],
            [
                "Only its level was changed, as restoring made it worse than before: the voice sounds worse than "
                "before with 18."
            ],
        ),
        (
            DB12,
            {DB12, OFF, "level"},
            [DB12, OFF, "level"],
            [
                "Only its level was changed, as restoring made it worse than before: the voice sounds worse than "
                "before with 12.",
                "Even so: The voice sounds worse than before with level.",
            ],
        ),
    ],
)
def test_noise_reduction_is_stepped_down_until_it_is_not_worse(
    asked: NoiseReduction, worse_with: set, tried: list, said: list[str]
) -> None:
    """Full, 24, 18, 12, off; then only the level; the last attempt is delivered, and the reason is told."""
    attempt = Recorder(worse_with)

    settled = never_worse(attempt, chain(asked), NeverWorse.gate)

    assert [made_of(steps) for steps in attempt.tried] == tried
    assert settled.steps == attempt.tried[-1]
    assert list(settled.sentences) == said
    assert settled.attempts == len(tried)


@pytest.mark.parametrize("mode", [NeverWorse.off, NeverWorse.report])
def test_without_the_gate_the_first_attempt_is_delivered(mode: NeverWorse) -> None:
    """Under `report` what is worse is said, and nothing is made again."""
    attempt = Recorder({DB18})

    settled = never_worse(attempt, chain(DB18), mode)

    assert attempt.tried == [chain(DB18)]
    assert settled.steps == chain(DB18)
    assert settled.sentences == (
        ("The voice sounds worse than before with 18.",) if mode is NeverWorse.report else ()
    )


def test_noise_reduction_is_passed_over_where_it_is_not_what_is_complained_of() -> None:
    """A master that is too short is not made longer by less noise reduction."""
    attempt = Recorder({DB18}, aspect=Aspect.duration)

    never_worse(attempt, chain(DB18), NeverWorse.gate)

    assert [made_of(steps) for steps in attempt.tried] == [DB18, "level"]


def test_what_changes_no_more_than_the_level_keeps_the_rest_of_the_chain() -> None:
    """The high-pass stays, and what brings the master to its loudness."""
    settled = never_worse(Recorder({DB12, OFF}), chain(DB12), NeverWorse.gate)

    assert settled.steps == (HighPass(), Loudness())


def test_a_chain_with_nothing_to_leave_out_is_run_once() -> None:
    """It is delivered, and said to be worse."""
    attempt = Recorder({"level"})

    settled = never_worse(attempt, (HighPass(), Loudness()), NeverWorse.gate)

    assert len(attempt.tried) == 1
    assert settled.sentences[0].startswith("It is worse than its source, and there is nothing to leave out: ")


def test_every_master_counts() -> None:
    """One bad master of two is enough."""

    def attempt(steps: tuple[Step, ...]) -> Result:
        good, bad = Recorder(set())(steps), Recorder({DB12})(steps)
        return Result(good.comparisons + bad.comparisons)

    assert never_worse(attempt, chain(DB12), NeverWorse.gate).steps != chain(DB12)


def test_speech_is_scored_where_a_step_works_on_the_spectrum() -> None:
    """Noise reduction does, a high-pass and a compressor do not."""
    assert is_spectral(chain(DB12))
    assert not is_spectral((HighPass(), Compress(), Loudness()))
