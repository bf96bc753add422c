"""How S3 is reached."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self
from urllib.parse import urlsplit

from mixdown.errors import InvalidRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Options:
    """Where S3 is and who we are there; all empty: AWS and its own chain of credentials."""

    endpoint_url: str | None = None
    key: str | None = None
    secret: str | None = field(default=None, repr=False)
    region: str | None = None
    public_url: str | None = None  #: the endpoint as those know it who follow signed links; None: as we do

    def __post_init__(self) -> None:
        if any("@" in urlsplit(url).netloc for url in (self.endpoint_url, self.public_url) if url):
            raise InvalidRequest("The S3 endpoint must not hold credentials: they have settings of their own.")
        if self.public_url and not (self.public_url.startswith(("http://", "https://")) and self.public_host):
            raise InvalidRequest("The public address of S3 begins with https:// or http://, and names a host.")

    @property
    def public_host(self) -> str | None:
        """The host that signed links name, where it is another one than the endpoint's."""
        return urlsplit(self.public_url).hostname if self.public_url else None

    @property
    def for_links(self) -> Self:
        """The same S3, as those know it who follow signed links."""
        return replace(self, endpoint_url=self.public_url, public_url=None) if self.public_url else self

    @property
    def host(self) -> str:
        """The endpoint as it may be shown."""
        return urlsplit(self.endpoint_url).netloc if self.endpoint_url else "AWS"
