"""Listeners on one stream of events, as cheap as they can be: they share the machine with what they measure.

What a message says is parsed once, by whoever sees its bytes first; everybody compares bytes from then on.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import time
from datetime import datetime
from urllib.parse import urlsplit


class _Heard:
    """What all have heard."""

    def __init__(self, clients: int) -> None:
        self.clients = clients
        self.ready_s = float("inf")
        self.open = 0
        self.lags_s: list[float] = []
        self.histories: list[tuple[int, str]] = []
        self.lost = 0
        self.over = asyncio.get_running_loop().create_future()
        self._known: dict[bytes, float | None] = {}

    def at_s(self, frame: bytes) -> float | None:
        """When the line of a history was written that this message brings; None: it brings none."""
        if frame not in self._known:
            fields = dict(line.split(b":", 1) for line in frame.split(b"\n") if b":" in line[1:])
            said = json.loads(fields[b"data"]) if b"id" in fields else {}
            self._known[frame] = datetime.fromisoformat(said["at"]).timestamp() if said else None
        return self._known[frame]

    def begun(self) -> None:
        """One more listens."""
        self.open += 1
        if self.open == self.clients:
            self.ready_s = time.time()
            print("\nLOAD ready", flush=True)

    def ended(self, history: tuple[int, str] | None) -> None:
        """One less."""
        if history is None:
            self.lost += 1
        else:
            self.histories.append(history)
        if len(self.histories) + self.lost == self.clients and not self.over.done():
            self.over.set_result(None)


class _Listener(asyncio.Protocol):
    """One of them."""

    def __init__(self, heard: _Heard, request: bytes) -> None:
        self._heard, self._request = heard, request
        self._transport: asyncio.Transport | None = None
        self._rest, self._is_open, self._count = b"", False, 0
        self._history = hashlib.sha256()
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now_s = time.time()
        # Whether a chunk of HTTP is one message or several makes no difference to what is in it.
        data = self._rest + data
        if not self._is_open:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self._rest = head
                return
            self._is_open = True
            self._heard.begun()
        *frames, self._rest = data.split(b"\n\n")
        for frame in frames:
            frame = frame[frame.rfind(b"\r\n") + 2 if b"\r\n" in frame else 0 :]
            at_s = self._heard.at_s(frame)
            if at_s is not None:
                self._count += 1
                self._history.update(frame)
                if at_s > self._heard.ready_s:  # what was before is history
                    self._heard.lags_s.append(now_s - at_s)
            elif frame.startswith(b"event: end") and self._transport is not None:
                self._ended = True
                self._heard.ended((self._count, self._history.hexdigest()))
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ended:
            self._heard.ended(None)


async def listen(given: argparse.Namespace, path: str) -> dict[str, object]:
    """Listen until the stream ends: whether all have seen the same, and how late."""
    parts = urlsplit(given.url)
    key = f"authorization: Bearer {given.key}\r\n" if given.key else ""
    request = f"GET {path} HTTP/1.1\r\nhost: {parts.netloc}\r\n{key}\r\n".encode()
    heard, loop, drifts_s = _Heard(given.clients), asyncio.get_running_loop(), []
    async with asyncio.timeout(given.for_s):
        for _ in range(given.clients):
            await loop.create_connection(lambda: _Listener(heard, request), parts.hostname, parts.port)
            await asyncio.sleep(0.002)
        while not heard.over.done():
            began_s = time.monotonic()
            await asyncio.wait({heard.over}, timeout=0.05)
            drifts_s.append(max(0.0, time.monotonic() - began_s - 0.05))
    lags_s, drifts_s = sorted(heard.lags_s), sorted(drifts_s)
    return {
        "listeners": len(heard.histories),
        "cut_off": heard.lost,
        "different": len(set(heard.histories)),
        "events": max((count for count, _ in heard.histories), default=0),
        "p50_s": lags_s[len(lags_s) // 2] if lags_s else None,
        "p99_s": lags_s[int(0.99 * len(lags_s))] if lags_s else None,
        "max_s": lags_s[-1] if lags_s else None,
        "drift_p99_s": drifts_s[int(0.99 * len(drifts_s))] if drifts_s else None,
    }
