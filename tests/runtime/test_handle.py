"""What a caller sees of one request: a slow reader loses nothing, and there is one end."""

from __future__ import annotations

import threading

import pytest

from kandong.errors import CancelledError, InputError, PromptTooLongError
from kandong.runtime.handle import DEFAULT_TOTAL_S, Handle, checked_deadlines
from kandong.runtime.messages import Submit
from kandong.vlm.request import Answer, Cancelled, Deadlines, Event, Failed, Progress, Queued, TextPiece, Timings

ANSWER = Answer("甲乙丙", "stop", 1, 0, (1,), (), Timings(*[0.0] * 7))


def handle(cancelled: list[Handle] | None = None, deadlines: Deadlines | None = None) -> Handle:
    unwanted = [] if cancelled is None else cancelled
    return Handle(Submit("a", "generate", {}), {}, deadlines or Deadlines(), unwanted.append)


def test_slow_reader_gets_text_whole_and_progress_newest() -> None:
    h = handle()
    for event in (Queued(3, 2.0), Queued(1, 1.0), Progress("prefill", 0, 2), Progress("prefill", 1, 2)):
        h.deliver(event)
    for text, num_tokens in (("甲", 1), ("乙", 2), ("丙", 1)):
        h.deliver(TextPiece(text, num_tokens))
    h.deliver(ANSWER)
    assert list(h) == [Progress("prefill", 1, 2), TextPiece("甲乙丙", 4), ANSWER]
    assert list(h) == []
    assert h.result() == ANSWER


def test_first_terminal_is_the_only_one() -> None:
    h = handle()
    assert h.deliver(Cancelled())
    for event in (ANSWER, TextPiece("x"), Failed(InputError("x")), Cancelled()):
        assert not h.deliver(event)
    assert list(h) == [Cancelled()]
    with pytest.raises(CancelledError):
        h.result()


def test_result_raises_what_the_request_failed_with_and_waits_no_longer_than_told() -> None:
    h = handle()
    with pytest.raises(TimeoutError):
        h.result(0.01)
    h.deliver(Failed(PromptTooLongError("x")))
    with pytest.raises(PromptTooLongError):
        h.result(0.01)


def test_leaving_the_iterator_cancels_and_reading_to_the_end_does_not() -> None:
    cancelled: list[Handle] = []
    left, read = handle(cancelled), handle(cancelled)
    left.deliver(TextPiece("甲"))
    events = left.events()
    next(events)
    events.close()  # type: ignore[attr-defined]
    read.deliver(ANSWER)
    assert list(read) == [ANSWER]
    read.cancel()
    assert cancelled == [left]


def test_events_reach_a_thread_that_waits() -> None:
    h = handle()
    seen: list[Event] = []
    reader = threading.Thread(target=lambda: seen.extend(h))
    reader.start()
    h.deliver(TextPiece("甲"))
    h.deliver(ANSWER)
    reader.join(5)
    assert seen[-1] == ANSWER
    assert not reader.is_alive()


def test_each_deadline_holds_until_what_it_waits_for_has_come() -> None:
    h = handle(deadlines=Deadlines(start_s=5, first_token_s=10, total_s=100))
    t = h.course.submitted

    def field(at: float) -> str | None:
        error = h.overdue(t + at)
        return error.field if error else None

    assert (h.next_deadline(), field(4.9), field(5.1), field(101)) == (t + 5, None, "start_s", "total_s")
    h.deliver(Queued(1, 1.0))
    assert field(5.1) == "start_s"
    h.deliver(Progress("vision", 0, 3))
    assert (h.next_deadline(), field(9.9), field(10.1)) == (t + 10, None, "first_token_s")
    h.deliver(TextPiece("甲"))
    assert (h.next_deadline(), field(99), field(100.1)) == (t + 100, None, "total_s")


@pytest.mark.parametrize("name", ["start_s", "first_token_s", "total_s"])
@pytest.mark.parametrize("value", [0.0, -1.0, 1e9, float("nan")])
def test_deadlines_out_of_range_name_the_field(name: str, value: float) -> None:
    with pytest.raises(InputError) as caught:
        checked_deadlines(Deadlines(**{name: value}))
    assert caught.value.field == name


def test_nothing_lasts_for_ever() -> None:
    assert checked_deadlines(Deadlines(start_s=3)) == Deadlines(start_s=3, total_s=DEFAULT_TOTAL_S)
