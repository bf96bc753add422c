"""How S3 is reached."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Options:
    """Where S3 is and who we are there; all empty: AWS and its own chain of credentials."""

    endpoint_url: str | None = None
    key: str | None = None
    secret: str | None = field(default=None, repr=False)
    region: str | None = None

    @property
    def host(self) -> str:
        """The endpoint as it may be shown: no credentials in it."""
        return urlsplit(self.endpoint_url).netloc.rpartition("@")[2] if self.endpoint_url else "AWS"
