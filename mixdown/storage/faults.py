"""Foreign errors of storage, turned into ours: the one place."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from mixdown.errors import MixdownError, ScratchFull, SourceForbidden, StorageUnavailable

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


class Labelled(Protocol):
    """What the translation needs to know of a place."""

    @property
    def label(self) -> str: ...
    @property
    def foreign_errors(self) -> tuple[type[Exception], ...]: ...


@contextmanager
def translated(
    place: Labelled,
    *,
    missing: MixdownError | None = None,
    unavailable: type[MixdownError] = StorageUnavailable,
) -> Iterator[None]:
    """Raise our error for a foreign one, its cause kept."""
    try:
        yield
    except place.foreign_errors as error:
        raise _translate(error, place.label, missing, unavailable) from error


def _translate(
    error: Exception, label: str, missing: MixdownError | None, unavailable: type[MixdownError]
) -> MixdownError:
    label = label[0].upper() + label[1:]
    number = getattr(error, "errno", None)
    if isinstance(error, FileNotFoundError):
        return missing or unavailable(f"{label} is not there.")
    if isinstance(error, PermissionError):
        return SourceForbidden(f"{label} refuses access.")
    if number in _FULL:
        return unavailable(f"{label} is full.")
    return unavailable(f"{label} cannot be used now ({_reason(error)}).")


def _reason(error: Exception) -> str:
    """What happened in a few words that are sure to hold no secret: never the foreign message itself."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


@contextmanager
def scratch_errors() -> Iterator[None]:
    """Raise ScratchFull when the disk of work in progress is full."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise ScratchFull from error
        raise
