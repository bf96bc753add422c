"""Messages that many are sent, made into bytes once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from starlette.types import Scope

#: What a listener may leave untaken of what was written past the app, in bytes.
_MOST_UNTAKEN_BYTES = 1 << 20

#: The name under which a server offers to write a chunk of an answer past the app (see `PatientProtocol`).
_EXTENSION = "mixdown.chunks"

#: Sends a chunk; False where it was not taken: it has to go the usual way.
Write = Callable[[bytes], bool]


class Bundle(NamedTuple):
    """Several messages at once."""

    number: int  #: of messages
    body: bytes
    chunk: bytes  #: `body` as a chunk of HTTP/1.1 (RFC 9112, 7.1)

    @classmethod
    def of(cls, messages: Sequence[bytes]) -> Bundle:
        """These messages, one after the other."""
        body = b"".join(messages)
        return cls(len(messages), body, b"%x\r\n%b\r\n" % (len(body), body))


def offer(scope: Scope, transport: Any, is_answering: Callable[[], bool]) -> None:
    """Let the app write chunks of its answer straight to a connection, where the answer is sent in chunks."""
    if scope["http_version"] != "1.1" or scope["method"] != "GET":
        return

    def write(chunk: bytes) -> bool:
        untaken_bytes = transport.get_write_buffer_size()
        if transport.is_closing() or not is_answering() or untaken_bytes > _MOST_UNTAKEN_BYTES:
            return False
        transport.write(chunk)
        return True

    scope.setdefault("extensions", {})[_EXTENSION] = write


def offered(scope: Scope) -> Write | None:
    """How chunks are written straight to the connection of a request; None where that cannot be."""
    found: Write | None = scope.get("extensions", {}).get(_EXTENSION)
    return found
