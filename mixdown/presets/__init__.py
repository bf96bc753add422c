"""Presets: named chains, each a data file; the shipped ones lie in this folder, a user's own in one of theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from mixdown.errors import InvalidPreset, UnknownPreset
from mixdown.model import Enhance, Generate, Preset
from mixdown.presets.file import SUFFIX, is_name, parse, read


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Every preset there is, and what is wrong with the files that give none."""

    shipped: tuple[Preset, ...]
    own: tuple[Preset, ...]
    broken: tuple[InvalidPreset, ...]


def names() -> list[str]:
    """Names of the shipped presets, sorted. Reads nothing of the user's."""
    return list(_shipped_names())


def load(name: str, *, folder: Path | None = None) -> Preset:
    """The preset of this name: a shipped one or, where a folder is named, one in it.

    Raises
    ------
    UnknownPreset
        There is none; the sentence says which there are.
    InvalidPreset
        Its file cannot be used; or it has the name of a shipped preset. What `podcast` means is promised to
        whoever gets the file, and must not depend on the machine; a file that is ignored would puzzle its owner.
    """
    own = _files(folder)
    if name in own:
        return _own(name, own[name])
    if name in _shipped_names():
        return _shipped(name)
    known = [*_shipped_names(), *sorted(own.keys() - set(_shipped_names()))]
    raise UnknownPreset(f"There is no preset “{_short(name)}”. There are: {', '.join(known)}.")


def catalogue(folder: Path | None = None) -> Catalogue:
    """Every preset there is. A file that cannot be used hides none of the others."""
    own: list[Preset] = []
    broken: list[InvalidPreset] = []
    for name, path in _files(folder).items():
        try:
            own.append(_own(name, path))
        except InvalidPreset as error:
            broken.append(error)
    return Catalogue(
        shipped=tuple(_shipped(name) for name in _shipped_names()), own=tuple(own), broken=tuple(broken)
    )


def source_text(name: str, *, folder: Path | None = None) -> str:
    """The file of a preset as it was written, with its comments; the errors of `load`."""
    load(name, folder=folder)
    own = _files(folder)
    return read(own[name]) if name in own else _shipped_text(name)


def settled(work: Enhance, folder: Path | None) -> Enhance:
    """The work with the steps of a user's own preset written into it; with a shipped preset, as it is.

    To be done where a request is written down: whoever works on it may be another machine, without that
    folder; and once the file is changed, the same words are another request.
    """
    if work.steps is not None:
        return work
    preset = load(work.preset, folder=folder)
    return work if work.preset in _shipped_names() else work.model_copy(update={"steps": preset.steps})


def settled_speech(work: Generate, folder: Path | None) -> Generate:
    """The same for a script: the loudness of a preset of the user's own written into it."""
    preset = load(work.preset, folder=folder)
    if work.loudness is not None or work.preset in _shipped_names():
        return work
    return work.model_copy(update={"loudness": preset.steps[-1]})


def _own(name: str, path: Path) -> Preset:
    if name in _shipped_names():
        raise InvalidPreset(f"The preset file “{_short(path.name)}” has the name of a shipped preset: rename it.")
    if not is_name(name):
        raise InvalidPreset(
            f"The preset file “{_short(path.name)}” needs another name: small letters, digits and hyphens."
        )
    return parse(read(path), name=name)


def _files(folder: Path | None) -> dict[str, Path]:
    """The preset files in a folder by their names, sorted; none where there is no such folder."""
    if folder is None:
        return {}
    try:
        found = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise InvalidPreset(f"The folder of your own presets cannot be read: {error.strerror}.") from error
    return {path.stem: path for path in found if path.suffix == SUFFIX and not path.name.startswith(".")}


def _short(name: str) -> str:
    """A name as it may stand in a sentence."""
    return "".join(char if char.isprintable() else "\ufffd" for char in name)[:100]


@cache
def _shipped_names() -> tuple[str, ...]:
    return tuple(sorted(_shipped_stems()))


def _shipped_stems() -> Iterator[str]:
    for file in resources.files(__name__).iterdir():
        if file.name.endswith(SUFFIX):
            yield file.name.removesuffix(SUFFIX)


def _shipped_text(name: str) -> str:
    return resources.files(__name__).joinpath(f"{name}{SUFFIX}").read_text(encoding="utf-8")


@cache
def _shipped(name: str) -> Preset:
    return parse(_shipped_text(name), name=name)
