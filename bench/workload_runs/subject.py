"""Our own engine as the workloads use it, and the clocks around a question.

Owns: loading it the way ``kandong`` does, pictures that no cache has seen, times as somebody waiting sees them.
Must not know: what a workload compares.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kandong.models.catalogue import find_model
from kandong.runtime.prepared import prepare_model
from kandong.types import Picture
from kandong.vlm.device import Precision
from kandong.vlm.engine import Engine, EngineOptions
from kandong.vlm.pixels import PixelBudget
from kandong.vlm.prompt import Message, PicturePart, TextPart
from kandong.vlm.request import Answer, Event, Priority, Request
from kandong.vlm.sampling import SamplingParameters


class WorkloadError(Exception):
    """A workload did not go as it must for its times to mean anything."""


SYSTEM = "你是一名细心的电商图片审核员，回答要简短，只说图里看得见的内容，看不清的地方要直说。"
QUESTIONS = ("这张图里写了什么？价格是多少？", "活动到哪一天结束？", "有没有赠品？要满足什么条件？")
# Enough for a picture of 1024×1024 as it is; the default would make it smaller.
_MAX_PICTURE_TOKENS = 1024


@dataclass(frozen=True)
class Sizes:
    """How large the workloads are; ``num_prompts`` are compared for equality, once."""

    side_px: int = 1024
    other_side_px: int = 512
    num_rounds: int = 3
    num_tokens: int = 24
    num_at_once: int = 8
    num_prompts: int = 10
    num_transcript_characters: int = 300


QUICK = Sizes(512, 256, 1, 12, 8, 3, 120)


@dataclass(frozen=True)
class Subject:
    """A loaded engine with what the workloads need; ``restart`` asks a question in a process of its own."""

    engine: Engine
    sizes: Sizes
    pictures: Path
    restart: Callable[[Path, str], Mapping[str, Any]]


def load_engine(checkpoint: Path, precision: Precision, features: Path) -> Engine:
    """Load a checkpoint's conversion, made now if it is not there, with its features kept in a folder."""
    folder = prepare_model(find_model(str(checkpoint)), precision, lambda _: None)
    return Engine(folder, EngineOptions(precision=precision, feature_folder=features))


def picture_file(folder: Path, side_px: int, number: int) -> Path:
    """Give a picture of noise, the worst case of every decoder; each number is another one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"workload-{side_px}-{number}.png"
    if not path.exists():
        pixels = np.random.default_rng([side_px, number]).integers(0, 256, (side_px, side_px, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return path


def read_picture(path: Path) -> Picture:
    """Read the pixels of such a file."""
    with Image.open(path) as file:
        return Picture(np.array(file.convert("RGB")), "PNG")


def question(
    engine: Engine,
    pictures: Sequence[Picture],
    asked: str,
    *,
    system: str | None = SYSTEM,
    rounds: Sequence[tuple[str, str]] = (),
    max_tokens: int = 16,
    **fields: Any,
) -> Request:
    """Make a greedy request of exactly ``max_tokens`` tokens: pictures, earlier rounds (question, answer), a question.

    ``fields`` are those of ``Request``.
    """
    texts = [text for exchange in rounds for text in exchange] + [asked]
    parts: list[tuple[TextPart | PicturePart, ...]] = [(TextPart(text),) for text in texts]
    parts[0] = (*(PicturePart(i) for i in range(len(pictures))), *parts[0])
    messages = [Message("user" if i % 2 == 0 else "assistant", part) for i, part in enumerate(parts)]
    if system is not None:
        messages.insert(0, Message("system", (TextPart(system),)))
    budget = PixelBudget(max_tokens=min(_MAX_PICTURE_TOKENS, engine.config.pixels.max_tokens))
    sampling = fields.pop("sampling", SamplingParameters(max_tokens=max_tokens, ignore_eos=True))
    return Request(messages, pictures, sampling, budget, **fields)


@dataclass(frozen=True)
class Asked:
    """An answer, when it began as seen from outside (planning the prompt included), and the tower's stages it took."""

    answer: Answer
    first_token_ms: float
    num_stages: int


def ask(engine: Engine, request: Request, priority: Priority = Priority.INTERACTIVE) -> Asked:
    """Ask one question and wait for the answer."""
    num_stages = engine.telemetry()["num_vision_stages"]
    since = time.perf_counter()
    *_, answer = engine.generate(request, priority=priority)
    outer_ms = (time.perf_counter() - since) * 1e3
    if not isinstance(answer, Answer):
        raise WorkloadError(f"a question ended with {type(answer).__name__}")
    # What the engine's own clock does not see comes before it starts, all but nothing after it ends.
    first_token_ms = answer.timings.first_token_ms + outer_ms - answer.timings.total_ms
    return Asked(answer, first_token_ms, int(engine.telemetry()["num_vision_stages"] - num_stages))


@dataclass
class Crowd:
    """Requests under way together: when each was handed in, and its events with the time each became known (s)."""

    engine: Engine
    submitted: dict[str, float]
    events: dict[str, list[tuple[float, Event]]]

    @classmethod
    def of(cls, engine: Engine) -> Crowd:
        """Begin with nobody."""
        return cls(engine, {}, {})

    def submit(self, name: str, request: Request, priority: Priority = Priority.INTERACTIVE) -> None:
        """Hand a request in."""
        self.submitted[name], self.events[name] = time.perf_counter(), []
        self.engine.submit(name, request, priority=priority)

    def step(self) -> None:
        """Let the engine do one piece of work."""
        for name, event in self.engine.step():
            self.events[name].append((time.perf_counter(), event))

    def run(self) -> None:
        """Go on to the end of all."""
        while self.engine.has_work:
            self.step()

    def answer(self, name: str) -> Answer:
        """Give the answer of a request that has ended."""
        event = self.events[name][-1][1]
        if not isinstance(event, Answer):
            raise WorkloadError(f"{name} ended with {type(event).__name__}")
        return event

    def span_s(self) -> tuple[float, float]:
        """Give when the earliest first token was there, and when the last answer ended."""
        first = min(self.submitted[n] + self.answer(n).timings.first_token_ms / 1e3 for n in self.submitted)
        return first, max(events[-1][0] for events in self.events.values())
