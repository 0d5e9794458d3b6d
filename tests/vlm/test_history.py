"""Long conversations: what goes, what always stays, and that the choice is steady from one question to the next."""

from __future__ import annotations

import itertools

import pytest

from kandong.errors import InputError, PromptTooLongError
from kandong.vlm.engine import Engine, EngineOptions
from kandong.vlm.history import trim_history
from kandong.vlm.prompt import Message, PicturePart, TextPart
from kandong.vlm.request import Answer, HistoryLimits, Request
from kandong.vlm.sampling import SamplingParameters
from tests.vlm.fake_model import fake_model
from tests.vlm.test_schedules import PICTURES

SYSTEM = Message("system", (TextPart("系统"),))


def cost(message: Message) -> int:
    return sum(20 if isinstance(part, PicturePart) else len(part.text) for part in message.parts)


def conversation(num_rounds: int, pictures_at: tuple[int, ...] = (0,)) -> list[Message]:
    messages = [SYSTEM]
    for i in range(num_rounds):
        pictures = (PicturePart(pictures_at.index(i)),) if i in pictures_at else ()
        messages += [Message("user", (*pictures, TextPart(f"问{i:08d}"))), Message("assistant", (TextPart("答" * 10),))]
    return [*messages, Message("user", (TextPart("最后的问题"),))]


def words(messages: list[Message]) -> str:
    return "".join(part.text for m in messages for part in m.parts if isinstance(part, TextPart))


def test_a_conversation_within_its_budget_stays_whole() -> None:
    messages = conversation(5)
    assert trim_history(messages, HistoryLimits(), 1000, cost) == (messages, 0)


def test_the_oldest_rounds_go_and_pictures_and_system_stay() -> None:
    messages = conversation(8, pictures_at=(0, 2))
    kept, num_dropped = trim_history(messages, HistoryLimits(), 120, cost)
    assert 2 < num_dropped <= 6
    assert kept[0] == SYSTEM
    assert [p.index for m in kept for p in m.parts if isinstance(p, PicturePart)] == [0, 1]
    assert kept[1].parts[:2] == (PicturePart(0), PicturePart(1))
    assert f"问{num_dropped:08d}" in words(kept)
    assert f"问{num_dropped - 1:08d}" not in words(kept)
    assert sum(map(cost, kept)) <= 120


@pytest.mark.parametrize("min_rounds", [0, 1, 2, 5])
def test_the_last_rounds_stay_however_small_the_budget(min_rounds: int) -> None:
    kept, num_dropped = trim_history(conversation(8), HistoryLimits(1, min_rounds), 10_000, cost)
    assert num_dropped == 8 - min_rounds
    assert sum(m.role == "user" for m in kept) == min_rounds + 1


def test_what_is_dropped_changes_rarely_so_that_prefixes_are_found_again() -> None:
    dropped = [trim_history(conversation(n), HistoryLimits(), 200, cost)[1] for n in range(40)]
    assert dropped == sorted(dropped)
    changes = sum(a != b for a, b in itertools.pairwise(dropped))
    assert 5 <= changes <= 16


def test_limits_out_of_range_are_refused() -> None:
    for limits, field in ((HistoryLimits(0), "budget_tokens"), (HistoryLimits(min_rounds=-1), "min_rounds")):
        with pytest.raises(InputError) as caught:
            trim_history(conversation(1), limits, 100, cost)
        assert caught.value.field == field


def test_the_engine_never_overflows_and_reports_what_it_left_out() -> None:
    engine = Engine(fake_model(16), EngineOptions())
    messages: list[Message] = [Message("user", (PicturePart(0), TextPart("第一个问题")))]
    num_dropped = []
    for i in range(25):
        sampling = SamplingParameters(max_tokens=30, ignore_eos=True)
        *_, answer = engine.generate(Request(messages, PICTURES[:1], sampling, history=HistoryLimits()))
        assert isinstance(answer, Answer)
        assert answer.num_prompt_tokens + answer.num_generated_tokens <= engine.context_tokens
        assert answer.num_picture_tokens == 20
        num_dropped.append(answer.counts.num_dropped_rounds)
        messages += [Message("assistant", (TextPart("答" * 20),)), Message("user", (TextPart(f"问题{i}"),))]
    assert num_dropped[0] == 0
    assert num_dropped[-1] > 10
    strict = Request(messages, PICTURES[:1])
    with pytest.raises(PromptTooLongError):
        list(engine.generate(strict))
