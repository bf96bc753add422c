"""Which engine speaks: what is installed, and the best of it for a language."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mixdown.errors import NoSuchEngine, UnknownLanguage
from mixdown.speech.engines import kokoro, pico, piper
from mixdown.speech.port import Engine, Voice
from mixdown.speech.voicing import spoken

#: How a quality of a cloud engine begins: `cloud:NAME`.
CLOUD = "cloud:"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """What is known of an engine without opening it."""

    name: str
    quality: str
    voices: tuple[Voice, ...]  #: those that are there, or would be
    why_not: str = ""  #: what is missing and how to get it, as a sentence; "": nothing
    begun: bool = False  #: some of it is installed, so that somebody wants it

    @property
    def available(self) -> bool:
        """Whether it can be opened, as far as that is known."""
        return not self.why_not

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that it speaks, in regions."""
        return tuple(sorted({voice.language for voice in self.voices}))


@dataclass(frozen=True, slots=True)
class Opened:
    """An engine, and what is to be said about the choice."""

    engine: Engine
    warnings: tuple[str, ...] = ()


class _Local(Protocol):
    """A module of `speech.engines`."""

    NAME: str

    def voices_in(self, models_folder: Path | None) -> tuple[Voice, ...]: ...

    def missing(self, models_folder: Path | None) -> str: ...

    def begun(self, models_folder: Path | None) -> bool: ...

    def opened(self, models_folder: Path | None, *, threads: int, at_once: int) -> Engine: ...


#: The engines that speak here by their quality, the best first.
_LOCAL: dict[str, _Local] = {"studio": kokoro, "standard": piper, "draft": pico}

_OPENED: dict[tuple[str, Path | None, int], Engine] = {}
_opening = threading.Lock()


def installed(models_folder: Path | None = None) -> tuple[EngineFacts, ...]:
    """The engines that speak here, the best first, whether all of them is there or not; nothing is loaded."""
    return tuple(
        EngineFacts(
            name=module.NAME,
            quality=quality,
            voices=module.voices_in(models_folder),
            why_not=module.missing(models_folder),
            begun=module.begun(models_folder),
        )
        for quality, module in _LOCAL.items()
    )


def open_engine(
    quality: str,
    *,
    language: str,
    models_folder: Path | None,
    cloud: Mapping[str, Callable[[], Engine]],
    threads: int = 1,
    others: Collection[str] = (),
) -> Opened:
    """The engine of a quality; for `auto` the best installed one that speaks the language.

    `others` are languages of single lines: an engine that speaks them too goes before a better one that does not.

    Engines that speak here are opened once per process and are for all of its threads; `threads` is how many each
    utterance takes. `cloud` has the names behind `cloud:`; what it gives is its own to keep.

    Raises
    ------
    NoSuchEngine
        It is not installed, not set up, or its model is damaged.
    UnknownLanguage
        No installed engine speaks it (`auto` only).
    """
    if quality.startswith(CLOUD):
        return Opened(_cloud_engine(quality.removeprefix(CLOUD), cloud))
    if opened := _OPENED.get((quality, models_folder, threads)):  # every script asks: no files are looked at
        return Opened(opened)
    facts = {each.quality: each for each in installed(models_folder)}
    if quality == "auto":
        return _best(tuple(facts.values()), language, others, models_folder, threads)
    if quality not in facts:
        raise NoSuchEngine(f"There is no quality {quality[:60]!r}: auto, {', '.join(facts)} or cloud:NAME.")
    if not facts[quality].available:
        raise NoSuchEngine(f"The engine of {quality} speech is not installed here: {facts[quality].why_not}")
    return Opened(_kept(quality, models_folder, threads))


def _cloud_engine(name: str, cloud: Mapping[str, Callable[[], Engine]]) -> Engine:
    if name not in cloud:
        known = ", ".join(f"cloud:{each}" for each in sorted(cloud)) or "none"
        raise NoSuchEngine(f"No cloud engine {name!r} is set up (MIXDOWN_SPEECH_ENGINES). There are: {known}.")
    return cloud[name]()


def _best(
    facts: tuple[EngineFacts, ...],
    language: str,
    others: Collection[str],
    models_folder: Path | None,
    threads: int,
) -> Opened:
    warnings: list[str] = []
    needed = {spoken(other) for other in (language, *others)}
    if not any(each.available and needed <= _spoken_by(each) for each in facts):
        needed = {spoken(language)}  # the line that nobody can say is told of, by its engine
    for each in facts:
        if spoken(language) not in _spoken_by(each):
            continue
        if foreign := sorted(needed - _spoken_by(each)):
            if each.available:
                warnings.append(f"{each.quality} speech is left out: it does not speak {', '.join(foreign)}.")
            continue
        if not each.available:
            if each.begun:
                warnings.append(f"{each.quality} speech is left out: {each.why_not}")
            continue
        try:
            engine = _kept(each.quality, models_folder, threads)
        except NoSuchEngine as error:
            warnings.append(f"{each.quality} speech is left out: {error.message}")
            continue
        return Opened(engine, tuple(warnings))
    languages = sorted({spoken(other) for each in facts if each.available for other in each.languages})
    raise UnknownLanguage(
        " ".join([f"No voice installed here speaks {language[:35]}: only {', '.join(languages)}.", *warnings])
    )


def _spoken_by(facts: EngineFacts) -> set[str]:
    return {spoken(language) for language in facts.languages}


def _kept(quality: str, models_folder: Path | None, threads: int) -> Engine:
    with _opening:
        key = quality, models_folder, threads
        if key not in _OPENED:
            at_once = max(1, _cores() // max(1, threads))
            _OPENED[key] = _LOCAL[quality].opened(models_folder, threads=threads, at_once=at_once)
        return _OPENED[key]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _forget_all() -> None:
    """In a process that was forked: sessions and children of the other are not for use here."""
    global _opening
    _opening = threading.Lock()
    _OPENED.clear()


os.register_at_fork(after_in_child=_forget_all)
