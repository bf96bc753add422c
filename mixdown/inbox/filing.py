"""Filing away goes on while a batch is worked on: nobody waits for ten thousand others to see one done."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mixdown.errors import RetryableError
from mixdown.inbox.port import Drawer, Filed, Inbox
from mixdown.inbox.sweeping import file_away
from mixdown.studio import Studio

logger = logging.getLogger(__name__)

#: How often what has ended is filed away; a look that takes long is taken less often.
_EVERY_S = 5.0
_TIMES_A_LOOK = 20.0


class Tally:
    """How many recordings were filed away."""

    def __init__(self) -> None:
        self.done = 0
        self.failed = 0

    def count(self, filed: Filed) -> None:
        """One more."""
        if filed.drawer is Drawer.done:
            self.done += 1
        else:
            self.failed += 1


@contextmanager
def filing(studio: Studio, inbox: Inbox, *, told: Callable[[Filed], None] = lambda _: None) -> Iterator[Tally]:
    """While the block runs, file away what has ended, now and then; when it is left in peace, the rest."""
    tally, over = Tally(), threading.Event()

    def note(filed: Filed) -> None:
        tally.count(filed)
        told(filed)

    def now_and_then() -> None:
        pause_s = _EVERY_S
        while not over.wait(pause_s):
            started_s = time.monotonic()
            try:
                file_away(studio, inbox, told=note)
            except RetryableError as error:  # the ledger or the place is away: the next look goes on
                logger.warning("nothing is filed away now: %s", error.message)
            pause_s = max(_EVERY_S, _TIMES_A_LOOK * (time.monotonic() - started_s))

    clerk = threading.Thread(target=now_and_then, name="filing", daemon=True)
    clerk.start()
    try:
        yield tally
    finally:
        over.set()
        clerk.join()
    file_away(studio, inbox, told=note)
