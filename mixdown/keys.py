"""API keys: 256 random bits that are shown once. Kept is their SHA-256: who reads the database cannot use them."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine, Row, func, insert, or_, select, update

from mixdown.db import engine as database
from mixdown.db.engine import reading, writing
from mixdown.db.front_door import ApiKey
from mixdown.errors import InvalidRequest, KeyNotFound

#: What a key may be for.
SCOPES = {
    "read": "See one's own jobs, batches and results.",
    "write": "Ask for jobs, call them off, try them again.",
    "admin": "See and do the same with everybody's.",
}

#: A key begins with this, so that scanners of repositories know one when they see it.
MARK = "mxd_"

_SECRET = re.compile(rf"{MARK}[A-Za-z0-9_-]{{43}}")

#: What is shown of a key: enough to tell it from others, 208 bits short of using it.
_SHOWN = len(MARK) + 8

#: "Last used" is written down this often at most, in seconds: a write for every request would be too dear.
_USED_EVERY_S = 60.0

#: Keys that a process remembers.
_REMEMBERED = 10_000

_COLUMNS = ApiKey.__table__.columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is known of a key."""

    id: UUID
    name: str
    prefix: str  #: how it begins
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None  #: within a minute
    revoked_at: datetime | None

    def is_usable(self, now: datetime) -> bool:
        """Whether it opens anything."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class KeyStore:
    """The keys of a ledger. Each method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(
        self, name: str, scopes: Collection[str] = ("read", "write"), *, within_s: float | None = None
    ) -> tuple[Key, str]:
        """A new key, and its secret, which nobody can ever tell again; it may expire after some seconds."""
        unknown = sorted(set(scopes) - set(SCOPES))
        if unknown or not scopes:
            raise InvalidRequest(
                f"A key is for {', '.join(SCOPES)}" + (f", not for {unknown[0]}." if unknown else ".")
            )
        if not name.strip():
            raise InvalidRequest("A key needs a name that tells whose it is.")
        secret = MARK + secrets.token_urlsafe(32)
        with writing(self._engine) as connection:
            now = database.now(connection)
            row = connection.execute(
                insert(ApiKey)
                .values(
                    id=uuid4(),
                    name=name.strip(),
                    prefix=secret[:_SHOWN],
                    sha256=_digest(secret),
                    scopes=[each for each in SCOPES if each in scopes],
                    created_at=now,
                    expires_at=None if within_s is None else now + timedelta(seconds=within_s),
                )
                .returning(*_COLUMNS)
            ).one()
        return _to_key(row), secret

    def list(self) -> list[Key]:
        """Every key there ever was, the newest first."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(*_COLUMNS).order_by(ApiKey.created_at.desc(), ApiKey.id))
            return [_to_key(row) for row in rows]

    def usable(self) -> int:
        """How many keys open something now."""
        with reading(self._engine) as connection:
            now = database.now(connection)
            valid = or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now)
            return connection.scalar(select(func.count()).where(ApiKey.revoked_at.is_(None), valid)) or 0

    def revoke(self, which: str) -> Key:
        """Make a key open nothing any more: by its id, or by how it begins."""
        with writing(self._engine) as connection:
            rows = connection.execute(select(*_COLUMNS)).all()
            meant = [row for row in rows if str(row.id).startswith(which.lower()) or row.prefix == which[:_SHOWN]]
            if len(meant) != 1:
                raise KeyNotFound("Several keys begin like this." if meant else None)
            now = database.now(connection)
            row = connection.execute(
                update(ApiKey)
                .where(ApiKey.id == meant[0].id)
                .values(revoked_at=func.coalesce(ApiKey.revoked_at, now))
                .returning(*_COLUMNS)
            ).one()
        return _to_key(row)

    def find(self, secret: str) -> Key | None:
        """The key of this secret, if it opens anything; notes that it was used."""
        if not _SECRET.fullmatch(secret):
            return None
        with reading(self._engine) as connection:
            # Looked up by its hash: how long that takes tells nothing about the secret.
            row = connection.execute(select(*_COLUMNS).where(ApiKey.sha256 == _digest(secret))).one_or_none()
            now = database.now(connection)
        if row is None:
            return None
        key = _to_key(row)
        if not key.is_usable(now):
            return None
        if key.last_used_at is None or now - key.last_used_at >= timedelta(seconds=_USED_EVERY_S):
            self._note_use(key.id, now)
        return key

    def _note_use(self, key_id: UUID, now: datetime) -> None:
        long_ago = now - timedelta(seconds=_USED_EVERY_S)
        with writing(self._engine) as connection:
            connection.execute(
                update(ApiKey)
                .where(ApiKey.id == key_id, or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= long_ago))
                .values(last_used_at=now)
            )


class KeyRing:
    """The keys that a process has just seen: asked for again, they are not looked up again."""

    #: A revoked key opens the doors of other processes for this long yet, in seconds.
    TRUST_S = 2.0

    def __init__(self, store: KeyStore, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._seen: OrderedDict[bytes, tuple[Key, float]] = OrderedDict()
        self._lock = threading.Lock()
        # Many that wait for one key are answered by one look at the database.
        self._turns = [threading.Lock() for _ in range(16)]

    def remembered(self, secret: str) -> Key | None:
        """The key of this secret, if it was looked up just now; asks nobody."""
        with self._lock:
            key, until_s = self._seen.get(_handle(secret), (None, 0.0))
        return key if key and self._clock() < until_s and key.is_usable(datetime.now(UTC)) else None

    def find(self, secret: str) -> Key | None:
        """The key of this secret, if it opens anything."""
        handle = _handle(secret)
        with self._turns[handle[0] % len(self._turns)]:
            if key := self.remembered(secret):
                return key
            key = self._store.find(secret)
            with self._lock:
                self._seen.pop(handle, None)
                if key is not None:
                    self._seen[handle] = key, self._clock() + self.TRUST_S
                    if len(self._seen) > _REMEMBERED:
                        self._seen.popitem(last=False)
        return key


def _digest(secret: str) -> str:
    # No salt and no slow hash: there is nothing to guess in 256 random bits.
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _handle(secret: str) -> bytes:
    """What a process remembers a secret by: not the secret, which a dump of its memory would show."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _to_key(row: Row[Any]) -> Key:
    return Key(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        scopes=frozenset(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
