"""What may be connected to for strangers, and that nothing else ever is."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from mixdown.errors import AddressRefused, SourceUnavailable
from mixdown.fetch import fetch
from mixdown.model import Limits, Source
from mixdown.reach import Reach, is_public
from tests.services.raw_server import Connection, raw_server

PUBLIC = (
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "168.63.129.15",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2001:4860:4860::8888",
    "2a00:1450:4001:81b::200e",
    "64:ff9b::808:808",
)
REFUSED = (
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.9",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "",
    "localhost",
    "8.8.8",
)


class Names:
    """A resolver that says what it is told to, one answer after another, and notes what it was asked."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = {host.replace("_", "."): iter(each) for host, each in answers.items()}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        answer: Iterator[Sequence[str]] | None = self._answers.get(host)
        if answer is None:
            if host.replace(".", "").isdigit():
                return [host]
            raise OSError("no such name")
        return next(answer)


def ok(connection: Connection) -> None:
    """Answer with a small body."""
    connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nsound")


def get(url: str, reach: Reach) -> httpx.Response:
    """Ask for a URL as `fetch` does."""
    with httpx.Client(transport=reach.transport(), trust_env=False, timeout=20) as client:
        return client.get(url)


def port_of(url: str) -> str:
    """The port of a server."""
    return url.rpartition(":")[2]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_public(address: str) -> None:
    """What anybody may connect to is let through, up to the very edge of a range that is not."""
    assert is_public(address)


@pytest.mark.parametrize("address", REFUSED)
def test_other_addresses_are_refused(address: str) -> None:
    """Private, loopback, link-local, metadata, mapped, translated, multicast, reserved: none of it is public."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "localhost"],
)
def test_a_server_on_loopback_is_never_asked(host: str) -> None:
    """However its address is spelled, a server of this machine sees no connection."""
    with raw_server(ok) as (url, connections):
        with pytest.raises((AddressRefused, httpx.InvalidURL)):  # httpx knows no octal
            get(f"http://{host}:{port_of(url)}/talk.wav", Reach())
        with pytest.raises(AddressRefused):
            Reach().check(f"http://{host}:{port_of(url)}/talk.wav")

        assert connections == []


def test_one_internal_address_among_public_ones_is_enough() -> None:
    """A name with a public and an internal address is refused: nobody knows which would be connected to."""
    with pytest.raises(AddressRefused):
        Reach(resolve=Names(mixed_example=[["8.8.8.8", "10.0.0.1"]])).addresses("mixed.example", 443)


def test_a_name_that_changes_its_mind_gains_nothing() -> None:
    """A name is resolved once for a connection: what was checked is what is connected to."""
    with raw_server(ok) as (url, connections):
        names = Names(rebind_example=[["127.0.0.1"], ["10.9.9.9"]])
        answer = get(f"http://rebind.example:{port_of(url)}/", Reach("127.0.0.1", resolve=names))

        assert answer.content == b"sound"
        assert names.asked == ["rebind.example"]
        assert f"Host: rebind.example:{port_of(url)}".encode() in connections[0].request
    with raw_server(ok) as (url, connections):
        names = Names(rebind_example=[["8.8.8.8"], ["127.0.0.1"]])
        Reach(resolve=names).addresses("rebind.example", 80)
        with pytest.raises(AddressRefused):  # the second connection is checked anew
            get(f"http://rebind.example:{port_of(url)}/", Reach(resolve=names))

        assert connections == []


def test_tls_is_spoken_with_the_name_that_was_asked_for() -> None:
    """The connection goes to a checked address; the certificate is still looked at for the host's name."""
    hello = b""

    def listen(server: socket.socket) -> None:
        nonlocal hello
        peer, _ = server.accept()
        with peer:
            hello = peer.recv(65_536)

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        listening = threading.Thread(target=listen, args=(server,))
        listening.start()
        reach = Reach("front.example", resolve=Names(front_example=[["127.0.0.1"]]))
        with pytest.raises(httpx.TransportError):
            get(f"https://front.example:{server.getsockname()[1]}/", reach)
        listening.join()

    assert b"front.example" in hello


def test_the_next_address_is_tried() -> None:
    """A host with several addresses is reached at one that answers."""
    with raw_server(ok) as (url, _):
        names = Names(many_example=[["127.1.2.3", "127.0.0.1"]])

        assert get(f"http://many.example:{port_of(url)}/", Reach("127.0.0.0/8", resolve=names)).content == b"sound"


@pytest.mark.parametrize("allowed", ["*", "127.0.0.1", "localhost, 127.0.0.0/8", "LOCALHOST."])
def test_the_operator_may_allow_internal_hosts(allowed: str) -> None:
    """A host, an address or a network in the list is let through."""
    with raw_server(ok) as (url, _):
        host = "localhost" if "ocalhost" in allowed.lower() else "127.0.0.1"
        names = Names(localhost=[["127.0.0.1"]])
        Reach(allowed).check(f"http://{host}:{port_of(url)}/")

        assert get(f"http://{host}:{port_of(url)}/", Reach(allowed, resolve=names)).content == b"sound"


def test_a_name_that_nobody_knows_can_be_tried_again(tmp_path: Path) -> None:
    """That no resolver answers may pass: it is no refusal."""
    for host in ("nowhere.example", "a" * 70 + ".example"):
        with pytest.raises(SourceUnavailable):
            fetch(
                Source(uri=f"https://{host}/talk.wav"),
                tmp_path / "source",
                limits=Limits(),
                timeout_s=60,
                transport=Reach(resolve=Names()).transport(),
            )


def test_redirects_are_checked(tmp_path: Path) -> None:
    """A server that may be asked cannot send us to one that may not; nothing is left of the attempt."""
    with raw_server(ok) as (internal, connections):

        def leads_inside(connection: Connection) -> None:
            connection.send(
                f"HTTP/1.1 302 Found\r\nlocation: {internal}/talk.wav\r\nconnection: close\r\n\r\n".encode()
            )

        with raw_server(leads_inside) as (url, asked):
            reach = Reach("front.example", resolve=Names(front_example=[["127.0.0.1"]]))
            with pytest.raises(AddressRefused) as caught:
                fetch(
                    Source(uri=f"http://front.example:{port_of(url)}/talk.wav"),
                    tmp_path / "source",
                    limits=Limits(),
                    timeout_s=60,
                    transport=reach.transport(),
                )

            assert len(asked) == 1
        assert connections == []
    assert "127.0.0.1" in caught.value.message
    assert not (tmp_path / "source").exists()
