"""Who is served when: priorities, fairness, pauses, warming, deadlines, the bounded queue."""

from __future__ import annotations

import itertools
import threading

import pytest

from kandong.errors import DeadlineExceededError, InputError, QueueFullError
from kandong.types import PictureRef
from kandong.vlm.engine import Engine, EngineOptions
from kandong.vlm.prompt import Message, PicturePart, TextPart
from kandong.vlm.request import (
    END_OF_REQUEST,
    Answer,
    Cancelled,
    Deadlines,
    Event,
    Failed,
    Priority,
    Progress,
    Queued,
    Request,
    TextPiece,
)
from kandong.vlm.sampling import SamplingParameters
from tests.vlm.fake_model import NUM_PIECES, FakeTower, fake_model
from tests.vlm.test_schedules import PICTURES


def engine_with(**options: object) -> Engine:
    return Engine(fake_model(400), EngineOptions(**options))  # type: ignore[arg-type]


def ask(text: str, picture: int | None = None, max_tokens: int = 20, **fields: object) -> Request:
    parts = (TextPart(text),) if picture is None else (PicturePart(0), TextPart(text))
    pictures = [] if picture is None else [PICTURES[picture]]
    sampling = SamplingParameters(max_tokens=max_tokens, ignore_eos=True)
    return Request([Message("user", parts)], pictures, sampling, **fields)  # type: ignore[arg-type]


def run(engine: Engine) -> list[tuple[str, Event]]:
    log: list[tuple[str, Event]] = []
    while engine.has_work:
        log += engine.step()
    return log


def ends(log: list[tuple[str, Event]]) -> list[str]:
    return [name for name, event in log if isinstance(event, END_OF_REQUEST)]


def test_interactive_goes_before_batch_and_batch_before_warming() -> None:
    engine = engine_with(max_running=1)
    for name, priority in (("warm", Priority.WARM_UP), ("job", Priority.BATCH), ("person", Priority.INTERACTIVE)):
        engine.submit(name, ask(name), priority=priority)
    assert ends(run(engine)) == ["person", "job", "warm"]


def charge_alike(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every step cost the same, so that the order does not hang on the machine's mood."""
    charge = engine.scheduler.charge
    monkeypatch.setattr(engine.scheduler, "charge", lambda sequences, _: charge(sequences, 1.0))


def test_a_flood_of_one_client_does_not_starve_another(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_with(max_running=1, max_queued=100)
    charge_alike(engine, monkeypatch)
    for i in range(50):
        engine.submit(f"flood{i}", ask(f"第{i}个"), client="a")
    for _ in range(30):
        engine.step()
    engine.submit("single", ask("一个"), client="b")
    assert ends(run(engine)).index("single") <= 2


def test_a_client_cannot_save_service_up(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_with(max_running=1, max_queued=100)
    charge_alike(engine, monkeypatch)
    engine.submit("b0", ask("早"), client="b")
    run(engine)
    for i in range(10):
        engine.submit(f"a{i}", ask(f"问{i}"), client="a")
    for _ in range(60):
        engine.step()
    for i in range(10):
        engine.submit(f"b{i + 1}", ask(f"问{i}"), client="b")
    order = [name[0] for name in ends(run(engine))]
    # From then on they take turns, roughly.
    assert 3 <= order[:8].count("b") <= 6


def test_answers_go_on_while_a_picture_is_seen_and_a_long_prompt_is_read() -> None:
    engine = engine_with(max_pause_ms=0.0)
    engine.submit("running", ask("在写", max_tokens=400))
    while not any(isinstance(event, TextPiece) for _, event in engine.step()):
        pass
    (running,) = engine.scheduler.running
    engine.submit("newcomer", ask("长" * 600, picture=0))
    lengths, heavy = [], []
    while running.finish_reason is None:
        events = engine.step()
        lengths.append(running.num_generated)
        heavy.append(any(name == "newcomer" and isinstance(event, Progress) for name, event in events))
    assert sum(heavy) > 600 * 3 / 128
    # A step that reads a prompt also writes; between two stages of vision there is a step. One step only tells.
    waits = [b == a for a, b in itertools.pairwise(lengths)]
    assert sum(waits) <= NUM_PIECES + 1
    assert not any(a and b for a, b in itertools.pairwise(waits[2:]))


def test_a_begun_block_is_given_up_for_one_that_somebody_else_has_computed() -> None:
    engine = engine_with(prefill_chunk_tokens=40)
    prompt = "长" * 200
    for client in "ab":
        engine.submit(client, ask(prompt), client=client)
    answers = [event for _, event in run(engine) if isinstance(event, Answer)]
    assert answers[0].token_ids == answers[1].token_ids
    # Both begin in the middle of blocks, by turns; what one has read the other takes over.
    cached = sorted(answer.counts.num_cached_tokens for answer in answers)
    assert cached[0] % 32 or cached[1] % 32, "a share of a block was taken over"
    # Of 616 tokens 464: what both read in the same turns is computed twice.
    assert sum(cached) > 0.7 * answers[0].num_prompt_tokens


def test_the_same_picture_is_seen_once_for_all_who_ask_about_it() -> None:
    engine = engine_with()
    tower = engine.model.tower
    assert isinstance(tower, FakeTower)
    for i in range(4):
        engine.submit(f"r{i}", ask(f"问{i}", picture=0), client=f"c{i}")
    log = run(engine)
    assert tower.num_started == 1
    origins = [event.pictures[0].origin for _, event in log if isinstance(event, Answer)]
    assert origins == ["computed"] * 4
    # Another system prompt, other words before it, another order: no prefix, but the features are there.
    parts = (TextPart("先看第二张"), PicturePart(1), PicturePart(0))
    engine.submit("other", Request([Message("system", (TextPart("别的"),)), Message("user", parts)], PICTURES[:2]))
    (answer,) = [event for _, event in run(engine) if isinstance(event, Answer)]
    assert [picture.origin for picture in answer.pictures] == ["computed", "memory"]
    assert tower.num_started == 2


def test_a_second_question_finds_the_prefix() -> None:
    engine = engine_with(feature_memory_bytes=0)
    long = "看图。" * 40
    system = Message("system", (TextPart(long),))
    first, second = (Request([system, *ask(text, picture=0).messages], PICTURES[:1]) for text in ("价格？", "赠品？"))
    *_, cold = engine.generate(first)
    *_, warm = engine.generate(second)
    assert isinstance(cold, Answer)
    assert isinstance(warm, Answer)
    assert cold.counts.num_cached_tokens == 0
    assert warm.counts.num_cached_tokens > 64
    assert warm.counts.num_cached_tokens % 32 == 0
    salted = Request(second.messages, second.pictures, second.sampling, cache_salt="else")
    *_, apart = engine.generate(salted)
    assert isinstance(apart, Answer)
    assert apart.counts.num_cached_tokens == 0
    assert apart.token_ids[:5] == warm.token_ids[:5]


def test_a_question_takes_over_what_was_warmed() -> None:
    engine = engine_with(max_pause_ms=0.0)
    tower = engine.model.tower
    assert isinstance(tower, FakeTower)
    engine.submit("warm", ask("", picture=0, prefill_only=True), priority=Priority.WARM_UP)
    for _ in range(3):  # let in, preprocessing, the first piece
        engine.step()
    picture = PictureRef(PICTURES[0].digest, PICTURES[0].height_px, PICTURES[0].width_px)
    assert not engine.needs_pixels(picture, ask("").budget), "a picture being seen need not come again"
    engine.submit("question", ask("价格？", picture=0))
    log = run(engine)
    assert [type(event) for name, event in log if name == "warm" and isinstance(event, END_OF_REQUEST)] == [Cancelled]
    assert tower.num_started == 1
    seen = [e.num_done for name, e in log if name == "question" and isinstance(e, Progress) and e.stage == "vision"]
    assert seen == [*range(1, NUM_PIECES + 1), NUM_PIECES]


def test_warming_leaves_everything_that_a_question_needs() -> None:
    engine = engine_with()
    system = Message("system", (TextPart("看图。" * 40),))
    warm = Request([system, *ask("", picture=0).messages], PICTURES[:1], prefill_only=True)
    engine.submit("warm", warm, priority=Priority.WARM_UP)
    (answer,) = [event for _, event in run(engine) if isinstance(event, Answer)]
    assert (answer.text, answer.token_ids) == ("", ())
    *_, asked = engine.generate(Request([system, *ask("价格？", picture=0).messages], PICTURES[:1]))
    assert isinstance(asked, Answer)
    assert asked.pictures[0].is_cached
    assert asked.counts.num_cached_tokens == answer.num_prompt_tokens // 32 * 32 > 32


def test_warming_gives_way_even_if_it_holds_all_blocks() -> None:
    engine = Engine(fake_model(10), EngineOptions(prefill_chunk_tokens=64))
    engine.submit("warm", ask("暖" * 70, prefill_only=True), priority=Priority.WARM_UP)
    engine.step()
    engine.step()
    engine.submit("question", ask("别的" * 30, max_tokens=5), client="b")
    assert ends(run(engine)) == ["question", "warm"]


def test_work_ahead_is_dropped_with_its_picture_when_it_is_cancelled() -> None:
    engine = engine_with(max_pause_ms=0.0)
    engine.submit("warm", ask("", picture=0, prefill_only=True), priority=Priority.WARM_UP)
    engine.step()
    engine.step()
    assert engine.pictures.num_passes == 1
    engine.cancel("warm")
    assert [type(event) for _, event in run(engine)] == [Cancelled]
    assert engine.pictures.num_passes == 0


def test_a_full_queue_refuses_with_a_time_and_keeps_the_others() -> None:
    engine = engine_with(max_running=1, max_queued=2)
    engine.submit("r0", ask("一"))
    engine.step()
    for i in (1, 2):
        engine.submit(f"r{i}", ask("二"))
    with pytest.raises(QueueFullError, match="2 requests are waiting") as caught:
        engine.submit("r3", ask("三"))
    assert (caught.value.retry_after_s or 0) >= 1
    log = run(engine)
    assert sorted(ends(log)) == ["r0", "r1", "r2"]
    positions = [event.position for name, event in log if name == "r2" and isinstance(event, Queued)]
    assert positions == [2, 1]
    assert all(e.predicted_wait_ms > 0 for _, e in log if isinstance(e, Queued))


@pytest.mark.parametrize(
    ("deadlines", "words"),
    [
        (Deadlines(start_s=0.0), "waiting for its turn"),
        (Deadlines(first_token_s=0.0), "had not begun"),
        (Deadlines(total_s=0.0), "not complete"),
    ],
)
def test_a_missed_deadline_says_which(deadlines: Deadlines, words: str) -> None:
    engine = engine_with()
    with pytest.raises(DeadlineExceededError, match=words):
        list(engine.generate(ask("迟", deadlines=deadlines)))
    assert not engine.has_work
    assert engine.telemetry()["num_failed"] == 1
    engine.submit("late", ask("迟", deadlines=deadlines))
    ((name, event),) = run(engine)
    assert name == "late"
    assert isinstance(event, Failed)
    assert event.error.retryable


def test_a_reference_to_an_unknown_picture_and_a_name_in_use_are_refused() -> None:
    engine = engine_with()
    named = PictureRef("00" * 32, 64, 96)
    request = Request([Message("user", (PicturePart(0),))], [named])
    assert engine.needs_pixels(named, request.budget)
    with pytest.raises(InputError, match="pixels"):
        engine.submit("ref", request)
    engine.submit("twice", ask("一"))
    with pytest.raises(InputError, match="under way"):
        engine.submit("twice", ask("二"))
    assert ends(run(engine)) == ["twice"]


def test_threads_share_steps_and_each_gets_its_own_answer() -> None:
    engine = engine_with()
    requests = [ask(f"第{i}个问题", picture=i % 3) for i in range(6)]
    expected = [list(Engine(fake_model(64), EngineOptions()).generate(request))[-1] for request in requests]
    found: dict[int, Event] = {}

    def work(i: int) -> None:
        *_, found[i] = engine.generate(requests[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, answer in enumerate(expected):
        mine = found[i]
        assert isinstance(answer, Answer)
        assert isinstance(mine, Answer)
        assert mine.token_ids == answer.token_ids
    assert engine.language.pool.num_available == engine.language.pool.num_blocks


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("std::bad_alloc")])
@pytest.mark.parametrize("stage", ["vision", "language"])
def test_a_step_without_memory_fails_its_requests_and_no_others(
    error: Exception, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_with()
    engine.submit("big", ask("大", picture=0))

    def fail(*_: object) -> None:
        raise error

    owner, name = (engine.model.tower, "start") if stage == "vision" else (engine.model.decoder, "run")
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, fail)
        log = run(engine)
    failed = log[-1][1]
    assert isinstance(failed, Failed)
    assert (failed.error.code, failed.error.retryable) == ("out_of_memory", True)
    assert engine.language.pool.num_available == engine.language.pool.num_blocks
    assert engine.pictures.num_passes == 0
    *_, answer = engine.generate(ask("大", picture=0))
    assert isinstance(answer, Answer)


def test_an_error_that_nobody_expects_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_with()

    def fail(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(engine.model.decoder, "run", fail)
    with pytest.raises(RuntimeError, match="a fault"):
        list(engine.generate(ask("字")))
