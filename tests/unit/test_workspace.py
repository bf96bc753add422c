"""Scratch folders: one for each piece of work, gone when it ends."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from mixdown.errors import ScratchFull
from mixdown.settings import Settings
from mixdown.studio import Studio, open_studio


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    """Everything in a folder of its own."""
    return open_studio(Settings(home=tmp_path / "home"))


def test_a_workspace_is_empty_and_goes(studio: Studio) -> None:
    """Whatever was made in it, and however the work ended."""
    with studio.workspace() as one, studio.workspace() as other:
        assert one != other
        assert list(one.iterdir()) == list(other.iterdir()) == []
        (one / "deep").mkdir()
        (one / "deep" / "file").touch()
    with suppress(ZeroDivisionError), studio.workspace() as failed:
        (failed / "file").touch()
        raise ZeroDivisionError

    assert list(studio.settings.effective_scratch.iterdir()) == []


def test_workspaces_come_and_go_in_many_threads(studio: Studio) -> None:
    """A thread that is the last to leave takes nothing from under one that is just coming."""
    often = sys.getswitchinterval()
    start = threading.Barrier(4)

    def come_and_go() -> None:
        start.wait()
        for _ in range(700):
            with studio.workspace() as folder:
                (folder / "file").touch()

    try:
        sys.setswitchinterval(1e-6)
        with ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(come_and_go) for _ in range(4)]:
                future.result()
    finally:
        sys.setswitchinterval(often)

    assert list(studio.settings.effective_scratch.iterdir()) == []


def test_what_a_killed_process_left_is_swept(studio: Studio) -> None:
    """Scratch of processes that live stays; that of one that was killed goes."""
    program = (
        "import os, sys; from pathlib import Path; from mixdown.settings import Settings\n"
        "from mixdown.studio import open_studio\n"
        "with open_studio(Settings(home=Path(sys.argv[1]))).workspace() as folder:\n"
        "    (folder / 'file').touch(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(studio.settings.home)], check=False)
    scratch = studio.settings.effective_scratch

    with studio.workspace() as ours:
        assert len(list(scratch.iterdir())) == 2
        assert studio.sweep() == 1
        assert ours.is_dir()
        assert studio.sweep() == 0
    assert list(scratch.iterdir()) == []


def test_no_room_for_a_folder_is_a_full_disk(tmp_path: Path) -> None:
    """Where a disk has no room even for a name, that is what is said."""
    mount = ["mount", "-t", "tmpfs", "-o", "nr_inodes=1", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can make a disk this small")
    try:
        studio = open_studio(Settings(home=tmp_path.parent / f"{tmp_path.name}-home", scratch=tmp_path / "scratch"))
        with pytest.raises(ScratchFull), studio.workspace():
            pass
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
