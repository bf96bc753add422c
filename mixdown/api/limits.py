"""How often a key may ask: counted in memory, or in Redis for several processes."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from anyio import to_thread
from limits import RateLimitItem, parse_many
from limits.errors import ConfigurationError, StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from mixdown.errors import InvalidRequest
from mixdown.settings import Settings

_log = logging.getLogger(__name__)

#: What an address may try of keys that are none.
_GUESSES = "20/minute"

#: Redis must answer within this, in seconds; it is left alone for that long once it did not.
_REDIS_WITHIN_S, _REDIS_PAUSE_S = 1.0, 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is left of a limit."""

    granted: bool
    limit: int
    remaining: int
    reset_s: int  #: until more is left
    window_s: int

    @property
    def headers(self) -> dict[str, str]:
        """As HTTP tells it (RateLimit header fields, draft 3; `Retry-After` where there is nothing left)."""
        told = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_s),
            "RateLimit-Policy": f"{self.limit};w={self.window_s}",
        }
        return told if self.granted else {**told, "Retry-After": str(max(1, self.reset_s))}


class Limiter:
    """Counts what is asked for. Without Redis each process counts for itself; so it does while Redis is away."""

    def __init__(self, settings: Settings) -> None:
        self._limits = _parsed(settings.rate_limit)
        self._guesses = _parsed(_GUESSES)
        self._here = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._shared = _redis(settings)
        self._paused_until_s = -math.inf

    async def ask(self, key: str) -> Allowance | None:
        """Count a request of a key; None where nothing is limited."""
        return await self._count(self._limits, "key", key)

    async def guess(self, address: str) -> Allowance | None:
        """Count a key that was none, of an address."""
        return await self._count(self._guesses, "guess", address)

    async def _count(self, limits: list[RateLimitItem], kind: str, who: str) -> Allowance | None:
        if not limits:
            return None
        if self._shared is not None and time.monotonic() >= self._paused_until_s:
            try:
                return await to_thread.run_sync(partial(_hit, self._shared, limits, kind, who))
            except StorageError:
                self._paused_until_s = time.monotonic() + _REDIS_PAUSE_S
                _log.warning("Redis is away: each process counts requests for itself.")
        return _hit(self._here, limits, kind, who)


def _hit(counter: SlidingWindowCounterRateLimiter, limits: list[RateLimitItem], kind: str, who: str) -> Allowance:
    """Count against each limit; the answer is the one of which the least is left."""
    told = []
    for limit in limits:
        granted = counter.hit(limit, kind, who)
        stats = counter.get_window_stats(limit, kind, who)
        told.append(
            Allowance(
                granted=granted,
                limit=limit.amount,
                remaining=stats.remaining if granted else 0,
                reset_s=max(0, math.ceil(stats.reset_time - time.time())),
                window_s=limit.get_expiry(),
            )
        )
    return min(told, key=lambda each: (each.granted, each.remaining))


def _parsed(limits: str) -> list[RateLimitItem]:
    try:
        return parse_many(limits) if limits.strip() not in ("", "off") else []
    except ValueError as error:
        raise InvalidRequest("A rate limit is a number and a time: 100/second, 3000/minute.") from error


def _redis(settings: Settings) -> SlidingWindowCounterRateLimiter | None:
    if settings.redis_url is None:
        return None
    bounds: dict[str, Any] = {"socket_timeout": _REDIS_WITHIN_S, "socket_connect_timeout": _REDIS_WITHIN_S}
    try:
        storage = RedisStorage(
            settings.redis_url.get_secret_value(), wrap_exceptions=True, key_prefix="mixdown", **bounds
        )
    except (ConfigurationError, ValueError) as error:
        raise InvalidRequest(
            "MIXDOWN_REDIS_URL is not the address of a Redis, or its client is missing."
        ) from error
    return SlidingWindowCounterRateLimiter(storage)
