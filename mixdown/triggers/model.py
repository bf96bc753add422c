"""What the file of triggers may say."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from mixdown.model.steps import Request

#: A JSON pointer (RFC 6901): `/recording/url`; "" is all of it.
Pointer = Annotated[str, Field(pattern="^(/([^~]|~[01])*)?$", max_length=500)]


class _Signed(Request):
    secret: str = Field(min_length=1, max_length=100, description="Its name in `MIXDOWN_TRIGGER_SECRETS`.")


class StandardSignature(_Signed):
    """Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`."""

    kind: Literal["standard"]


class GitHubSignature(_Signed):
    """HMAC of the body: `X-Hub-Signature-256: sha256=…`."""

    kind: Literal["github"]
    header: str = Field(default="X-Hub-Signature-256", pattern="^[A-Za-z0-9-]{1,100}$")


class SharedToken(_Signed):
    """A token that comes along: as it is, as a bearer token, or as the password of an address."""

    kind: Literal["token"]
    header: str = Field(default="Authorization", pattern="^[A-Za-z0-9-]{1,100}$")


Signature = Annotated[StandardSignature | GitHubSignature | SharedToken, Field(discriminator="kind")]


class _Trigger(Request):
    model_config = ConfigDict(title="Trigger")
    signature: Signature
    title: str | None = Field(default=None, max_length=200, description="What its batches are called.")
    priority: Literal["urgent", "normal"] = "normal"
    key_id: UUID | None = Field(default=None, description="Whose jobs they are: the id of an API key.")
    parameters: dict[str, Any] = Field(default={}, description="What is done, as in `POST /v1/jobs`.")


class S3Trigger(_Trigger):
    """Objects that were created, as S3 and MinIO tell it."""

    kind: Literal["s3"]
    prefix: str = Field(default="", max_length=1024, description="Only keys that begin like this.")


class _Mapped(_Trigger):
    """A message of any shape; pointers say where things are in it."""

    when: dict[Pointer, Any] = Field(default={}, description="Heeded only with these values at these places.")
    id: Pointer | None = Field(default=None, description="What tells messages apart; none: all of it.")
    from_message: dict[str, Pointer] = Field(default={}, description="Parameters that the message says, and where.")


class FormTrigger(_Mapped):
    """A form, such as Auphonic's API takes: its fields are looked at as JSON."""

    kind: Literal["form"]
    source: Pointer = "/input_file"
    filename: Pointer | None = None


class JsonTrigger(_Mapped):
    """Any JSON."""

    kind: Literal["json"]
    source: Pointer = Field(description="Where the address of the recording is.")
    items: Pointer | None = Field(
        default=None, description="A list of recordings; all but `when` and `id` is then looked for in each."
    )
    filename: Pointer | None = None


Trigger = Annotated[S3Trigger | FormTrigger | JsonTrigger, Field(discriminator="kind")]
