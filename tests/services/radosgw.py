"""A one-node Ceph cluster in memory with its S3 gateway, for tests: everything on loopback, in one folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import httpx

_PACKAGES = ("radosgw", "ceph-mon", "ceph-osd", "ceph-common")
_PROGRAMS = (
    "radosgw",
    "radosgw-admin",
    "ceph-mon",
    "ceph-osd",
    "ceph",
    "ceph-authtool",
    "monmaptool",
    "setpriv",
)
_STORE_BYTES = 1 << 30
_PATIENCE_S = 90

# `ms mon client mode = crc` and `auth client required = none`, again under [client.rgw], are what lets the
# gateway in without keys. With one OSD and no replicas, health warnings are meant.
_CONFIG = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon_v2_port},v1:127.0.0.1:{mon_v1_port}]
mon initial members = a
public addr = 127.0.0.1
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
ms bind ipv4 = true
auth cluster required = none
auth service required = none
auth client required = none
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon warn on pool no redundancy = false
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = {store_bytes}
mon data = {folder}/mon/$id
mon data avail warn = 1
mon data avail crit = 1
mon cluster log file = {folder}/log/cluster.log
osd data = {folder}/osd/$id
mgr data = {folder}/mgr/$id
mgr initial modules =
admin socket = {folder}/run/$name.asok
pid file = {folder}/run/$name.pid
log file = {folder}/log/$name.log
run dir = {folder}/run
keyring = {folder}/keyring

[client.rgw]
ms mon client mode = crc
ms client mode = crc
auth client required = none
keyring = {folder}/keyring
rgw data = {folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw enable usage log = false
rgw gc obj min wait = 10
rgw dns name = localhost
rgw thread pool size = 64
"""


class NotUp(Exception):
    """The gateway did not come up; the message holds the tails of its logs."""


def can_run_here() -> bool:
    """Whether this machine is one that the gateway can be installed on: Debian or Ubuntu, as root."""
    release = Path("/etc/os-release")
    words = release.read_text().replace('"', "").replace("=", " ").split() if release.exists() else []
    return os.geteuid() == 0 and bool({"debian", "ubuntu"} & set(words)) and bool(shutil.which("apt-get"))


def install() -> None:
    """Install the gateway from the distribution unless it is there."""
    if all(shutil.which(program) for program in _PROGRAMS):
        return
    apt_get = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (("update",), ("install", "-y", "--no-install-recommends", *_PACKAGES)):
        done = subprocess.run((*apt_get, *command), env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise NotUp(f"apt-get {command[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


class RadosGateway:
    """The running gateway. Its daemons are children of this process and die with it, however it ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key, self.secret = "test-key", uuid.uuid4().hex
        self.port, mon_v2_port, mon_v1_port = _free_ports(3)
        self.endpoint_url = f"http://127.0.0.1:{self.port}"
        self._daemons: list[subprocess.Popen[bytes]] = []
        for name in ("mon/a", "osd/0", "rgw", "run", "log"):
            (folder / name).mkdir(parents=True)
        self._fsid = str(uuid.uuid4())
        self._mon_address = f"[v2:127.0.0.1:{mon_v2_port},v1:127.0.0.1:{mon_v1_port}]"
        (folder / "ceph.conf").write_text(
            _CONFIG.format(
                folder=folder,
                fsid=self._fsid,
                port=self.port,
                mon_v2_port=mon_v2_port,
                mon_v1_port=mon_v1_port,
                store_bytes=_STORE_BYTES,
            )
        )

    def start(self) -> None:
        """Bring everything up; NotUp, and nothing left running, when it does not come."""
        try:
            self._make_keys()
            self._start_monitor()
            self._start_store()
            self._start_gateway()
        except (NotUp, subprocess.TimeoutExpired) as error:
            self.stop()
            raise NotUp(f"Ceph's S3 gateway did not come up: {error}\n{self._log_tails()}") from error

    def stop(self) -> None:
        """End every daemon; what they kept is in memory and in the folder only."""
        for daemon in reversed(self._daemons):
            daemon.kill()
            daemon.wait()
        self._daemons.clear()

    def _make_keys(self) -> None:
        ring = str(self.folder / "keyring")
        everything = ("--cap", "osd", "allow *", "--cap", "mgr", "allow *")
        _run("ceph-authtool", "--create-keyring", ring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        _run("ceph-authtool", ring, "--gen-key", "-n", "client.admin", "--cap", "mon", "allow *", *everything)

    def _start_monitor(self) -> None:
        monmap, ring = str(self.folder / "monmap"), str(self.folder / "keyring")
        _run(
            "monmaptool",
            "--create",
            "--clobber",
            "--fsid",
            self._fsid,
            "--addv",
            "a",
            self._mon_address,
            monmap,
        )
        self._ceph("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", ring)
        self._daemon("ceph-mon", "-i", "a")

    def _start_store(self) -> None:
        osd = str(uuid.uuid4())
        self._ceph("ceph", "osd", "new", osd, "0")
        self._ceph("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._daemon("ceph-osd", "-i", "0")
        self._wait_for("its object store", lambda: b"1 up" in self._ceph("ceph", "osd", "stat"))

    def _start_gateway(self) -> None:
        admin = ("radosgw-admin", "-n", "client.rgw", "user", "create", "--uid=test", "--display-name=test")
        self._ceph(*admin, f"--access-key={self.key}", f"--secret={self.secret}")
        self._daemon("radosgw", "-n", "client.rgw")
        self._wait_for("its HTTP port", self._answers)

    def _answers(self) -> bool:
        try:
            return httpx.get(self.endpoint_url, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def _ceph(self, program: str, *arguments: str) -> bytes:
        return _run(program, "-c", str(self.folder / "ceph.conf"), *arguments)

    def _daemon(self, program: str, *arguments: str) -> None:
        # setpriv: the kernel ends the daemon when this process ends, even by SIGKILL.
        command = ("setpriv", "--pdeathsig", "KILL", program, "-f", "-c", str(self.folder / "ceph.conf"))
        with (self.folder / "log" / f"{program}.out").open("wb") as out:
            daemon = subprocess.Popen(
                (*command, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._daemons.append(daemon)

    def _wait_for(self, what: str, ready: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + _PATIENCE_S
        while not ready():
            for daemon in self._daemons:
                if daemon.poll() is not None:
                    raise NotUp(f"{daemon.args[3]} ended with {daemon.returncode}")
            if time.monotonic() > deadline_s:
                raise NotUp(f"{what} was not there after {_PATIENCE_S} s")
            time.sleep(0.2)

    def _log_tails(self) -> str:
        logs = sorted((self.folder / "log").iterdir())
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}" for log in logs)


def _run(*command: str) -> bytes:
    done = subprocess.run(command, capture_output=True, timeout=_PATIENCE_S, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise NotUp(f"{command[0]} failed: {done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout


def _free_ports(count: int) -> list[int]:
    """Ports of loopback that are free now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
