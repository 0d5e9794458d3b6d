"""Waiting for an answer and streaming it: signs of life, errors on the way, and clients that go away.

Handles are real ones, to which the tests deliver the events that an engine would.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from kandong.errors import CancelledError, EngineLostError, PromptTooLongError
from kandong.runtime.handle import Handle, checked_deadlines
from kandong.runtime.messages import GENERATE, Submit
from kandong.server import chat_run
from kandong.server.chat_run import ChatStream, is_gone, wait_for
from kandong.vlm.request import Answer, Cancelled, Deadlines, Failed, Progress, Queued, TextPiece, Timings

ANSWER = Answer("好的", "stop", 5, 0, (1, 2), (), Timings(*[0.0] * 7))


class Running:
    """A request under way: its handle, and whether it was cancelled."""

    def __init__(self) -> None:
        self.is_cancelled = False
        self.handle = Handle(Submit("r", GENERATE, {}), {}, checked_deadlines(Deadlines()), self._cancel)

    def _cancel(self, handle: Handle) -> None:
        self.is_cancelled = True
        handle.deliver(Cancelled())

    def later(self, seconds: float, *events: Any) -> None:
        def deliver() -> None:
            time.sleep(seconds)
            for event in events:
                self.handle.deliver(event)

        threading.Thread(target=deliver, daemon=True).start()

    def stream(self, is_unwanted: Callable[[], bool] = lambda: False, *, includes_usage: bool = False) -> ChatStream:
        return ChatStream(self.handle, "m", includes_usage=includes_usage, vocabulary=None, is_unwanted=is_unwanted)


@pytest.fixture
def running() -> Running:
    return Running()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_run, "HEARTBEAT_S", 0.2)
    monkeypatch.setattr(chat_run, "FIRST_EVENT_S", 0.2)
    monkeypatch.setattr(chat_run, "_LOOK_EVERY_S", 0.05)


def parts_of(stream: ChatStream) -> list[Any]:
    """Give the stream's events; comments and the end as text."""
    lines = b"".join(stream).decode().split("\n\n")
    assert lines.pop() == ""
    return [json.loads(line[6:]) if line.startswith("data: {") else line for line in lines]


def test_signs_of_life_while_nothing_is_written(running: Running) -> None:
    running.later(0.9, TextPiece("好的"), ANSWER)
    parts = parts_of(running.stream())
    assert parts[0]["choices"][0]["delta"]["role"] == "assistant"
    assert 2 <= parts.count(": waiting") <= 4
    assert parts[-1] == "data: [DONE]"
    assert parts[-3]["choices"][0]["delta"] == {"content": "好的"}


def test_progress_alone_is_a_sign_of_life_only_now_and_then(running: Running) -> None:
    for number in range(40):
        running.later(number * 0.01, Progress("prefill", number, 40))
    running.later(0.5, ANSWER)
    assert parts_of(running.stream()).count(": waiting") <= 2


def test_refusal_before_the_first_word_is_raised(running: Running) -> None:
    running.later(0.05, Failed(PromptTooLongError("Too long.")))
    with pytest.raises(PromptTooLongError):
        running.stream()


def test_failure_in_the_middle_ends_the_stream_with_the_error(running: Running) -> None:
    running.later(0, Queued(1, 0.0), TextPiece("好"), Failed(EngineLostError("Lost.", hint="Again.")))
    parts = parts_of(running.stream())
    assert parts[-1]["error"] == {
        "message": "Lost.",
        "type": "server_error",
        "param": None,
        "code": "engine_lost",
        "hint": "Again.",
        "retryable": True,
    }
    assert "data: [DONE]" not in parts


def test_client_that_is_gone_stops_the_work(running: Running) -> None:
    gone = threading.Event()
    stream = running.stream(gone.is_set)
    next(stream)
    gone.set()
    started = time.monotonic()
    assert list(stream) == []
    assert running.is_cancelled
    assert time.monotonic() - started < 1.0


def test_stream_that_was_never_begun_stops_the_work_too(running: Running) -> None:
    running.stream().close()
    assert running.is_cancelled


def test_waiting_ends_with_the_answer_or_the_client(running: Running) -> None:
    running.later(0.1, TextPiece("好的"), ANSWER)
    assert wait_for(running.handle, lambda: False) == ANSWER
    other = Running()
    with pytest.raises(CancelledError):
        wait_for(other.handle, lambda: True)
    assert other.is_cancelled
    failed = Running()
    failed.later(0.1, Failed(EngineLostError("Lost.")))
    with pytest.raises(EngineLostError):
        wait_for(failed.handle, lambda: False)


@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn does not run there")
def test_closed_connection_is_noticed() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        environ = {"gunicorn.socket": ours}
        assert not is_gone(environ)
        theirs.sendall(b"GET / HTTP/1.1")  # the next request is still there afterwards
        assert not is_gone(environ)
        assert ours.recv(100) == b"GET / HTTP/1.1"
        theirs.close()
        assert is_gone(environ)
        ours.close()
        assert is_gone(environ)
    assert is_gone({"waitress.client_disconnected": lambda: True})
    assert not is_gone({})
