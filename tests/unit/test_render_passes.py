"""Steps over a recording, in as few passes as what they have to hear beforehand allows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mixdown.dsp.processor import Block
from mixdown.intermediate import Intermediate
from mixdown.model import Compress, DcRemoval, DualMono, HighPass, Level, Step
from mixdown.render.passes import Passes
from mixdown.render.workings import Signal
from tests.signals import speech_like

RATE_HZ = 48_000


@pytest.fixture
def audio(tmp_path: Path) -> Intermediate:
    """A recording that has not been written yet."""
    return Intermediate(tmp_path / "audio.f32", sample_rate_hz=RATE_HZ, channels=2)


def in_blocks(samples: Block, frames: int = 10_000) -> Iterator[Block]:
    """A signal, block by block."""
    for start in range(0, len(samples), frames):
        yield samples[start : start + frames].copy()


def after(audio: Intermediate) -> Block:
    """The whole recording."""
    return np.concatenate(list(audio.blocks()))


def passed(steps: list[Step], audio: Intermediate, samples: Block) -> tuple[Block, list[str], int]:
    """A recording after steps, what they found, and how many frames were worked on besides decoding."""
    worked = 0

    def tick(frames: int) -> None:
        nonlocal worked
        worked += frames

    passes = Passes(steps, Signal(sample_rate_hz=RATE_HZ, channels=2, providers=()), tick)
    passes.run(audio, in_blocks(samples))
    return after(audio), passes.notes, worked


def test_no_steps_leave_the_recording_as_it_is(audio: Intermediate) -> None:
    """What is decoded is written, sample for sample, in one pass."""
    samples = speech_like(2, channels=2)

    result, notes, worked = passed([], audio, samples)

    np.testing.assert_array_equal(result, samples)
    assert (notes, worked) == ([], 0)


def test_steps_that_need_to_hear_nothing_run_while_decoding(audio: Intermediate) -> None:
    """They cost no pass of their own."""
    samples = speech_like(2, channels=2) + np.float32(0.05)

    result, _, worked = passed([DcRemoval(), HighPass()], audio, samples)

    assert abs(result.mean()) < 1e-4
    assert worked == 0


def test_a_step_that_hears_what_comes_before_it_costs_one_pass(audio: Intermediate) -> None:
    """A compressor's threshold is relative to the loudness of what the steps before have left."""
    samples = speech_like(3, channels=2)
    rumbling = (
        samples + (0.5 * np.sin(2 * np.pi * 20 * np.arange(len(samples)) / RATE_HZ)).astype(np.float32)[:, None]
    )

    compressed, _, worked = passed([HighPass(cutoff_hz=100), Compress(threshold_lu=-6, ratio=4)], audio, rumbling)
    clean, _, _ = passed([HighPass(cutoff_hz=100), Compress(threshold_lu=-6, ratio=4)], audio, samples)
    untouched, _, _ = passed([HighPass(cutoff_hz=100)], audio, rumbling)

    assert worked == len(samples)
    assert np.abs(compressed).max() < 0.9 * np.abs(untouched).max()
    # Had it heard the rumble, its threshold would lie far too high.
    assert np.sqrt(np.mean(compressed**2)) == pytest.approx(np.sqrt(np.mean(clean**2)), rel=0.05)


def test_a_compressor_after_the_leveller_costs_no_pass_of_its_own(audio: Intermediate) -> None:
    """Yet its threshold is relative to the loudness that the leveller leaves."""
    talk = speech_like(12, channels=2)
    turns = np.where(np.arange(len(talk)) < len(talk) // 2, 1.0, 0.2).astype(np.float32)
    samples = np.ascontiguousarray(talk * turns[:, None])
    level, compress = Level(amount=1.0, largest_gain_db=12.0), Compress(threshold_lu=-6, ratio=4)

    together, notes, worked = passed([HighPass(), level, compress], audio, samples)
    levelled, _, _ = passed([HighPass(), level], audio, samples)
    apart, _, _ = passed([compress], audio, levelled)

    assert worked == len(samples)
    assert notes[0].startswith("Levelled by")
    assert np.sqrt(np.mean((together - apart) ** 2)) < 0.003 * np.sqrt(np.mean(apart**2))


def test_a_step_that_hears_the_source_does_so_before_all_others(audio: Intermediate) -> None:
    """A silent side is found, the good one put on both, and that is told."""
    samples = speech_like(2, channels=2)
    samples[:, 1] = 0.0

    result, notes, worked = passed([HighPass(), DualMono()], audio, samples)

    np.testing.assert_array_equal(result[:, 0], result[:, 1])
    assert notes == ["The right side was silent: the other is on both"]
    assert worked == len(samples)


def test_a_step_with_nothing_to_do_is_passed_over(audio: Intermediate) -> None:
    """Of two good sides neither is changed, and nothing is told."""
    samples = speech_like(2, channels=2)

    result, notes, _ = passed([DualMono()], audio, samples)

    np.testing.assert_array_equal(result, samples)
    assert notes == []


def test_what_listens_at_the_end_hears_what_the_last_step_leaves(audio: Intermediate) -> None:
    """Whether or not there is a pass to tap, every frame is heard once."""
    samples = speech_like(2, channels=2)
    for steps in ([], [HighPass()], [DualMono()], [HighPass(), Compress()], [Compress()]):
        heard: list[Block] = []
        passes = Passes(steps, Signal(sample_rate_hz=RATE_HZ, channels=2, providers=()), lambda _: None)
        passes.run(audio, in_blocks(samples), [heard.append])

        np.testing.assert_array_equal(np.concatenate(heard), after(audio))


def test_a_recording_that_lies_there_is_worked_on_in_place(audio: Intermediate) -> None:
    """After an edit nothing is decoded: what has to be heard first is heard from the disk."""
    samples = speech_like(2, channels=2)
    samples[:, 0] = 0.0
    audio.fill(in_blocks(samples))

    passes = Passes([DualMono()], Signal(sample_rate_hz=RATE_HZ, channels=2, providers=()), lambda _: None)
    passes.run(audio, None)

    np.testing.assert_array_equal(after(audio)[:, 0], samples[:, 1])
