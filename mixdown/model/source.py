"""Where a recording lies, and what its owner calls it."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import unquote

from pydantic import ConfigDict, Field, WithJsonSchema

from mixdown.model.steps import Request, without_null_defaults


class Source(Request):
    """A recording, where it lies."""

    model_config = ConfigDict(title="Recording", json_schema_extra=without_null_defaults)
    uri: str = Field(
        min_length=1, max_length=4096, description="A path, or a `file://`, `s3://`, `http(s)://` address."
    )
    filename: Annotated[str | None, WithJsonSchema({"type": "string"})] = Field(
        default=None, max_length=1024, description="The owner's name for it. May stay empty."
    )
    sha256: Annotated[str | None, WithJsonSchema({"type": "string"})] = Field(
        default=None, pattern="^[0-9a-f]{64}$", description="A claim, checked when the source is read."
    )

    @property
    def name(self) -> str:
        """The owner's name for it, fit to be printed on one line; never a folder, a query or a credential."""
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
