"""Spoken lines, from the speech engine in the wheel `py-nanotts` (SVOX Pico, Apache-2.0)."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mixdown.dsp.processor import Block

RATE_HZ = 16_000  #: of what the engine says

# glibc then gives every large block fresh, zeroed pages; other C libraries ignore this.
_FRESH_PAGES = {"MALLOC_MMAP_THRESHOLD_": "65536"}


@dataclass(frozen=True, slots=True)
class Line:
    """Something to be said, and how."""

    text: str
    voice: str = "en-GB"
    speed: float = 1.0
    pitch: float = 1.0
    volume: float = 0.6


def speak(lines: Sequence[Line]) -> list[Block]:
    """What each line sounds like: (frames, 1) at `RATE_HZ`, the same samples every time."""
    done = subprocess.run(  # noqa: S603 - our own program, nothing of a user's in it
        [sys.executable, "-I", str(Path(__file__).with_name("speaker.py"))],
        input=json.dumps([asdict(line) for line in lines]).encode(),
        stdout=subprocess.PIPE,
        env=_FRESH_PAGES,
        check=True,
    )
    spoken, position = [], 0
    for _ in lines:
        (size,) = struct.unpack_from("<I", done.stdout, position)
        pcm = np.frombuffer(done.stdout, "<i2", size // 2, position + 4)
        spoken.append((pcm / 32_768).astype(np.float32)[:, None])
        position += 4 + size
    return spoken
