"""A receiver of webhooks that refuses half of what comes, and remembers all of it."""

from __future__ import annotations

import hashlib
import random
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

#: A secret of nobody's.
SECRET = "whsec_" + "bWl4ZG93bi1jaGFvcy1zZWNyZXQtb2Ytbm9ib2R5Lg=="
_REFUSALS = (500, 502, 503, 429)


class Receiver:
    """What came, by the id of the message."""

    def __init__(self, *, seed: int) -> None:
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1})
        self._thread.start()
        self.kind = threading.Event()  #: set: nothing is refused any more
        self.taken: Counter[str] = Counter()  #: accepted messages by id
        self.refused: Counter[str] = Counter()
        self.contents: dict[str, set[str]] = {}  #: digests of all that came under an id, refused or not
        self.unsigned = 0

    @property
    def url(self) -> str:
        """Where to send."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Look at a message; the status it is answered with."""
        with self._lock:
            try:
                Webhook(SECRET).verify(body, headers)
            except WebhookVerificationError:
                self.unsigned += 1
                return 401
            name = headers["webhook-id"]
            self.contents.setdefault(name, set()).add(hashlib.sha256(body).hexdigest())
            if not self.kind.is_set() and self._chance.random() < 0.5:
                self.refused[name] += 1
                return self._chance.choice(_REFUSALS)
            self.taken[name] += 1
            return 204


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response_only(receiver.take({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            """Keep quiet."""

    return Handler
