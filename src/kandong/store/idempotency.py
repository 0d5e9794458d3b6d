"""Answers under the keys that clients give their requests, so that a retry gets the first answer again.

Owns: the rows, how long they are kept, and what a key may be. Must not know: HTTP, what is asked.
Source: draft-ietf-httpapi-idempotency-key-header-07, sections 2.2 to 2.7.
"""

from __future__ import annotations

import hashlib
import time

from kandong.errors import InProgressError, InputError, KeyReusedError
from kandong.store.database import Database

KEPT_S = 24 * 3600.0
MAX_KEY_CHARACTERS = 255


class IdempotentAnswers:
    """Thread-safe. ``begin`` a request, then ``finish`` or ``abandon`` it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, owner: str, key: str, request_sha: str) -> bytes | None:
        """Give the kept answer, or ``None``: then the caller is the one who makes it.

        Errors: ``InProgressError`` while another one makes it; ``KeyReusedError`` if the key belongs to another
        request; ``InputError`` for what cannot be a key.
        """
        key_sha = _key_sha(key)
        now = time.time()
        with self._database.transaction() as database:
            database.change("DELETE FROM idempotent_answers WHERE created_s < ?", (now - KEPT_S,))
            row = database.row(
                "SELECT request_sha, body FROM idempotent_answers WHERE owner = ? AND key_sha = ?", (owner, key_sha)
            )
            if row is None:
                database.change(
                    "INSERT INTO idempotent_answers (owner, key_sha, request_sha, created_s) VALUES (?, ?, ?, ?)",
                    (owner, key_sha, request_sha, now),
                )
                return None
        if row[0] != request_sha:
            raise KeyReusedError(
                "This Idempotency-Key was used for another request.",
                hint="Give every new request a key of its own, for example a UUID.",
                field="Idempotency-Key",
            )
        if row[1] is None:
            raise InProgressError(
                "The request with this Idempotency-Key is being answered.",
                hint="Send it again a little later to get its answer.",
                field="Idempotency-Key",
            )
        return bytes(row[1])

    def finish(self, owner: str, key: str, body: bytes) -> None:
        """Keep the answer."""
        self._database.change(
            "UPDATE idempotent_answers SET body = ? WHERE owner = ? AND key_sha = ?", (body, owner, _key_sha(key))
        )

    def abandon(self, owner: str, key: str) -> None:
        """Forget a request that failed, so that a retry is answered anew."""
        self._database.change(
            "DELETE FROM idempotent_answers WHERE owner = ? AND key_sha = ? AND body IS NULL", (owner, _key_sha(key))
        )

    def forget_unfinished(self) -> int:
        """Forget requests that a process took with it when it ended; gives how many. Only while none is under way."""
        return self._database.change("DELETE FROM idempotent_answers WHERE body IS NULL")


def _key_sha(key: str) -> str:
    if not 1 <= len(key) <= MAX_KEY_CHARACTERS or not key.isascii() or not key.isprintable():
        raise InputError(
            f"Idempotency-Key must have 1 to {MAX_KEY_CHARACTERS} printable ASCII characters.",
            hint="Use a new UUID for each request.",
            field="Idempotency-Key",
        )
    return hashlib.sha256(key.encode()).hexdigest()
