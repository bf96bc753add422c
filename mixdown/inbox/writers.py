"""Which files are open for writing, as far as this process may see."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_ACCESS_MODES = os.O_RDONLY | os.O_WRONLY | os.O_RDWR

#: A file, whatever it is called: device and inode.
FileId = tuple[int, int]


def open_for_writing() -> frozenset[FileId]:
    """Files that some process has open for writing; best effort, and empty on systems without `/proc`."""
    found: set[FileId] = set()
    with suppress(OSError):
        for process in _PROC.iterdir():
            if process.name.isdecimal():
                with suppress(OSError):  # not ours to see, or gone
                    found.update(_written_by(process))
    return frozenset(found)


def _written_by(process: Path) -> set[FileId]:
    found: set[FileId] = set()
    for descriptor in (process / "fd").iterdir():
        with suppress(OSError, ValueError):
            # The file behind the link, not the path it shows: that may be another one in a container.
            status = descriptor.stat()
            if stat.S_ISREG(status.st_mode) and _writes(process / "fdinfo" / descriptor.name):
                found.add((status.st_dev, status.st_ino))
    return found


def _writes(info: Path) -> bool:
    flags = next(line for line in info.read_text().splitlines() if line.startswith("flags:"))
    return int(flags.split()[1], 8) & _ACCESS_MODES in (os.O_WRONLY, os.O_RDWR)
