"""Answers that are being written, as the disk knows them.

Owns: the text so far, the end, and what a restart makes of those that had none. Must not know: HTTP, the engine.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from kandong.errors import NotFoundError
from kandong.store.database import Database
from kandong.store.messages import Status


@dataclass(frozen=True)
class StoredGeneration:
    """One generation; ``num_events`` is the number of its last event, once it has ended."""

    id: str
    message_number: int
    is_running: bool
    num_events: int


class StoredGenerations:
    """The generations of all owners. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, owner: str, generation_id: str) -> StoredGeneration:
        """Give a generation. Errors: ``NotFoundError``, for those of others and of deleted conversations too."""
        row = self._database.row(
            "SELECT g.id, g.message, g.is_running, g.num_events FROM generations g"
            " JOIN conversations c ON c.number = g.conversation"
            " WHERE g.id = ? AND g.owner = ? AND c.deleted_s IS NULL",
            (generation_id, owner),
        )
        if row is None:
            raise NotFoundError("There is no such generation.", field="generation_id")
        return StoredGeneration(row[0], row[1], bool(row[2]), row[3])

    def save_text(self, generation_id: str, text: str) -> None:
        """Keep what was written so far. Errors: ``StorageError``."""
        self._database.change(
            "UPDATE messages SET text = ? WHERE generation_id = ? AND status = 'running'", (text, generation_id)
        )

    def end(self, generation_id: str, status: Status, text: str, outcome: dict[str, Any], num_events: int) -> None:
        """Keep the end; a second end, and one of what is purged by now, change nothing. Errors: ``StorageError``."""
        with self._database.transaction() as database:
            row = database.row(
                "UPDATE messages SET text = ?, status = ?, outcome = ? WHERE generation_id = ? AND status = 'running'"
                " RETURNING number, conversation",
                (text, status, json.dumps(outcome, ensure_ascii=False), generation_id),
            )
            if row is None:
                return
            now = time.time()
            database.change("INSERT INTO message_words (rowid, text) VALUES (?, ?)", (row[0], text))
            database.change("UPDATE conversations SET updated_s = ? WHERE number = ?", (now, row[1]))
            database.change(
                "UPDATE generations SET is_running = 0, num_events = ?, ended_s = ? WHERE id = ?",
                (num_events, now, generation_id),
            )

    def interrupt_all(self) -> int:
        """End what an earlier life of the service left without one, keeping its text; gives how many those were."""
        rows = self._database.rows(
            "SELECT generations.id, messages.text FROM generations"
            " JOIN messages ON messages.number = generations.message WHERE is_running"
        )
        for generation_id, text in rows:
            self.end(generation_id, "interrupted", text, {}, 1)
        return len(rows)
