"""Object keys and delivered file names: made here and nowhere else."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from uuid import UUID

_MAX_CHARACTERS = 100
# File systems count bytes (255); this leaves room for `.<sha256>` and a suffix.
_MAX_BYTES = 160
#: Refused by one file system or another, or read as syntax by shells and addresses.
_UNSAFE = re.compile(r'[/\\:*?"<>|]')
# Overrides of the writing direction make a name read as another one ("gpj.exe").
_DIRECTION_MARKS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
# ".5" of "Episode 1.5" is no suffix: a suffix has a letter.
_SUFFIX = re.compile(r"\.(?=[0-9]*[A-Za-z])[A-Za-z0-9]{1,5}$")


#: Below this lies the work in progress of every job.
STAGED = "staged"
#: Below this lie chunks of speech.
SPEECH = "speech"


def staged_key(job_id: UUID, name: str) -> str:
    """The key of a job's work in progress, overwritten when made again; for an empty name, their prefix."""
    return f"{STAGED}/{job_id}/" + (safe_name(name) if name else "")


def source_key(job_id: UUID) -> str:
    """The key of the copy of a source that had to be fetched; goes with the job's staged objects."""
    return staged_key(job_id, "source")


def material_key(job_id: UUID, index: int) -> str:
    """The key of the copy of another recording that a job needs; goes with its staged objects."""
    return staged_key(job_id, f"material-{index}")


def incoming_key(sha256: str, suffix: str) -> str:
    """The key of a recording that was uploaded to be worked on by other machines; equal bytes, equal key."""
    return f"incoming/{sha256[:2]}/{sha256}" + (suffix.lower() if _SUFFIX.fullmatch(suffix) else "")


def speech_key(chunk_key: str) -> str:
    """The key of a chunk of speech; equal words of an equal voice, equal key, whatever the job."""
    return f"{SPEECH}/{chunk_key[:2]}/{chunk_key}.flac"


def master_key(result_key: str, filename: str) -> str:
    """The final key of one file of a result, before the store adds the file's own hash; equal work, equal key."""
    return f"masters/{result_key[:2]}/{result_key}/{safe_name(filename)}"


def safe_stem(filename: str) -> str:
    """A recording's name without folder, suffix and whatever a file system or a terminal may stumble over.

    At most 100 characters; letters, digits and signs of any script stay as they are.
    """
    name = re.split(r"[/\\]", filename.rstrip("/\\"))[-1]
    return _safe(_SUFFIX.sub("", name))


def safe_name(filename: str) -> str:
    """`safe_stem` with the suffix kept."""
    suffix = _SUFFIX.search(filename)
    return safe_stem(filename) + (suffix.group() if suffix else "")


def names_beside(name: str, sha256: str) -> Iterator[str]:
    """The names an object may take in turn: its own, then with more and more of its hash."""
    folder, slash, filename = name.rpartition("/")
    suffix = _SUFFIX.search(filename)
    ending = suffix.group() if suffix else ""
    stem = filename.removesuffix(ending)
    yield name
    for digits in (8, 64):
        yield f"{folder}{slash}{stem}.{sha256[:digits]}{ending}"


def checked_key(key: str) -> str:
    """`key`, unless it could lead out of the store: then ValueError, for that is a bug of ours."""
    if any(part in ("", ".", "..") for part in key.split("/")) or "\0" in key or "\\" in key:
        raise ValueError(f"not an object key: {key!r}")
    return key


def _safe(text: str) -> str:
    text = unicodedata.normalize("NFC", "".join(map(_safe_character, text)))
    text = re.sub(r"\s+", " ", _UNSAFE.sub("_", text))[:_MAX_CHARACTERS]
    text = text.encode()[:_MAX_BYTES].decode(errors="ignore")
    # A leading dash reads as an option, a leading dot hides, a trailing dot or space is lost on some systems.
    return text.lstrip("-. ").rstrip(". ") or "recording"


def _safe_character(character: str) -> str:
    if character.isspace() or unicodedata.category(character) in ("Zl", "Zp"):
        return " "
    if character in _DIRECTION_MARKS or unicodedata.category(character) in ("Cc", "Cs", "Cn"):
        return ""
    return character
