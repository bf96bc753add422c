"""Who holds a claim: the name of a process, and whether that process still lives."""

from __future__ import annotations

import os
import socket
import sys
from functools import cache
from pathlib import Path

import psutil

#: Ends the name of a process that has its work done by children: it does not die of what they work on.
APART = "+hands"


def this_process(work: str = "") -> str:
    """The name of this process: ``host:boot:pid:start``.

    `work` names one of several independent pieces of work in it, so that each holds its own claims:
    ``host:boot:pid:start#work``.
    """
    name = _own_name()
    return f"{name}#{work}" if work else name


def host() -> str:
    """The name of this machine."""
    return socket.gethostname()


def is_alive(owner: str) -> bool:
    """Whether the process of this name still runs. True when that cannot be known from here."""
    name, _, _ = owner.partition("#")
    host, _, rest = name.partition(":")
    boot, _, rest = rest.partition(":")
    pid, _, started = rest.partition(":")
    if (host, boot) != (socket.gethostname(), _boot()) or not pid.isdecimal():
        return True
    if not psutil.pid_exists(int(pid)):
        return False
    return _started(int(pid)) in (started, "")


@cache
def _own_name() -> str:
    """Looked up once: each file that is written carries it."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{_boot()}:{pid}:{_started(pid)}"


os.register_at_fork(after_in_child=_own_name.cache_clear)


def _boot() -> str:
    """Which running system this is: equal process ids mean the same process only within it."""
    if not sys.platform.startswith("linux"):
        return "0"
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    # Containers on one machine share its boot but count their processes separately.
    namespace = Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
    return f"{boot_id[:8]}-{namespace}"


def _started(pid: int) -> str:
    """When a process began, in the system's own terms; ``dead`` for a zombie, empty when not visible."""
    try:
        process = psutil.Process(pid)
        if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return "dead"
        if sys.platform.startswith("linux"):
            # Ticks since boot: unlike `create_time`, they do not move when the clock is set.
            return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19]
        return str(round(process.create_time()))
    except psutil.NoSuchProcess:
        return "dead" if not psutil.pid_exists(pid) else ""
    except (psutil.AccessDenied, OSError):
        return ""
