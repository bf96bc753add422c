"""What goes wrong, and when: at random moments, spread over the progress of the batch, the same for each seed."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from uuid import UUID

from mixdown.errors import MixdownError
from mixdown.model import Status
from tests.chaos.house import House

#: Trouble comes while this part of the batch ends.
_FROM, _TO = 0.02, 0.80


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of what."""

    items: int = 1000
    seed: int = 7
    limit_s: float = 1500.0
    workers: int = 8
    engine: str = "moto"
    flow_kills: int = 20
    hand_kills: int = 10
    server_kills: int = 3
    other_kills: int = 2
    postgres_restarts: int = 5
    postgres_down_s: tuple[float, float] = (0.2, 6.0)
    s3_closed_s: float = 30.0
    scratch_full_s: float = 10.0


class Watch:
    """How far the batch is, looked at twice a second; a database that is away is looked at again."""

    def __init__(self, house: House, batch_id: UUID) -> None:
        self._house, self._batch_id = house, batch_id
        self.counts: dict[Status, int] = {}

    def look(self) -> None:
        """Look once."""
        with suppress(MixdownError):
            self.counts = dict(self._house.studio.jobs.counts(self._batch_id))

    @property
    def total(self) -> int:
        """Jobs in the batch."""
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        """Jobs to which nothing more will happen."""
        return sum(count for status, count in self.counts.items() if status.ended)

    @property
    def share(self) -> float:
        """What part has ended."""
        return self.ended / self.total if self.total else 0.0


@dataclass(slots=True)
class _Lane:
    """Troubles of one kind, one after the other."""

    kind: str
    times: int
    act: Callable[[], bool]
    #: PostgreSQL is told by the system to stop when the thread that started it ends: only the main one may.
    in_main: bool = False
    at: list[float] = field(default_factory=list)


class Troublemaker:
    """Makes the trouble of a plan until all of it is made or the batch has ended."""

    def __init__(self, house: House, batch_id: UUID, plan: Plan, watch: Watch) -> None:
        self._watch = watch
        self._chance = random.Random(plan.seed)
        self.made: Counter[str] = Counter()
        self._over = threading.Event()
        self._for_main: SimpleQueue[_Lane] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        down_s, full_s, closed_s = plan.postgres_down_s, plan.scratch_full_s, plan.s3_closed_s

        def restart() -> bool:
            hard, for_s = self._chance.random() < 0.4, self._chance.uniform(*down_s)
            return house.restart_postgres(hard=hard, down_s=for_s)

        self._lanes = [
            _Lane("flow process killed", plan.flow_kills, lambda: house.kill_flow(batch_id)),
            _Lane("hand killed", plan.hand_kills, lambda: house.kill_hand(batch_id)),
            _Lane("Prefect server killed", plan.server_kills, house.kill_server),
            _Lane("other child of serve killed", plan.other_kills, lambda: house.kill_child(batch_id)),
            _Lane("PostgreSQL restarted", plan.postgres_restarts, restart, in_main=True),
            _Lane("S3 closed", int(closed_s > 0), lambda: house.close_s3(closed_s)),
            _Lane("scratch disk full", int(full_s > 0), lambda: house.fill_scratch(full_s)),
        ]
        for lane in self._lanes:
            lane.at = sorted(self._chance.uniform(_FROM, _TO) for _ in range(lane.times))

    @property
    def planned(self) -> dict[str, int]:
        """How often each kind is to happen."""
        return {lane.kind: lane.times for lane in self._lanes}

    def start(self) -> None:
        """Begin; `help_out` has to be called by the main thread from then on."""
        for lane in self._lanes:
            seed = self._chance.random()
            thread = threading.Thread(target=self._walk, args=(lane, random.Random(seed)), name=lane.kind)
            thread.start()
            self._threads.append(thread)

    def help_out(self) -> None:
        """Do what only the main thread may do."""
        with suppress(Empty):
            lane = self._for_main.get_nowait()
            self._do(lane)

    def stop(self) -> None:
        """No more trouble; what has begun is ended."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _walk(self, lane: _Lane, chance: random.Random) -> None:
        for share in lane.at:
            while self._watch.share < share:
                if self._over.wait(0.1):
                    return
            if self._over.wait(chance.uniform(0.0, 2.0)):
                return
            if lane.in_main:
                before = self.made[lane.kind]
                self._for_main.put(lane)
                while self.made[lane.kind] == before:
                    if self._over.wait(0.1):
                        return
                continue
            while not self._do(lane):
                if self._over.wait(0.1):
                    return

    def _do(self, lane: _Lane) -> bool:
        with suppress(MixdownError):  # the ledger is away, and who is to be killed is written there
            if lane.act():
                self.made[lane.kind] += 1
                return True
        return False
