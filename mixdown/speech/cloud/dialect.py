"""How a provider is spoken to: what differs between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from mixdown.speech.cloud.facts import CloudFacts
from mixdown.speech.port import Spoken, Utterance


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request for speech, always a POST; either `json` or `content`."""

    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    json: Mapping[str, Any] | None = None
    content: bytes | None = None


class Dialect(Protocol):
    """One provider's way."""

    @property
    def longest_chars(self) -> int:
        """The longest text that it takes."""

    @property
    def voice(self) -> str | None:
        """The voice for a language of which the operator says nothing; "": it finds one itself; None: none."""

    def ask(self, utterance: Utterance, facts: CloudFacts, key: str) -> Ask:
        """The request for an utterance."""

    def spoken(self, body: bytes, facts: CloudFacts, name: str) -> Spoken:
        """The sound of an answer; raises Unusable."""


def merged(asked: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """A request with the operator's settings in it: objects are merged, all else is replaced."""
    both = dict(asked)
    for name, value in settings.items():
        before = both.get(name)
        nested = isinstance(before, Mapping) and isinstance(value, Mapping)
        both[name] = merged(before, value) if nested and isinstance(before, Mapping) else value
    return both
