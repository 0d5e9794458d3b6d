"""Answers of conversations, written on the server whether or not anybody watches.

Owns: the threads that write them, stopping, what is saved when, and finding the events again. Must not know: HTTP.

Each answer has a thread that waits for the engine; the engine serves owners in turn, so nobody's many answers hold up
another's one. Text is saved twice a second and at the end. A service that ends saves what there is; what it did not
even come to save is called interrupted by the next one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from kandong.errors import KandongError, QueueFullError, StorageError
from kandong.runtime.handle import Handle
from kandong.server.asking import Asked, Prepare, Prepared, outcome_of_answer, prepare_plain
from kandong.server.conversation_shapes import Outcome, message_of
from kandong.server.engine_gate import EngineGate
from kandong.server.error_replies import error_reply
from kandong.server.generation_events import AnswerEnd, AnswerText, progress_of, queued_of, reading_begins
from kandong.server.live_answer import HEARTBEAT_S, LiveAnswer, LiveEvent
from kandong.store.files import StoredFile
from kandong.store.generations import StoredGenerations
from kandong.store.media import MediaFolder
from kandong.store.messages import Messages, Status, StoredMessage, Turn
from kandong.types import Picture
from kandong.vlm.request import Answer, Cancelled, Event, Failed, Progress, Queued, TextPiece

SAVE_EVERY_S: Final = 0.5
_KEPT_AFTER_END_S: Final = 300.0
_log = logging.getLogger("kandong.server")


@dataclass
class _Writing:
    """One answer under way, or ended a while ago."""

    asked: Asked
    turn: Turn
    live: LiveAnswer = field(default_factory=LiveAnswer)
    handle: Handle | None = None
    is_stopped: bool = False
    thread: threading.Thread | None = None
    saved_at: float = 0.0
    unsaved: tuple[Status, str, dict[str, Any]] | None = None
    num_pictures: int = 0


class Generations:
    """Thread-safe. ``close`` it."""

    def __init__(
        self,
        stored: StoredGenerations,
        messages: Messages,
        media: MediaFolder,
        engine: EngineGate,
        *,
        max_running: int = 64,
        is_draining: Callable[[], bool] = lambda: False,
        prepare: Prepare = prepare_plain,
    ) -> None:
        """``prepare`` makes requests ready; see ``asking.py``."""
        self._stored = stored
        self._messages = messages
        self._media = media
        self._engine = engine
        self._max_running = max_running
        self._is_draining = is_draining
        self._prepare = prepare
        self._lock = threading.Lock()
        self._writings: dict[str, _Writing] = {}
        self._is_closing = False

    def check_room(self) -> None:
        """Refuse before anything is stored. Errors: ``QueueFullError``."""
        with self._lock:
            num_running = sum(writing.live.ended_at is None for writing in self._writings.values())
        if num_running >= self._max_running or self._is_closing:
            raise QueueFullError(
                f"{num_running} answers are being written, as many as may be at once.",
                hint="Try again when some of them are done.",
                retry_after_s=2,
            )

    def start(self, asked: Asked, turn: Turn) -> None:
        """Begin to write the answer of a turn; everything after that is told by its events."""
        writing = _Writing(asked, turn)
        thread = threading.Thread(target=self._run, args=(writing,), name="answer", daemon=True)
        writing.thread = thread
        with self._lock:
            self._writings[turn.generation_id] = writing
        thread.start()

    def follow(
        self, owner: str, generation_id: str, after: int = 0, heartbeat_s: float = HEARTBEAT_S
    ) -> Iterator[LiveEvent | None]:
        """Give the events of an answer behind a number, to its end. Errors: ``NotFoundError``, at once."""
        stored = self._stored.get(owner, generation_id)
        with self._lock:
            writing = self._writings.get(generation_id)
        if writing is not None:
            return writing.live.follow(after, heartbeat_s)
        return self._from_disk(self._messages.get(stored.message_number), after, max(1, stored.num_events))

    def stop(self, owner: str, generation_id: str) -> None:
        """Stop an answer; what was written stays. Idempotent. Errors: ``NotFoundError``."""
        self._stored.get(owner, generation_id)
        self.stop_if_running(generation_id)

    def stop_if_running(self, generation_id: str | None) -> None:
        """As ``stop``, for who knows that it may."""
        with self._lock:
            writing = self._writings.get(generation_id or "")
            if writing is None:
                return
            writing.is_stopped = True
            handle = writing.handle
        if handle is not None:
            handle.cancel()

    def look_after(self) -> None:
        """Save what could not be saved, and forget what ended a while ago; to be called now and then."""
        with self._lock:
            writings = list(self._writings.items())
        for generation_id, writing in writings:
            if writing.unsaved is not None:
                with contextlib.suppress(StorageError):
                    self._save_end(writing, *writing.unsaved)
            ended_at = writing.live.ended_at
            is_old = ended_at is not None and time.monotonic() - ended_at > _KEPT_AFTER_END_S
            if is_old and writing.unsaved is None:
                with self._lock:
                    self._writings.pop(generation_id, None)

    def close(self, within_s: float = 5.0) -> None:
        """End all that is under way as interrupted, and wait until it is saved. Idempotent."""
        self._is_closing = True
        with self._lock:
            writings = list(self._writings.values())
        for writing in writings:
            if writing.handle is not None:
                writing.handle.cancel()
        until = time.monotonic() + within_s
        for writing in writings:
            if writing.thread is not None:
                writing.thread.join(max(0.0, until - time.monotonic()))
        self.look_after()

    def _run(self, writing: _Writing) -> None:
        try:
            if num_pictures := sum(len(message.files) for message in writing.asked.messages):
                writing.live.set_stage("progress", reading_begins(num_pictures))
            prepared = self._prepare(writing.asked, self._load)
            writing.num_pictures = len(prepared.request.pictures)
            handle = self._engine.submit(prepared.request, client=writing.asked.owner)
            with self._lock:
                writing.handle = handle
                is_unwanted = writing.is_stopped or self._is_closing
            if is_unwanted:
                handle.cancel()
            for event in handle.events():
                self._take(writing, event, prepared)
        except KandongError as error:
            self._end_failed(writing, error)
        except Exception as error:  # noqa: BLE001 - a thread that ended without a word would leave its readers waiting
            _log.exception("an answer ended in an unforeseen failure")
            self._end_failed(writing, KandongError(f"Internal error ({type(error).__name__})."))

    def _load(self, file: StoredFile) -> Picture:
        return self._media.picture(file.sha)

    def _take(self, writing: _Writing, event: Event, prepared: Prepared) -> None:
        live = writing.live
        if isinstance(event, Queued):
            live.set_stage("queued", queued_of(event))
        elif isinstance(event, Progress):
            live.set_stage("progress", progress_of(event, writing.num_pictures))
        elif isinstance(event, TextPiece):
            live.add_text(event.text, event.num_tokens)
            self._save_text(writing)
        elif isinstance(event, Answer):
            evidence = prepared.check(event.text) if prepared.check is not None else None
            outcome = outcome_of_answer(event, self._engine.model_name, evidence)
            self._end(writing, "done", "complete", event.text, outcome)
        elif isinstance(event, Cancelled):
            status: Status = "stopped" if writing.is_stopped else "interrupted"
            self._end(writing, "stopped", status, live.text, Outcome(model=self._engine.model_name))
        elif isinstance(event, Failed):
            self._end_failed(writing, event.error)

    def _end_failed(self, writing: _Writing, error: KandongError) -> None:
        model = self._engine.model_name
        if self._is_closing or self._is_draining():
            self._end(writing, "stopped", "interrupted", writing.live.text, Outcome(model=model))
            return
        self._end(writing, "failed", "failed", writing.live.text, Outcome(error=error_reply(error).error, model=model))

    def _save_text(self, writing: _Writing) -> None:
        now = time.monotonic()
        if now - writing.saved_at >= SAVE_EVERY_S:
            writing.saved_at = now
            with contextlib.suppress(StorageError):  # the end tries again until it succeeds
                self._stored.save_text(writing.turn.generation_id, writing.live.text)

    def _end(self, writing: _Writing, name: str, status: Status, text: str, outcome: Outcome) -> None:
        if writing.live.ended_at is not None:
            return
        plain: dict[str, Any] = msgspec.to_builtins(outcome)
        message = dataclasses.replace(writing.turn.answer, text=text, status=status, outcome=plain)
        writing.unsaved = (status, text, plain)
        with contextlib.suppress(StorageError):
            # Before the event is told: whoever hears of the end may ask the next question at once.
            self._save_end(writing, status, text, plain)
        writing.live.end(name, AnswerEnd(message_of(message)))

    def _save_end(self, writing: _Writing, status: Status, text: str, outcome: dict[str, Any]) -> None:
        self._stored.end(writing.turn.generation_id, status, text, outcome, writing.live.num_events + 1)
        writing.unsaved = None

    def _from_disk(self, message: StoredMessage, after: int, num_events: int) -> Iterator[LiveEvent | None]:
        # How much of the text an earlier number stood for is no longer known; the last event holds all of it.
        if after <= 0 and message.text:
            yield LiveEvent(max(1, num_events - 1), "text", AnswerText(message.text, None))
        name = {"complete": "done", "failed": "failed"}.get(message.status, "stopped")
        yield LiveEvent(num_events, name, AnswerEnd(message_of(message)))
