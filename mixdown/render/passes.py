"""A run of steps over a recording, in as few passes as what they have to hear beforehand allows.

Steps that follow each other are run together, block by block. A step that needs to have heard the
whole recording first begins a new pass: what it hears is tapped where the pass before writes. A compressor
that follows the leveller needs none: what it would hear follows from the gains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from mixdown.dsp.processor import Block, Processor, Survey, run
from mixdown.intermediate import Intermediate
from mixdown.model import Step
from mixdown.overlap import ahead
from mixdown.progress import Tick
from mixdown.render.workings import Fitted, Hears, Signal, working_of

Tap = Callable[[Block], None]


class Passes:
    """The passes of some steps over one recording.

    Parameters
    ----------
    steps : steps that work on blocks, in order
    signal : the recording they will meet
    tick : told of every frame of every pass
    """

    def __init__(self, steps: Sequence[Step], signal: Signal, tick: Tick) -> None:
        self._steps = steps
        self._signal = signal
        self._tick = tick
        self._surveys: dict[int, Survey[Any]] = {}
        self.notes: list[str] = []  #: what the steps found, known after `run`

    def run(self, audio: Intermediate, decoded: Iterable[Block] | None, taps: Sequence[Tap] = ()) -> None:
        """Run the steps over a recording, in place.

        Parameters
        ----------
        audio : the recording; takes `decoded` where that is given
        decoded : its blocks where they have not been written yet
        taps : are shown what the last step leaves
        """
        passes = self._in_passes()
        early = [self._listen(index).push for index in self._hear_first(passes)]
        if early and decoded is not None:
            audio.fill(tapped(decoded, *early))
            decoded = None
        elif early:
            for block in tapped(audio.blocks(), *early):
                self._tick(len(block))
        for index, steps in enumerate(passes):
            following = self._hearing(passes[index + 1]) if index + 1 < len(passes) else None
            listeners = taps if following is None else [self._listen(each).push for each in following]
            self._pass(audio, decoded, steps, listeners)
            decoded = None

    def _pass(
        self, audio: Intermediate, decoded: Iterable[Block] | None, steps: Sequence[int], taps: Sequence[Tap]
    ) -> None:
        fitted: list[Fitted] = []
        for index in steps:
            fitted.append(self._fit(index, fitted[-1] if fitted else None))
        processors: list[Processor] = [each.processor for each in fitted if each.processor is not None]
        if decoded is not None:
            audio.fill(tapped(ahead(run(processors, decoded)) if processors else decoded, *taps))
        elif processors:
            audio.rewrite(processors, self._counted, *taps)
        elif taps:
            for block in tapped(audio.blocks(), self._counted, *taps):
                del block
        self.notes += [note for each in fitted if (note := each.note()) is not None]

    def _counted(self, block: Block) -> None:
        self._tick(len(block))

    def _in_passes(self) -> list[list[int]]:
        """The steps' places, pass by pass; the first pass may have none."""
        passes: list[list[int]] = [[]]
        for index, step in enumerate(self._steps):
            has_to_hear = working_of(step).hears is Hears.before and not self._foreseen(index, passes[-1])
            if has_to_hear and (passes[0] or len(passes) > 1):
                passes.append([])
            passes[-1].append(index)
        return passes

    def _foreseen(self, index: int, steps: Sequence[int]) -> bool:
        """Whether a step can tell what it would hear after these steps of a pass from what comes before them."""
        only = [working_of(self._steps[each]) for each in steps]
        ridden = working_of(self._steps[index]).ridden
        return ridden is not None and len(only) == 1 and only[0].rides and steps[0] == index - 1

    def _hearing(self, steps: Sequence[int]) -> list[int]:
        """Those of the steps of a pass that have to hear what the pass before leaves."""
        return [index for index in steps if working_of(self._steps[index]).hears is Hears.before]

    def _hear_first(self, passes: Sequence[Sequence[int]]) -> list[int]:
        """The steps that hear the recording before any step has touched it."""
        hears = {index: working_of(step).hears for index, step in enumerate(self._steps)}
        first = self._hearing(passes[0])
        return [i for i, what in hears.items() if what is Hears.source or i in first]

    def _listen(self, index: int) -> Survey[Any]:
        step = self._steps[index]
        survey = working_of(step).survey
        if survey is None:
            raise TypeError(f"{step.kind} hears nothing")
        self._surveys[index] = survey(step, self._signal)
        return self._surveys[index]

    def _fit(self, index: int, before: Fitted | None) -> Fitted:
        """A step made ready; `before` is the one before it in the pass."""
        survey = self._surveys.pop(index, None)
        step = self._steps[index]
        working = working_of(step)
        heard = survey.report() if survey else None
        if working.ridden is not None and before is not None and before.ride is not None:
            heard = working.ridden(heard, before.ride)
        return working.fit(step, self._signal, heard)


def tapped(blocks: Iterable[Block], *taps: Tap) -> Iterator[Block]:
    """The same blocks, shown to each tap on their way."""
    for block in blocks:
        for tap in taps:
            tap(block)
        yield block
