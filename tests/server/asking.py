"""Chat requests as tests send them, and streams as they read them.

Owns: the shortest way to both. Must not know: what is tested.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from flask.testing import FlaskClient

from tests.inspection import GOLDEN

SQUARE = (GOLDEN / "pictures" / "square.png").read_bytes()
SMALL = (GOLDEN / "pictures" / "small.png").read_bytes()
URL = "/v1/chat/completions"


def data_uri(data: bytes = SQUARE) -> str:
    """Give a file as a data URI."""
    return "data:image/png;base64," + base64.b64encode(data).decode()


def image(url: str | None = None, detail: str | None = None) -> dict[str, Any]:
    """Give a picture part."""
    return {
        "type": "image_url",
        "image_url": {"url": data_uri() if url is None else url, **({"detail": detail} if detail else {})},
    }


def body(*parts: dict[str, Any] | str, **fields: Any) -> dict[str, Any]:
    """Give a request of one message, greedy and of eight tokens unless ``fields`` say otherwise."""
    content = [{"type": "text", "text": part} if isinstance(part, str) else part for part in parts or ("你好",)]
    return {"messages": [{"role": "user", "content": content}], "max_tokens": 8, "temperature": 0} | fields


def ask(client: FlaskClient, *parts: dict[str, Any] | str, **fields: Any) -> Any:
    """Send such a request; gives the answer's JSON, which must be one."""
    answer = client.post(URL, json=body(*parts, **fields), buffered=True)
    assert answer.status_code == 200, answer.text
    return answer.json


def refusal(client: FlaskClient, status: int, *parts: dict[str, Any] | str, **fields: Any) -> dict[str, Any]:
    """Send such a request; gives the error, which must be one of ``status``."""
    answer = client.post(URL, json=body(*parts, **fields), buffered=True)
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = answer.json["error"]  # type: ignore[index]
    assert set(error) == {"message", "type", "param", "code", "hint", "retryable"}
    return error


def events_of(text: str) -> list[dict[str, Any]]:
    """Give the events of a stream; the last line must be ``[DONE]`` or an error."""
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line.startswith("data: ")]
    done = lines.pop() if lines[-1] == "[DONE]" else None
    events: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert done is not None or "error" in events[-1]
    return events


def text_of(events: list[dict[str, Any]]) -> str:
    """Give the text that a stream carried."""
    return "".join(c["delta"].get("content", "") for event in events for c in event.get("choices", []))
