"""Foreign errors of storage, turned into ours: the one place."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from mixdown.errors import MixdownError, RetryableError, ScratchFull, SourceForbidden, StorageUnavailable
from mixdown.storage.place import Place

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


@contextmanager
def translated(
    place: Place,
    *,
    missing: MixdownError | None = None,
    unavailable: type[RetryableError] = StorageUnavailable,
    dependency: str = "",
) -> Iterator[None]:
    """Raise our error for a foreign one, its cause kept."""
    try:
        yield
    except place.foreign_errors as error:
        label = place.label[0].upper() + place.label[1:]
        if isinstance(error, FileNotFoundError):
            raise missing or unavailable(f"{label} is not there.", dependency=dependency) from error
        if isinstance(error, place.refusals):
            raise SourceForbidden(f"{label} refuses access.") from error
        if isinstance(error, OSError) and error.errno in _FULL:
            raise unavailable(f"{label} is full.", dependency=dependency) from error
        reason = f"{label} cannot be used now ({_reason(error)})."
        raise unavailable(reason, dependency=dependency) from error


@contextmanager
def scratch_errors() -> Iterator[None]:
    """Raise ScratchFull when the disk of work in progress is full."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise ScratchFull from error
        raise


def _reason(error: Exception) -> str:
    """What happened, in words that hold no secret: a server's code for it, never the text that it sent."""
    response = getattr(error.__cause__, "response", None)
    if isinstance(response, dict):
        return str(response.get("Error", {}).get("Code", "no reason given"))
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
