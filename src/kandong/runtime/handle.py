"""One submitted request, as its caller holds it: events as they come, exactly one terminal, and a way to stop it.

Owns: the events between the client's thread and the caller's, and what decides whether a request may be sent again.
Must not know: sockets. The caller's side is thread-safe; methods of the sender's side say so.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from kandong.errors import CancelledError, DeadlineExceededError, InputError
from kandong.runtime.messages import Submit
from kandong.types import Picture
from kandong.vlm.request import (
    END_OF_REQUEST,
    Answer,
    Cancelled,
    Deadlines,
    Event,
    Failed,
    Progress,
    Queued,
    TextPiece,
)

DEFAULT_TOTAL_S = 900.0
_MAX_DEADLINE_S = 86_400.0


def checked_deadlines(deadlines: Deadlines) -> Deadlines:
    """Give deadlines with an end to everything. Errors: ``InputError`` naming a field that is out of range."""
    for field_ in dataclasses.fields(deadlines):
        value = getattr(deadlines, field_.name)
        if value is not None and not 0 < value <= _MAX_DEADLINE_S:
            raise InputError(
                f"{field_.name} is {value}, it must be over 0 and at most {_MAX_DEADLINE_S:g}.", field=field_.name
            )
    return deadlines if deadlines.total_s else dataclasses.replace(deadlines, total_s=DEFAULT_TOTAL_S)


@dataclass
class Course:
    """How a request fares, for the client's thread alone. Times are monotonic."""

    submitted: float = field(default_factory=time.monotonic)
    started: float | None = None
    has_text: bool = False
    is_sent: bool = False
    num_lives_started: int = 0
    num_resent: int = 0
    cancel_until: float | None = None


class Handle:
    """Iterate it for its events; the last is an ``Answer``, ``Cancelled`` or ``Failed``. Leaving early cancels."""

    def __init__(
        self, message: Submit, pictures: dict[str, Picture], deadlines: Deadlines, cancel: Callable[[Handle], None]
    ) -> None:
        """Made by ``EngineClient.submit``."""
        self.request_id = message.request_id
        self.message = message
        self.pictures = pictures
        self.deadlines = deadlines
        self.course = Course()
        self._cancel = cancel
        self._changed = threading.Condition()
        self._events: deque[Event] = deque()
        self._terminal: Answer | Cancelled | Failed | None = None

    @property
    def is_done(self) -> bool:
        """Whether the terminal event is there."""
        return self._terminal is not None

    def cancel(self) -> None:
        """Stop the request; its terminal event still comes, within two seconds. Idempotent."""
        if not self.is_done:
            self._cancel(self)

    def events(self) -> Iterator[Event]:
        """Give events as they come, to the terminal one; closing the iterator before that cancels the request.

        Text that was not fetched yet comes in one piece, and of progress only the newest: a slow reader loses nothing.
        """
        try:
            while True:
                event = self._next()
                if event is None:
                    return
                yield event
        finally:
            self.cancel()

    __iter__ = events

    def answered_events(self) -> Iterator[Event]:
        """As ``events``, but what ends otherwise than in an ``Answer`` is raised, as ``answer_of`` does."""
        for event in self.events():
            if isinstance(event, END_OF_REQUEST):
                answer_of(event)
            yield event

    def result(self, timeout_s: float | None = None) -> Answer:
        """Wait for the answer. Errors: what the request failed with; ``CancelledError``; ``TimeoutError``."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._terminal is not None, timeout_s):
                raise TimeoutError("The request is still under way.")
        assert self._terminal is not None
        return answer_of(self._terminal)

    def wait_event(self, timeout_s: float) -> Event | None:
        """Give the next event; ``None`` if none comes in time, or after the terminal one (``is_done``)."""
        with self._changed:
            self._changed.wait_for(lambda: self._events or self._terminal is not None, timeout_s)
            return self._events.popleft() if self._events else None

    def _next(self) -> Event | None:
        """Wait for the next event; ``None`` after the terminal one."""
        with self._changed:
            self._changed.wait_for(lambda: self._events or self._terminal is not None)
            return self._events.popleft() if self._events else None

    def deliver(self, event: Event) -> bool:
        """Hand over an event (client's thread); False if the request has ended already."""
        with self._changed:
            if self._terminal is not None:
                return False
            self._follow(event)
            last = self._events[-1] if self._events else None
            if isinstance(event, TextPiece) and isinstance(last, TextPiece):
                self._events[-1] = TextPiece(last.text + event.text, last.num_tokens + event.num_tokens)
            elif isinstance(event, Progress | Queued) and isinstance(last, Progress | Queued):
                self._events[-1] = event
            else:
                self._events.append(event)
            if isinstance(event, END_OF_REQUEST):
                self._terminal = event
                self.pictures = {}
            self._changed.notify_all()
            return True

    def _follow(self, event: Event) -> None:
        if self.course.started is None and not isinstance(event, Queued | Cancelled | Failed):
            self.course.started = time.monotonic()
        if isinstance(event, TextPiece) and event.text:
            self.course.has_text = True

    def overdue(self, now: float) -> DeadlineExceededError | None:
        """Give the error of the first deadline that has passed (client's thread)."""
        for name, until in self._untils():
            if now >= until:
                what = {"start_s": "begin", "first_token_s": "come to its first word", "total_s": "end"}[name]
                return DeadlineExceededError(
                    f"The request did not {what} within {getattr(self.deadlines, name):g} s.",
                    hint="Try again when less is asked of the engine, or allow more time.",
                    field=name,
                )
        return None

    def next_deadline(self) -> float:
        """Give the time of the next deadline (client's thread)."""
        return min(until for _, until in self._untils())

    def _untils(self) -> list[tuple[str, float]]:
        course, limits = self.course, self.deadlines
        untils = [("total_s", course.submitted + (limits.total_s or DEFAULT_TOTAL_S))]
        if limits.start_s is not None and course.started is None:
            untils.append(("start_s", course.submitted + limits.start_s))
        if limits.first_token_s is not None and not course.has_text:
            untils.append(("first_token_s", course.submitted + limits.first_token_s))
        return untils


def answer_of(event: Answer | Cancelled | Failed) -> Answer:
    """Give the answer that a request ended in, or raise what it ended in instead."""
    if isinstance(event, Failed):
        raise event.error
    if isinstance(event, Cancelled):
        raise CancelledError("The request was cancelled.")
    return event
