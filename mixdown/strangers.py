"""What those who ask through the API may have read or written for them.

A person at this machine names any file and any address. Whoever asks from outside names public web addresses, and
places that the operator has opened: folders (`MIXDOWN_SOURCE_ROOTS`), buckets (`MIXDOWN_SOURCE_BUCKETS`), internal
hosts (`MIXDOWN_ALLOW_INTERNAL_SOURCES`). It is checked when it is asked for, and again when it is fetched.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import httpx

from mixdown.codec.sniff import open_regular
from mixdown.errors import InvalidRequest, SourceForbidden, SourceNotFound
from mixdown.model import JobSpec, Source
from mixdown.reach import Reach
from mixdown.settings import Settings
from mixdown.storage import ObjectStore, path_of

#: Below it lies what clients have sent.
_INCOMING = "incoming"


def from_outside(spec: JobSpec) -> JobSpec:
    """The request, marked as one of somebody who is not at this machine."""
    return spec.model_copy(update={"from_outside": True})


class Strangers:
    """What the settings leave open to those outside."""

    def __init__(self, settings: Settings, objects: ObjectStore, *, reach: Reach | None = None) -> None:
        self._objects = objects
        self._reach = reach or Reach(settings.allow_internal_sources)
        self._roots = [Path(os.path.realpath(root)) for root in _listed(settings.source_roots)]
        self._buckets = _listed(settings.source_buckets)
        self._deliveries = _listed(settings.delivery_places)

    def check(self, source: Source) -> None:
        """Refuse a source that is not for strangers to name; nothing is read, and no name is looked up.

        Raises
        ------
        SourceForbidden, AddressRefused, InvalidRequest
        """
        path = path_of(source.uri) if "\0" not in source.uri else None
        if path is not None:
            self._below_a_root(path, source.name)
            return
        scheme, _, rest = source.uri.partition("://")
        if source.text is not None:
            return
        if scheme.lower() in ("http", "https"):
            self._reach.check(source.uri)
        elif scheme.lower() == "s3":
            if self._objects.owns(f"s3://{rest}") or not _is_below(rest, self._buckets):
                raise SourceForbidden(f"{source.name} lies in a bucket whose objects cannot be asked for here.")
        else:
            raise InvalidRequest(f"The address of {source.name} is not one that can be fetched.")

    def check_delivery(self, place: str) -> None:
        """Refuse a place to deliver to that is not for strangers to name: SourceForbidden."""
        scheme, _, rest = place.partition("://")
        prefixes = [each[5:] for each in self._deliveries if each[:5].lower() == "s3://"]
        path = path_of(place) if "\0" not in place else None
        if path is not None:
            real = Path(os.path.realpath(path))
            folders = [Path(os.path.realpath(each)) for each in self._deliveries if "://" not in each]
            if any(real.is_relative_to(folder) for folder in folders) and not self._objects.owns(real.as_uri()):
                return
        elif scheme.lower() == "s3" and _is_below(rest, prefixes) and not self._objects.owns(f"s3://{rest}"):
            return
        raise SourceForbidden("Masters may not be delivered to this place: the operator has not opened it.")

    def sent(self, source: Source) -> bool:
        """Whether this is a recording that was sent to us, and so lies in our own store."""
        return source.uri.startswith(self._objects.uri(f"{_INCOMING}/x")[:-1]) and not _climbs(source.uri)

    def open(self, path: Path, name: str) -> int:
        """Open a file below one of the roots, no link followed on the way: what was checked is what is read.

        Raises
        ------
        SourceForbidden, SourceNotFound, NotARegularFile, EmptyFile
        """
        real, root = self._below_a_root(path, name)
        *folders, last = real.relative_to(root).parts
        folder = _opened(root, None, name)
        try:
            for each in folders:
                below = _opened(Path(each), folder, name)
                os.close(folder)
                folder = below
            return open_regular(Path(last), name=name, folder_fd=folder)
        finally:
            os.close(folder)

    def transport(self) -> httpx.BaseTransport:
        """What to connect with for them."""
        return self._reach.transport()

    def _below_a_root(self, path: Path, name: str) -> tuple[Path, Path]:
        """The path, links resolved, and the root it is below."""
        with suppress(OSError, ValueError):  # a loop of links, an impossible name
            real = Path(os.path.realpath(path))
            root = next((each for each in self._roots if real.is_relative_to(each) and real != each), None)
            if root is not None and not self._objects.owns(real.as_uri()):
                return real, root
        raise SourceForbidden(f"{name} does not lie in a folder whose files can be asked for here.")


def _opened(path: Path, folder_fd: int | None, name: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder_fd)
    except PermissionError as error:
        raise SourceForbidden(f"{name} may not be read.") from error
    except OSError as error:  # a link that was put there since, too
        raise SourceNotFound(f"{name} does not exist.") from error


def _listed(names: str) -> list[str]:
    return [each.strip() for each in names.split(",") if each.strip()]


def _is_below(rest: str, prefixes: list[str]) -> bool:
    """Whether `bucket/key` is in one of these buckets or below one of these prefixes."""
    return not _climbs(rest) and any(rest.startswith(prefix.rstrip("/") + "/") for prefix in prefixes)


def _climbs(address: str) -> bool:
    """Whether somebody on the way could read it as another place."""
    return any(part in (".", "..") for part in address.replace("\\", "/").split("/"))
