"""What speech has cost: every purchase is written down before it is paid, and how it ended after that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, Engine, case, func, select, text, update

from mixdown.db.engine import now as moment
from mixdown.db.engine import reading, writing
from mixdown.db.tables import PaidChunk
from mixdown.errors import TooExpensive
from mixdown.jobs.rows import INSERT
from mixdown.owner import is_alive

#: A purchase takes no longer, whoever makes it: then its maker is dead, on a machine that cannot be looked at.
LONGEST = timedelta(minutes=6)

#: Sums of prices are not exact: so much more than what a job may cost is still that.
_ROUNDING = 1e-9


class Outcome(StrEnum):
    """How a purchase ended."""

    kept = "kept"  #: Paid, and in the store.
    faulty = "faulty"  #: Paid, but it sounded wrong.
    refused = "refused"  #: Not paid: the engine did not do it.
    unanswered = "unanswered"  #: Perhaps paid: the engine had the request, and its answer was lost.
    abandoned = "abandoned"  #: Perhaps paid: who bought it has died.


_PERHAPS = (Outcome.unanswered, Outcome.abandoned)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a job has cost so far."""

    cost: float = 0.0  #: in the unit of the prices; what was perhaps paid is in it
    characters: int = 0
    chunks: int = 0  #: purchases
    perhaps: int = 0  #: those of them that were perhaps paid, and had to be made again


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """The right to buy a chunk, alone."""

    id: int
    again: bool  #: somebody died over it, who has perhaps paid


class Spending:
    """The purchases in a ledger."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, job_id: UUID) -> Spent:
        """What a job has cost so far, over all of its attempts."""
        with reading(self._engine) as connection:
            return _spent(connection, job_id)

    def begin(
        self,
        key: str,
        job_id: UUID,
        *,
        engine: str,
        characters: int,
        cost: float,
        max_cost: float | None,
        owner: str,
    ) -> Purchase | None:
        """The right to buy a chunk; None while somebody else is buying it.

        Raises
        ------
        TooExpensive
            The job would cost more than it may.
        """
        with writing(self._engine) as connection:
            if connection.dialect.name == "postgresql":  # one after the other: each counts what the others spend
                lock = text("SELECT pg_advisory_xact_lock(:lock)")
                connection.execute(lock, {"lock": job_id.int >> 65})
            now = moment(connection)
            open_now = (PaidChunk.key == key) & PaidChunk.outcome.is_(None)
            other = connection.execute(select(PaidChunk.owner, PaidChunk.started_at).where(open_now)).first()
            if other is not None and is_alive(other.owner) and now - other.started_at < LONGEST:
                return None
            if other is not None:
                connection.execute(
                    update(PaidChunk).where(open_now).values(outcome=Outcome.abandoned.value, ended_at=now)
                )
            spent = _spent(connection, job_id).cost
            if max_cost is not None and spent + cost > max_cost + _ROUNDING:
                raise TooExpensive(
                    f"This has cost {spent:.4g}, and the next {characters} characters at {engine} cost {cost:.4g}: "
                    f"more than the {max_cost:g} that it may."
                )
            row = {
                "key": key,
                "job_id": job_id,
                "engine": engine,
                "characters": characters,
                "cost": cost,
                "owner": owner,
                "started_at": now,
            }
            insert = INSERT[connection.dialect.name](PaidChunk).values(**row)
            made = connection.scalar(insert.on_conflict_do_nothing().returning(PaidChunk.id))
        return None if made is None else Purchase(id=made, again=other is not None)

    def end(self, purchase: Purchase, outcome: Outcome) -> None:
        """Write down how a purchase ended."""
        with writing(self._engine) as connection:
            connection.execute(
                update(PaidChunk)
                .where(PaidChunk.id == purchase.id)
                .values(outcome=outcome.value, ended_at=moment(connection))
            )


def _spent(connection: Connection, job_id: UUID) -> Spent:
    perhaps = func.sum(case((PaidChunk.outcome.in_([each.value for each in _PERHAPS]), 1), else_=0))
    cost, characters, chunks, again = connection.execute(
        select(func.sum(PaidChunk.cost), func.sum(PaidChunk.characters), func.count(), perhaps).where(
            PaidChunk.job_id == job_id,
            func.coalesce(PaidChunk.outcome, "") != Outcome.refused.value,
        )
    ).one()
    return Spent(cost=float(cost or 0), characters=int(characters or 0), chunks=chunks, perhaps=int(again or 0))
