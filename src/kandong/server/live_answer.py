"""One answer while it is written, and for a while after: what any number of readers follow.

Owns: numbered events, and which of them a reader has not seen yet. Must not know: the engine, HTTP, the disk.

No event is ever dropped and none is kept twice: the text is one string, each number knows how far it was then, and of
queue and progress only the newest is of interest. So a reader may come late, be slow, leave, and go on anywhere.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from kandong.server.generation_events import AnswerText, EventData

HEARTBEAT_S = 3.0


@dataclass(frozen=True)
class LiveEvent:
    """One event as a reader gets it; ``number`` counts from 1 and only grows."""

    number: int
    name: str
    data: EventData


class LiveAnswer:
    """One writer, many readers; thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._text = ""
        self._lengths = [0]  # of the text, at each number
        self._num_tokens = 0
        self._token_counts = [0]  # at each number
        self._stage: LiveEvent | None = None
        self._end: LiveEvent | None = None
        self.ended_at: float | None = None

    @property
    def text(self) -> str:
        """What was written so far."""
        return self._text

    @property
    def num_events(self) -> int:
        """The number of the last event."""
        return len(self._lengths) - 1

    def set_stage(self, name: str, data: EventData) -> None:
        """Say how far it has come; replaces what was said before."""
        with self._changed:
            self._stage = LiveEvent(self._next(), name, data)

    def add_text(self, piece: str, num_tokens: int = 0) -> None:
        """Add text, for which so many tokens were generated."""
        with self._changed:
            self._text += piece
            self._num_tokens += num_tokens
            self._next()

    def end(self, name: str, data: EventData) -> None:
        """Say the last word."""
        with self._changed:
            self._end = LiveEvent(self._next(), name, data)
            self.ended_at = time.monotonic()

    def follow(self, after: int = 0, heartbeat_s: float = HEARTBEAT_S) -> Iterator[LiveEvent | None]:
        """Give the events behind a number, to the last; ``None`` where nothing has come for a while.

        The last event is given in any case, so that who has seen it already still learns that it was the last.
        """
        at = max(0, after)
        while True:
            with self._changed:
                at = min(at, self.num_events)
                if self.num_events == at and self._end is None:
                    self._changed.wait(heartbeat_s)
                seen, events, end = self.num_events, self._behind(at), self._end
            if end is not None:
                yield from [event for event in events if event is not end]
                yield end
                return
            if seen == at:
                yield None
            yield from events
            at = seen

    def _next(self) -> int:
        self._lengths.append(len(self._text))
        self._token_counts.append(self._num_tokens)
        self._changed.notify_all()
        return self.num_events

    def _behind(self, at: int) -> list[LiveEvent]:
        """Give what a reader at a number has not seen: text up to the stage, the stage, text after it, the end."""
        events: list[LiveEvent] = []
        stage, end = self._stage, self._end
        last = self.num_events if end is None else end.number - 1
        if stage is not None and stage.number > at:
            events += self._text_between(at, stage.number - 1)
            events.append(stage)
            at = stage.number
        events += self._text_between(at, last)
        return [*events, end] if end is not None else events

    def _text_between(self, after: int, to: int) -> list[LiveEvent]:
        if to <= after:
            return []
        piece = self._text[self._lengths[after] : self._lengths[to]]
        num_tokens = self._token_counts[to] - self._token_counts[after]
        return [LiveEvent(to, "text", AnswerText(piece, num_tokens))] if piece else []
