"""What six tasks on one post cost beside the dearest of them alone, on a given checkpoint's shapes.

Owns: the post, fresh pixels for each run, the ratio. Must not know: tasks' insides. Answers are as long as the grammar
and the token limits make them, the same for a task alone and among others; OCR, which all tasks share, is done before.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from random import Random

from bench.judging_runs.twins import picture_of
from kandong.reading.reader import read_picture
from kandong.runtime.conversation import AnsweringEngine
from kandong.tasks.analyse import TASKS, analyse
from kandong.tasks.post import Post
from kandong.vlm.config import ModelConfig
from kandong.vlm.request import Event, Priority, Request


class CappedEngine:
    """An engine whose answers end after so many tokens, for every task alike."""

    def __init__(self, engine: AnsweringEngine, max_tokens: int) -> None:
        self._engine = engine
        self._max_tokens = max_tokens

    @property
    def config(self) -> ModelConfig:
        """The model's own."""
        return self._engine.config

    def generate(self, request: Request, *, priority: Priority = Priority.INTERACTIVE) -> Iterator[Event]:
        """Answer, capped."""
        cap = min(self._max_tokens, request.sampling.max_tokens)
        capped = replace(request, sampling=replace(request.sampling, max_tokens=cap))
        return self._engine.generate(capped, priority=priority)


def post_of(seed: int) -> Post:
    """Make a post whose picture nobody has seen: same size, same number of lines."""
    rng = Random(seed)
    price = rng.randint(100, 999)
    lines = [
        f"现价{price}元，原价{price + 200}元",
        "全场包邮，限时三天",
        "买一送一，送梳子一把",
        "品质好物",
        "门店自提",
        "欢迎选购",
    ]
    return Post("说好的赠品呢？没有收到梳子", (picture_of(lines, Random(7)),))


def run(engine: AnsweringEngine, max_tokens: int) -> Iterator[tuple[str, float]]:
    """Time each task alone and then all six, each on its own picture; gives names and seconds."""
    capped = CappedEngine(engine, max_tokens)
    for i, tasks in enumerate([*([task] for task in TASKS), list(TASKS)]):
        post = post_of(100 + i)
        read_picture(post.pictures[0])
        start = time.perf_counter()
        analyse(post, tasks, capped, question="现价是多少？")
        yield "+".join(tasks) if len(tasks) == 1 else "all six", time.perf_counter() - start
