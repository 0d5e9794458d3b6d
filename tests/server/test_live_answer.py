"""Readers of one answer: whatever they do, they get each event once and the text whole."""

from __future__ import annotations

import random
import threading
import time

import pytest

from kandong.server.conversation_shapes import message_of
from kandong.server.generation_events import AnswerEnd, AnswerProgress, AnswerQueued, AnswerText
from kandong.server.live_answer import LiveAnswer, LiveEvent
from kandong.store.messages import StoredMessage

STAGE = AnswerProgress("prefill", 1, 2, None, 0)
END = AnswerEnd(message_of(StoredMessage(1, "msg_1", "assistant", "", "complete", 0.0)))


def read(live: LiveAnswer, after: int = 0) -> list[LiveEvent]:
    return [event for event in live.follow(after) if event is not None]


def text_of(events: list[LiveEvent]) -> str:
    return "".join(event.data.text for event in events if isinstance(event.data, AnswerText))


def test_late_reader_gets_the_text_in_one_piece_and_only_the_newest_stage() -> None:
    live = LiveAnswer()
    for i in range(3):
        live.set_stage("queued", AnswerQueued(3 - i, 0.0))
    live.set_stage("progress", STAGE)
    for piece in "一二三":
        live.add_text(piece, 2)
    live.end("done", END)
    assert read(live) == [
        LiveEvent(4, "progress", STAGE),
        LiveEvent(7, "text", AnswerText("一二三", 6)),
        LiveEvent(8, "done", END),
    ]
    assert read(live, 5) == [LiveEvent(7, "text", AnswerText("二三", 4)), LiveEvent(8, "done", END)]
    assert read(live, 8) == read(live, 99) == read(live, 7) == [LiveEvent(8, "done", END)]


def test_text_before_a_stage_is_told_before_it() -> None:
    live = LiveAnswer()
    live.add_text("a")
    live.set_stage("queued", AnswerQueued(0, 0.0))  # put back into the queue for a while
    live.add_text("b")
    live.end("done", END)
    assert [(event.number, event.name) for event in read(live)] == [
        (1, "text"),
        (2, "queued"),
        (3, "text"),
        (4, "done"),
    ]
    assert text_of(read(live, 1)) == "b"


def test_waiting_reader_gets_heartbeats_and_no_busy_loop() -> None:
    live = LiveAnswer()
    live.add_text("")
    events = live.follow(heartbeat_s=0.05)
    started = time.monotonic()
    assert [next(events) for _ in range(4)] == [None] * 4
    assert time.monotonic() - started >= 0.15
    live.end("stopped", END)
    assert [event.name for event in events if event] == ["stopped"]


class Restless:
    """A reader that leaves at random, comes back, and notes what it got."""

    def __init__(self, live: LiveAnswer, seed: int) -> None:
        self.live, self.chance = live, random.Random(seed)
        self.text, self.numbers, self.is_done = "", [0], False
        self.num_tokens = 0

    def read(self) -> None:
        while not self.is_done:
            for event in self.live.follow(self.numbers[-1], 0.01):
                if event is not None:
                    self.numbers.append(event.number)
                    if isinstance(event.data, AnswerText):
                        self.text += event.data.text
                        self.num_tokens += event.data.num_tokens or 0
                    self.is_done = event.name == "done"
                    if self.chance.random() < 0.3:
                        break


@pytest.mark.parametrize("seed", range(4))
def test_readers_that_come_and_go_at_random_get_everything_once(seed: int) -> None:
    live, chance = LiveAnswer(), random.Random(seed)
    pieces = [chance.choice(["", "字", "ab", "。\n"]) for _ in range(300)]
    readers = [Restless(live, i) for i in range(6)]
    threads = [threading.Thread(target=reader.read) for reader in readers]
    for thread in threads:
        thread.start()
    for piece in pieces:
        if chance.random() < 0.1:
            live.set_stage("progress", STAGE)
        live.add_text(piece, len(piece))
        if chance.random() < 0.2:
            time.sleep(0.001)
    live.end("done", END)
    for thread in threads:
        thread.join(10)
    for reader in readers:
        assert reader.is_done
        assert reader.text == live.text == "".join(pieces)
        assert reader.num_tokens == len(live.text)
        assert reader.numbers == sorted(set(reader.numbers))
