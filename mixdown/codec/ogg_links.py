"""The links of a chained Ogg file: whole streams, one behind the other (RFC 3533, section 4).

FFmpeg reads on into the next link only where nothing changes, so each is opened by itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

_FIRST_PAGE = 2  # of a logical stream
_LAST_PAGE = 4
_HEADER_BYTES = 27 + 255
_SEARCH_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class OggLink:
    """Where one link lies."""

    start: int
    end: int
    end_marked: bool  #: its last page says that it is the last


def ogg_links(fd: int) -> Iterator[OggLink]:
    """The links of an Ogg file, each found when it is asked for. Bytes between pages belong to the link before."""
    size, offset = os.fstat(fd).st_size, 0
    start, in_headers, ended = 0, True, False
    while (page := _next_page(fd, offset)) is not None:
        offset, flags, page_bytes = page
        if flags & _FIRST_PAGE and not in_headers:
            yield OggLink(start, offset, ended)
            start, ended = offset, False
        in_headers = bool(flags & _FIRST_PAGE)
        ended = bool(flags & _LAST_PAGE) and offset + page_bytes <= size
        offset += page_bytes
    yield OggLink(start, size, ended)


def _next_page(fd: int, offset: int) -> tuple[int, int, int] | None:
    """Offset, flags and size of the first page at or behind an offset; None where none follows."""
    header = os.pread(fd, _HEADER_BYTES, offset)
    while header[:4] != b"OggS":
        window = os.pread(fd, _SEARCH_BYTES, offset)
        if len(window) < 27:
            return None
        found = window.find(b"OggS")
        offset += found if found >= 0 else len(window) - 3
        header = os.pread(fd, _HEADER_BYTES, offset)
    if len(header) < 27:
        return None
    segments = header[26]
    return offset, header[5], 27 + segments + sum(header[27 : 27 + segments])
