"""Which addresses may be connected to for somebody else: the public internet, and nothing behind our own walls.

Python's `is_global` is wrong for many of them, so the ranges are written down here: IANA's special-purpose
registries, and addresses at which clouds tell machines their secrets. A name is resolved once, everything it
resolves to is checked, and the connection goes to what was checked: a name cannot mean something else a moment
later. Redirects are requests of their own, and are checked the same.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

import httpx

from mixdown.errors import AddressRefused
from mixdown.web import tls

#: Gives the addresses of a host: `resolve(host, port)`; OSError where it has none.
Resolve = Callable[[str, int], Sequence[str]]

#: Longer lists are cut: each address may take a time limit of its own to connect to.
_MOST_ADDRESSES = 4
_PORTS = {"http": 80, "https": 443}

_REFUSED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network; Linux connects to itself there
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' own, and Alibaba's metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's own services, at an address that looks public
        "169.254.0.0/16",  # link-local, and most clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments, and Oracle's metadata
        "192.0.2.0/24",  # documentation, as the next but two
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
#: Only these are given to anyone; what else there is of IPv6 is refused, mapped and compatible IPv4 with it.
_GIVEN_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: any IPv4 address in disguise
        "2620:4f:8000::/48",
        "3ffe::/16",  # 6bone, given back
        "3fff::/20",  # documentation
    )
)
#: A network without IPv4 reaches IPv4 here: such an address is as good as the one in it.
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an IP address, as text, belongs to the public internet; what is no address does not."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return not any(found in network for network in _REFUSED_V4)
    if found.scope_id is not None:
        return False
    if found in _NAT64:
        return is_public(str(IPv4Address(int(found) & 0xFFFFFFFF)))
    return found in _GIVEN_V6 and not any(found in network for network in _REFUSED_V6)


def resolved(host: str, port: int) -> list[str]:
    """The addresses of a host, as this machine's resolver gives them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Reach:
    """What may be connected to: public addresses, and those that the operator allows.

    `allowed` lists hosts, addresses and networks (`10.1.0.0/16`), comma-separated; `*` allows everything.
    """

    def __init__(self, allowed: str = "", *, resolve: Resolve = resolved) -> None:
        self._resolve = resolve
        named = [each.strip().lower() for each in allowed.split(",") if each.strip()]
        self._everything = "*" in named
        self._networks: list[IPv4Network | IPv6Network] = []
        self._hosts: set[str] = set()
        for each in named:
            try:
                self._networks.append(ip_network(each.strip("[]"), strict=False))
            except ValueError:
                self._hosts.add(each.rstrip("."))

    def may(self, host: str, address: str) -> bool:
        """Whether this address of a host may be connected to."""
        if self._everything or host.lower().rstrip(".") in self._hosts or is_public(address):
            return True
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._networks)

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host, all of them checked: one that is refused is enough to refuse the host.

        Raises
        ------
        AddressRefused
        OSError
            The host has no address, or nobody says which.
        """
        try:
            found = self._resolve(host, port)
        except UnicodeError as error:  # no name: a label that is empty or too long
            raise OSError(f"{type(error).__name__}") from error
        if not all(self.may(host, address) for address in found):
            raise AddressRefused(_words(host))
        return list(found)[:_MOST_ADDRESSES]

    def check(self, url: str) -> None:
        """Refuse what needs no resolver to be refused: AddressRefused. The others are checked on connecting."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
            numeric = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
            found = [str(address[0]) for *_, address in numeric]
        except (OSError, ValueError):  # a name, or no address at all: whoever connects tells
            found = ["127.0.0.1"] if _is_localhost(url) else []
        if not all(self.may(host, address) for address in found):
            raise AddressRefused(_words(host))

    def transport(self) -> httpx.BaseTransport:
        """What httpx connects with, to be closed with its client; it raises AddressRefused."""
        return _Transport(self)


class _Transport(httpx.BaseTransport):
    """Connects to addresses that were checked, under the name that was asked for."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        # A connection is never used for another name, whose certificate was not looked at, at the same address.
        self._http = httpx.HTTPTransport(
            verify=tls(), trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host, scheme = request.url.raw_host.decode("ascii"), request.url.scheme
        if not host or scheme not in _PORTS:
            raise httpx.UnsupportedProtocol("Not an http:// or https:// address.", request=request)
        try:
            addresses = self._reach.addresses(host, request.url.port or _PORTS[scheme])
        except OSError as error:
            raise httpx.ConnectError("The host has no address.", request=request) from error
        failed: httpx.TransportError = httpx.ConnectError("The host has no address.", request=request)
        for address in addresses:
            try:
                return self._http.handle_request(_pinned(request, host, address))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failed = error
        raise failed

    def close(self) -> None:
        self._http.close()


def _pinned(request: httpx.Request, host: str, address: str) -> httpx.Request:
    """The request sent to an address; its Host header and the name in TLS stay."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host.rstrip(".")},
    )


def _is_localhost(url: str) -> bool:
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return False
    return host == "localhost" or host.endswith(".localhost")


def _words(host: str) -> str:
    return (
        f"{host[:100]} is not on the public internet, and nothing is fetched from or sent to such addresses here."
    )
