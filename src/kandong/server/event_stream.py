"""Server-sent events of an answer.

Owns: their form, and heartbeats, by which it shows that a reader is gone. Must not know: who writes them.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from flask import Response

from kandong.server.live_answer import LiveEvent

_HEARTBEAT = b": waiting\n\n"


def encode_event(event: LiveEvent) -> bytes:
    """Give an event as it goes over the wire; JSON holds no line breaks, so the data is one line."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.number, event.name.encode(), msgspec.json.encode(event.data))


def event_response(events: Iterator[LiveEvent | None]) -> Response:
    """Give the whole answer; proxies are asked to pass events on at once."""
    parts = (_HEARTBEAT if event is None else encode_event(event) for event in events)
    response = Response(parts, mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response
