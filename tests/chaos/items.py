"""What is submitted: short clips, each another sound, and a few files that must fail, each with its code."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from tests.hostile import HOSTILE
from tests.services.s3_server import S3

RATE_HZ = 22_050

#: What is no recording, by the names of `tests/hostile.py`; their codes are written there.
POISON = (
    "empty.mp3",
    "noise.mp3",
    "text.mp3",
    "picture.mp3",
    "silence.wav",
    "header-only.wav",
    "half-a-header.wav",
    "cut-index.mp4",
    "nan.wav",
)
MISSING = "source_not_found"
_POISON_SHARE = 0.02
_S3_SHARE = 0.3
_UPLOADS = "incoming from outside"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the batch."""

    name: str
    uri: str
    code: str | None  #: the error it must end with; None where it must succeed


def make_items(folder: Path, s3: S3, *, count: int, seed: int) -> list[Item]:
    """Sources in a folder and in a bucket, the poisoned ones strewn among them."""
    chance = random.Random(seed)
    folder.mkdir()
    poisoned = max(len(POISON) + 2, round(count * _POISON_SHARE)) if count > 100 else len(POISON) // 2
    at = set(chance.sample(range(count), poisoned))
    kinds = iter([None, None, *POISON] * poisoned)  # None: there is nothing at that address
    return [
        _placed(folder, s3, number, _poison(next(kinds)) if number in at else _clip, chance)
        for number in range(count)
    ]


@dataclass(frozen=True, slots=True)
class _Maker:
    suffix: str
    code: str | None
    make: Callable[[Path, int], None] | None  #: None: nothing is there


def _write_clip(path: Path, number: int) -> None:
    chance = np.random.default_rng(number)
    duration_s = chance.uniform(1.0, 2.0)
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    tone = 0.1 * np.sin(2 * np.pi * (200 + 700 * chance.random()) * time_s * (1 + 0.2 * time_s))
    soundfile.write(path, tone + 0.01 * chance.standard_normal(len(time_s)), RATE_HZ, subtype="PCM_16")


_clip = _Maker(".wav", None, _write_clip)


def _poison(kind: str | None) -> _Maker:
    if kind is None:
        return _Maker(".wav", MISSING, None)
    hostile = HOSTILE[kind]
    return _Maker(Path(kind).suffix, hostile.code, lambda path, _: hostile.make(path))


def _placed(folder: Path, s3: S3, number: int, maker: _Maker, chance: random.Random) -> Item:
    """An item made, in the folder or in the bucket."""
    name = f"{number:05}{maker.suffix}"
    path = folder / name
    if maker.make is not None:
        maker.make(path, number)
    if chance.random() >= _S3_SHARE:
        return Item(name, str(path), maker.code)
    key = f"{_UPLOADS}/{name}"
    if maker.make is not None:
        s3.client.put_object(Bucket=s3.bucket, Key=key, Body=path.read_bytes())
        path.unlink()
    return Item(name, f"s3://{s3.bucket}/{key}", maker.code)
