"""An S3 endpoint that has a bad day: answers 500, 503, late, or does not listen at all."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from contextlib import ExitStack

from tests.chaos.ports import steady_port
from tests.services.faulty_proxy import Fault, Request, faulty_proxy

#: 30 % of the requests: ten each.
SHARES = {"500": 0.10, "503": 0.10, "slow": 0.10}
_SLOW_S = (0.05, 0.6)


class BadS3:
    """A proxy before a good endpoint, on a port that stays the same while it is closed and opened again."""

    def __init__(self, target_url: str, *, seed: int) -> None:
        self._target_url = target_url
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._listening = ExitStack()
        self._port = steady_port()
        self.counts: Counter[str] = Counter()
        self.calm = threading.Event()  #: set: every request is answered as it should be
        self.open()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._port}"

    def open(self) -> None:
        """Listen, on the port of before."""
        self._listening.enter_context(faulty_proxy(self._target_url, self._fate, port=self._port))

    def close(self) -> None:
        """Hang up, and refuse connections."""
        self._listening.close()

    def _fate(self, request: Request) -> Fault | None:
        with self._lock:
            drawn, slow_s = self._chance.random(), self._chance.uniform(*_SLOW_S)
            kind = "good"
            for each, share in SHARES.items():
                if not self.calm.is_set() and 0 <= drawn < share:
                    kind = each
                drawn -= share
            self.counts[kind] += 1
        if kind == "slow":
            time.sleep(slow_s)
        return {"500": Fault.error_500, "503": Fault.error_503}.get(kind)
