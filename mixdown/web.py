"""What requests to the web share: one TLS context a process, origins, and a server's wish to be left alone."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import urlsplit

import httpx

_HOST = re.compile(r"[a-z0-9_.-]{1,253}|[0-9a-f:.%]{2,60}")
_PORTS = {"http": 80, "https": 443}


@lru_cache(maxsize=1)
def tls() -> ssl.SSLContext:
    """The TLS context of this process; httpx would make one a client, which is all that a small request costs."""
    return httpx.create_ssl_context(trust_env=False)


def web_origin(url: str) -> str:
    """`https://host` or `https://host:port`, without credentials; what is no address has the origin `https://`."""
    scheme = url.partition("://")[0].lower()
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError:  # UnicodeError is one
        return f"{scheme}://"
    if not _HOST.fullmatch(host):
        return f"{scheme}://"
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}" if port in (None, _PORTS.get(scheme)) else f"{scheme}://{host}:{port}"


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """How long a server asks to be left alone: seconds, or a date by its own clock; None: it does not say."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    until = _date(value)
    if until is None:
        return None
    return max((until - (_date(headers.get("date", "")) or now)).total_seconds(), 0.0)


def _date(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
