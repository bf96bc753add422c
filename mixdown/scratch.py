"""Scratch folders: each bears the name of the process that works in it, so that what a dead one left can go."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp

from mixdown.owner import is_alive, this_process
from mixdown.storage import scratch_errors


def new_workspace(scratch: Path) -> Path:
    """An empty folder of this process; ScratchFull where there is no room for one."""
    with scratch_errors():
        scratch.mkdir(parents=True, exist_ok=True)
        return Path(mkdtemp(prefix=f"{this_process().replace(':', '~')}#", dir=scratch))


def sweep(scratch: Path) -> int:
    """Delete what processes that are gone left there; returns how many folders it were."""
    folders = [folder for folder in scratch.iterdir() if folder.is_dir()] if scratch.is_dir() else []
    abandoned = [folder for folder in folders if "~" in folder.name and not is_alive(folder.name.replace("~", ":"))]
    for folder in abandoned:
        shutil.rmtree(folder, ignore_errors=True)
    return len(abandoned)
