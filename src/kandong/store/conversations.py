"""Conversations: their rows, the list of them, and deleting with seven days to think again.

Owns: titles, settings, order, deletion and purging. Must not know: messages beyond counting them, HTTP, the engine.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from dataclasses import dataclass
from typing import Any, Final

from kandong.errors import InputError, NotFoundError
from kandong.store.database import Database
from kandong.store.files import Files
from kandong.store.ids import new_id
from kandong.store.search import Found, find_words

UNDO_S: Final = 7 * 86_400.0
MAX_PAGE: Final = 200
_RUNNING: Final = "(SELECT id FROM generations WHERE generations.conversation = c.number AND is_running)"
_LIVE: Final = "messages.conversation = c.number AND messages.superseded_in IS NULL"
_COLUMNS: Final = f"c.number, c.id, c.title, c.settings, c.created_s, c.updated_s, {_RUNNING}"


@dataclass(frozen=True)
class StoredConversation:
    """One conversation. ``settings`` hold only what was set."""

    number: int
    id: str
    title: str
    settings: dict[str, Any]
    created_s: float
    updated_s: float
    running_generation_id: str | None


@dataclass(frozen=True)
class ListedConversation:
    """One line of the list; ``snippet`` is where the words stand that were looked for."""

    id: str
    title: str
    created_s: float
    updated_s: float
    num_messages: int
    thumbnail_file_id: str | None
    running_generation_id: str | None
    snippet: str | None


class Conversations:
    """The conversations of all owners. Thread-safe."""

    def __init__(self, database: Database, files: Files) -> None:
        """``files`` lose what only a purged conversation showed."""
        self._database = database
        self._files = files

    def create(self, owner: str, title: str = "", settings: dict[str, Any] | None = None) -> StoredConversation:
        """Begin a conversation; one without a title takes it from its first question."""
        conversation_id, now = new_id("conv_"), time.time()
        self._database.change(
            "INSERT INTO conversations (id, owner, title, settings, created_s, updated_s) VALUES (?, ?, ?, ?, ?, ?)",
            (conversation_id, owner, title, json.dumps(settings or {}, ensure_ascii=False), now, now),
        )
        return self.get(owner, conversation_id)

    def get(self, owner: str, conversation_id: str) -> StoredConversation:
        """Give a conversation. Errors: ``NotFoundError``, for deleted ones and those of others too."""
        row = self._database.row(
            f"SELECT {_COLUMNS} FROM conversations c WHERE c.id = ? AND c.owner = ? AND c.deleted_s IS NULL",
            (conversation_id, owner),
        )
        if row is None:
            raise _no_such()
        return _conversation(row)

    def has(self, owner: str, conversation_id: str | None, import_sha: str) -> bool:
        """Whether a conversation of that id, or imported from that content, is here."""
        row = self._database.row(
            "SELECT 1 FROM conversations WHERE owner = ? AND deleted_s IS NULL AND (id = ? OR import_sha = ?)",
            (owner, conversation_id, import_sha),
        )
        return row is not None

    def all_of(self, owner: str) -> list[StoredConversation]:
        """Give all conversations of an owner, the oldest first."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM conversations c WHERE c.owner = ? AND c.deleted_s IS NULL ORDER BY c.number",
            (owner,),
        )
        return [_conversation(row) for row in rows]

    def page(
        self, owner: str, *, words: str = "", limit: int = 50, cursor: str | None = None
    ) -> tuple[list[ListedConversation], str | None]:
        """Give conversations, the one last written in first, and the cursor of the next page.

        With ``words`` only those in which each of them stands. Errors: ``InputError`` for a cursor that is none.
        """
        found = find_words(self._database, owner, words) if words.strip() else None
        where, values = "c.owner = ? AND c.deleted_s IS NULL", [owner]  # type: tuple[str, list[Any]]
        if cursor is not None:
            where += " AND (c.updated_s, c.number) < (?, ?)"
            values += _read_cursor(cursor)
        if found is not None:
            where += " AND c.number IN (SELECT value FROM json_each(?))"
            values.append(json.dumps(list(found)))
        thumbnail = (
            "(SELECT files.id FROM message_files JOIN messages ON messages.number = message_files.message"
            f" JOIN files ON files.number = message_files.file WHERE {_LIVE}"
            " ORDER BY messages.number, message_files.position LIMIT 1)"
        )
        rows = self._database.rows(
            f"SELECT {_COLUMNS}, (SELECT count(*) FROM messages WHERE {_LIVE}), {thumbnail}"
            f" FROM conversations c WHERE {where} ORDER BY c.updated_s DESC, c.number DESC LIMIT ?",
            (*values, limit + 1),
        )
        listed = [_listed(row, found) for row in rows[:limit]]
        last = rows[limit - 1] if len(rows) > limit else None
        return listed, None if last is None else _write_cursor(last[5], last[0])

    def change(
        self, owner: str, conversation_id: str, *, title: str | None = None, settings: dict[str, Any] | None = None
    ) -> StoredConversation:
        """Set title or settings, where given. Errors: ``NotFoundError``."""
        text = None if settings is None else json.dumps(settings, ensure_ascii=False)
        self._change_one(
            "UPDATE conversations SET title = coalesce(?, title), settings = coalesce(?, settings)"
            " WHERE id = ? AND owner = ? AND deleted_s IS NULL",
            (title, text, conversation_id, owner),
        )
        return self.get(owner, conversation_id)

    def delete(self, owner: str, conversation_id: str) -> float:
        """Delete a conversation; gives until when it can be restored. Errors: ``NotFoundError``."""
        now = time.time()
        self._change_one(
            "UPDATE conversations SET deleted_s = ?, import_sha = NULL"
            " WHERE id = ? AND owner = ? AND deleted_s IS NULL",
            (now, conversation_id, owner),
        )
        return now + UNDO_S

    def restore(self, owner: str, conversation_id: str) -> StoredConversation:
        """Take a deletion back; one that is not deleted stays. Errors: ``NotFoundError``, after seven days too."""
        self._change_one(
            "UPDATE conversations SET deleted_s = NULL"
            " WHERE id = ? AND owner = ? AND (deleted_s IS NULL OR deleted_s > ?)",
            (conversation_id, owner, time.time() - UNDO_S),
        )
        return self.get(owner, conversation_id)

    def purge(self, now_s: float | None = None) -> int:
        """Remove for good what was deleted seven days ago, with the pictures that only it showed; gives how many."""
        before = (time.time() if now_s is None else now_s) - UNDO_S
        with self._database.transaction() as database:
            numbers = [n for (n,) in database.rows("SELECT number FROM conversations WHERE deleted_s <= ?", (before,))]
            for number in numbers:
                database.change(
                    "UPDATE files SET deleted_s = coalesce(deleted_s, ?) WHERE number IN (SELECT file"
                    " FROM message_files JOIN messages ON messages.number = message_files.message"
                    " WHERE messages.conversation = ?)"
                    " AND NOT EXISTS (SELECT 1 FROM message_files m JOIN messages ON messages.number = m.message"
                    " WHERE m.file = files.number AND messages.conversation <> ?)",
                    (before, number, number),
                )
                database.change("DELETE FROM conversations WHERE number = ?", (number,))
        self._files.drop_unused()
        return len(numbers)

    def _change_one(self, sql: str, values: tuple[Any, ...]) -> None:
        if not self._database.change(sql, values):
            raise _no_such()


def _no_such() -> NotFoundError:
    return NotFoundError("There is no such conversation.", field="conversation_id")


def _conversation(row: tuple[Any, ...]) -> StoredConversation:
    number, conversation_id, title, settings, created_s, updated_s, running = row
    return StoredConversation(number, conversation_id, title, json.loads(settings), created_s, updated_s, running)


def _listed(row: tuple[Any, ...], found: dict[int, Found] | None) -> ListedConversation:
    number, conversation_id, title, _, created_s, updated_s, running, num_messages, thumbnail = row
    snippet = found[number].snippet if found else None
    return ListedConversation(conversation_id, title, created_s, updated_s, num_messages, thumbnail, running, snippet)


def _write_cursor(updated_s: float, number: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([updated_s, number]).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> list[float | int]:
    try:
        updated_s, number = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return [float(updated_s), int(number)]
    except (ValueError, TypeError, binascii.Error, OverflowError, RecursionError):
        raise InputError("This cursor is not one that was given out.", field="cursor") from None
