"""Whatever a stranger sends ends in samples or in one named error, and leaves nothing behind."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import psutil
import pytest

from mixdown.codec.decode import open_audio
from mixdown.codec.probe import probe
from mixdown.errors import EmptyFile, PermanentError
from mixdown.model import Limits
from tests.hostile import HOSTILE
from tests.recordings import RECORDINGS

NAME = "The recording"

#: Found by what processes the samples, not by what decodes them.
_AFTER_DECODING = {"silent_audio"}


def outcome(path: Path) -> tuple[str | None, str, list[str]]:
    """Code and message of the error that decoding ended with, or None, and the warnings."""
    try:
        with open_audio(path, name=NAME, limits=Limits()) as reader:
            for block in reader.blocks():
                assert np.isfinite(block).all()
            return None, "", reader.warnings
    except PermanentError as error:
        return error.code, error.message, []


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_files_end_in_samples_or_a_named_error(name: str, tmp_path: Path, capfd, monkeypatch) -> None:
    """One stable code, one sentence that names the recording and no path; nothing printed, nothing left open."""
    monkeypatch.chdir(tmp_path)
    hostile = HOSTILE[name]
    hostile.make(tmp_path / name)
    capfd.readouterr()
    descriptors = psutil.Process().num_fds()

    code, message, warnings = outcome(tmp_path / name)

    assert code == (None if hostile.code in _AFTER_DECODING else hostile.code)
    assert psutil.Process().num_fds() == descriptors
    assert capfd.readouterr() == ("", "")
    if code is not None:
        assert NAME in message
        assert message.endswith(".")
        assert "\n" not in message
        assert str(tmp_path) not in message
        assert len(message) < 200
    if hostile.warning:
        assert any(hostile.warning in warning for warning in warnings), warnings


@pytest.mark.parametrize("name", sorted(name for name, hostile in HOSTILE.items() if hostile.code is None))
def test_usable_hostile_files_can_be_probed(name: str, tmp_path: Path) -> None:
    """What decodes has a header that can be shown, and one that promises no more than the file can hold."""
    HOSTILE[name].make(tmp_path / name)

    probed = probe(tmp_path / name, name=NAME, limits=Limits())

    assert probed.duration_s is None or probed.duration_s < 30


def test_messages_stay_one_line_whatever_the_name(tmp_path: Path) -> None:
    """A name with line breaks and control characters, or an endless one, does not break the sentence it is in."""
    HOSTILE["empty.mp3"].make(tmp_path / "x")

    with pytest.raises(EmptyFile, match=r"^a b\[0m c is empty\.$"):
        open_audio(tmp_path / "x", name="a\nb\x1b[0m\r c", limits=Limits())
    with pytest.raises(EmptyFile, match=r"^x{100} is empty\.$"):
        open_audio(tmp_path / "x", name="x" * 5000, limits=Limits())


def test_files_that_others_point_at_are_never_opened(tmp_path: Path) -> None:
    """A file that names its neighbour gives an error even though the neighbour is there and good."""
    RECORDINGS["16.wav"].make(tmp_path / "other.wav")
    HOSTILE["elsewhere.mov"].make(tmp_path / "elsewhere.mov")

    assert b"other.wav" in (tmp_path / "elsewhere.mov").read_bytes()
    assert outcome(tmp_path / "elsewhere.mov")[0] == "unreadable_audio"


def test_damage_costs_only_what_is_damaged(tmp_path: Path) -> None:
    """A few hundred bad bytes in the middle of a file leave most of it."""
    for name in ("damaged.mp3", "damaged.flac", "damaged.m4a", "damaged.wav"):
        HOSTILE[name].make(tmp_path / name)
        with open_audio(tmp_path / name, name=NAME, limits=Limits()) as reader:
            for _ in reader.blocks():
                pass

        assert reader.frames > 1.6 * reader.sample_rate_hz, name


@pytest.mark.parametrize("name", sorted(name for name, made in RECORDINGS.items() if made.duration_s < 2))
def test_random_damage_never_raises_anything_else(name: str, tmp_path: Path) -> None:
    """Bytes changed and cut at random (always the same ones) give samples or a named error, nothing else."""
    RECORDINGS[name].make(tmp_path / name)
    good = (tmp_path / name).read_bytes()[:60_000]
    descriptors = psutil.Process().num_fds()
    dice = random.Random(name)
    for _ in range(12):
        damaged = bytearray(good)
        reach = len(damaged) if dice.random() < 0.5 else min(len(damaged), 400)
        for _ in range(dice.choice([1, 5, 40])):
            damaged[dice.randrange(reach)] = dice.choice([0, 255, dice.randrange(256)])
        if dice.random() < 0.3:
            del damaged[dice.randrange(len(damaged)) :]
        (tmp_path / "damaged").write_bytes(damaged or b"\0")

        outcome(tmp_path / "damaged")

    assert psutil.Process().num_fds() == descriptors
