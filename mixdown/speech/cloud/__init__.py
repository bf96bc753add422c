"""Engines in the cloud: paid for, or servers of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING

from mixdown.speech.cloud.facts import CloudFacts, facts_from
from mixdown.speech.port import Engine
from mixdown.web import web_origin

if TYPE_CHECKING:
    import httpx

__all__ = ["LIMIT_PREFIX", "CloudFacts", "cloud_engines", "facts_from", "limit_of", "origins_of"]

#: How the names of their global concurrency limits begin.
LIMIT_PREFIX = "mixdown-speech-"


def cloud_engines(
    config: str | None, *, transport: httpx.BaseTransport | None = None
) -> Mapping[str, Callable[[], Engine]]:
    """What opens each engine of `{"name": {"kind": …, "price": …}}`, by its name; each is opened once.

    Raises
    ------
    InvalidRequest
        The configuration is wrong; the sentence holds no key.
    """
    return {name: cache(partial(_open, name, facts, transport)) for name, facts in facts_from(config).items()}


def limit_of(engine_name: str) -> str:
    """The name of the global concurrency limit for an engine, over all machines."""
    return LIMIT_PREFIX + engine_name.rpartition(":")[2]


@cache
def origins_of(config: str | None) -> Mapping[str, str]:
    """The server of each engine, `https://host`, by its name."""
    return {name: web_origin(facts.home) for name, facts in facts_from(config).items()}


def _open(name: str, facts: CloudFacts, transport: httpx.BaseTransport | None) -> Engine:
    from mixdown.speech.cloud.azure import Azure
    from mixdown.speech.cloud.dialect import Dialect
    from mixdown.speech.cloud.elevenlabs import ElevenLabs
    from mixdown.speech.cloud.engine import CloudEngine
    from mixdown.speech.cloud.google import Google
    from mixdown.speech.cloud.openai import OpenAI

    dialects: dict[str, Dialect] = {
        "openai": OpenAI(),
        "elevenlabs": ElevenLabs(),
        "azure": Azure(),
        "google": Google(),
    }
    return CloudEngine(name, facts, dialects[facts.kind], transport=transport)
