"""What conversations, messages and their settings look like in the page's API.

Owns: these shapes, and stored rows → shapes. Must not know: routes, the engine.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec

from kandong.server.error_replies import ErrorBody
from kandong.store.conversations import ListedConversation, StoredConversation
from kandong.store.files import StoredFile
from kandong.store.messages import Status, StoredMessage
from kandong.tasks.post import MAX_TEXT_CHARACTERS
from kandong.typed_values import from_plain

MAX_TITLE_CHARS = 200
MAX_SYSTEM_CHARS = 20_000
Title = Annotated[str, msgspec.Meta(max_length=MAX_TITLE_CHARS)]


class ConversationSettings(msgspec.Struct, frozen=True):
    """How answers of a conversation are made; ``null`` or absent: the default.

    ``assist`` (by default on): what was read in pictures goes beside them, and answers are checked against it.
    ``post_text``: words of the post that is talked about, quoted to the model as data and searched for evidence.
    """

    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=262_144)] | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    max_image_tokens: Annotated[int, msgspec.Meta(ge=4, le=16_384)] | None = None
    min_rounds: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None
    system: Annotated[str, msgspec.Meta(max_length=MAX_SYSTEM_CHARS)] | None = None
    assist: bool | None = None
    post_text: Annotated[str, msgspec.Meta(max_length=MAX_TEXT_CHARACTERS)] | None = None


class ShownFile(msgspec.Struct, frozen=True):
    """A picture of a message; GET /v1/files/{id}/content gives it."""

    id: str
    width_px: int
    height_px: int
    filename: str


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one answer."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    picture_tokens: int


class SeenPicture(msgspec.Struct, frozen=True):
    """What the model saw of a picture: rows and columns of tokens, and where its features came from."""

    grid: list[int]
    tokens: int
    origin: str


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an answer ended; kept as JSON. ``evidence`` is what its statements rest on, where that was checked."""

    finish_reason: str | None = None
    stopped_by: str | None = None
    error: ErrorBody | None = None
    usage: Usage | None = None
    timings_ms: dict[str, float] | None = None
    pictures: list[SeenPicture] | None = None
    dropped_rounds: int = 0
    model: str | None = None
    evidence: dict[str, Any] | None = None


class Message(msgspec.Struct, frozen=True):
    """A question or an answer."""

    id: str
    role: Literal["user", "assistant"]
    text: str
    files: list[ShownFile]
    created_at: str
    status: Status
    finish_reason: str | None
    stopped_by: str | None
    error: ErrorBody | None
    usage: Usage | None
    timings_ms: dict[str, float] | None
    pictures: list[SeenPicture] | None
    dropped_rounds: int
    generation_id: str | None
    model: str | None
    evidence: dict[str, Any] | None


class Conversation(msgspec.Struct, frozen=True):
    """A conversation with the messages that count now."""

    id: str
    title: str
    settings: ConversationSettings
    created_at: str
    updated_at: str
    messages: list[Message]
    running_generation_id: str | None


class ConversationLine(msgspec.Struct, frozen=True):
    """One line of the list of conversations."""

    id: str
    title: str
    created_at: str
    updated_at: str
    num_messages: int
    thumbnail_file_id: str | None
    running_generation_id: str | None
    snippet: str | None


def iso(seconds: float) -> str:
    """Give a time in UTC as ISO 8601 with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def outcome_of(stored: dict[str, Any]) -> Outcome:
    """Give a stored outcome; one of an unknown form counts as empty, so that the text at least is shown."""
    try:
        return from_plain(stored, Outcome)
    except msgspec.ValidationError:
        return Outcome()


def settings_of(stored: dict[str, Any]) -> ConversationSettings:
    """Give stored settings; those of an unknown form count as not set."""
    try:
        return from_plain(stored, ConversationSettings)
    except msgspec.ValidationError:
        return ConversationSettings()


def shown_file(file: StoredFile) -> ShownFile:
    """Give a file as a message shows it."""
    return ShownFile(file.id, file.width_px, file.height_px, file.filename)


def message_of(message: StoredMessage) -> Message:
    """Give a message as the page gets it."""
    outcome = outcome_of(message.outcome)
    return Message(
        id=message.id,
        role=message.role,
        text=message.text,
        files=[shown_file(file) for file in message.files],
        created_at=iso(message.created_s),
        status=message.status,
        finish_reason=outcome.finish_reason,
        stopped_by=outcome.stopped_by,
        error=outcome.error,
        usage=outcome.usage,
        timings_ms=outcome.timings_ms,
        pictures=outcome.pictures,
        dropped_rounds=outcome.dropped_rounds,
        generation_id=message.generation_id,
        model=outcome.model,
        evidence=outcome.evidence,
    )


def conversation_of(conversation: StoredConversation, messages: list[StoredMessage]) -> Conversation:
    """Give a conversation as the page gets it."""
    return Conversation(
        conversation.id,
        conversation.title,
        settings_of(conversation.settings),
        iso(conversation.created_s),
        iso(conversation.updated_s),
        [message_of(message) for message in messages],
        conversation.running_generation_id,
    )


def line_of(listed: ListedConversation) -> ConversationLine:
    """Give a line of the list."""
    return ConversationLine(
        listed.id,
        listed.title,
        iso(listed.created_s),
        iso(listed.updated_s),
        listed.num_messages,
        listed.thumbnail_file_id,
        listed.running_generation_id,
        listed.snippet,
    )
