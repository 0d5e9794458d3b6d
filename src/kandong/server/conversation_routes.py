"""Routes of conversations and of the answers in them.

Owns: these addresses. Must not know: how answers are written and rows are kept.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from flask import Response, request

from kandong.errors import InputError
from kandong.server.asking import Asked
from kandong.server.conversation_shapes import (
    Conversation,
    ConversationLine,
    ConversationSettings,
    Message,
    Title,
    conversation_of,
    iso,
    line_of,
    message_of,
    settings_of,
)
from kandong.server.event_stream import event_response
from kandong.server.generation_events import EVENTS
from kandong.server.routes import Routes
from kandong.server.services import caller, query, services
from kandong.store.conversations import MAX_PAGE, StoredConversation
from kandong.store.messages import Turn
from kandong.vlm.pixels import PixelBudget

_MAX_WORDS_CHARS = 500
_AT = "/api/conversations/<conversation_id>"


class NewConversation(msgspec.Struct, frozen=True):
    """What a conversation begins with."""

    title: Title = ""
    settings: ConversationSettings | None = None


class ConversationChange(msgspec.Struct, frozen=True):
    """What is to be changed; ``settings`` are replaced as a whole."""

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    settings: ConversationSettings | None = None


class NewQuestion(msgspec.Struct, frozen=True):
    """A question. ``replace_from``: it takes the place of that question, and of all that follows it."""

    text: str = ""
    file_ids: list[str] = []
    replace_from: str | None = None


class ConversationPage(msgspec.Struct, frozen=True):
    """A page of the list; go on with ``cursor`` = ``next_cursor``."""

    data: list[ConversationLine]
    next_cursor: str | None


class ConversationDeleted(msgspec.Struct, frozen=True):
    """Deleted; it can be restored until then."""

    id: str
    undo_until: str
    deleted: bool = True


class AnswerBegun(msgspec.Struct, frozen=True):
    """A question and its answer, which is being written; follow it by its generation's events."""

    user_message: Message
    assistant_message: Message
    generation_id: str


class Stopping(msgspec.Struct, frozen=True):
    """The answer ends within seconds; its events tell."""

    id: str
    status: Literal["stopping"] = "stopping"


def list_conversations() -> ConversationPage:
    """List or search."""
    words = query("query", "")
    if len(words) > _MAX_WORDS_CHARS:
        raise InputError(f"A search takes at most {_MAX_WORDS_CHARS} characters.", field="query")
    page, cursor = services().conversations.page(
        caller().owner, words=words, limit=query("limit", 50), cursor=query("cursor")
    )
    return ConversationPage([line_of(listed) for listed in page], cursor)


def create_conversation(body: NewConversation) -> Conversation:
    """Begin one."""
    settings = _plain(body.settings)
    return conversation_of(services().conversations.create(caller().owner, body.title.strip(), settings), [])


def get_conversation(conversation_id: str) -> Conversation:
    """Give one with its messages."""
    return _shown(_find(conversation_id))


def change_conversation(body: ConversationChange, conversation_id: str) -> Conversation:
    """Rename, or change settings."""
    title = None if body.title is None else body.title.strip()
    if title == "":
        raise InputError("The title is empty.", field="title")
    settings = None if body.settings is None else _plain(body.settings)
    return _shown(services().conversations.change(caller().owner, conversation_id, title=title, settings=settings))


def delete_conversation(conversation_id: str) -> ConversationDeleted:
    """Delete one; an answer under way in it is stopped."""
    running = _find(conversation_id).running_generation_id
    until = services().conversations.delete(caller().owner, conversation_id)
    services().generations.stop_if_running(running)
    return ConversationDeleted(conversation_id, iso(until))


def restore_conversation(conversation_id: str) -> Conversation:
    """Take a deletion back."""
    return _shown(services().conversations.restore(caller().owner, conversation_id))


def ask(body: NewQuestion, conversation_id: str) -> AnswerBegun:
    """Ask."""
    conversation = _find(conversation_id)
    limits = services().settings
    if not body.text.strip() and not body.file_ids:
        raise InputError("The question is empty.", hint="Write something, or add a picture.", field="text")
    if len(body.text) > limits.max_text_chars:
        said = f"The text has {len(body.text)} characters, allowed are {limits.max_text_chars}."
        raise InputError(said, hint="Shorten it.", field="text")
    if len(body.file_ids) > limits.max_pictures:
        said = f"{len(body.file_ids)} pictures, allowed are {limits.max_pictures} in one message."
        raise InputError(said, hint="Send the others with the next question.", field="file_ids")
    _check_engine(conversation)
    text = body.text if body.text.strip() else ""
    turn = services().messages.ask(caller().owner, conversation, text, body.file_ids, body.replace_from)
    return _begin(conversation, turn)


def regenerate(conversation_id: str) -> AnswerBegun:
    """Answer the last question anew."""
    conversation = _find(conversation_id)
    _check_engine(conversation)
    return _begin(conversation, services().messages.regenerate(caller().owner, conversation))


def undo(conversation_id: str) -> Conversation:
    """Take the last edit or new answer back."""
    conversation = _find(conversation_id)
    services().messages.undo(conversation)
    return _shown(_find(conversation_id))


def generation_events(generation_id: str) -> Response:
    """Follow an answer."""
    told = request.headers.get("Last-Event-ID", "")
    after = query("after", int(told) if told.isascii() and told.isdigit() and len(told) < 16 else 0)
    return event_response(services().generations.follow(caller().owner, generation_id, after))


def stop_generation(generation_id: str) -> Stopping:
    """Stop an answer."""
    services().generations.stop(caller().owner, generation_id)
    return Stopping(generation_id)


def _find(conversation_id: str) -> StoredConversation:
    return services().conversations.get(caller().owner, conversation_id)


def _shown(conversation: StoredConversation) -> Conversation:
    return conversation_of(conversation, services().messages.of(conversation))


def _plain(settings: ConversationSettings | None) -> dict[str, object]:
    """Give settings as they are kept: only what is set. Errors: ``InputError`` for what the model cannot do."""
    if settings is None:
        return {}
    values: dict[str, object] = msgspec.to_builtins(settings)
    return {name: value for name, value in values.items() if value is not None}


def _check_engine(conversation: StoredConversation) -> None:
    """Refuse before anything is stored what could not be answered now. Errors: ``QueueFullError``, the engine's own."""
    budget = PixelBudget(None, settings_of(conversation.settings).max_image_tokens)
    budget.resolve(services().engine.config.pixels)
    services().generations.check_room()


def _begin(conversation: StoredConversation, turn: Turn) -> AnswerBegun:
    before = [message for message in services().messages.of(conversation) if message.number <= turn.question.number]
    limits = services().settings
    settings = settings_of(conversation.settings)
    asked = Asked(caller().owner, before, settings, limits.max_tokens, limits.max_answer_s)
    services().generations.start(asked, turn)
    return AnswerBegun(message_of(turn.question), message_of(turn.answer), turn.generation_id)


def add_routes(routes: Routes) -> None:
    """Declare them."""
    _add_rows(routes)
    _add_answers(routes)


def _add_rows(routes: Routes) -> None:
    routes.add(
        "GET",
        "/api/conversations",
        scope="read",
        summary="List conversations, or search in them",
        gives=ConversationPage,
        errors=(400,),
        query=(
            ("query", str, "words that must all stand in title or messages; any length, any language"),
            ("limit", Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)], "how many at most"),
            ("cursor", str, "next_cursor of the page before"),
        ),
    )(list_conversations)
    routes.add(
        "POST",
        "/api/conversations",
        scope="submit",
        summary="Begin a conversation",
        takes=NewConversation,
        gives=Conversation,
        status=201,
        errors=(400, 507),
    )(create_conversation)
    routes.add("GET", _AT, scope="read", summary="A conversation with its messages", gives=Conversation, errors=(404,))(
        get_conversation
    )
    routes.add(
        "PATCH",
        _AT,
        scope="submit",
        summary="Rename a conversation, or change its settings",
        takes=ConversationChange,
        gives=Conversation,
        errors=(400, 404, 507),
    )(change_conversation)
    routes.add(
        "DELETE",
        _AT,
        scope="submit",
        summary="Delete a conversation; it can be restored for seven days",
        gives=ConversationDeleted,
        errors=(404, 507),
    )(delete_conversation)
    routes.add(
        "POST",
        f"{_AT}/restore",
        scope="submit",
        summary="Take a deletion back",
        gives=Conversation,
        errors=(404, 507),
    )(restore_conversation)


def _add_answers(routes: Routes) -> None:
    begins: dict[str, Any] = {
        "scope": "submit",
        "gives": AnswerBegun,
        "status": 202,
        "is_work": True,
        "errors": (400, 404, 409, 429, 503, 507),
    }
    routes.add("POST", f"{_AT}/messages", summary="Ask; the answer is written on", takes=NewQuestion, **begins)(ask)
    routes.add("POST", f"{_AT}/regenerate", summary="Answer the last question anew", **begins)(regenerate)
    routes.add(
        "POST",
        f"{_AT}/undo",
        scope="submit",
        summary="Take the last edit or new answer back",
        gives=Conversation,
        errors=(404, 409, 507),
    )(undo)
    routes.add(
        "GET",
        "/api/generations/<generation_id>/events",
        scope="read",
        summary="Follow an answer, from the beginning or behind an event",
        media="text/event-stream",
        events=EVENTS,
        is_long=True,
        errors=(400, 404, 503),
        query=(("after", Annotated[int, msgspec.Meta(ge=0)], "number of the last event seen; else Last-Event-ID"),),
    )(generation_events)
    routes.add(
        "POST",
        "/api/generations/<generation_id>/stop",
        scope="submit",
        summary="Stop an answer; what was written stays",
        gives=Stopping,
        status=202,
        errors=(404,),
    )(stop_generation)
