"""The API as a process, what asks it, and what is found: shared by the parts of api.py."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
from bench_services import ROOT, Services, _wait_for

from tests.chaos.ports import steady_port

#: Where a part tells more than its lines.
Say = Callable[[str], None]

#: So long after an outage requests may still be refused, in seconds: who was away has to be found again.
GRACE_S = 2.0


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    what: str
    found: str
    least: str = ""
    stretch: str = ""
    met: bool | None = None

    @property
    def mark(self) -> str:
        """Whether it is what it has to be at least."""
        return {None: "", True: "✓", False: "✗"}[self.met]


class FrontDoor:
    """The API over a ledger that `mixdown serve` works for, and what is asked of it."""

    def __init__(self, services: Services, env: dict[str, str], given: argparse.Namespace) -> None:
        self.services, self.env, self.given = services, env, given
        self.port = steady_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._api: subprocess.Popen[bytes] | None = None

    # -- the API's process --------------------------------------------------------------------------

    def start(self) -> None:
        """Start the API."""
        command = [sys.executable, "-m", "mixdown.cli", "api", "--port", str(self.port)]
        with (self.services.folder / "api.log").open("ab") as log:
            self._api = subprocess.Popen(command, env=self.env, stdout=log, stderr=log)
        _wait_for(f"{self.url}/health/live", self._api)

    def kill(self) -> None:
        """End it, as a power cut does."""
        assert self._api is not None
        self._api.kill()
        self._api.wait()

    def stop(self) -> None:
        """End it."""
        assert self._api is not None
        self._api.terminate()
        self._api.wait(timeout=30)

    @contextmanager
    def standing(self) -> Iterator[FrontDoor]:
        """Started, and ended in the end."""
        self.start()
        try:
            yield self
        finally:
            self.stop()

    @property
    def memory_mib(self) -> float:
        """What it takes now."""
        assert self._api is not None
        tree = [psutil.Process(self._api.pid), *psutil.Process(self._api.pid).children(recursive=True)]
        return sum(each.memory_info().rss for each in tree) / 2**20

    # -- load ---------------------------------------------------------------------------------------

    def load(self, what: str, *words: str) -> subprocess.Popen[str]:
        """Start the generator."""
        command = [sys.executable, str(ROOT / "benchmarks" / "load.py"), what, "--url", self.url, *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def loaded(self, what: str, *words: str) -> dict[str, Any]:
        """What the generator says in the end."""
        return said(self.load(what, *words))

    def client(self) -> httpx.Client:
        """For a few requests."""
        return httpx.Client(base_url=self.url, trust_env=False, timeout=60)


def said(generator: subprocess.Popen[str]) -> dict[str, Any]:
    """What a generator says when it is done."""
    assert generator.stdout is not None
    for line in generator.stdout:
        if line.startswith("LOAD {"):
            found: dict[str, Any] = json.loads(line.removeprefix("LOAD "))
            return found
    raise SystemExit(f"the generator ended with {generator.wait()}")


def short(took: dict[str, Any]) -> str:
    """What a generator said, without its lists."""
    return ", ".join(f"{name} {value}" for name, value in took.items() if name not in ("ids", "refused"))


class Outages:
    """When something was away."""

    def __init__(self) -> None:
        self._spans_s: list[tuple[float, float]] = []

    @contextmanager
    def one(self) -> Iterator[None]:
        """Something is away in here."""
        began_s = time.time()
        yield
        self._spans_s.append((began_s, time.time()))

    def outside(self, refused: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Of requests without success: those that were not under way while something was away, or just after."""
        return [
            each
            for each in refused
            if not any(
                each["sent_s"] <= until_s + GRACE_S and each["answered_s"] >= from_s
                for from_s, until_s in self._spans_s
            )
        ]
