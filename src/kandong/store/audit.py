"""The list of requests: which key, which route, what came of it. Never any content.

Owns: writing it in the background, reading it, pruning it. Must not know: HTTP. What was noted within the last second
may be lost when the process is killed; a request never waits for the disk.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from dataclasses import astuple, dataclass

from kandong.errors import StorageError
from kandong.store.database import Database

_WRITE_EVERY_S = 1.0
_PRUNE_EVERY_S = 3_600.0
_MAX_KEPT = 10_000
_DAY_S = 86_400.0


@dataclass(frozen=True)
class AuditEntry:
    """One request. ``route`` is the pattern, without the values in it; ``body_sha256`` of a JSON body."""

    at_s: float
    key_id: str | None
    method: str
    route: str
    status: int
    ms: float
    body_sha256: str | None


class AuditLog:
    """Thread-safe. Ends with ``close``."""

    def __init__(self, database: Database, keep_days: int) -> None:
        self._database = database
        self._keep_s = keep_days * _DAY_S
        self._waiting: deque[AuditEntry] = deque(maxlen=_MAX_KEPT)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def note(self, entry: AuditEntry) -> None:
        """Take an entry; it is written within about a second."""
        self._waiting.append(entry)

    def flush(self) -> None:
        """Write what waits. Errors: ``StorageError``; then it is kept, up to a cap."""
        entries = []
        while self._waiting:
            entries.append(self._waiting.popleft())
        if not entries:
            return
        try:
            with self._database.transaction() as database:
                for entry in entries:
                    database.change(
                        "INSERT INTO audit (at_s, key_id, method, route, status, ms, body_sha256)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?)",
                        astuple(entry),
                    )
                for key_id, at_s in {e.key_id: e.at_s for e in entries if e.key_id}.items():
                    database.change("UPDATE api_keys SET last_used_s = ? WHERE id = ?", (at_s, key_id))
        except StorageError:
            self._waiting.extendleft(reversed(entries))
            raise

    def newest(self, limit: int = 100) -> list[AuditEntry]:
        """Give the newest entries, newest first."""
        rows = self._database.rows(
            "SELECT at_s, key_id, method, route, status, ms, body_sha256 FROM audit ORDER BY number DESC LIMIT ?",
            (limit,),
        )
        return [AuditEntry(*row) for row in rows]

    def prune(self, now_s: float | None = None) -> int:
        """Remove entries older than they are to be kept; gives how many."""
        oldest = (time.time() if now_s is None else now_s) - self._keep_s
        return self._database.change("DELETE FROM audit WHERE at_s < ?", (oldest,))

    def close(self) -> None:
        """Write what waits and end the thread. Idempotent."""
        self._closing.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        pruned = 0.0
        is_closing = False
        while not is_closing:
            is_closing = self._closing.wait(_WRITE_EVERY_S)
            with contextlib.suppress(StorageError):  # a full disk is told where it matters; here it is tried again
                self.flush()
                if time.monotonic() - pruned > _PRUNE_EVERY_S:
                    self.prune()
                    pruned = time.monotonic()
