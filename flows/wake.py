"""Prefect's events, to be awake when something happens: polling alone would cost more and be later."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventFilter, EventNameFilter

#: A run was asked for; a run is to be cancelled.
_EVENTS = EventFilter(event=EventNameFilter(name=["prefect.flow-run.Scheduled", "prefect.flow-run.Cancelling"]))

#: How long after the connection was lost it is made anew.
_AGAIN_AFTER_S = 2.0


class Alarm:
    """Wakes one thread when something may have happened. Events get lost: it has to look now and then anyway."""

    def __init__(self) -> None:
        self._rings = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._listening: Future[None] | None = None
        threading.Thread(target=self._loop.run_forever, name="events", daemon=True).start()

    def wait(self, timeout_s: float) -> bool:
        """Sleep until something happens or time is over; whether something did."""
        if self._listening is None or self._listening.done():  # at first, and whenever the connection was lost
            self._listening = asyncio.run_coroutine_threadsafe(self._listen(), self._loop)
        rang = self._rings.wait(timeout_s)
        self._rings.clear()
        return rang

    def ring(self) -> None:
        """Wake it."""
        self._rings.set()

    async def _listen(self) -> None:
        try:
            async with get_events_subscriber(filter=_EVENTS, reconnection_attempts=0) as events:
                self.ring()  # for what was missed meanwhile
                async for _ in events:
                    self.ring()
        finally:
            await asyncio.sleep(_AGAIN_AFTER_S)
