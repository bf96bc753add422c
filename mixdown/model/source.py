"""Where a recording lies, and what its owner calls it."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import quote, unquote

from pydantic import ConfigDict, Field, WithJsonSchema, field_validator

from mixdown.model.steps import Request, without_null_defaults

#: The scheme of a script that is its own address: what follows is the text, percent-encoded UTF-8.
TEXT_SCHEME = "text://"
LONGEST_TEXT_CHARS = 200_000
_LONGEST_ADDRESS = 4096


class Source(Request):
    """A recording or a script, where it lies."""

    model_config = ConfigDict(title="Recording", json_schema_extra=without_null_defaults)
    uri: str = Field(
        min_length=1,
        max_length=len(TEXT_SCHEME) + 12 * LONGEST_TEXT_CHARS,  # a character is at most four bytes of three letters
        description="A path, or a `file://`, `s3://`, `http(s)://` address.",
    )
    filename: Annotated[str | None, WithJsonSchema({"type": "string"})] = Field(
        default=None, max_length=1024, description="The owner's name for it. May stay empty."
    )
    sha256: Annotated[str | None, WithJsonSchema({"type": "string"})] = Field(
        default=None, pattern="^[0-9a-f]{64}$", description="A claim, checked when the source is read."
    )

    @field_validator("uri")
    @classmethod
    def _not_too_long(cls, uri: str) -> str:
        if not uri.startswith(TEXT_SCHEME) and len(uri) > _LONGEST_ADDRESS:
            raise ValueError(f"an address has at most {_LONGEST_ADDRESS} characters")
        return uri

    @classmethod
    def of_text(cls, text: str, filename: str | None = None) -> Source:
        """A script that travels with its request; ValueError where it is empty or too long for that."""
        if not text.strip():
            raise ValueError("there is no text")
        if len(text) > LONGEST_TEXT_CHARS:
            raise ValueError(f"a text has at most {LONGEST_TEXT_CHARS} characters; name a file that holds it")
        return cls(uri=TEXT_SCHEME + quote(text, safe=" !'(),-.:;?", errors="replace"), filename=filename)

    @property
    def text(self) -> str | None:
        """The script, where it travels with the request."""
        return unquote(self.uri.removeprefix(TEXT_SCHEME)) if self.uri.startswith(TEXT_SCHEME) else None

    @property
    def name(self) -> str:
        """The owner's name for it, fit to be printed on one line; never a folder, a query or a credential."""
        if not self.filename and self.uri.startswith(TEXT_SCHEME):
            return "script.txt"
        name = (self.filename or _last_part(self.uri)).rstrip("/").rsplit("/", 1)[-1]
        return "".join(char if char.isprintable() else "\ufffd" for char in name) or "the recording"


def _last_part(uri: str) -> str:
    """What an address calls the thing it leads to. Only http knows queries; S3 keys and paths are not escaped."""
    scheme, _, rest = uri.partition("://")
    if scheme.lower() == "file":
        return unquote(rest)
    if scheme.lower() not in ("http", "https"):
        return uri
    host, _, path = re.split(r"[?#]", rest)[0].rstrip("/").partition("/")
    return unquote(path) or host.rpartition("@")[2]
