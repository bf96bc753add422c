"""What a script says of itself at its top, between two lines of `---`: YAML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

from mixdown.errors import InvalidScript
from mixdown.speech.script.sheet import Notes

_FRONT = re.compile(r"\s*---[ \t]*\n(?P<yaml>.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_MOST_CHARS, _MOST_VOICES, _LONGEST = 20_000, 50, 200
_LANGUAGE = re.compile("[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
#: Known by these names in the tags of audio files.
_TAGS = ("author", "artist", "album", "date", "description", "comment", "genre", "copyright", "publisher", "track")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontMatter:
    """What a script says of itself."""

    title: str = ""
    language: str = ""
    voice: str = ""
    cast: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    lines: int = 0  #: of the script that it takes


def front_matter(text: str, notes: Notes) -> tuple[FrontMatter, str]:
    """The front matter of a script, and the script behind it.

    Raises
    ------
    InvalidScript
        It begins like front matter and is none.
    """
    found = _FRONT.match(text)
    if not found or len(found["yaml"]) > _MOST_CHARS:
        return FrontMatter(), text
    try:
        said = yaml.load(found["yaml"], Loader=yaml.BaseLoader)  # noqa: S506 - makes text, lists and maps, no more
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if ":" not in found["yaml"].partition("\n")[0]:
            return FrontMatter(), text  # a text between two rules
        raise InvalidScript("The front matter, between the lines of ---, is no YAML that can be read.") from error
    if not isinstance(said, dict):
        return FrontMatter(), text
    return _read(said, text.count("\n", 0, found.end()), notes), text[found.end() :]


def _read(said: Mapping[object, object], lines: int, notes: Notes) -> FrontMatter:
    texts: dict[str, str] = {}
    cast: dict[str, str] = {}
    tags: dict[str, str] = {}
    for key, value in said.items():
        name = str(key).strip().lower() if isinstance(key, str) else ""
        if name in ("cast", "speakers"):
            cast = _map(value, "cast", "the name of a voice")
        elif name == "tags" and isinstance(value, dict):
            tags |= _map(value, "tags", "a text")
        elif name in ("title", "language", "lang", "voice", *_TAGS) and isinstance(value, str):
            texts["language" if name == "lang" else name] = _text(value)
        else:
            notes.add(0, f"The front matter says something of “{str(name)[:40]}”, which means nothing here.")
    language = texts.get("language", "").replace("_", "-")
    if language and not _LANGUAGE.fullmatch(language):
        raise InvalidScript(f"The front matter: “{language[:40]}” is no language such as en-GB or de.")
    tags = {name: texts[name] for name in ("title", *_TAGS) if texts.get(name)} | tags
    return FrontMatter(
        title=texts.get("title", ""),
        language=language,
        voice=texts.get("voice", ""),
        cast=cast,
        tags=tags,
        lines=lines,
    )


def _map(value: object, name: str, what: str) -> dict[str, str]:
    if isinstance(value, list) and name == "cast" and all(isinstance(each, str) for each in value):
        value = dict.fromkeys(value, "")  # who speaks; with which voice, the job says
    if not isinstance(value, dict) or len(value) > _MOST_VOICES:
        raise InvalidScript(f"The front matter: {name} is a map of at most {_MOST_VOICES} names to {what} each.")
    if not all(isinstance(each, str) for pair in value.items() for each in pair):
        raise InvalidScript(f"The front matter: {name} is a map of names to {what} each.")
    return {_text(key): _text(each) for key, each in value.items() if key.strip()}


def _text(value: str) -> str:
    return " ".join(value.split())[:_LONGEST]
