"""What a person hands in: files, folders, patterns, addresses, prefixes and manifests, one recording at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

from mixdown.errors import InvalidRequest
from mixdown.items.item import RECORDING_SUFFIXES, Item, in_a_sentence
from mixdown.items.local import LocalFiles, absolute, address_of, version_of
from mixdown.items.remote import s3_items, versions_of
from mixdown.items.requests import Defaults, requests_of, templates
from mixdown.manifest import Row, read_manifest
from mixdown.model import Source
from mixdown.storage import S3Options, path_of

__all__ = [
    "RECORDING_SUFFIXES",
    "Defaults",
    "Item",
    "absolute",
    "address_of",
    "in_a_sentence",
    "items_of",
    "requests_of",
    "version_of",
    "versions_of",
]


def items_of(
    names: Sequence[str],
    *,
    manifest: str | None = None,
    s3: S3Options | None = None,
    deliver_to: str | None = None,
    left_out: Sequence[str] = (),
    defaults: Defaults | None = None,
) -> Iterator[Item]:
    """The recordings that a person names, one after the other; a request that is wrong is refused at once.

    Parameters
    ----------
    names : Sequence[str]
        Files, folders (every recording below them), patterns (`recordings/**/*.wav`), `s3://` objects and
        prefixes, `https://` addresses.
    manifest : str, optional
        A list of recordings with parameters of their own: a path, an address, or `-`; see `mixdown.manifest`.
    s3 : S3Options, optional
        How S3 is reached.
    deliver_to : str, optional
        Where masters go: what lies there is not taken for a recording.
    left_out : Sequence[str]
        More such folders and prefixes.
    defaults : Defaults, optional
        What rows of the manifest are held against before the first of them is given out.

    Raises
    ------
    InvalidRequest
        A name is none, or leads to no recording; the manifest has rows that cannot be used.
    SourceNotFound, SourceForbidden, SourceUnavailable
        A folder, a bucket or the manifest cannot be looked into.
    """
    if not names and manifest is None:
        raise InvalidRequest("There is nothing to do: name recordings, folders of them, or a manifest.")
    finder = _Finder(s3, [*([deliver_to] if deliver_to else []), *left_out])
    check = templates(defaults) if defaults else None
    rows = read_manifest(manifest, s3=s3, check=check) if manifest is not None else iter(())
    found = [_begun(finder.at(name)) for name in names]
    return chain(chain.from_iterable(found), chain.from_iterable(map(finder.of_row, rows)))


def _begun(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, the first of them found: what leads to nothing is known before anything is done."""
    for first in items:
        return chain((first,), items)
    return iter(())


class _Finder:
    """Finds what names lead to, in one list."""

    def __init__(self, s3: S3Options | None, left_out: Sequence[str]) -> None:
        self._s3 = s3
        self._avoided = [place for place in left_out if place.startswith("s3://")]
        paths = [_path(place) for place in left_out]
        self._files = LocalFiles([os.path.realpath(path) for path in paths if path is not None])

    def at(self, name: str, *, in_row: bool = False) -> Iterator[Item]:
        """The recordings that a name leads to. A row means what it says: no pattern, no prefix without a slash."""
        if not name or "\0" in name:
            raise InvalidRequest("A recording needs a name, without a NUL in it.")
        path = _path(name)
        if path is not None:
            return self._files.at(path, pattern=not in_row)
        if name[:5].lower() == "s3://":
            return s3_items(name, self._s3, left_out=self._avoided, looked_up=not in_row)
        with in_a_sentence("the address of a recording"):  # what else is wrong with one is told by who fetches it
            return iter((Item(source=Source(uri=name)),))

    def of_row(self, row: Row) -> Iterator[Item]:
        """The recordings of a row of a manifest, with its parameters."""
        known = row.claims
        try:
            items = _begun(self.at(row.source, in_row=True))
        except InvalidRequest:  # a folder without recordings: its own job tells, and no other suffers
            items = iter((Item(source=Source(uri=row.source)),))
        for number, item in enumerate(items):
            if known and number:
                said = " and ".join(known)
                raise InvalidRequest(
                    f"Line {row.line}: several recordings lie there, so they cannot have one {said}."
                )
            source = item.source.model_copy(update=known) if known else item.source
            yield replace(item, source=source, parameters=row.parameters)


def _path(name: str) -> str | None:
    """The path that a name means; None: it is an address elsewhere."""
    if "://" in name or name[:5].lower() == "file:":
        path = path_of(name)
        return None if path is None else str(path)
    return absolute(name)
