"""The messages that came in, so that each is heeded once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Engine, delete, select

from mixdown.db import engine as database
from mixdown.db.engine import reading, writing
from mixdown.db.front_door import HookMessage
from mixdown.jobs.rows import INSERT

#: Far longer than a signature is good for: senders without timestamps may repeat themselves days later.
_KEPT = timedelta(days=30)

_AT_ONCE = 500


class HookMessages:
    """Each method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def known(self, hook: str, messages: Sequence[str]) -> dict[str, UUID | None]:
        """Those that came before, with the batch that came of each."""
        found: dict[str, UUID | None] = {}
        with reading(self._engine) as connection:
            for start in range(0, len(messages), _AT_ONCE):
                rows = connection.execute(
                    select(HookMessage.message, HookMessage.batch_id).where(
                        HookMessage.hook == hook, HookMessage.message.in_(messages[start : start + _AT_ONCE])
                    )
                )
                found.update((row.message, row.batch_id) for row in rows)
        return found

    def note(self, hook: str, messages: Sequence[str], batch_id: UUID) -> bool:
        """Note what came of messages; False where somebody else has noted all of them meanwhile."""
        with writing(self._engine) as connection:
            now = database.now(connection)
            statement = (
                INSERT[connection.dialect.name](HookMessage).on_conflict_do_nothing().returning(HookMessage.message)
            )
            # In one order: two that note the same ones wait, rather than deadlock.
            rows = [
                {"hook": hook, "message": each, "batch_id": batch_id, "seen_at": now}
                for each in sorted(set(messages))
            ]
            return bool(connection.scalars(statement, rows).all())

    def sweep(self, kept: timedelta = _KEPT) -> int:
        """Forget those that are long past; returns how many it were."""
        with writing(self._engine) as connection:
            before = database.now(connection) - kept
            return connection.execute(delete(HookMessage).where(HookMessage.seen_at < before)).rowcount
