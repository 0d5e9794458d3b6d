"""Messages of conversations: asking, answering anew, editing, and taking that back.

Owns: which messages count now, and that at most one answer of a conversation is being written. Must not know: HTTP,
how answers come to be.

Nothing is overwritten by editing. An edit or a new answer is a numbered *supersede*: what it leaves behind carries its
number, what comes after it too. Undo takes the last one back: what it left behind counts again, what came after it no
longer does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from kandong.errors import ConflictError, ConversationBusyError, NotFoundError
from kandong.store.conversations import StoredConversation
from kandong.store.database import Database
from kandong.store.files import COLUMNS as FILE_COLUMNS
from kandong.store.files import Files, StoredFile
from kandong.store.ids import new_id

Role = Literal["user", "assistant"]
Status = Literal["complete", "running", "stopped", "failed", "interrupted"]
_MAX_TITLE_CHARS: Final = 30


@dataclass(frozen=True)
class StoredMessage:
    """One message. ``outcome`` tells how an answer ended, by the names of the service's API."""

    number: int
    id: str
    role: Role
    text: str
    status: Status
    created_s: float
    generation_id: str | None = None
    outcome: dict[str, Any] = field(default_factory=dict)
    files: tuple[StoredFile, ...] = ()


@dataclass(frozen=True)
class Turn:
    """A question and the answer that is being written."""

    question: StoredMessage
    answer: StoredMessage
    generation_id: str


@dataclass(frozen=True)
class ReadyConversation:
    """A conversation of an import; ``sha`` names its content, files go by the ids that they have here."""

    title: str
    settings: dict[str, Any]
    created_s: float
    updated_s: float
    sha: str
    messages: Sequence[tuple[StoredMessage, Sequence[str]]]


class Messages:
    """The messages of all conversations. Thread-safe."""

    def __init__(self, database: Database, files: Files) -> None:
        self._database = database
        self._files = files

    def of(self, conversation: StoredConversation) -> list[StoredMessage]:
        """Give the messages that count now, in order, with their files."""
        return self._read("conversation = ? AND superseded_in IS NULL", conversation.number)

    def get(self, number: int) -> StoredMessage:
        """Give one message by its number. Errors: ``NotFoundError``."""
        found = self._read("number = ?", number)
        if not found:
            raise NotFoundError("There is no such message.", field="message_id")
        return found[0]

    def ask(
        self,
        owner: str,
        conversation: StoredConversation,
        text: str,
        file_ids: Sequence[str] = (),
        replace_from: str | None = None,
    ) -> Turn:
        """Add a question and the beginning of its answer; with ``replace_from`` in the place of that question.

        Errors: ``ConversationBusyError``; ``NotFoundError`` for a file or for a message that is no question that
        counts; then nothing has changed.
        """
        with self._database.transaction():
            self._check_idle(conversation)
            numbers = [self._file_number(owner, file_id, f"file_ids[{i}]") for i, file_id in enumerate(file_ids)]
            if replace_from is not None:
                self._supersede(conversation, self._question_number(conversation, replace_from))
            question = self._insert(conversation.number, "user", text, "complete")
            self._show(question, numbers)
            self._name(conversation, text)
            return self._begin_answer(owner, conversation, question)

    def regenerate(self, owner: str, conversation: StoredConversation) -> Turn:
        """Begin another answer to the last question. Errors: ``ConversationBusyError``; ``ConflictError``."""
        with self._database.transaction():
            self._check_idle(conversation)
            messages = self.of(conversation)
            questions = [message.number for message in messages if message.role == "user"]
            if not questions:
                raise ConflictError("Nothing was asked in this conversation yet.", hint="Ask a question first.")
            if messages[-1].role == "assistant":
                self._supersede(conversation, messages[-1].number)
            return self._begin_answer(owner, conversation, questions[-1])

    def undo(self, conversation: StoredConversation) -> None:
        """Take the last edit or new answer back. Errors: ``ConversationBusyError``; ``ConflictError`` if none is."""
        with self._database.transaction() as database:
            self._check_idle(conversation)
            last = self._num_supersedes(conversation.number)
            if last == 0:
                raise ConflictError("There is no edit and no new answer to take back.")
            where = "WHERE conversation = ? AND superseded_in"
            later = f"UPDATE messages SET superseded_in = -added_in {where} IS NULL AND added_in = ?"
            database.change(later, (conversation.number, last))
            database.change(f"UPDATE messages SET superseded_in = NULL {where} = ?", (conversation.number, last))
            database.change(
                "UPDATE conversations SET num_supersedes = ?, updated_s = ? WHERE number = ?",
                (last - 1, time.time(), conversation.number),
            )

    def insert_all(self, owner: str, ready: Sequence[ReadyConversation]) -> list[str]:
        """Add whole conversations, all or none; gives their ids. Errors: ``StorageError``."""
        with self._database.transaction():
            return [self._insert_conversation(owner, one) for one in ready]

    def _insert_conversation(self, owner: str, ready: ReadyConversation) -> str:
        conversation_id = new_id("conv_")
        row = self._database.row(
            "INSERT INTO conversations (id, owner, title, settings, created_s, updated_s, import_sha)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING number",
            (
                conversation_id,
                owner,
                ready.title,
                json.dumps(ready.settings, ensure_ascii=False),
                ready.created_s,
                ready.updated_s,
                ready.sha,
            ),
        )
        assert row is not None
        for message, file_ids in ready.messages:
            number = self._insert(
                row[0], message.role, message.text, message.status, message.created_s, message.outcome
            )
            self._show(number, [self._file_number(owner, file_id, "files") for file_id in file_ids])
        return conversation_id

    def _show(self, message: int, files: Sequence[int]) -> None:
        for position, number in enumerate(files):
            self._database.change("INSERT INTO message_files VALUES (?, ?, ?)", (message, position, number))

    def _begin_answer(self, owner: str, conversation: StoredConversation, question: int) -> Turn:
        generation_id = new_id("gen_")
        answer = self._insert(conversation.number, "assistant", "", "running", generation_id=generation_id)
        self._database.change(
            "INSERT INTO generations (id, owner, conversation, message, is_running, created_s)"
            " VALUES (?, ?, ?, ?, 1, ?)",
            (generation_id, owner, conversation.number, answer, time.time()),
        )
        self._database.change(
            "UPDATE conversations SET updated_s = ? WHERE number = ?", (time.time(), conversation.number)
        )
        return Turn(self.get(question), self.get(answer), generation_id)

    def _insert(
        self,
        conversation: int,
        role: Role,
        text: str,
        status: Status,
        created_s: float | None = None,
        outcome: dict[str, Any] | None = None,
        generation_id: str | None = None,
    ) -> int:
        row = self._database.row(
            "INSERT INTO messages (id, conversation, role, text, status, outcome, generation_id, added_in, created_s)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number",
            (
                new_id("msg_"),
                conversation,
                role,
                text,
                status,
                json.dumps(outcome or {}, ensure_ascii=False),
                generation_id,
                self._num_supersedes(conversation),
                time.time() if created_s is None else created_s,
            ),
        )
        assert row is not None
        number = int(row[0])
        if status != "running":
            self._database.change("INSERT INTO message_words (rowid, text) VALUES (?, ?)", (number, text))
        return number

    def _supersede(self, conversation: StoredConversation, from_number: int) -> None:
        number = self._num_supersedes(conversation.number) + 1
        self._database.change(
            "UPDATE messages SET superseded_in = ? WHERE conversation = ? AND number >= ? AND superseded_in IS NULL",
            (number, conversation.number, from_number),
        )
        self._database.change(
            "UPDATE conversations SET num_supersedes = ? WHERE number = ?", (number, conversation.number)
        )

    def _num_supersedes(self, conversation: int) -> int:
        row = self._database.row("SELECT num_supersedes FROM conversations WHERE number = ?", (conversation,))
        return int(row[0]) if row else 0

    def _check_idle(self, conversation: StoredConversation) -> None:
        busy = self._database.row(
            "SELECT 1 FROM generations WHERE conversation = ? AND is_running", (conversation.number,)
        )
        if busy is not None:
            raise ConversationBusyError(
                "An answer is being written in this conversation.", hint="Wait for its end, or stop it."
            )

    def _file_number(self, owner: str, file_id: str, name: str) -> int:
        # Looking is enough: an edited question may show again what was deleted from the list since.
        try:
            self._files.get(owner, file_id, is_for_looking=True)
        except NotFoundError as error:
            raise NotFoundError(error.message, hint=error.hint, field=name) from None
        row = self._database.row("SELECT number FROM files WHERE id = ?", (file_id,))
        assert row is not None
        return int(row[0])

    def _question_number(self, conversation: StoredConversation, message_id: str) -> int:
        row = self._database.row(
            "SELECT number FROM messages WHERE id = ? AND conversation = ? AND superseded_in IS NULL AND role = 'user'",
            (message_id, conversation.number),
        )
        if row is None:
            raise NotFoundError("There is no such question in this conversation.", field="replace_from")
        return int(row[0])

    def _name(self, conversation: StoredConversation, text: str) -> None:
        self._database.change(
            "UPDATE conversations SET title = ? WHERE number = ? AND title = ''",
            (title_of(text), conversation.number),
        )

    def _read(self, where: str, value: int) -> list[StoredMessage]:
        rows = self._database.rows(
            "SELECT number, id, role, text, status, created_s, generation_id, outcome FROM messages"
            f" WHERE {where} ORDER BY number",
            (value,),
        )
        shown = self._database.rows(
            f"SELECT message_files.message, {FILE_COLUMNS} FROM message_files"
            " JOIN files ON files.number = message_files.file JOIN media ON media.sha = files.sha"
            f" WHERE message_files.message IN (SELECT number FROM messages WHERE {where})"
            " ORDER BY message_files.message, message_files.position",
            (value,),
        )
        files: dict[int, list[StoredFile]] = {}
        for message, *columns in shown:
            files.setdefault(message, []).append(StoredFile(*columns))
        return [_message(row, files.get(row[0], [])) for row in rows]


def _message(row: tuple[Any, ...], files: list[StoredFile]) -> StoredMessage:
    number, message_id, role, text, status, created_s, generation_id, outcome = row
    return StoredMessage(
        number, message_id, role, text, status, created_s, generation_id, json.loads(outcome), tuple(files)
    )


def title_of(text: str) -> str:
    """Give a title made of the first words of a question, or of the day if it has none."""
    words = " ".join(next((line for line in text.splitlines() if line.strip()), "").split())
    if not words:
        return time.strftime("图片 %Y-%m-%d", time.gmtime())
    return words if len(words) <= _MAX_TITLE_CHARS else words[: _MAX_TITLE_CHARS - 1] + "…"
