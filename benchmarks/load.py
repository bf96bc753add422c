"""A load generator for the API, in a process of its own: started and read by api.py.

Open loop: every client asks at times that were settled before, and what it waited is counted from then on, so
that a server which stalls is not spared the requests that it held up. Two controls are measured beside it: how late
this process itself is woken, and how long `/health/live` takes, which touches nothing: where a machine is busy with
more than the API, no answer can be quicker than their p99.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from listeners import listen

_BOUNDARY = "mixdownload"
_PATIENCE_S = 60.0

#: How often it is looked whether this process is woken in time.
_LOOK_EVERY_S = 0.05

#: Clients that ask for `/health/live`, twice a second each.
_CONTROLS = 10


@dataclass
class Tally:
    """What came back."""

    waits_s: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    ids: list[str] = field(default_factory=list)
    refused: list[dict[str, object]] = field(default_factory=list)  #: what had no success, and when
    drifts_s: list[float] = field(default_factory=list)  #: by how much this process was woken too late

    def said(self, control: Tally) -> dict[str, object]:
        """For api.py."""
        return {
            "requests": sum(self.answers.values()),
            "answers": dict(self.answers),
            "p50_s": share(self.waits_s, 0.5),
            "p99_s": share(self.waits_s, 0.99),
            "max_s": share(self.waits_s, 1.0),
            "drift_p99_s": share(self.drifts_s, 0.99),
            "live_p50_s": share(control.waits_s, 0.5),
            "live_p99_s": share(control.waits_s, 0.99),
            "ids": self.ids,
            "refused": self.refused,
        }


def share(values: Sequence[float], part: float) -> float | None:
    """What this part of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else None


class Connection:
    """HTTP/1.1 over one socket that is kept; as little as a client can do with."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._headers = headers
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: bytes = b"", media_type: str = "") -> tuple[int, bytes]:
        """Status and body of the answer."""
        if self._streams is not None and (self._streams[0].at_eof() or self._streams[0].exception()):
            self.close()  # the server hung up between two requests: no client would ask there
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        lines = [f"{method} {path} HTTP/1.1", f"host: {self._host}:{self._port}", f"content-length: {len(body)}"]
        lines += [f"content-type: {media_type}"] if media_type else []
        lines += [f"{name}: {value}" for name, value in self._headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        if "content-length:" not in head:
            raise ConnectionError("an answer without a length")
        length = int(head.split("content-length:")[1].split("\r\n")[0])
        answer = await reader.readexactly(length)
        if "connection: close" in head:
            self.close()
        return int(head.split(" ")[1]), answer

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


def _clip(kib: int) -> bytes:
    """A WAV file of so many KiB, each another noise."""
    samples = os.urandom(1024 * kib)
    head = b"RIFF" + (36 + len(samples)).to_bytes(4, "little") + b"WAVEfmt \x10\0\0\0\x01\0\x01\0"
    rate_hz = 48_000
    head += rate_hz.to_bytes(4, "little") + (2 * rate_hz).to_bytes(4, "little") + b"\x02\0\x10\0data"
    return head + len(samples).to_bytes(4, "little") + samples


def _form(kib: int) -> bytes:
    asked = json.dumps({"kind": "enhance", "steps": [{"kind": "loudness"}], "never_worse": "off"})
    return (
        f'--{_BOUNDARY}\r\ncontent-disposition: form-data; name="parameters"\r\n\r\n{asked}\r\n'
        f'--{_BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="clip.wav"\r\n\r\n'
    ).encode() + (_clip(kib) + f"\r\n--{_BOUNDARY}--\r\n".encode())


def _problem(answer: bytes) -> dict[str, object]:
    try:
        found = json.loads(answer)
    except ValueError:
        return {}
    return {"code": found.get("code"), "retryable": found.get("retryable")}


async def _client(given: argparse.Namespace, tally: Tally, begins_s: float, paths: list[str]) -> None:
    headers = {"authorization": f"Bearer {given.key}"} if given.key else {}
    connection = Connection(given.url, headers)
    due_s = begins_s + random.random() * given.every_s
    while due_s < begins_s + given.for_s:
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        sent_s = time.time()
        problem: dict[str, object] = {}
        try:
            async with asyncio.timeout(_PATIENCE_S):
                if given.what == "submit":
                    media_type = f"multipart/form-data; boundary={_BOUNDARY}"
                    status, answer = await connection.ask("POST", "/v1/jobs", _form(given.kib), media_type)
                else:
                    status, answer = await connection.ask("GET", random.choice(paths))
            outcome = str(status)
            if given.what == "submit" and status in (200, 202):
                tally.ids.append(json.loads(answer)["id"])
            elif status >= 400:
                problem = _problem(answer)
            tally.waits_s.append(time.monotonic() - due_s)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            outcome = type(error).__name__
            connection.close()
        tally.answers[outcome] += 1
        if not outcome.startswith("2"):
            tally.refused.append({"sent_s": sent_s, "answered_s": time.time(), "as": outcome, **problem})
        due_s += given.every_s


async def _drift(tally: Tally, until_s: float) -> None:
    """How late this process is woken."""
    while (began_s := time.monotonic()) < until_s:
        await asyncio.sleep(_LOOK_EVERY_S)
        tally.drifts_s.append(time.monotonic() - began_s - _LOOK_EVERY_S)


async def _run(given: argparse.Namespace) -> dict[str, object]:
    paths = given.paths.split(",") if given.paths else []
    if given.what == "listen":
        return await listen(given, paths[0])
    tally, control, begins_s = Tally(), Tally(), time.monotonic() + 0.5
    asked = argparse.Namespace(**vars(given) | {"what": "read", "every_s": 0.5, "key": ""})
    async with asyncio.TaskGroup() as group:
        group.create_task(_drift(tally, begins_s + given.for_s))
        for _ in range(given.clients):
            group.create_task(_client(given, tally, begins_s, paths))
        for _ in range(_CONTROLS):
            group.create_task(_client(asked, control, begins_s, ["/health/live"]))
    return tally.said(control)


def main() -> None:
    """Ask, and say what came back."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("submit", "read", "listen"))
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", default="")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--every-s", type=float, default=10.0, help="each client asks so often")
    parser.add_argument("--for-s", type=float, default=30.0)
    parser.add_argument("--kib", type=int, default=1024)
    parser.add_argument("--paths", default="", help="what is read or listened to, comma-separated")
    print("\nLOAD " + json.dumps(asyncio.run(_run(parser.parse_args()))), flush=True)


if __name__ == "__main__":
    main()
