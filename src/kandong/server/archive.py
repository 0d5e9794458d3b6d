"""Conversations as one JSON file, out and in again, with their pictures.

Owns: the form of that file and its version, what is believed of one that comes in. Must not know: HTTP.

A file that comes in is a stranger's: every field is checked, pictures are decoded anew in the limited process and must
have the pixels that they are said to have, and nothing in it can name or change what is already here: ids are new.
Taking the same file in twice adds nothing.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec

from kandong.errors import InputError, QueueFullError, StorageError
from kandong.runtime.decoder import SafeDecoder
from kandong.server.conversation_shapes import (
    ConversationSettings,
    Outcome,
    SeenPicture,
    Title,
    Usage,
    conversation_of,
    iso,
)
from kandong.server.error_replies import ErrorBody
from kandong.store.conversations import Conversations, StoredConversation
from kandong.store.files import Files, StoredFile
from kandong.store.messages import Messages, ReadyConversation, Status, StoredMessage
from kandong.typed_values import from_json

VERSION: Final = 1
MAX_CONVERSATIONS: Final = 10_000
MAX_MESSAGES: Final = 10_000
MAX_FILES: Final = 10_000
_MAX_MESSAGES_IN_ALL: Final = 50_000
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_Short = Annotated[str, msgspec.Meta(max_length=200)]
_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class ArchivedFileRef(msgspec.Struct, frozen=True):
    """A picture of a message, by its id in this file."""

    id: _Id


class ArchivedMessage(msgspec.Struct, frozen=True):
    """A message, as the page's API gives it; its id counts for nothing."""

    role: Literal["user", "assistant"]
    text: Annotated[str, msgspec.Meta(max_length=2_000_000)]
    created_at: _Time
    status: Status = "complete"
    files: Annotated[list[ArchivedFileRef], msgspec.Meta(max_length=256)] = []
    finish_reason: _Short | None = None
    stopped_by: _Short | None = None
    error: ErrorBody | None = None
    usage: Usage | None = None
    timings_ms: dict[str, float] | None = None
    pictures: Annotated[list[SeenPicture], msgspec.Meta(max_length=512)] | None = None
    dropped_rounds: int = 0
    model: _Short | None = None
    evidence: dict[str, Any] | None = None


class ArchivedConversation(msgspec.Struct, frozen=True):
    """A conversation with the messages that counted."""

    title: Title
    created_at: _Time
    updated_at: _Time
    messages: Annotated[list[ArchivedMessage], msgspec.Meta(max_length=MAX_MESSAGES)]
    settings: ConversationSettings = ConversationSettings()
    id: _Id | None = None


class ArchivedFile(msgspec.Struct, frozen=True):
    """A picture; ``sha256`` is of its size and pixels. ``null`` data: it was lost before the export."""

    id: _Id
    filename: Annotated[str, msgspec.Meta(max_length=1_000)]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    data_base64: bytes | None
    mime: _Short = "image/png"


class Archive(msgspec.Struct, frozen=True):
    """The whole file."""

    kandong_export: int
    conversations: Annotated[list[ArchivedConversation], msgspec.Meta(max_length=MAX_CONVERSATIONS)]
    files: Annotated[list[ArchivedFile], msgspec.Meta(max_length=MAX_FILES)] = []
    exported_at: str | None = None


@dataclass(frozen=True)
class Imported:
    """What an import did."""

    conversation_ids: list[str]
    num_skipped: int


class Archives:
    """Writes and reads such files. Thread-safe; one import at a time, as each may hold much memory."""

    def __init__(self, conversations: Conversations, messages: Messages, files: Files, decoder: SafeDecoder) -> None:
        self._conversations = conversations
        self._messages = messages
        self._files = files
        self._decoder = decoder
        self._importing = threading.Lock()

    def export(self, conversations: Sequence[StoredConversation]) -> Iterator[bytes]:
        """Give the file piece by piece; pictures are read one at a time."""
        shown: dict[str, StoredFile] = {}
        head = {"kandong_export": VERSION, "exported_at": iso(time.time())}
        yield msgspec.json.encode(head)[:-1] + b',"conversations":['
        for i, conversation in enumerate(conversations):
            messages = self._messages.of(conversation)
            shown |= {file.id: file for message in messages for file in message.files}
            whole = conversation_of(conversation, [_ended(message) for message in messages])
            yield (b"," if i else b"") + msgspec.json.encode(whole)
        yield b'],"files":['
        for i, file in enumerate(shown.values()):
            yield (b"," if i else b"") + msgspec.json.encode(self._archived(file))
        yield b"]}"

    def take_in(self, owner: str, archive: Archive) -> Imported:
        """Add what is not here yet. Errors: ``InputError`` naming what is wrong, ``StorageError``; then nothing is.

        ``QueueFullError`` while another import is under way.
        """
        _check(archive)
        if not self._importing.acquire(blocking=False):
            raise QueueFullError("Another import is under way.", hint="Try again when it is done.", retry_after_s=5)
        added: list[str] = []
        try:
            wanted = self._new_ones(owner, archive)
            used = {ref.id for _, one in wanted for message in one.messages for ref in message.files}
            names: dict[str, str] = {}
            for i, file in enumerate(archive.files):
                if file.id in used and file.data_base64 is not None:
                    names[file.id] = self._take_file(owner, file, f"files[{i}]")
                    added.append(names[file.id])
            ids = self._messages.insert_all(owner, [_stored(sha, one, names) for sha, one in wanted])
        except BaseException:
            for file_id in added:
                self._files.delete(owner, file_id)
            raise
        finally:
            self._importing.release()
        return Imported(ids, len(archive.conversations) - len(wanted))

    def _archived(self, file: StoredFile) -> dict[str, object]:
        try:
            data = base64.b64encode(self._files.media.encoded(file.sha).read_bytes()).decode()
        except (StorageError, OSError):
            data = None
        about = {"id": file.id, "filename": file.filename, "sha256": file.sha, "mime": "image/png"}
        return about | {"data_base64": data}

    def _new_ones(self, owner: str, archive: Archive) -> list[tuple[str, ArchivedConversation]]:
        """Leave out what is here: by its id if it never left, by its content if it came in before."""
        shas = {file.id: file.sha256 for file in archive.files}
        found: dict[str, ArchivedConversation] = {}
        for one in archive.conversations:
            sha = _sha_of(one, shas)
            if not self._conversations.has(owner, one.id, sha):
                found.setdefault(sha, one)
        return list(found.items())

    def _take_file(self, owner: str, file: ArchivedFile, place: str) -> str:
        assert file.data_base64 is not None
        picture = self._decoder.decode(file.data_base64, field=f"{place}.data_base64")
        if picture.digest != file.sha256:
            raise InputError("The picture is not the one that its sha256 names.", field=f"{place}.sha256")
        num_bytes = len(file.data_base64)
        return self._files.add(owner, picture, filename=file.filename, num_bytes=num_bytes).id


def check_version(data: bytes) -> None:
    """Refuse what is of another version before its form is looked at. Errors: ``InputError``."""
    try:
        found = from_json(data, _Version)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return  # what is wrong with it is told when it is decoded whole
    if found.kandong_export != VERSION:
        raise InputError(
            f"This is not an export of version {VERSION}.",
            hint="Install the version of Kandong that wrote it, or a newer one.",
            field="kandong_export",
        )


class _Version(msgspec.Struct):
    kandong_export: Any = None


def _check(archive: Archive) -> None:
    known = {file.id for file in archive.files}
    if len(known) < len(archive.files):
        raise InputError("Two files have the same id.", field="files")
    if sum(len(one.messages) for one in archive.conversations) > _MAX_MESSAGES_IN_ALL:
        raise InputError(f"There are more than {_MAX_MESSAGES_IN_ALL} messages.", field="conversations")
    for i, one in enumerate(archive.conversations):
        for j, message in enumerate(one.messages):
            for k, ref in enumerate(message.files):
                if ref.id not in known:
                    place = f"conversations[{i}].messages[{j}].files[{k}].id"
                    raise InputError("The file of this id is missing.", field=place)


def _sha_of(one: ArchivedConversation, shas: dict[str, str]) -> str:
    """Name a conversation by what was said and shown in it."""
    said = [(m.role, m.text, m.created_at.timestamp(), [shas[ref.id] for ref in m.files]) for m in one.messages]
    return hashlib.sha256(msgspec.json.encode([one.title, one.created_at.timestamp(), said])).hexdigest()


def _stored(sha: str, one: ArchivedConversation, names: dict[str, str]) -> ReadyConversation:
    settings = {name: value for name, value in msgspec.to_builtins(one.settings).items() if value is not None}
    messages = [
        (_message(message), [names[ref.id] for ref in message.files if ref.id in names]) for message in one.messages
    ]
    times = one.created_at.timestamp(), one.updated_at.timestamp()
    return ReadyConversation(one.title, settings, *times, sha, messages)


def _message(message: ArchivedMessage) -> StoredMessage:
    names = Outcome.__struct_fields__
    outcome = msgspec.to_builtins(Outcome(**{name: getattr(message, name) for name in names}))
    status: Status = "interrupted" if message.status == "running" else message.status
    created_s = message.created_at.timestamp()
    return StoredMessage(0, "", message.role, message.text, status, created_s, outcome=outcome)


def _ended(message: StoredMessage) -> StoredMessage:
    """An answer under way is in the file as far as it has come."""
    return message if message.status != "running" else dataclasses.replace(message, status="interrupted")
