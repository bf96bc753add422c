"""A recording between two passes: held in memory while it is short, on the scratch disk from then on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mixdown.dsp.processor import Block
from mixdown.intermediate import BLOCK_FRAMES, Intermediate

FRAMES = 3 * BLOCK_FRAMES + 1234
SAMPLES = np.random.default_rng(0).uniform(-1, 1, (FRAMES, 2)).astype(np.float32)
#: Nothing is held, some of it until it is too much, everything.
HELD = (0, SAMPLES.nbytes // 2, SAMPLES.nbytes)


class Halved:
    """A processor."""

    def process(self, block: Block) -> Block:
        return block / np.float32(2)

    def flush(self) -> Block:
        return np.empty((0, 2), np.float32)


def blocks(samples: Block, frames: int = 10_000) -> Iterator[Block]:
    """In pieces that are not those it is read in."""
    for start in range(0, len(samples), frames):
        yield samples[start : start + frames]


@pytest.fixture(params=HELD)
def audio(request: pytest.FixtureRequest, tmp_path: Path) -> Intermediate:
    """A recording that has been written."""
    made = Intermediate(tmp_path / "audio.f32", sample_rate_hz=48_000, channels=2, held_bytes=request.param)
    made.fill(blocks(SAMPLES))
    return made


def test_it_is_read_as_it_was_written(audio: Intermediate) -> None:
    """From the start, from any frame, in one piece, and behind its end."""
    np.testing.assert_array_equal(np.concatenate(list(audio.blocks())), SAMPLES)
    np.testing.assert_array_equal(np.concatenate(list(audio.blocks_from(70_001))), SAMPLES[70_001:])
    np.testing.assert_array_equal(audio.read(123, 456), SAMPLES[123 : 123 + 456])
    np.testing.assert_array_equal(audio.read(FRAMES - 5, 100), SAMPLES[-5:])
    assert audio.read(FRAMES + 5, 100).shape == (0, 2)
    assert audio.frames == FRAMES


def test_what_is_read_is_the_readers_own(audio: Intermediate) -> None:
    """Whoever works on a block in place changes nothing that is read later."""
    for block in (audio.read(0, 100), *audio.blocks()):
        block[:] = 0

    np.testing.assert_array_equal(audio.read(0, FRAMES), SAMPLES)


def test_it_is_rewritten_in_place(audio: Intermediate) -> None:
    """Every block is put through the processors once, and shown to the taps."""
    seen: list[Block] = []

    audio.rewrite([Halved()], seen.append)

    np.testing.assert_array_equal(np.concatenate(seen), SAMPLES / 2)
    np.testing.assert_array_equal(audio.read(0, FRAMES), SAMPLES / 2)


def test_it_can_be_filled_again(audio: Intermediate) -> None:
    """With less, and with nothing: what was in it is gone."""
    audio.fill([SAMPLES[:100]])
    np.testing.assert_array_equal(np.concatenate(list(audio.blocks())), SAMPLES[:100])

    audio.fill([])
    assert list(audio.blocks()) == []
    assert audio.frames == 0


def test_only_what_is_long_has_a_file(tmp_path: Path) -> None:
    """A file appears with the first byte more than may be held; none is left of what is let go."""
    for held_bytes in HELD:
        audio = Intermediate(tmp_path / "audio.f32", sample_rate_hz=48_000, channels=2, held_bytes=held_bytes)
        audio.fill(blocks(SAMPLES))
        assert audio.path.exists() == (held_bytes < SAMPLES.nbytes)

        audio.discard()
        audio.discard()
        assert not audio.path.exists()


def test_a_name_that_was_reserved_by_a_file_is_given_up_with_it(tmp_path: Path) -> None:
    """Also where nothing was ever written: what was to fill it broke off before its first block."""
    reserved = tmp_path / "edit-1.f32"
    reserved.touch()
    audio = Intermediate(reserved, sample_rate_hz=48_000, channels=2)

    def broken() -> Iterator[Block]:
        raise BrokenPipeError
        yield SAMPLES

    with pytest.raises(BrokenPipeError):
        audio.fill(broken())
    audio.discard()

    assert list(tmp_path.iterdir()) == []
