"""What goes into the engine and what comes out of it.

Owns: requests, events, answers, and the clock that times their stages. Must not know: how any of it is computed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from kandong.types import Picture
from kandong.vlm.pixels import PixelBudget
from kandong.vlm.prompt import Message
from kandong.vlm.sampling import SamplingParameters

FinishReason = Literal["stop", "length"]
Stage = Literal["vision", "prefill"]


@dataclass(frozen=True)
class Request:
    """One question: a conversation whose picture parts index ``pictures``."""

    messages: Sequence[Message]
    pictures: Sequence[Picture] = ()
    sampling: SamplingParameters = field(default_factory=SamplingParameters)
    budget: PixelBudget = field(default_factory=PixelBudget)


@dataclass(frozen=True)
class Progress:
    """How far a stage has come: layers of the tower over all pictures, or tokens of the prompt."""

    stage: Stage
    num_done: int
    num_total: int


@dataclass(frozen=True)
class TextPiece:
    """Text that is certain: whole characters, no part of a stop string."""

    text: str


@dataclass(frozen=True)
class PictureReport:
    """What the model saw of a picture; the grid counts tokens, each 32×32 pixels of the resized picture."""

    width_px: int
    height_px: int
    grid_rows: int
    grid_columns: int
    num_tokens: int
    is_cached: bool


@dataclass(frozen=True)
class Timings:
    """Milliseconds by stage. ``first_token_ms`` counts from the request's start."""

    preprocess_ms: float
    vision_ms: float
    prefill_ms: float
    decode_ms: float
    first_token_ms: float
    total_ms: float


@dataclass(frozen=True)
class Answer:
    """The end of a request: the whole text and all that is known about how it came to be.

    ``token_ids`` are those generated, with the end token if there was one.
    """

    text: str
    finish_reason: FinishReason
    num_prompt_tokens: int
    num_picture_tokens: int
    token_ids: tuple[int, ...]
    pictures: tuple[PictureReport, ...]
    timings: Timings

    @property
    def num_generated_tokens(self) -> int:
        """Number of tokens that were generated, the end token included."""
        return len(self.token_ids)


Event = Progress | TextPiece | Answer


@dataclass
class Clock:
    """Adds up the time of each stage."""

    started: float = field(default_factory=time.perf_counter)
    spent: dict[str, float] = field(default_factory=dict)
    first_token: float | None = None

    def add(self, stage: str, since: float) -> None:
        """Count the time since ``since`` to a stage."""
        self.spent[stage] = self.spent.get(stage, 0.0) + time.perf_counter() - since

    def mark_first_token(self) -> None:
        """Remember when the first token was there."""
        if self.first_token is None:
            self.first_token = time.perf_counter()

    def timings(self) -> Timings:
        """Give the times up to now."""
        now = time.perf_counter()
        stages = {
            f"{name}_ms": self.spent.get(name, 0.0) * 1e3 for name in ("preprocess", "vision", "prefill", "decode")
        }
        first_ms = ((self.first_token or now) - self.started) * 1e3
        return Timings(**stages, first_token_ms=first_ms, total_ms=(now - self.started) * 1e3)
