"""Server-sent events of an answer.

Owns: their form, and heartbeats, by which it shows that a reader is gone. Must not know: who writes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from flask import Response

from kandong.server.live_answer import LiveEvent

HEARTBEAT = b": waiting\n\n"


def encode_event(event: LiveEvent) -> bytes:
    """Give an event as it goes over the wire; JSON holds no line breaks, so the data is one line."""
    return b"id: %d\n%s" % (event.number, encode_named(event.name, event.data))


def encode_named(name: str, data: Any) -> bytes:
    """Give an event without a number, as of a stream that cannot be resumed."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))


def event_response(events: Iterator[LiveEvent | None]) -> Response:
    """Give the whole answer."""
    return stream_response(HEARTBEAT if event is None else encode_event(event) for event in events)


def stream_response(parts: Iterable[bytes], cache_control: str = "no-store") -> Response:
    """Give encoded events as a response; proxies are asked to pass them on at once."""
    headers = {"Cache-Control": cache_control, "X-Accel-Buffering": "no"}
    return Response(parts, mimetype="text/event-stream", headers=headers)
