"""How S3 is reached."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mixdown.errors import InvalidRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Options:
    """Where S3 is and who we are there; all empty: AWS and its own chain of credentials."""

    endpoint_url: str | None = None
    key: str | None = None
    secret: str | None = field(default=None, repr=False)
    region: str | None = None

    def __post_init__(self) -> None:
        if self.endpoint_url and "@" in urlsplit(self.endpoint_url).netloc:
            raise InvalidRequest("The S3 endpoint must not hold credentials: they have settings of their own.")

    @property
    def host(self) -> str:
        """The endpoint as it may be shown."""
        return urlsplit(self.endpoint_url).netloc if self.endpoint_url else "AWS"
