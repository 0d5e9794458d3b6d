"""Our own Python client against servers that are busy, gone or odd; tests/server/test_client.py has the real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from kandong import Client
from kandong.client import retry_delay_s, user_message
from kandong.errors import (
    DeadlineExceededError,
    EngineLostError,
    EngineUnavailableError,
    InputError,
    KandongError,
    ModelNotFoundError,
    QueueFullError,
    RateLimitError,
)
from tests.server.asking import SQUARE

BUSY = {"error": {"message": "Full.", "code": "queue_full", "hint": "Later.", "param": None, "retryable": True}}
ANSWER = {"choices": [{"message": {"content": "好"}}]}


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client would have slept."""
    slept: list[float] = []
    monkeypatch.setattr("kandong.client.time.sleep", slept.append)
    return slept


def answering(*answers: Any) -> tuple[Client, list[httpx.Request]]:
    """A client of a server that gives these answers in turn; exceptions are raised."""
    left = list(answers)
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        one = left.pop(0)
        if isinstance(one, Exception):
            raise one
        return httpx.Response(one[0], json=one[1], headers=one[2] if len(one) > 2 else {})

    return Client("http://service/v1/", "kd-x", transport=httpx.MockTransport(answer)), requests


@pytest.mark.parametrize("status", [429, 503])
def test_busy_service_is_asked_twice_more(waits: list[float], status: int) -> None:
    busy = (status, BUSY, {"Retry-After": "7"})
    client, requests = answering(busy, busy, (200, ANSWER))
    assert client.ask("？") == "好"
    assert [7.0 <= wait <= 8.75 for wait in waits] == [True, True]
    assert len({request.headers["Idempotency-Key"] for request in requests}) == 1
    assert {str(request.url) for request in requests} == {"http://service/v1/chat/completions"}
    assert {request.headers["Authorization"] for request in requests} == {"Bearer kd-x"}


def test_after_two_more_it_gives_up(waits: list[float]) -> None:
    client, requests = answering(*[(503, BUSY)] * 3)
    with pytest.raises(QueueFullError, match="Full"):
        client.ask("？")
    assert (len(requests), len(waits)) == (3, 2)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid_request", InputError),
        (404, "model_not_found", ModelNotFoundError),
        (500, "internal_error", KandongError),
        (503, "model_error", KandongError),
        (504, "deadline_exceeded", DeadlineExceededError),
        (429, "rate_limited", RateLimitError),
    ],
)
@pytest.mark.usefixtures("waits")
def test_errors_are_those_of_the_service(status: int, code: str, kind: type[KandongError]) -> None:
    told = {"error": {"message": "So.", "code": code, "hint": "Do.", "param": "model"}}
    client, requests = answering(*[(status, told)] * 3)
    with pytest.raises(kind) as caught:
        client.ask("？")
    assert (caught.value.message, caught.value.hint, caught.value.field) == ("So.", "Do.", "model")
    assert len(requests) == (3 if kind.retryable and status in (429, 503) else 1)


def test_request_under_way_elsewhere_is_asked_for_again(waits: list[float]) -> None:
    told = {"error": {"message": "Wait.", "code": "request_in_progress"}}
    client, _ = answering((409, told, {"Retry-After": "1"}), (200, ANSWER))
    assert client.chat([user_message("？")], key="mine") == ANSWER
    assert len(waits) == 1


@pytest.mark.parametrize("broken", [httpx.ReadError("no"), httpx.RemoteProtocolError("no"), httpx.WriteError("no")])
def test_where_the_connection_broke_the_same_is_asked_again(waits: list[float], broken: Exception) -> None:
    client, requests = answering(broken, broken, (200, ANSWER))
    assert client.ask("？") == "好"
    assert len({request.headers["Idempotency-Key"] for request in requests}) == 1
    assert len({request.content for request in requests}) == 1
    assert [0.5 <= waits[0] <= 0.625, 1.0 <= waits[1] <= 1.25] == [True, True]


def test_what_would_be_done_twice_is_not_sent_again(waits: list[float]) -> None:
    for ask in (
        lambda c: c.upload(SQUARE),
        lambda c: list(c.stream([user_message("？")])),
        lambda c: c.delete_file("x"),
    ):
        client, requests = answering(httpx.ReadError("no"))
        with pytest.raises(EngineUnavailableError):
            ask(client)
        assert len(requests) == 1
    client, requests = answering(*[httpx.ReadError("no")] * 3)
    with pytest.raises(EngineUnavailableError):
        client.models()
    assert len(requests) == 3
    assert len(waits) == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.ConnectError("no"), EngineUnavailableError),
        (httpx.ReadTimeout("no"), DeadlineExceededError),
        ((502, "nonsense"), KandongError),
        ((418, {"error": "odd"}), KandongError),
    ],
)
def test_odd_servers_give_errors_of_ours(answer: Any, kind: type[KandongError]) -> None:
    client, _ = answering(answer)
    with pytest.raises(kind):
        client.models()
    text = Client("http://x", transport=httpx.MockTransport(lambda _: httpx.Response(200, text="<html>")))
    with pytest.raises(KandongError, match="not JSON"):
        text.models()


def test_error_within_a_stream_is_raised_after_the_text() -> None:
    lines = (
        'data: {"choices": [{"delta": {"content": "一"}}]}\n\n: waiting\n\n'
        'data: {"error": {"message": "Lost.", "code": "engine_lost"}}\n\n'
    )
    client = Client("http://x", transport=httpx.MockTransport(lambda _: httpx.Response(200, text=lines)))
    seen: list[str] = []
    with pytest.raises(EngineLostError):
        seen.extend(client.stream([user_message("？")]))
    stream = client.stream([user_message("？")])
    assert next(stream) == "一"


@pytest.mark.parametrize(
    ("said", "low", "high"), [("3", 3.0, 3.75), (None, 1.0, 1.25), ("soon", 1.0, 1.25), ("1e9", 60, 75)]
)
def test_delay_is_what_the_service_says(said: str | None, low: float, high: float) -> None:
    delays = {retry_delay_s(said, 1) for _ in range(20)}
    assert all(low <= delay <= high for delay in delays)
    assert len(delays) > 1


def test_pictures_become_parts(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(SQUARE)
    parts = user_message("？", [path, str(path), SQUARE, "file-1", "data:,x"])["content"]
    urls = [part["image_url"]["url"] for part in parts[:-1]]
    assert urls[0] == urls[1] == urls[2]
    assert urls[0].startswith("data:application/octet-stream;base64,")
    assert urls[3:] == ["file-1", "data:,x"]
    assert parts[-1] == {"type": "text", "text": "？"}
    with pytest.raises(InputError, match="no such file"):
        user_message("？", tmp_path / "none.png")
