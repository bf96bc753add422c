"""Part of an open file, read as if it were a file of its own."""

from __future__ import annotations

import os


class ByteRange:
    """The bytes of a descriptor from ``start`` to ``end``, with a position of its own.

    Reads by offset, so that several of them can share a descriptor. It has no name: no path can leak.
    """

    def __init__(self, fd: int, start: int, end: int) -> None:
        self._fd = fd
        self._start = start
        self._end = end
        self._position = start

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._end - self._position)
        data = os.pread(self._fd, left if size < 0 else min(size, left), self._position)
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: self._start, os.SEEK_CUR: self._position, os.SEEK_END: self._end}[whence]
        self._position = max(self._start, origin + offset)
        return self.tell()

    def tell(self) -> int:
        return self._position - self._start
