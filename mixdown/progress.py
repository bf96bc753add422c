"""How far the work is: told as a fraction, counted in frames."""

from __future__ import annotations

from collections.abc import Callable

#: Told how far a job is, from 0 to 1; may raise to stop it.
Progress = Callable[[float], None]

#: Told of every frame worked on: moves the progress, and is the place where work can be stopped.
Tick = Callable[[int], None]


def part(progress: Progress, start: float, end: float) -> Progress:
    """Progress of a part of the work that reaches from start to end of the whole."""
    return lambda fraction: progress(start + (end - start) * min(1.0, fraction))


def ticker(progress: Progress, duration_s: float | None, sample_rate_hz: int) -> Tick:
    """A tick that turns frames done into progress; an unknown or wrong length never passes 95 %."""
    expected = max(1.0, (duration_s or 600.0) * sample_rate_hz)
    done = 0

    def tick(frames: int) -> None:
        nonlocal done
        done += frames
        progress(min(0.95, done / expected))

    return tick
