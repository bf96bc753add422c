"""Voices of Piper on ONNX Runtime, by a runner of our own, with sounds from the program `espeak-ng`."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mixdown.dsp.processor import Block
from mixdown.errors import EngineRefused, NoSuchEngine
from mixdown.speech.engines import espeak
from mixdown.speech.engines.seeded import with_noise_given
from mixdown.speech.engines.sessions import run, session_of
from mixdown.speech.models import JOE_WHEEL, PiperFiles, joined, piper_voices, sha256_of
from mixdown.speech.port import Spoken, Utterance, Voice
from mixdown.speech.voicing import voice_named

NAME = "piper"

#: Raised whenever the same text is said otherwise for reasons of ours.
_EDITION = 1

_NAMED_LIKE = re.compile(r"([a-z]{2,3})_([A-Z]{2})-(.+)")

# Numbers of the sounds that every voice begins, fills and ends with.
_BEGINS, _FILLS, _ENDS = 1, 0, 2

# Noise for so many frames per sound and a few more: what a voice takes at most, or nearly.
_CHANNELS = 192
_FRAMES_PER_SOUND = 6
_MORE_FRAMES = 200


def voices_in(models_folder: Path | None) -> tuple[Voice, ...]:
    """The voices whose files are there; their names tell their languages."""
    return tuple(
        Voice(name=files.name, language=f"{found[1]}-{found[2]}", description=found[3])
        for files in piper_voices(models_folder)
        if (found := _NAMED_LIKE.fullmatch(files.name))
    )


def missing(models_folder: Path | None) -> str:
    """What has to be installed for it, as a sentence; "" for nothing."""
    gone = []
    if not begun(models_folder):
        gone.append(f"a voice, such as {JOE_WHEEL}, which `mixdown voices add standard` installs")
    if not espeak.is_there():
        gone.append(f"the program {espeak.PROGRAM}, which the system's packages have")
    return f"it takes {' and '.join(gone)}." if gone else ""


def begun(models_folder: Path | None) -> bool:
    """Whether a voice is there."""
    return bool(voices_in(models_folder))


def opened(models_folder: Path | None, *, threads: int, at_once: int) -> Piper:
    """The engine, its models looked over."""
    return Piper(models_folder, threads=threads, at_once=at_once)


class Piper:
    """Voices of Piper; each is loaded when it first speaks.

    Raises
    ------
    NoSuchEngine
        There is no `espeak-ng`, or a voice is damaged.
    """

    name = NAME
    origin = ""
    longest_chars = 600
    packs_chars = 0
    price = 0.0

    def __init__(self, models_folder: Path | None = None, *, threads: int = 1, at_once: int = 1) -> None:
        self.at_once = max(1, at_once)
        self.voices = voices_in(models_folder)
        self._espeak = espeak.Espeak()
        self._files = {files.name: files for files in piper_voices(models_folder)}
        self._threads = threads
        models = hashlib.sha256()
        for name in sorted(self._files):
            files = self._files[name]
            models.update(sha256_of([files.model], files.sha256, name).encode() + files.settings.read_bytes())
        self.identity = f"{models.hexdigest()} espeak-ng {self._espeak.version} {_EDITION}"
        self._loading = threading.Lock()
        self._loaded: dict[str, _LoadedVoice] = {}

    def voice_for(self, asked: str, language: str) -> str:
        """The voice by its name, or for "" the first of a language."""
        return voice_named(self.name, self.voices, asked, language)

    def speak(self, utterance: Utterance, check: Callable[[], None] = lambda: None) -> Spoken:
        """The sound of an utterance: the same samples every time; another attempt varies it a little."""
        check()
        voice = self._voice(utterance.voice)
        sounds = self._espeak.ipa_of(utterance.text, voice.espeak_voice, utterance.ipa)
        if not any(sound.isalpha() for sound in sounds):
            shown = utterance.text if len(utterance.text) <= 60 else f"{utterance.text[:60]}…"
            raise EngineRefused(f"piper has no way to say “{shown}”.")
        check()
        samples = voice.say(sounds, utterance.rate, seed=utterance.attempt)
        check()
        return Spoken(samples=samples, sample_rate_hz=voice.sample_rate_hz)

    def _voice(self, name: str) -> _LoadedVoice:
        with self._loading:
            if name not in self._loaded:
                self._loaded[name] = _LoadedVoice(self._files[name], self._threads)
            return self._loaded[name]


class _LoadedVoice:
    """A voice in memory."""

    def __init__(self, files: PiperFiles, threads: int) -> None:
        self._name = files.name
        try:
            settings = json.loads(files.settings.read_bytes())
            self.sample_rate_hz = int(settings["audio"]["sample_rate"])
            self.espeak_voice = str(settings["espeak"]["voice"])
            self._numbers: dict[str, list[int]] = settings["phoneme_id_map"]
            shape = settings["inference"]
            self._noise, self._pace, self._rhythm = (
                float(shape[key]) for key in ("noise_scale", "length_scale", "noise_w")
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NoSuchEngine(f"The settings of the voice {files.name} cannot be read.") from error
        model, self._noises = with_noise_given(joined([files.model], files.sha256, files.name))
        self._session = session_of(model, threads=threads, name=files.name)
        self._inputs = {each.name for each in self._session.get_inputs()}

    def say(self, sounds: str, rate: float, *, seed: int) -> Block:
        """Samples of shape (frames, 1)."""
        from onnxruntime.capi.onnxruntime_pybind11_state import Fail

        numbers = [_BEGINS, _FILLS]
        for sound in sounds:
            for number in self._numbers.get(sound, ()):
                numbers += [number, _FILLS]
        numbers.append(_ENDS)
        feeds: dict[str, Any] = {
            "input": np.array([numbers], np.int64),
            "input_lengths": np.array([len(numbers)], np.int64),
            "scales": np.array([self._noise, self._pace / rate, self._rhythm], np.float32),
        }
        if "sid" in self._inputs:
            feeds["sid"] = np.array([0], np.int64)
        frames = int(_FRAMES_PER_SOUND * len(numbers) / rate) + _MORE_FRAMES
        for tried in (frames, 8 * frames):
            random = np.random.Generator(np.random.PCG64(seed))
            noises = {name: random.standard_normal((1, _CHANNELS, tried), np.float32) for name in self._noises}
            try:
                return run(self._session, feeds | noises)
            except Fail as error:  # it draws a sound out longer than there is noise for
                failed = error
        raise EngineRefused(f"The voice {self._name} fails over this sentence.") from failed
