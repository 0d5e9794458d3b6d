"""API keys: made, shown once, found again by their sum, revoked.

Owns: the table of keys, what a key looks like, and what scopes include. Must not know: HTTP, the command line.
"""

from __future__ import annotations

import builtins
import hashlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from kandong.errors import ConflictError, InputError, NotFoundError
from kandong.store.database import Database

KeyScope = Literal["read", "submit", "admin"]
PREFIX = "kd-"
_NUM_BYTES = 32
_MAX_KEY_CHARS = 256
_HOLD_S = 1.0
_NAME = re.compile(r"[\w.@-]{1,64}")
_INCLUDED: dict[str, frozenset[str]] = {
    "read": frozenset({"read"}),
    "submit": frozenset({"read", "submit"}),
    "admin": frozenset({"read", "submit", "admin"}),
}


@dataclass(frozen=True)
class ApiKey:
    """A key without its secret. Rows belong to ``owner``, which keys may share. A limit of ``None`` is the general."""

    id: str
    name: str
    owner: str
    scope: KeyScope
    requests_per_minute: int | None
    max_in_flight: int | None
    created_s: float
    expires_s: float | None
    revoked_s: float | None
    last_used_s: float | None

    @property
    def scopes(self) -> frozenset[str]:
        """All scopes that this one includes."""
        return _INCLUDED[self.scope]

    def is_live(self, now_s: float | None = None) -> bool:
        """Whether it still opens anything."""
        now_s = time.time() if now_s is None else now_s
        return self.revoked_s is None and (self.expires_s is None or now_s < self.expires_s)


_COLUMNS = "id, name, owner, scope, requests_per_minute, max_in_flight, created_s, expires_s, revoked_s, last_used_s"


class KeyStore:
    """The keys of one database. Thread-safe.

    Each request asks for its key, so all keys are held for up to a second: what another process has changed is known
    then, and no request waits for a commit.
    """

    def __init__(self, database: Database, now: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._now = now
        self._held: dict[bytes, ApiKey] = {}
        self._held_until = float("-inf")

    def create(
        self,
        name: str,
        scope: str = "submit",
        *,
        owner: str | None = None,
        days: float | None = None,
        requests_per_minute: int | None = None,
        max_in_flight: int | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key; gives it with its secret, which is kept nowhere. ``owner`` defaults to the name.

        Errors: ``InputError`` naming the field; ``ConflictError`` if a live key has this name.
        """
        owner = name if owner is None else owner
        for field, value in (("name", name), ("owner", owner)):
            if not _NAME.fullmatch(value):
                raise InputError(f"{field} must be 1 to 64 letters, digits or . _ @ -", field=field)
        if scope not in get_args(KeyScope):
            raise InputError(f"scope must be one of {', '.join(get_args(KeyScope))}.", field="scope")
        for field, number in (
            ("days", days),
            ("requests_per_minute", requests_per_minute),
            ("max_in_flight", max_in_flight),
        ):
            if number is not None and not 0 < number <= 1_000_000:
                raise InputError(f"{field} must be over 0.", field=field)
        secret = PREFIX + secrets.token_urlsafe(_NUM_BYTES)
        now_s = time.time()
        values = (
            f"key_{secrets.token_hex(8)}",
            name,
            owner,
            scope,
            requests_per_minute,
            max_in_flight,
            now_s,
            None if days is None else now_s + days * 86_400,
            None,
            None,
        )
        with self._database.transaction() as database:
            if database.row("SELECT 1 FROM api_keys WHERE name = ? AND revoked_s IS NULL", (name,)):
                raise ConflictError(
                    f"There is a key called {name} already.",
                    hint="Revoke it first, or take another name.",
                    field="name",
                )
            database.change(
                f"INSERT INTO api_keys ({_COLUMNS}, sha256) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, _sum(secret)),
            )
        self._changed()
        return ApiKey(*values), secret  # type: ignore[arg-type]

    def find(self, secret: str) -> ApiKey | None:
        """Give the live key with this secret."""
        if not secret.startswith(PREFIX) or len(secret) > _MAX_KEY_CHARS:
            return None
        # Found by its sum, not by the secret: how long that takes tells nothing about any secret.
        key = self._all().get(_sum(secret))
        return key if key is not None and key.is_live() else None

    def _all(self) -> dict[bytes, ApiKey]:
        """Give all keys by their sums, as they were within the last second."""
        if self._now() >= self._held_until:
            rows = self._database.rows(f"SELECT sha256, {_COLUMNS} FROM api_keys ORDER BY created_s")
            self._held = {row[0]: ApiKey(*row[1:]) for row in rows}
            self._held_until = self._now() + _HOLD_S
        return self._held

    def _changed(self) -> None:
        self._held_until = float("-inf")

    def list(self) -> list[ApiKey]:
        """List all keys, revoked ones too, oldest first."""
        self._changed()
        return builtins.list(self._all().values())

    def has_any(self) -> bool:
        """Whether keys were ever made: from then on nobody gets in without one, though all are revoked or expired."""
        return bool(self._all())

    def has_live(self) -> bool:
        """Whether anybody could get in with a key."""
        return any(key.is_live() for key in self._all().values())

    def revoke(self, name_or_id: str) -> ApiKey:
        """Make a key useless from now on. Errors: ``NotFoundError``."""
        with self._database.transaction() as database:
            row = database.row(
                "SELECT id FROM api_keys WHERE (name = ? OR id = ?) AND revoked_s IS NULL", (name_or_id, name_or_id)
            )
            if row is None:
                raise NotFoundError(
                    f"No live key is called {name_or_id}.", hint="`kandong keys list` shows all.", field="name"
                )
            database.change("UPDATE api_keys SET revoked_s = ? WHERE id = ?", (time.time(), row[0]))
        return next(key for key in self.list() if key.id == row[0])

    def forget_revoked(self) -> int:
        """Remove revoked and expired keys from the list; without any key left, loopback is open again."""
        num_forgotten = self._database.change(
            "DELETE FROM api_keys WHERE revoked_s IS NOT NULL OR expires_s <= ?", (time.time(),)
        )
        self._changed()
        return num_forgotten

    def max_in_flight(self, owner: str) -> int | None:
        """Give the largest cap of an owner's live keys; ``None`` if one of them has no own cap."""
        caps = [key.max_in_flight for key in self._all().values() if key.owner == owner and key.is_live()]
        return None if not caps or None in caps else max(cap for cap in caps if cap is not None)


def _sum(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
