"""Whether noise reduction took the noise or the programme."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from mixdown.dsp.processor import Block
from mixdown.safeguard import LARGEST_LOSS_DB, ProgrammeLoss
from tests.signals import speech_like
from tests.unit.signals import block_lengths, cut, noise

RATE_HZ = 8_000


def loss_of(before: Block, after: Block, rate_hz: int = RATE_HZ) -> ProgrammeLoss:
    """The loss from one signal to another."""
    loss = ProgrammeLoss(rate_hz)
    loss.before(before)
    loss.after(after)
    return loss


def turned_down(block: Block, db: float) -> Block:
    """A quieter copy."""
    return (block * 10 ** (-db / 20)).astype(np.float32)


def test_nothing_taken_nothing_lost() -> None:
    """A signal that comes through as it was has lost nothing."""
    voice = speech_like(3, rate_hz=RATE_HZ)

    assert loss_of(voice, voice).loss_db == pytest.approx(0.0, abs=1e-6)
    assert loss_of(voice, voice).programme_survived


@pytest.mark.parametrize("db", [3.0, 12.0, 18.0])
@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_turned_down_as_a_whole_is_lost(db: float, channels: int) -> None:
    """Music that is taken for noise loses as much everywhere, and that is what is found."""
    song = noise(3 * RATE_HZ, channels)

    loss = loss_of(song, turned_down(song, db))

    assert loss.loss_db == pytest.approx(db, abs=0.01)
    assert loss.programme_survived == (db < LARGEST_LOSS_DB)


@pytest.mark.parametrize(("off_db", "survived"), [(-0.5, True), (0.5, False)])
def test_the_verdict_turns_at_the_limit(off_db: float, survived: bool) -> None:
    """A little less than the largest loss is accepted, a little more is not."""
    song = noise(2 * RATE_HZ, 1)

    assert loss_of(song, turned_down(song, LARGEST_LOSS_DB + off_db)).programme_survived is survived


def test_speech_in_noise_survives() -> None:
    """Where the noise between the words is gone and the words are there, it was noise that was taken."""
    voice = speech_like(6, rate_hz=RATE_HZ)
    hiss = noise(len(voice), 1, rms=float(np.sqrt(np.mean(voice**2))))

    loss = loss_of(voice + hiss, voice + turned_down(hiss, 18))

    assert 0.5 < loss.loss_db < 6
    assert loss.programme_survived


def test_only_what_is_loudest_afterwards_counts() -> None:
    """Three quarters of a recording may be noise that goes; a fifth that stays is its programme."""
    song = noise(4 * RATE_HZ, 1)
    kept = turned_down(song, 40)
    kept[:RATE_HZ] = song[:RATE_HZ]

    assert loss_of(song, kept).loss_db == pytest.approx(0.0, abs=0.01)
    assert loss_of(song, turned_down(song, 40)).loss_db == pytest.approx(40.0, abs=0.1)


@pytest.mark.parametrize("frames", [0, 1, RATE_HZ // 10 - 1])
def test_too_short_to_tell_is_no_loss(frames: int) -> None:
    """Less than a passage of 100 ms gives no verdict against noise reduction."""
    short = noise(frames, 1)

    assert loss_of(short, turned_down(short, 30)).loss_db == 0.0
    assert loss_of(short, turned_down(short, 30)).programme_survived


def test_silence_is_no_loss() -> None:
    """Where nothing was, nothing is lost."""
    nothing = np.zeros((RATE_HZ, 2), np.float32)

    assert loss_of(nothing, nothing).loss_db == 0.0


def test_the_end_may_still_be_missing() -> None:
    """What noise reduction holds back is not taken for lost."""
    song = noise(3 * RATE_HZ, 1)

    assert loss_of(song, song[:RATE_HZ]).loss_db == pytest.approx(0.0, abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(block_lengths, block_lengths)
def test_any_split_gives_the_same_verdict(lengths_before: list[int], lengths_after: list[int]) -> None:
    """Blocks are how samples travel: where they end changes nothing."""
    song = noise(9_000, 2)
    quieter = turned_down(song, 5) + noise(9_000, 2, rms=0.01, seed=1)
    loss = ProgrammeLoss(RATE_HZ)
    for block in cut(song, lengths_before):
        loss.before(block)
    for block in cut(quieter, lengths_after):
        loss.after(block)

    assert loss.loss_db == pytest.approx(loss_of(song, quieter).loss_db, abs=1e-4)
