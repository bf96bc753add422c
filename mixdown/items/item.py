"""One recording that was handed in, as far as it is known without opening it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from mixdown.errors import InvalidRequest
from mixdown.model import Source

#: The version of what is not there, as `fetch.source_version` has it.
MISSING = "missing"

#: The parameters of an item that has none of its own.
NO_PARAMETERS: Mapping[str, Any] = MappingProxyType({})

#: What is taken for a recording in a folder, below a prefix, or for a pattern.
RECORDING_SUFFIXES = frozenset(
    f".{kind}"
    for kind in "aac aif aifc aiff flac m4a m4b mka mkv mov mp3 mp4 oga ogg opus wav webm".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A recording, and what came with it."""

    source: Source
    version: str | None = None  #: as `fetch.source_version` gives it; None: it has to be asked
    size_bytes: int = 0  #: 0: unknown
    #: a manifest row's own; values can be hashed
    parameters: Mapping[str, Any] = field(default_factory=lambda: NO_PARAMETERS)


@contextmanager
def in_a_sentence(what: str) -> Iterator[None]:
    """Raise InvalidRequest for a value that the model refuses."""
    try:
        yield
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise InvalidRequest(f"This is not {what}: {reason[0].lower()}{reason[1:]}.") from error


def is_recording(name: str) -> bool:
    """Whether something found by looking is taken for a recording: by its suffix, unless it is hidden."""
    stem, dot, kind = name.rpartition(".")
    return bool(stem) and not name.startswith(".") and (dot + kind).lower() in RECORDING_SUFFIXES


def shown(name: str) -> str:
    """A name as it may stand in a sentence."""
    return "".join(char if char.isprintable() else "\ufffd" for char in name)[:100]
