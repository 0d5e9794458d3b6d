"""Running a chat request: waiting for its answer, or streaming it, and stopping when nobody listens any more.

Owns: whether a client is still there, heartbeats, the events of a stream. Must not know: how requests are read.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from kandong.errors import CancelledError, KandongError
from kandong.runtime.handle import Handle, answer_of
from kandong.server.chat_answer import (
    ChatChunk,
    Check,
    ChunkChoice,
    Delta,
    facts_of,
    logprobs_of,
    new_completion_id,
    usage_of,
)
from kandong.server.error_replies import error_reply
from kandong.server.event_stream import HEARTBEAT
from kandong.server.live_answer import HEARTBEAT_S
from kandong.vlm.request import END_OF_REQUEST, Answer, Event, Failed, TextPiece
from kandong.vlm.vocabulary import Vocabulary

# A request that is refused by the engine is refused within milliseconds: a stream waits so long for that.
FIRST_EVENT_S = 2.0
_LOOK_EVERY_S = 0.5
_DONE = b"data: [DONE]\n\n"


def is_gone(environ: Mapping[str, Any]) -> bool:
    """Whether the client has closed its connection, as far as the web server can tell."""
    if (told := environ.get("waitress.client_disconnected")) is not None:
        return bool(told())
    connection = environ.get("gunicorn.socket")
    if connection is None:
        return False
    flags = socket.MSG_PEEK | getattr(socket, "MSG_DONTWAIT", 0)
    try:
        return len(connection.recv(1, flags)) == 0
    except (BlockingIOError, InterruptedError):
        return False
    except (OSError, ValueError):
        return True


def wait_for(handle: Handle, is_unwanted: Callable[[], bool]) -> Answer:
    """Wait for the answer; once it is unwanted it is cancelled. Errors: what it failed with; ``CancelledError``."""
    while True:
        event = handle.wait_event(_LOOK_EVERY_S)
        if isinstance(event, END_OF_REQUEST):
            return answer_of(event)
        if is_unwanted():
            handle.cancel()
            raise CancelledError("The client is gone.")


class ChatStream:
    """The body of a streamed answer. ``close`` it, also if it was never begun: that stops the work."""

    def __init__(
        self,
        handle: Handle,
        model: str,
        *,
        includes_usage: bool,
        vocabulary: Vocabulary | None,
        is_unwanted: Callable[[], bool],
        check: Check | None = None,
    ) -> None:
        """Wait shortly for the first event. Errors: what the engine refused the request with."""
        self._handle = handle
        self._model = model
        self._includes_usage = includes_usage
        self._vocabulary = vocabulary
        self._is_unwanted = is_unwanted
        self._check = check
        self._id = new_completion_id()
        self._created = int(time.time())
        self._first = handle.wait_event(FIRST_EVENT_S)
        if isinstance(self._first, Failed):
            raise self._first.error
        self._parts = self._run()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._parts)

    def close(self) -> None:
        """Cancel what is still under way. Idempotent."""
        self._handle.cancel()

    def _run(self) -> Iterator[bytes]:
        yield self._chunk(ChunkChoice(Delta("assistant", "")))
        event = self._first
        written = time.monotonic()
        while True:
            part = self._part_of(event) if event is not None else None
            if part is None and time.monotonic() - written >= HEARTBEAT_S:
                part = HEARTBEAT
            if part is not None:
                yield part
                written = time.monotonic()
            if isinstance(event, END_OF_REQUEST):
                return
            if self._is_unwanted():
                self._handle.cancel()
                return
            event = self._handle.wait_event(_LOOK_EVERY_S)

    def _part_of(self, event: Event) -> bytes | None:
        """Give what an event is in the stream."""
        if isinstance(event, TextPiece):
            return self._chunk(ChunkChoice(Delta(content=event.text))) if event.text else None
        if isinstance(event, Answer):
            return self._end(event)
        if isinstance(event, END_OF_REQUEST):
            try:
                answer_of(event)
            except KandongError as error:
                return b"data: " + msgspec.json.encode(error_reply(error)) + b"\n\n"
        return None

    def _end(self, answer: Answer) -> bytes:
        logprobs = logprobs_of(answer, self._vocabulary)
        last = self._chunk(ChunkChoice(Delta(), answer.finish_reason, logprobs), kandong=facts_of(answer, self._check))
        if self._includes_usage:
            last += _event(ChatChunk(self._id, self._created, self._model, [], usage=usage_of(answer)))
        return last + _DONE

    def _chunk(self, choice: ChunkChoice, **more: Any) -> bytes:
        usage = None if self._includes_usage else msgspec.UNSET
        return _event(ChatChunk(self._id, self._created, self._model, [choice], usage=usage, **more))


def _event(chunk: ChatChunk) -> bytes:
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"
