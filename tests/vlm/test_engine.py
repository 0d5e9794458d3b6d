"""Requests from beginning to end on the real graphs: events, ends, limits, cancelling."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from kandong.errors import InputError, PromptTooLongError
from kandong.types import Picture
from kandong.vlm.device import Compute, Precision, resolve_numerics
from kandong.vlm.engine import Engine, EngineOptions
from kandong.vlm.pixels import PixelBudget
from kandong.vlm.prompt import Message, PicturePart, TextPart
from kandong.vlm.request import Answer, Event, Progress, Request, TextPiece
from kandong.vlm.sampling import SamplingParameters
from tests.inspection import GOLDEN, golden_arrays, golden_engine, golden_request


def run(engine: Engine, request: Request) -> tuple[list[Event], Answer]:
    events = list(engine.generate(request))
    assert isinstance(events[-1], Answer)
    assert not any(isinstance(e, Answer) for e in events[:-1])
    return events, events[-1]


def ask(text: str, **sampling: object) -> Request:
    return Request([Message("user", (TextPart(text),))], sampling=SamplingParameters.from_options(dict(sampling)))


def all_blocks_free(engine: Engine) -> bool:
    engine.language.pool.check([])
    return engine.language.pool.num_available == engine.language.pool.num_blocks


def test_events_are_progress_then_text_then_one_answer() -> None:
    engine = Engine(GOLDEN / "tied", EngineOptions(precision=Precision.F32, prefill_chunk_tokens=32, max_pause_ms=0.0))
    events, answer = run(engine, golden_request("two_pictures", SamplingParameters(max_tokens=20)))
    kinds = [type(e) for e in events]
    assert kinds == sorted(kinds, key=[Progress, TextPiece, Answer].index)
    stages = [e.stage for e in events if isinstance(e, Progress)]
    assert stages == ["vision"] * stages.count("vision") + ["prefill"] * stages.count("prefill")
    # Without time for more, a stage is preprocessing, one piece of the tower, or handing the features out.
    assert stages.count("vision") == 2 * (engine.model.tower.num_pieces + 2) + 1
    places = [(e.num_done, e.num_total) for e in events if isinstance(e, Progress) and e.stage == "vision"]
    assert places == sorted(places)
    assert places[-1] == (2 * engine.model.tower.num_pieces,) * 2
    pieces = [event for event in events if isinstance(event, TextPiece)]
    assert "".join(piece.text for piece in pieces) == answer.text
    assert all(piece.num_tokens > 0 for piece in pieces)
    assert sum(piece.num_tokens for piece in pieces) <= answer.num_generated_tokens
    assert answer.num_generated_tokens <= 20
    times = answer.timings
    assert times.queue_ms >= 0
    assert 0 < times.preprocess_ms + times.vision_ms + times.prefill_ms <= times.first_token_ms < times.total_ms


def test_answer_reports_grids_tokens_and_cached_pictures() -> None:
    engine = Engine(GOLDEN / "tied", EngineOptions(precision=Precision.F32))
    request = golden_request("two_pictures", SamplingParameters(max_tokens=2))
    _, first = run(engine, request)
    grids = golden_arrays("tied", "two_pictures")["grid_thw"]
    assert [(p.grid_rows, p.grid_columns) for p in first.pictures] == [(h // 2, w // 2) for _, h, w in grids.tolist()]
    assert first.num_picture_tokens == sum(p.num_tokens for p in first.pictures) < first.num_prompt_tokens
    assert [p.is_cached for p in first.pictures] == [False, False]
    _, second = run(engine, request)
    assert [p.is_cached for p in second.pictures] == [True, True]
    assert second.token_ids == first.token_ids


def test_near_duplicate_pictures_share_no_features() -> None:
    engine = golden_engine("tied")
    pixels = np.random.default_rng(3).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    changed = pixels.copy()
    changed[64, 64, 0] ^= 1
    for rgb in (pixels, changed, pixels.reshape(64, 256, 3)):
        request = Request([Message("user", (PicturePart(0), TextPart("?")))], [Picture(rgb, "PNG")])
        _, answer = run(engine, request)
        assert [p.is_cached for p in answer.pictures] == [False]


def test_features_in_memory_are_bounded() -> None:
    engine = Engine(GOLDEN / "tied", EngineOptions(precision=Precision.F32, feature_memory_bytes=40_000))
    held = []
    for i in range(4):
        picture = Picture(np.full((64, 64, 3), i, np.uint8), "PNG")
        run(
            engine,
            Request([Message("user", (PicturePart(0), TextPart("?")))], [picture], SamplingParameters(max_tokens=1)),
        )
        held.append(engine.telemetry()["feature_memory_bytes"])
    assert 0 < held[0] < held[1] == held[3] <= 40_000


def test_length_and_stop_are_told_apart() -> None:
    engine = golden_engine("tied")
    _, cut = run(engine, golden_request("square", SamplingParameters(max_tokens=5)))
    assert (cut.finish_reason, cut.num_generated_tokens) == ("length", 5)
    full = golden_request("square", SamplingParameters(max_tokens=64, ignore_eos=True))
    _, answer = run(engine, full)
    stop = next(c for c in answer.text[3:] if c.isprintable() and c != "\ufffd")
    _, stopped = run(engine, golden_request("square", SamplingParameters(max_tokens=64, stop=(stop,), ignore_eos=True)))
    assert stopped.finish_reason == "stop"
    assert stopped.text == answer.text[: answer.text.index(stop)]
    assert stopped.num_generated_tokens < 64


def test_end_token_ends_the_answer_and_is_not_in_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = golden_engine("tied")
    greedy = golden_arrays("tied", "square")["greedy"].tolist()
    monkeypatch.setattr(engine, "config", dataclasses.replace(engine.config, eos_token_ids=(greedy[6],)))
    _, answer = run(engine, golden_request("square"))
    first = greedy.index(greedy[6])
    assert answer.finish_reason == "stop"
    assert list(answer.token_ids) == greedy[: first + 1]
    assert answer.text == engine.prompts.decode(greedy[:first])


def test_closing_the_stream_at_any_event_frees_everything() -> None:
    # With no cache, and no time for more than one piece a stage, there are as many events each time.
    options = EngineOptions(Precision.F32, prefill_chunk_tokens=16, feature_memory_bytes=0, prefix_cache_bytes=0)
    options = dataclasses.replace(options, max_pause_ms=0.0)
    engine = Engine(GOLDEN / "tied", options)
    request = golden_request("two_pictures", SamplingParameters(max_tokens=12, ignore_eos=True))
    num_events = len(list(engine.generate(request)))
    _, expected = run(engine, request)
    for num_read in range(1, num_events, 3):
        stream = engine.generate(request)
        for _ in range(num_read):
            next(stream)
        stream.close()  # type: ignore[attr-defined]
        assert all_blocks_free(engine)
    _, answer = run(engine, request)
    assert answer.token_ids == expected.token_ids


@pytest.mark.parametrize("chunk_tokens", [16, 32, 50])
def test_chunks_that_end_within_a_block_leave_as_much_to_be_found(chunk_tokens: int) -> None:
    engine = Engine(GOLDEN / "tied", EngineOptions(precision=Precision.F32, prefill_chunk_tokens=chunk_tokens))
    request = golden_request("two_pictures", SamplingParameters(max_tokens=4, ignore_eos=True))
    first, second = run(engine, request)[1], run(engine, request)[1]
    assert second.counts.num_cached_tokens == (first.num_prompt_tokens - 1) // 32 * 32 > 0
    assert second.token_ids == first.token_ids


def test_two_answers_in_one_thread_take_turns() -> None:
    engine = golden_engine("tied")
    sampling = SamplingParameters(max_tokens=8, ignore_eos=True)
    expected = [run(engine, golden_request(case, sampling))[1].token_ids for case in ("square", "large")]
    streams = [engine.generate(golden_request(case, sampling)) for case in ("square", "large")]
    ends: dict[int, Answer] = {}
    while len(ends) < 2:
        for i, stream in enumerate(streams):
            event = next(stream, None)
            if isinstance(event, Answer):
                ends[i] = event
    assert [ends[0].token_ids, ends[1].token_ids] == expected


def test_prompt_over_the_context_is_refused_before_any_vision() -> None:
    engine = Engine(GOLDEN / "tied", EngineOptions(precision=Precision.F32, context_tokens=100))
    with pytest.raises(PromptTooLongError, match=r"the context holds 100") as caught:
        next(engine.generate(golden_request("two_pictures")))
    assert caught.value.code == "context_length_exceeded"
    with pytest.raises(PromptTooLongError):
        next(engine.generate(ask("字" * 500)))
    _, answer = run(engine, ask("字", max_tokens=500))
    assert answer.num_prompt_tokens + answer.num_generated_tokens <= 100


def test_picture_number_that_does_not_exist_is_an_input_error() -> None:
    with pytest.raises(InputError, match="no picture number 1"):
        next(golden_engine("tied").generate(Request([Message("user", (PicturePart(1), TextPart("?")))])))


def test_bigger_budget_gives_a_bigger_grid() -> None:
    picture = Picture(np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8), "PNG")
    counts = []
    for budget in (PixelBudget(max_tokens=16), PixelBudget(max_tokens=36), PixelBudget()):
        request = Request(
            [Message("user", (PicturePart(0), TextPart("?")))], [picture], SamplingParameters(max_tokens=1), budget
        )
        _, answer = run(golden_engine("tied"), request)
        counts.append(answer.num_picture_tokens)
    assert counts == [16, 36, 64]


def test_sampled_answer_repeats_with_its_seed() -> None:
    def drawn(seed: int) -> tuple[int, ...]:
        sampling = SamplingParameters(max_tokens=30, temperature=1.5, seed=seed, ignore_eos=True)
        return run(golden_engine("tied"), golden_request("square", sampling))[1].token_ids

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


@pytest.mark.parametrize("precision", list(Precision))
@pytest.mark.parametrize("compute", [None, Compute.BF16, Compute.F32])
def test_every_precision_answers(precision: Precision, compute: Compute | None) -> None:
    if precision is Precision.F32 and compute is Compute.BF16:
        with pytest.raises(InputError, match="f32"):
            resolve_numerics(precision, compute)
        return
    engine = Engine(GOLDEN / "untied", EngineOptions(precision=precision, compute=compute))
    _, answer = run(engine, golden_request("square", SamplingParameters(max_tokens=4, ignore_eos=True)))
    assert answer.num_generated_tokens == 4
    assert engine.numerics.kv_cache == {"bf16": "bf16", "f32": "f16"}[engine.numerics.compute] or precision == "f32"
