"""Directives in square brackets: `[pause 0.8]`, `[music bed=warm]`, `[sfx logo]`, `[chapter Intro]`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mixdown.model import EffectCue, Item, MusicCue, Pause
from mixdown.speech.script.sheet import Sheet

LONGEST_PAUSE_S = 60.0

_DIRECTIVE = re.compile(
    r"\\(?P<escaped>[\[\]])|\[\^[^\[\]\s]{1,40}\]|\[(?P<name>[^\W\d_][\w-]+)(?P<rest>[^\[\]]{0,500})\]"
)
_ARGUMENT = re.compile(r"(?:(\w+)\s*=\s*)?(\"[^\"]*\"|'[^']*'|[^\s=]+)")
_NAME = re.compile("[a-z][a-z0-9-]{0,31}")
_SECONDS = re.compile(r"([0-9]*\.?[0-9]+)\s*(ms|s|sec|seconds?)?", re.IGNORECASE)
_MUSIC_ENDS = ("off", "out", "stop", "none")


def say(sheet: Sheet, text: str, line_number: int) -> None:
    """Add text to the paragraph, and do what the directives in it ask for."""
    done = 0
    for found in _DIRECTIVE.finditer(text):
        sheet.say(text[done : found.start()], line_number)
        done = found.end()
        if found["escaped"]:
            sheet.say(found["escaped"], line_number)
        elif found["name"]:
            _follow(sheet, found["name"].lower(), found["rest"], found[0], line_number)
    sheet.say(text[done:], line_number)


def seconds(text: str) -> float:
    """A length of time such as `0.8`, `0.8s` or `800ms`, at most `LONGEST_PAUSE_S`; ValueError if it is none."""
    found = _SECONDS.fullmatch(text.strip())
    length_s = float(found[1]) / (1000 if found[2] and found[2].lower() == "ms" else 1) if found else -1.0
    if not 0 <= length_s <= LONGEST_PAUSE_S:
        raise ValueError(f"a pause is a number of seconds up to {LONGEST_PAUSE_S:.0f}")
    return length_s


def _follow(sheet: Sheet, name: str, rest: str, written: str, line_number: int) -> None:
    told = f"{written[:60]}…]" if len(written) > 60 else written
    if name == "chapter" and rest.strip():
        sheet.chapter(rest.strip())
        return
    if name not in _DIRECTIVES:
        known = ", ".join((*_DIRECTIVES, "chapter"))
        sheet.notes.add(
            line_number, f"there is no directive {told}, it was left out. There are: {known}; \\[ is a bracket."
        )
        return
    try:
        sheet.add(_DIRECTIVES[name](_arguments(rest)))
    except ValueError as error:
        sheet.notes.add(line_number, f"{told} was left out: {error}.")


def _arguments(rest: str) -> dict[str, str]:
    """Arguments by their names; that without one is called ""."""
    found: dict[str, str] = {}
    for name, value in _ARGUMENT.findall(rest):
        if name.lower() in found:
            raise ValueError(f"{name or value} is too much" if not name else f"{name} is there twice")
        found[name.lower()] = value[1:-1] if value[0] in "\"'" and value[-1] == value[0] else value
    return found


def _pause(given: Mapping[str, str]) -> Item:
    unknown = {*given} - {"", "s", "seconds", "duration"}
    if unknown:
        raise ValueError(f"a pause has no {min(unknown)}")
    return Pause(seconds(next(iter(given.values()), "1")))


def _music(given: Mapping[str, str]) -> Item:
    unknown = {*given} - {"", "bed", "level", "level_lu"}
    if unknown:
        raise ValueError(f"music has no {min(unknown)}; it has bed and level")
    bed = given.get("bed", given.get("", "")).lower()
    if bed in _MUSIC_ENDS:
        return MusicCue(bed="")
    level = given.get("level", given.get("level_lu"))
    level_lu = None if level is None else float(re.sub("(?i) *(lu|db)$", "", level.replace("\u2212", "-")))
    if level_lu is not None and not -60 <= level_lu <= 6:
        raise ValueError("the level of music is from -60 to 6 LU against the voice")
    return MusicCue(bed=_named(bed, "music takes the name of a bed, or off"), level_lu=level_lu)


def _effect(given: Mapping[str, str]) -> Item:
    parameters = dict(given)
    first = parameters.pop("", "")
    uri = parameters.pop("uri", "") or parameters.pop("src", "") or (first if "://" in first else "")
    if uri:
        return EffectCue(uri=uri, parameters=parameters)
    name = parameters.pop("name", "") or first
    return EffectCue(name=_named(name.lower(), "sfx takes the name of a sound"), parameters=parameters)


def _named(name: str, otherwise: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(otherwise)
    return name


_DIRECTIVES = {"pause": _pause, "music": _music, "sfx": _effect}
