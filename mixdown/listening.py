"""Where the API listens: a small module, because what only starts processes needs it too."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mixdown.errors import InvalidRequest

#: Connections that wait to be accepted.
BACKLOG = 2048


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def url_of(host: str, port: int) -> str:
    """The address for people and programs."""
    return f"http://{_shown(host)}:{port}"


def refuse_taken(host: str, port: int) -> None:
    """InvalidRequest where nobody can listen."""
    with listening(host, port):
        return


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that takes connections at an address; port 0 is any free one."""
    address = f"{_shown(host)}:{port}"
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except socket.gaierror as error:
        raise InvalidRequest(f"There is no address {host}.") from error
    except PermissionError as error:
        raise InvalidRequest(f"One may not listen at {address} without more rights.") from error
    except OSError as error:
        sentence = f"The API cannot listen at {address}: it is taken, or not of this machine. Choose another port."
        raise InvalidRequest(sentence) from error
    with listener:
        # Its connections have it from here: asyncio sets it only where a socket names its protocol, and without it
        # an answer in two parts waits for the client's delayed acknowledgement, 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
