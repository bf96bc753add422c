"""Which voice of an engine is meant."""

from __future__ import annotations

from collections.abc import Sequence

from mixdown.errors import UnknownLanguage, UnknownVoice
from mixdown.speech.port import Voice

_NAMED_AT_MOST = 12


def voice_named(engine: str, voices: Sequence[Voice], asked: str, language: str) -> str:
    """The voice by its name, or for "" the first that speaks the language: in its region, else in any.

    Raises
    ------
    UnknownVoice, UnknownLanguage
        There is none.
    """
    if asked:
        wanted = _plain(asked)
        for voice in voices:
            if _plain(voice.name) == wanted:
                return voice.name
        names = [voice.name for voice in voices]
        more = ", …" if len(names) > _NAMED_AT_MOST else ""
        raise UnknownVoice(
            f"{engine} has no voice {asked[:60]!r}. It has: {', '.join(names[:_NAMED_AT_MOST])}{more}."
        )
    wanted = _plain(language)
    for voice in voices:
        if _plain(voice.language) == wanted:
            return voice.name
    for voice in voices:
        if spoken(voice.language) == spoken(language):
            return voice.name
    languages = ", ".join(sorted({spoken(voice.language) for voice in voices}))
    raise UnknownLanguage(f"{engine} does not speak {language[:35] or 'this language'}. It speaks: {languages}.")


def spoken(language: str) -> str:
    """The language without its region: `en` of `en-GB`."""
    return _plain(language).partition("-")[0]


def _plain(name: str) -> str:
    return name.strip().casefold().replace("_", "-")
