"""What comes back from a cloud engine: sound, or why there is none."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import httpx

from mixdown.errors import EngineRefused, EngineUnavailable, MixdownError
from mixdown.web import retry_after_s

_SENTENCE_CHARACTERS = 200

#: Said with 429 where no patience helps: there is no money left.
_NO_MONEY = re.compile(r"insufficient_quota|quota_exceeded|billing", re.IGNORECASE)

#: Other answers than 5xx after which it may be asked again.
_LATER = frozenset({408, 425, 429})
_BUSY = 429


class Unanswered(EngineUnavailable):
    """It has taken a request and never answered: perhaps it is paid for all the same."""


class Unusable(EngineRefused):
    """It has answered, and is paid, with something that is no sound."""


class Busy(EngineUnavailable):
    """It has too much to do."""


def refusal(name: str, origin: str, response: httpx.Response, body: bytes, key: str | None) -> MixdownError:
    """The error that an answer other than 2xx is, with the provider's own sentence and without our key."""
    status = response.status_code
    said = sentence_of(body, key)
    told = f"{name} answers {status}" + (f": {said}" if said else ".")
    later = status >= 500 or status in _LATER
    if not later or (status == _BUSY and _NO_MONEY.search(body.decode(errors="replace"))):
        return EngineRefused(told)
    kind = Busy if status == _BUSY else EngineUnavailable
    return kind(told, dependency=origin, retry_after_s=retry_after_s(response.headers, datetime.now(UTC)))


def sentence_of(body: bytes, key: str | None) -> str:
    """What a provider said, on one line."""
    text = body.decode(errors="replace")
    with suppress(ValueError):  # plain text, then
        text = _said(json.loads(text)) or text
    words = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return _without(key, words)[:_SENTENCE_CHARACTERS].rstrip()


def _said(found: Any) -> str:
    """The sentence in `{"error": {"message": …}}`, `{"detail": [{"msg": …}]}` and the like."""
    if isinstance(found, str):
        return found
    if isinstance(found, list):
        return _said(found[0]) if found else ""
    if isinstance(found, Mapping):
        for name in ("error", "detail", "message", "msg", "status"):
            if found.get(name):
                return _said(found[name])
    return ""


def _without(key: str | None, text: str) -> str:
    """Without our key, and without what a provider shows of it: `sk-ab***yz`."""
    if not key:
        return text
    text = text.replace(key, "***")
    shown = re.escape(key[:4])
    return re.sub(rf"\S*(?:{shown}\S*|\*{{3}}\S*)", "***", text)
