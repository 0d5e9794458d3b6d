"""What the events of an answer carry, as the page gets them.

Owns: these shapes; which event carries which. Must not know: numbers of events, how they travel.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from kandong.server.conversation_shapes import Message
from kandong.vlm.request import Progress, Queued


class AnswerQueued(msgspec.Struct, frozen=True):
    """It waits; ``position`` counts from 1."""

    position: int
    predicted_wait_ms: float


class AnswerProgress(msgspec.Struct, frozen=True):
    """Its pictures are read (OCR) or looked at (vision), or its prompt is (prefill); counts are of that stage."""

    stage: Literal["reading", "vision", "prefill"]
    num_done: int
    num_total: int
    picture_index: int | None
    num_pictures: int


class AnswerText(msgspec.Struct, frozen=True):
    """More of its text, and how many tokens the model wrote for it; ``null`` where that is no longer known."""

    text: str
    num_tokens: int | None


class AnswerEnd(msgspec.Struct, frozen=True):
    """Its end, with all of it."""

    message: Message


EventData = AnswerQueued | AnswerProgress | AnswerText | AnswerEnd
EVENTS: Final[tuple[tuple[str, type], ...]] = (
    ("queued", AnswerQueued),
    ("progress", AnswerProgress),
    ("text", AnswerText),
    ("done", AnswerEnd),
    ("stopped", AnswerEnd),
    ("failed", AnswerEnd),
)


def reading_begins(num_pictures: int) -> AnswerProgress:
    """Say that words in pictures are read before the model gets to see them."""
    return AnswerProgress("reading", 0, num_pictures, None, num_pictures)


def queued_of(event: Queued) -> AnswerQueued:
    """Give a place in the queue."""
    return AnswerQueued(event.position, round(event.predicted_wait_ms, 1))


def progress_of(event: Progress, num_pictures: int) -> AnswerProgress:
    """Give progress; which picture it is at follows from the tower's layers, which are counted over all pictures."""
    is_vision = event.stage == "vision" and num_pictures > 0 and event.num_total > 0
    index = min(num_pictures - 1, event.num_done * num_pictures // event.num_total) if is_vision else None
    return AnswerProgress(event.stage, event.num_done, event.num_total, index, num_pictures)
