"""Who holds a claim, and whether that process lives."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mixdown.owner import is_alive, this_process

PRINT_NAME = "from mixdown.owner import this_process; print(this_process(), flush=True); input()"


@pytest.fixture
def other() -> subprocess.Popen[str]:
    """Another process, waiting."""
    process = subprocess.Popen(
        [sys.executable, "-c", PRINT_NAME], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.communicate()


def name_of(process: subprocess.Popen[str]) -> str:
    """What the process calls itself."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_this_process_lives() -> None:
    """A process has one name for as long as it lives, and is alive under it."""
    assert this_process() == this_process()
    assert is_alive(this_process())


def test_a_child_that_was_forked_has_a_name_of_its_own() -> None:
    """What its parent was called says nothing of whether the child lives."""
    ours, (reader, writer) = this_process(), os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, this_process().encode())
        os._exit(0)
    os.waitpid(child, 0)

    name = os.read(reader, 1000).decode()

    assert name.split(":")[2] == str(child)
    assert name != ours
    assert not is_alive(name)


def test_a_name_has_four_parts() -> None:
    """Host, boot, process id and start: enough to tell two processes of one id apart."""
    host, boot, pid, start = this_process().split(":")

    assert all((host, boot, start))
    assert int(pid) == os.getpid()


def test_pieces_of_work_in_one_process_have_their_own_names() -> None:
    """Two pieces of work in one process are two owners, alive as long as their process is."""
    first, second = this_process("flow run 1"), this_process("flow run 2")

    assert first != second
    assert is_alive(first)
    assert is_alive(second)


def test_another_process_lives_until_it_is_killed(other: subprocess.Popen[str]) -> None:
    """kill -9 is noticed at once, even while the parent has not collected the dead child."""
    name = name_of(other)
    assert name != this_process()
    assert is_alive(name)
    assert is_alive(f"{name}#work")

    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # dead, but still in the process table
    assert not is_alive(name)

    other.wait()
    assert not is_alive(name)


def test_a_process_id_that_was_given_out_again_is_another_process() -> None:
    """The same id with another start is not the process that was meant."""
    host, boot, pid, _ = this_process().split(":")

    assert not is_alive(f"{host}:{boot}:{pid}:1")


@pytest.mark.parametrize(
    "name",
    [
        f"elsewhere:{this_process().partition(':')[2]}",
        ":".join([this_process().split(":")[0], "another boot", "1", "1"]),
        "worker",
        "",
        "a:b:c:d",
        f"{':'.join(this_process().split(':')[:2])}:x:y",
    ],
)
def test_what_cannot_be_known_lives(name: str) -> None:
    """Another host, another boot or no name of ours: the lease decides, not a guess."""
    assert is_alive(name)
