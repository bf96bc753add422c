"""SVOX Pico, of the wheel `py-nanotts` (Apache-2.0): small, quick, six voices; always there."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
import threading
import time
import unicodedata
import weakref
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from multiprocessing.connection import wait
from pathlib import Path
from typing import IO

import numpy as np

from mixdown.errors import EngineRefused, EngineUnavailable, NoSuchEngine
from mixdown.speech.port import Spoken, Utterance, Voice
from mixdown.speech.voicing import voice_named

NAME = "pico"
RATE_HZ = 16_000

#: The first of a language is the one of the language without a region.
VOICES = (
    Voice(name="en-GB", language="en-GB", description="woman, British"),
    Voice(name="en-US", language="en-US", description="woman, American"),
    Voice(name="de-DE", language="de-DE", description="woman"),
    Voice(name="es-ES", language="es-ES", description="woman"),
    Voice(name="fr-FR", language="fr-FR", description="woman"),
    Voice(name="it-IT", language="it-IT", description="woman"),
)

#: Raised whenever the same text is said otherwise for reasons of ours.
_EDITION = 1

# At its own volume it clips; at this one the loudest of its voices peaks at -4 dBFS.
_VOLUME = 0.4

# glibc then gives every large block fresh, zeroed pages; other C libraries do so by themselves.
_FRESH_PAGES = {"MALLOC_MMAP_THRESHOLD_": "65536"}

_LOOK_S = 0.2
_HANGS_S = 120.0

# It reads `<` as markup unless a number follows.
_MARKUP = re.compile(r"<(?!\s*[0-9])")
_READ_AS = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛ʼ′", "'"),
        **dict.fromkeys("“”„‟«»‹›″", '"'),
        **dict.fromkeys("‐‑‒−", "-"),
        **{"Ł": "L", "ł": "l", "Đ": "D", "đ": "d", "ı": "i"},
        **{"…": "... ", "–": "-", "•": ", ", "Œ": "OE", "œ": "oe", "ẞ": "ß", "⁄": "/", "×": "x"},
    }
)
_LONE_DASH = re.compile(r"\s*[—―]+\s*|\s[–-]+\s")


def voices_in(models_folder: Path | None) -> tuple[Voice, ...]:
    """Its voices, wherever models lie."""
    return VOICES


def missing(models_folder: Path | None) -> str:
    """What has to be installed for it, as a sentence; "" for nothing."""
    return "" if begun(models_folder) else "install the package py-nanotts."


def begun(models_folder: Path | None) -> bool:
    """Whether its package is there."""
    return find_spec("py_nanotts") is not None


def opened(models_folder: Path | None, *, threads: int, at_once: int) -> Pico:
    """The engine."""
    return Pico(at_once)


class Pico:
    """SVOX Pico, spoken by child processes: as many as are asked at once."""

    name = NAME
    origin = ""
    longest_chars = 1_000
    packs_chars = 0
    price = 0.0
    voices = VOICES

    def __init__(self, at_once: int = 1) -> None:
        self.at_once = max(1, at_once)
        self.identity = f"py-nanotts {version('py-nanotts')} {_EDITION}"
        self._speakers = _Speakers(self.at_once)
        weakref.finalize(self, self._speakers.close)

    def voice_for(self, asked: str, language: str) -> str:
        """The voice by its name, or for "" that of a language."""
        return voice_named(self.name, self.voices, asked, language)

    def close(self) -> None:
        """End its children; it may be used again."""
        self._speakers.close()

    def speak(self, utterance: Utterance, check: Callable[[], None] = lambda: None) -> Spoken:
        """The sound of an utterance: the same samples every time."""
        text = sayable(utterance.text)
        if not any(letter.isalnum() for letter in text):
            raise EngineRefused(f"pico has no way to say “{_shown(utterance.text)}”.")
        pcm = self._speakers.say(
            {
                "text": text,
                "voice": utterance.voice,
                "speed": utterance.rate,
                "volume": _VOLUME,
            },
            check,
        )
        samples = np.frombuffer(pcm, "<i2").astype(np.float32)[:, None] / np.float32(32_768)
        return Spoken(samples=samples, sample_rate_hz=RATE_HZ)


def sayable(text: str) -> str:
    """A text in the letters that Pico knows, and without anything that it takes for markup."""
    text = _LONE_DASH.sub(", ", text).translate(_READ_AS)
    kept = []
    for letter in unicodedata.normalize("NFC", text):
        if letter.isspace():
            kept.append(" ")
        elif letter.isprintable() and ord(letter) < 0x100:
            kept.append(letter)
        else:
            kept.append(_simpler(letter))
    return _MARKUP.sub(" ", "".join(kept)).strip()


def _simpler(letter: str) -> str:
    """The Latin letter, digit or sign under an accent or in another shape; "€" stays; else a space."""
    if letter == "€":
        return letter
    known = "".join(
        each
        for each in unicodedata.normalize("NFKD", letter.translate(_READ_AS)).translate(_READ_AS)
        if each.isprintable() and ord(each) < 0x100
    )
    return known or ("" if unicodedata.combining(letter) else " ")


def _shown(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"


class _Died(Exception):
    """A child is gone, or has not answered for too long."""


class _Speakers:
    """Child processes that speak: started when they are needed, kept, and never shared with a forked process."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._idle: list[_Speaker] = []
        self._all: set[_Speaker] = set()
        _POOLS.add(self)

    def say(self, request: dict[str, object], check: Callable[[], None]) -> bytes:
        """What a child answers; one that has died over it is replaced once."""
        for _ in range(2):
            speaker, answered = self._borrow(), False
            try:
                pcm = speaker.say(request, check)
                answered = True
            except _Died:
                continue
            finally:
                if not answered:
                    self._drop(speaker)  # it may be in the midst of an answer that nobody waits for
            self._put_back(speaker)
            return pcm
        raise EngineRefused(f"pico died over “{_shown(str(request['text']))}”.")

    def close(self) -> None:
        """End every child."""
        with self._lock:
            speakers, self._all, self._idle = self._all, set(), []
        for speaker in speakers:
            speaker.close()

    def forget(self) -> None:
        """In a process that was forked: the children are the other's."""
        self._lock = threading.Lock()
        for speaker in self._all:
            speaker.forget()
        self._all, self._idle = set(), []

    def _borrow(self) -> _Speaker:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        speaker = _Speaker()
        with self._lock:
            self._all.add(speaker)
        return speaker

    def _put_back(self, speaker: _Speaker) -> None:
        with self._lock:
            if speaker in self._all and len(self._idle) < self._kept:
                self._idle.append(speaker)
                return
        self._drop(speaker)

    def _drop(self, speaker: _Speaker) -> None:
        with self._lock:
            self._all.discard(speaker)
        speaker.close()


_POOLS: weakref.WeakSet[_Speakers] = weakref.WeakSet()


def _forget_all() -> None:
    for pool in list(_POOLS):
        pool.forget()


os.register_at_fork(after_in_child=_forget_all)


class _Speaker:
    """One child process. In a group of its own: Ctrl-C is not meant for it; it ends when its stdin is closed."""

    def __init__(self) -> None:
        program = Path(__file__).with_name("pico_speaker.py")
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own program; texts go through its stdin
                [sys.executable, "-I", str(program)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env=_FRESH_PAGES,
                process_group=0,
            )
            self._orders, self._answers = (pipe.fileno() for pipe in self._pipes())
        except OSError as error:  # no memory, too many processes
            raise EngineUnavailable("pico cannot be started now.", dependency="pico") from error
        try:
            self._read(1, lambda: None)
        except _Died as error:
            self.close()
            raise NoSuchEngine("pico does not start here: reinstall py-nanotts.") from error

    def say(self, request: dict[str, object], check: Callable[[], None]) -> bytes:
        """16-bit PCM."""
        try:
            order = json.dumps(request).encode() + b"\n"
            while order:
                order = order[os.write(self._orders, order) :]
        except OSError as error:
            raise _Died from error
        good, size = struct.unpack("<?I", self._read(5, check))
        answer = self._read(size, check)
        if not good:
            raise EngineRefused(f"pico refuses “{_shown(str(request['text']))}”: {answer.decode(errors='replace')}")
        return answer

    def close(self) -> None:
        """End it."""
        self._close_pipes()
        self._process.kill()
        self._process.wait()

    def forget(self) -> None:
        """Let go of it without ending it."""
        self._close_pipes()
        self._process.returncode = 0  # nothing that this process could wait for

    def _read(self, size: int, check: Callable[[], None]) -> bytes:
        got = bytearray()
        until_s = time.monotonic() + _HANGS_S
        while len(got) < size:
            if not wait([self._answers], _LOOK_S):
                check()
                if time.monotonic() > until_s:
                    raise _Died
                continue
            part = os.read(self._answers, size - len(got))
            if not part:
                raise _Died
            got += part
        return bytes(got)

    def _pipes(self) -> list[IO[bytes]]:
        """Its stdin and its stdout."""
        return [pipe for pipe in (self._process.stdin, self._process.stdout) if pipe is not None]

    def _close_pipes(self) -> None:
        for pipe in self._pipes():
            pipe.close()
