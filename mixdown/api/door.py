"""Whether anybody may come in without a key."""

from __future__ import annotations

import time
from collections.abc import Callable

from anyio import to_thread

from mixdown.errors import DatabaseUnavailable
from mixdown.keys import KeyStore


class Door:
    """Stands open, where it may, until there is a first key; from then on it is closed."""

    #: How often it is asked whether there is a key, in seconds.
    LOOK_EVERY_S = 2.0

    def __init__(self, keys: KeyStore, *, open_to_all: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self._is_open = open_to_all
        self._clock = clock
        self._look_at_s = clock()

    async def is_open(self) -> bool:
        """Whether no key is asked for now."""
        if self._is_open and self._clock() >= self._look_at_s:
            self._look_at_s = self._clock() + self.LOOK_EVERY_S
            try:
                has_keys = await to_thread.run_sync(self._keys.usable)
            except DatabaseUnavailable:
                return True  # nobody gets at anything without it
            self._is_open = self._is_open and not has_keys
        return self._is_open
