"""What people read."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixdown.model import (
    Compress,
    Denoise,
    HighPass,
    JobRecord,
    Loudness,
    NoiseReduction,
    Stage,
    Status,
    Step,
    done_share,
)
from mixdown.wording import (
    chain_words,
    delivered_words,
    duration_words,
    level_words,
    loudness_words,
    place_words,
    short_id,
    state_words,
    step_words,
)
from tests.services.ledger_samples import SILENCE, result, spec

RECORD = JobRecord(
    id=UUID("0123456789abcdef0123456789abcdef"),
    idempotency_key="key",
    spec=spec(),
    status=Status.queued,
    created_at=datetime(2026, 11, 22, tzinfo=UTC),
)


def test_short_ids_are_the_beginning_of_long_ones() -> None:
    """Eight characters, none of them a dash."""
    assert short_id(RECORD) == "01234567"


@pytest.mark.parametrize(
    ("status", "stage", "progress", "share"),
    [
        (Status.queued, None, 0.0, 0.0),
        (Status.running, None, 0.7, 0.0),
        (Status.running, Stage.validate, 0.0, 0.05),
        (Status.running, Stage.validate, 0.5, 0.5),
        (Status.running, Stage.validate, 1.0, 0.95),
        (Status.running, Stage.process, 0.0, 0.95),
        (Status.running, Stage.process, 1.0, 0.95),
        (Status.succeeded, Stage.store, 0.0, 1.0),
        (Status.failed, None, 0.0, 1.0),
        (Status.cancelled, Stage.validate, 0.3, 1.0),
    ],
)
def test_a_bar_tells_how_much_is_done(status: Status, stage: Stage | None, progress: float, share: float) -> None:
    """Rendering is nearly all of it; a job that has ended is done, however it ended."""
    assert done_share(replace(RECORD, status=status, stage=stage, progress=progress)) == pytest.approx(share)


def test_states_in_words() -> None:
    """A failure says why; a success says if it was somebody else's."""
    done = replace(RECORD, status=Status.succeeded, result=result())

    assert state_words(RECORD) == "queued"
    assert state_words(replace(RECORD, status=Status.failed, error_code="empty_file")) == "failed: empty_file"
    assert state_words(done) == "succeeded"
    assert state_words(replace(done, result=replace(result(), reused=True))) == (
        "succeeded (same recording, done before)"
    )


def test_a_batch_in_words() -> None:
    """How many of how many; what was rejected was not delivered."""
    ends = [Status.succeeded, Status.failed, Status.rejected, Status.succeeded, Status.running]

    assert delivered_words([replace(RECORD, status=status) for status in ends]) == "2 of 5 delivered"
    assert delivered_words([]) == "0 of 0 delivered"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0:00"),
        (0.4, "0:00"),
        (42, "0:42"),
        (59.6, "1:00"),
        (600, "10:00"),
        (3599.7, "1:00:00"),
        (3723, "1:02:03"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    """Minutes and seconds, hours where there are any."""
    assert duration_words(seconds) == words


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("file:///srv/masters/Gr%C3%BC%C3%9Fe%20%231.mp3", "/srv/masters/Grüße #1.mp3"),
        ("s3://audio/some prefix/0.mp3", "s3://audio/some prefix/0.mp3"),
    ],
)
def test_places_in_words(uri: str, words: str) -> None:
    """A file of this machine is named by its path, as a person would type it; anything else by its address."""
    assert place_words(uri) == words


@given(st.floats(0, 1e6))
def test_durations_can_be_read_back(seconds: float) -> None:
    """Whatever the length, the words mean it, to the second."""
    read = 0
    for part in duration_words(seconds).split(":"):
        read = read * 60 + int(part)

    assert abs(read - seconds) <= 0.5


@pytest.mark.parametrize(
    ("level", "words"),
    [(-16.04, "−16.0"), (3.14, "3.1"), (0.0, "0.0"), (-0.04, "0.0"), (-0.06, "−0.1"), (-math.inf, "−∞")],
)
def test_levels_in_words(level: float, words: str) -> None:
    """One digit, a true minus sign, and no minus before nothing."""
    assert level_words(level) == words
    assert level_words(level, "dBTP") == f"{words} dBTP"


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (HighPass(cutoff_hz=80), "high-pass 80 Hz"),
        (Denoise(reduction=NoiseReduction.db12), "noise reduction up to 12 dB"),
        (Denoise(reduction=NoiseReduction.full), "noise reduction, full"),
        (Compress(threshold_lu=2, ratio=1.5), "compressor 1.5:1 from +2 LU"),
        (Compress(threshold_lu=-4), "compressor 2:1 from -4 LU"),
        (Loudness(target_lufs=-16, mono_target_lufs=-19), "loudness −16.0 LUFS under −1.0 dBTP"),
    ],
)
def test_steps_in_words(step: Step, words: str) -> None:
    """What a step does, with the figures that matter."""
    assert step_words(step, 2) == words


def test_mono_is_told_its_own_target() -> None:
    """The loudness step of a mono master names the target that it was brought to."""
    assert step_words(Loudness(target_lufs=-16, mono_target_lufs=-19), 1).startswith("loudness −19.0 LUFS")


def test_a_result_in_words() -> None:
    """The chain in its order, and the loudness before and after."""
    done = result()
    louder = replace(SILENCE, integrated_lufs=-27.94)
    mastered = replace(done.renditions[0], after=replace(SILENCE, integrated_lufs=-16.0))

    assert chain_words(done) == (
        "high-pass 80 Hz → noise reduction up to 18 dB → loudness −16.0 LUFS under −1.0 dBTP"
    )
    assert loudness_words(replace(done, before=louder, renditions=(mastered,))) == "−27.9 → −16.0"
