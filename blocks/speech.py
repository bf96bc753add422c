"""Engines of speech in the cloud."""

from __future__ import annotations

import json
from typing import Any, Literal

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from mixdown.speech.cloud import cloud_engines
from mixdown.speech.port import Engine


class MixdownSpeech(Block):
    """An engine of speech in the cloud; a block called `openai` is the quality `cloud:openai`."""

    _block_type_name = "Mixdown Speech"
    _block_type_slug = "mixdown-speech"
    _description = "An engine of speech in the cloud. A block called openai is the quality cloud:openai."

    kind: Literal["openai", "elevenlabs", "azure", "google"] = Field(
        default="openai",
        title="Kind",
        description="How it is spoken to. Many servers of one's own speak like `openai`.",
        json_schema_extra={"position": 0},
    )
    price: float = Field(
        ge=0,
        title="Price",
        description="Of 1,000 characters, in any unit: the one of `max_cost`. 0 for a server of your own.",
        json_schema_extra={"position": 1},
    )
    key: SecretStr | None = Field(default=None, title="Key", json_schema_extra={"position": 2})
    base_url: str = Field(
        default="",
        title="Address",
        description="Empty: the provider's. Azure has one for each region.",
        json_schema_extra={"position": 3},
    )
    model: str = Field(
        default="",
        title="Model",
        description="Empty: the provider's usual one.",
        json_schema_extra={"position": 4},
    )
    voice: str = Field(
        default="", title="Voice", description="Where none is asked for.", json_schema_extra={"position": 5}
    )
    voices: dict[str, str] = Field(
        default={},
        title="Voices",
        description='Names and their languages: `{"Katja": "de-DE"}`; the first of a language is its own.',
        json_schema_extra={"position": 6},
    )
    at_once: int = Field(
        default=4,
        ge=1,
        le=64,
        title="At once",
        description="Requests of each process at the same time.",
        json_schema_extra={"position": 7},
    )
    sample_rate_hz: int | None = Field(
        default=None,
        title="Sample rate (Hz)",
        description="Empty: the provider's usual one.",
        json_schema_extra={"position": 8},
    )
    settings: dict[str, Any] = Field(
        default={},
        title="Settings",
        description="Go along with each request, as the provider calls them.",
        json_schema_extra={"position": 9},
    )

    def engine(self) -> dict[str, Any]:
        """The engine as the settings know it."""
        fields = {
            name: getattr(self, name)
            for name in ("kind", "price", "base_url", "model", "voice", "voices", "at_once", "settings")
        }
        key = self.key.get_secret_value() if self.key else None
        return {**fields, "key": key, "sample_rate_hz": self.sample_rate_hz}

    def open(self) -> Engine:
        """The engine, opened."""
        return cloud_engines(json.dumps({"block": self.engine()}))["block"]()
