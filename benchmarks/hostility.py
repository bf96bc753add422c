"""What nobody means well: random bodies, webhooks that are repeated or forged, connections that hold on."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

#: How often each webhook is sent, at the same time.
REPEATED = 5

_SECRET = b"benchmark of the front door 32 b"
_HOOK = "/v1/hooks/benchmark"
_KINDS = (
    "application/json",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded",
    "text/plain",
)

#: What no answer may have in it.
_LEAKS = re.compile(rb"Traceback|File \"|psycopg2|sqlalchemy|/site-packages/|postgres@|whsec_")

#: A stream of events does not end by itself.
_ENDLESS = "/events"


def random_bodies(url: str, count: int, secrets: list[str]) -> tuple[dict[int, int], list[str]]:
    """How often each status was answered, and which answers had in them what is nobody's business."""
    chance = random.Random(7)
    statuses: Counter[int] = Counter()
    leaks: list[str] = []
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        routes = _routes(client.get("/openapi.json").json())
        for _ in range(count):
            method, path = chance.choice(routes)
            filled = re.sub(r"\{[^}]*\}", lambda _: _value(chance), path)
            answer = client.request(
                method, filled, content=_body(chance), headers={"content-type": chance.choice(_KINDS)}
            )
            statuses[answer.status_code] += 1
            if _LEAKS.search(answer.content) or any(each.encode() in answer.content for each in secrets):
                leaks.append(f"{method} {path}: {answer.status_code} {answer.text[:120]}")
    return dict(sorted(statuses.items())), leaks


def _routes(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method in methods
        if method in ("get", "post", "put", "patch", "delete") and not path.endswith(_ENDLESS)
    ]


def _value(chance: random.Random) -> str:
    return chance.choice([str(uuid4()), "any", "%00", "..%2F..%2Fetc%2Fpasswd", "a" * 300, "%F0%9F%8E%99", "-1"])


def _body(chance: random.Random) -> bytes:
    noise = chance.randbytes(chance.randrange(400))
    text = json.dumps(noise.decode("latin-1")).encode()
    form = (
        b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + noise + b"\r\n--x--\r\n"
    )
    return chance.choice([noise, b'{"source": ' + noise + b"}", b'{"source": {"uri": ' + text + b"}}", text, form])


# -- webhooks -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hammered:
    """What became of webhooks."""

    messages: int
    forged: int
    batches: int  #: messages that made a batch
    jobs: int  #: that these batches have
    repeated_as: dict[int, int]
    forged_as: dict[int, int]

    @property
    def is_sound(self) -> bool:
        """Whether each made its jobs once, and none that was forged anything."""
        taken = all(status in (200, 202) for status in self.repeated_as)
        return taken and self.batches == self.messages and all(400 <= status < 500 for status in self.forged_as)


def hook_settings(folder: Path) -> dict[str, str]:
    """Settings with a trigger for the messages of `hammered`."""
    trigger = {"kind": "json", "signature": {"kind": "standard", "secret": "shared"}, "source": "/recording"}
    trigger |= {"parameters": {"kind": "analyze"}}
    path = folder / "triggers.yaml"
    path.write_text(json.dumps({"triggers": {"benchmark": trigger}}))
    secret = "whsec_" + base64.b64encode(_SECRET).decode()
    return {"MIXDOWN_TRIGGERS": str(path), "MIXDOWN_TRIGGER_SECRETS": json.dumps({"shared": secret})}


def hammered(url: str, recordings: list[str]) -> Hammered:
    """Send a webhook for each recording, several times at once, and forged ones between them."""
    sent = [(f"msg_{uuid4().hex}", json.dumps({"recording": each}).encode()) for each in recordings]
    now_s = int(time.time())
    good = [(body, _headers(name, body, now_s)) for name, body in sent for _ in range(REPEATED)]
    forged = [
        forgery
        for name, body in sent
        for forgery in (
            (body, {**_headers(f"{name}x", body, now_s), "webhook-signature": "v1,AAAA"}),
            (body, {**_headers(name, body, now_s), "webhook-id": f"{name}y"}),
            (body, _headers(f"{name}z", body, now_s - 3600)),
        )
    ]
    everything = [*((each, True) for each in good), *((each, False) for each in forged)]
    random.Random(7).shuffle(everything)
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client, ThreadPoolExecutor(16) as threads:

        def send(one: tuple[tuple[bytes, dict[str, str]], bool]) -> tuple[bool, httpx.Response]:
            (body, headers), is_good = one
            return is_good, client.post(_HOOK, content=body, headers=headers)

        answers = list(threads.map(send, everything))
        taken = [answer.json() for is_good, answer in answers if is_good and answer.is_success]
        batches = {str(each["batch_id"]) for each in taken if each.get("batch_id")}
        totals = [client.get(f"/v1/batches/{batch}").json()["total"] for batch in batches]
    return Hammered(
        messages=len(sent),
        forged=len(forged),
        batches=len(batches),
        jobs=sum(totals),
        repeated_as=dict(Counter(answer.status_code for is_good, answer in answers if is_good)),
        forged_as=dict(Counter(answer.status_code for is_good, answer in answers if not is_good)),
    )


def _headers(name: str, body: bytes, at_s: int) -> dict[str, str]:
    signed = hmac.new(_SECRET, b"%b.%d.%b" % (name.encode(), at_s, body), hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(at_s),
        "webhook-signature": "v1," + base64.b64encode(signed).decode(),
    }


# -- connections --------------------------------------------------------------------------------------


@contextmanager
def slow_connections(port: int, count: int) -> Iterator[int]:
    """Connections that send a header a byte at a time."""
    sockets: list[socket.socket] = []
    over = threading.Event()

    def drip() -> None:
        while not over.wait(1.0):
            for each in sockets:
                with suppress(OSError):
                    each.send(b"a")

    for _ in range(count):
        with suppress(OSError):
            each = socket.create_connection(("127.0.0.1", port), timeout=5)
            each.send(b"POST /v1/jobs HTTP/1.1\r\nhost: x\r\nx-slow: ")
            sockets.append(each)
    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield len(sockets)
    finally:
        over.set()
        thread.join()
        for each in sockets:
            each.close()
