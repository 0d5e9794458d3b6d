"""Asking in a conversation and following its answer, the shortest way.

Owns: requests and server-sent events as plain values. Must not know: what is tested.
"""

from __future__ import annotations

import io
import json
from collections.abc import Generator
from typing import Any

from flask.testing import FlaskClient

from tests.inspection import GOLDEN

Event = tuple[int, str, Any]


def upload_picture(client: FlaskClient, name: str = "square.png", query: str = "warm=0") -> Any:
    """Upload a golden picture and give the file."""
    data = (GOLDEN / "pictures" / name).read_bytes()
    answer = client.post(f"/v1/files?{query}", data={"file": (io.BytesIO(data), name)})
    assert answer.status_code == 200, answer.json
    return answer.json


def ask(client: FlaskClient, conversation_id: str, text: str, *file_ids: str, **more: Any) -> Any:
    """Ask, and give what was begun."""
    body = {"text": text, "file_ids": list(file_ids)} | more
    answer = client.post(f"/api/conversations/{conversation_id}/messages", json=body)
    assert answer.status_code == 202, answer.json
    return answer.json


def follow(
    client: FlaskClient, generation_id: str, after: int | None = None, **options: Any
) -> Generator[Event, None, None]:
    """Give the events of an answer as they come; closing it is leaving."""
    address = f"/api/generations/{generation_id}/events" + (f"?after={after}" if after is not None else "")
    response = client.get(address, **options)
    assert response.status_code == 200, response.json
    assert response.mimetype == "text/event-stream"
    try:
        for part in response.response:
            text = part.decode() if isinstance(part, bytes) else part
            if not text.startswith(":"):
                lines = dict(line.split(": ", 1) for line in text.strip().split("\n"))
                yield int(lines["id"]), lines["event"], json.loads(lines["data"])
    finally:
        response.close()


def finish(client: FlaskClient, generation_id: str, **options: Any) -> Any:
    """Wait for the end of an answer, and give what the last event says."""
    return list(follow(client, generation_id, **options))[-1][2]
