"""What an operator says about a cloud engine."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from mixdown.errors import InvalidRequest

Kind = Literal["openai", "elevenlabs", "azure", "google"]

_NAME = re.compile("[a-z0-9][a-z0-9-]{0,62}")

#: Where each kind is asked unless the operator says otherwise; Azure has an address for each region.
_HOMES = {
    "openai": "https://api.openai.com",
    "elevenlabs": "https://api.elevenlabs.io",
    "azure": "",
    "google": "https://texttospeech.googleapis.com",
}


class CloudFacts(BaseModel):
    """A cloud engine as it is set up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    #: What a thousand characters cost, in any unit; 0 only for a server of one's own. There is no default: what
    #: nobody has called free must not be bought twice.
    price: float = Field(ge=0)
    base_url: str = Field(default="", max_length=500, pattern=r"^(https?://[^\s?#@]+)?$")
    key: SecretStr | None = None
    model: str = Field(default="", max_length=200)
    voice: str = Field(default="", max_length=200)  #: for languages that none of `voices` speaks
    voices: dict[str, str] = {}  #: name of a voice → its language; the first of a language is its own
    at_once: int = Field(default=4, ge=1, le=64)  #: in each process
    packs_chars: int = Field(default=600, ge=0, le=4000)
    sample_rate_hz: int | None = Field(default=None, ge=8000, le=48000)
    timeout_s: float = Field(default=60.0, gt=0, le=90)  #: a till finishes what it buys within 120 s
    settings: dict[str, Any] = {}  #: goes along with each request, as the provider calls it

    @model_validator(mode="after")
    def _has_an_address(self) -> CloudFacts:
        if not self.home:
            raise ValueError("it needs a base_url, such as https://westeurope.tts.speech.microsoft.com")
        return self

    @property
    def home(self) -> str:
        """Where it is asked, without a slash at the end."""
        return (self.base_url or _HOMES[self.kind]).rstrip("/")


def facts_from(config: str | None) -> dict[str, CloudFacts]:
    """The engines of `{"name": {"kind": …, "price": …, "key": …}}`; else InvalidRequest, without any key in it."""
    if not config:
        return {}
    try:
        named = json.loads(config)
    except ValueError as error:
        raise InvalidRequest("The speech engines are not JSON: an object of names and engines.") from error
    if not isinstance(named, dict):
        raise InvalidRequest("The speech engines are not a JSON object of names and engines.")
    return {name: _facts(name, fields) for name, fields in named.items()}


def _facts(name: str, fields: Any) -> CloudFacts:
    if not _NAME.fullmatch(name):
        raise InvalidRequest("The name of a speech engine is made of lower-case letters, digits and dashes.")
    try:
        return CloudFacts.model_validate(fields)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, wrong["loc"]))
        said = wrong["msg"].removeprefix("Value error, ")
    # Outside the handler: what pydantic says holds what was entered, the key among it.
    raise InvalidRequest(f"The speech engine “{name}”: {where + ': ' if where else ''}{said}.")
