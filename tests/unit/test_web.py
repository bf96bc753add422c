"""Origins, and how long a server asks to be left alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mixdown.fetch import origin_of
from mixdown.model import Source
from mixdown.owner import host
from mixdown.web import retry_after_s, web_origin

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://example.org/a/b.wav?token=x#y", "https://example.org"),
        ("HTTPS://Example.ORG:443/", "https://example.org"),
        ("http://example.org:80", "http://example.org"),
        ("http://example.org:443/", "http://example.org:443"),
        ("https://example.org:8443/x", "https://example.org:8443"),
        ("https://otto:secret@example.org/x", "https://example.org"),
        ("https://example.org./x", "https://example.org"),
        ("https://[2001:DB8::1]:8000/x", "https://[2001:db8::1]:8000"),
        ("https://münchen.example/x", "https://xn--mnchen-3ya.example"),
        ("https:///x", "https://"),
        ("https://exa\0mple.org/", "https://"),
        ("https://example.org:99999/", "https://"),
        ("https://[::1/", "https://"),
        ("https://a b/", "https://"),
        ("https://" + "a" * 5000, "https://"),
    ],
)
def test_origin_of_an_address(url: str, origin: str) -> None:
    """Addresses of one server have one origin, which holds no secret; what is no address has none."""
    assert web_origin(url) == origin


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("https://example.org/a.wav", "https://example.org"),
        ("http://example.org:8000/a.wav", "http://example.org:8000"),
        ("s3://bucket/some/key.wav", "s3://bucket"),
        ("s3://bucket", "s3://bucket"),
        ("s3:///key", "s3://"),
        ("s3://b\0d/key", "s3://"),
        ("ftp://example.org/a.wav", ""),
        ("memory://x/a.wav", ""),
    ],
)
def test_origin_of_a_source(uri: str, origin: str) -> None:
    """What has to serve for a source to be had: a server or a bucket."""
    assert origin_of(Source(uri=uri)) == origin


@pytest.mark.parametrize("uri", ["/music/a.wav", "a.wav", "file:///music/a%20b.wav", "file://localhost/a.wav"])
def test_origin_of_a_local_file(uri: str) -> None:
    """A local file is to be had on this machine."""
    assert origin_of(Source(uri=uri)) == f"file://{host()}"


@given(some.text(min_size=1) | some.text(min_size=1).map("https://{}".format) | some.text().map("s3://{}".format))
def test_no_address_is_too_strange_for_an_origin(uri: str) -> None:
    """An origin is found for any text, short and plain enough to be written down."""
    origin = origin_of(Source(uri=uri))

    assert len(origin) < 300
    assert "\0" not in origin


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "-7"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "²"}, None),
        ({"retry-after": "Mon, 23 Nov 2026 12:01:30 GMT"}, 90.0),
        ({"retry-after": "Mon, 23 Nov 2026 12:01:30 -0000"}, 90.0),
        ({"retry-after": "Mon, 23 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Mon, 23 Nov 2026 09:01:00 GMT", "date": "Mon, 23 Nov 2026 09:00:00 GMT"}, 60.0),
        ({"retry-after": "Mon, 99 Nov 99999 09:01:00 GMT"}, None),
    ],
)
def test_how_long_a_server_asks_to_be_left_alone(headers: dict[str, str], wait_s: float | None) -> None:
    """Seconds, or a date, which is read by the server's own clock where it tells that; nonsense says nothing."""
    assert retry_after_s(headers, NOW) == wait_s
