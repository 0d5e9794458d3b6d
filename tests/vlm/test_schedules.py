"""Random schedules on a model without weights: nothing is lost, mixed up, left over or computed from a wrong block."""

from __future__ import annotations

import dataclasses
import random
from collections import defaultdict

import numpy as np
import pytest

from kandong.errors import PromptTooLongError, QueueFullError
from kandong.types import Picture, PictureRef
from kandong.vlm.engine import Engine, EngineOptions
from kandong.vlm.prompt import Message, PicturePart, TextPart
from kandong.vlm.request import (
    END_OF_REQUEST,
    Answer,
    AnswerForm,
    Cancelled,
    Deadlines,
    Event,
    Failed,
    Priority,
    Request,
    TextPiece,
)
from kandong.vlm.sampling import SamplingParameters
from tests.repetitions import repetitions
from tests.vlm.fake_model import fake_model

NUM_SCHEDULES = repetitions(400, 2_000)
NUM_BATCHES = 4
PICTURES = [Picture(np.full((32 * h, 32 * w, 3), value, np.uint8), "PNG") for value, h, w in ((0, 2, 3), (1, 3, 2))]
PICTURES.append(Picture(PICTURES[0].rgb.reshape(PICTURES[1].rgb.shape), "PNG"))
WORDS = ["价格", "是多少", "赠品", "图中", "写了", "什么", "说好的", "呢", "?", "满300减50"]


def random_request(source: random.Random) -> Request:
    """Make a question from few words and pictures, so that prompts often share a beginning."""
    pictures = source.choices(PICTURES, k=source.choice([0, 0, 1, 1, 2]))
    words = source.choice(WORDS[:2]) * source.choice([1, 8, 30])
    text = words + "".join(source.choices(WORDS, k=source.randint(0, 3)))
    parts: list[PicturePart | TextPart] = [*(PicturePart(i) for i in range(len(pictures))), TextPart(text)]
    messages = [Message("system", (TextPart("看图说话。" * source.choice([1, 9])),)), Message("user", tuple(parts))]
    if source.random() < 0.3:
        messages += [Message("assistant", (TextPart("三十九元。" * 3),)), Message("user", (TextPart("那原价呢？"),))]
    sampling = SamplingParameters(
        max_tokens=source.randint(1, 70),
        temperature=source.choice([0.0, 0.0, 1.0]),
        seed=source.randint(0, 3),
        ignore_eos=source.random() < 0.3,
    )
    form = AnswerForm("choice", ["合规", "不合规", "疑似"]) if source.random() < 0.05 else None
    late = Deadlines(total_s=0.0) if source.random() < 0.03 else Deadlines()
    return Request(messages, pictures, sampling, deadlines=late, prefill_only=source.random() < 0.1, form=form)


def answer_alone(request: Request, context_tokens: int) -> tuple[int, ...]:
    """Answer on an engine of its own: no other request, no cache, no draft, the prompt in one piece."""
    engine = Engine(fake_model(64, context_tokens), EngineOptions(feature_memory_bytes=0))
    alone = dataclasses.replace(request, deadlines=Deadlines(), drafting=False)
    *_, answer = engine.generate(alone)
    assert isinstance(answer, Answer)
    assert answer.counts.num_cached_tokens == 0
    return answer.token_ids


class Schedule:
    """One engine, some requests handed in, cancelled and warmed at random moments, and what came of each."""

    def __init__(self, seed: int) -> None:
        self.source = random.Random(seed)
        options = EngineOptions(
            prefill_chunk_tokens=self.source.choice([7, 32, 40, 64, 1024]),
            max_running=self.source.choice([1, 2, 4, 16]),
            max_queued=self.source.choice([2, 8]),
            feature_memory_bytes=self.source.choice([0, 400, 1 << 20]),
            prefix_cache_bytes=self.source.choice([2, 8, 100]),
            max_pause_ms=self.source.choice([0.0, 0.0, 400.0]),
        )
        self.engine = Engine(fake_model(self.source.choice([12, 14, 20, 60])), options)
        self.requests: dict[str, Request] = {}
        self.events: dict[str, list[Event]] = defaultdict(list)
        self.cancelled: set[str] = set()
        self.num_refused = 0

    def run(self) -> None:
        left = self.source.randint(2, 6)
        num_steps = 0
        while left or self.engine.has_work:
            if left and self.source.random() < 0.3:
                left -= 1
                self._submit(f"r{left}")
            if self.requests and self.source.random() < 0.01:
                self.cancelled.add(chosen := self.source.choice(list(self.requests)))
                self.engine.cancel(chosen)
            for request_id, event in self.engine.step():
                self.events[request_id].append(event)
            everyone = self.engine.scheduler.everyone
            self.engine.language.pool.check([s.blocks for s in everyone])
            num_steps += 1
            assert num_steps < 20_000, "no end in sight"

    def _submit(self, request_id: str) -> None:
        request = random_request(self.source)
        offered = [self._perhaps_by_reference(picture, request) for picture in request.pictures]
        wire = dataclasses.replace(request, pictures=offered)
        priority = Priority.WARM_UP if request.prefill_only else self.source.choice(list(Priority)[:2])
        try:
            self.engine.submit(request_id, wire, client=self.source.choice("ab"), priority=priority)
        except QueueFullError:
            self.num_refused += 1
        except PromptTooLongError:
            assert self.engine.context_tokens < 500
        else:
            self.requests[request_id] = request

    def _perhaps_by_reference(self, picture: object, request: Request) -> Picture | PictureRef:
        assert isinstance(picture, Picture)
        named = PictureRef(picture.digest, picture.height_px, picture.width_px)
        return picture if self.engine.needs_pixels(named, request.budget) else named

    def check(self) -> None:
        assert self.events.keys() == self.requests.keys(), "a request was lost"
        pool = self.engine.language.pool
        assert pool.num_available == pool.num_blocks
        assert self.engine.pictures.num_passes == 0
        for request_id, request in self.requests.items():
            events = self.events[request_id]
            assert [isinstance(e, END_OF_REQUEST) for e in events] == [False] * (len(events) - 1) + [True]
            self._check_end(request_id, request, events)

    def _check_end(self, request_id: str, request: Request, events: list[Event]) -> None:
        last = events[-1]
        if isinstance(last, Answer):
            assert last.token_ids == answer_alone(request, self.engine.context_tokens)
            assert "".join(e.text for e in events if isinstance(e, TextPiece)) == last.text
        elif isinstance(last, Cancelled):
            assert request_id in self.cancelled or request.prefill_only
        else:
            assert isinstance(last, Failed)
            assert (last.error.code, request.deadlines.total_s) == ("deadline_exceeded", 0.0)


@pytest.mark.parametrize("batch", range(NUM_BATCHES))
def test_random_schedules_answer_as_alone(batch: int) -> None:
    totals: dict[str, float] = defaultdict(float)
    for seed in range(batch, NUM_SCHEDULES, NUM_BATCHES):
        schedule = Schedule(seed)
        schedule.run()
        schedule.check()
        totals["refused"] += schedule.num_refused
        totals["preempted"] += sum(
            e.counts.num_preemptions for events in schedule.events.values() for e in events if isinstance(e, Answer)
        )
        for name, count in schedule.engine.telemetry().items():
            totals[name] += count
    # The schedules are of no use unless all of this happens in them.
    for name in ("refused", "preempted", "num_cancelled", "num_failed", "num_cached_tokens", "num_kv_blocks_evicted"):
        assert totals[name] > 0, name
    assert totals["num_accepted_tokens"] > 0.05 * totals["num_generated_tokens"]
    assert totals["num_drafted_tokens"] > totals["num_accepted_tokens"]
    assert totals["num_forced_tokens"] > 0
    assert totals["num_step_sequences"] > 1.2 * totals["num_language_steps"], "hardly anything was batched"
