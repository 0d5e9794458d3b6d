"""What goes into the engine and what comes out of it.

Owns: requests, events, answers, and the clock that times their stages. Must not know: how any of it is computed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

from kandong.errors import KandongError
from kandong.types import Picture, PictureRef
from kandong.vlm.loops import LoopReason
from kandong.vlm.pixels import PixelBudget
from kandong.vlm.prompt import Message
from kandong.vlm.sampling import SamplingParameters, TokenLogprob

FinishReason = Literal["stop", "length"]
Stage = Literal["vision", "prefill"]
PictureOrigin = Literal["computed", "memory", "disk", "prefix"]


class Priority(IntEnum):
    """Who goes first: somebody waiting at a screen, a job over many posts, work done ahead of any question."""

    INTERACTIVE = 0
    BATCH = 1
    WARM_UP = 2


@dataclass(frozen=True)
class Deadlines:
    """Seconds from submission until a request that has not come so far is given up; ``None`` is no limit."""

    start_s: float | None = None
    first_token_s: float | None = None
    total_s: float | None = None


@dataclass(frozen=True)
class AnswerForm:
    """What an answer must look like: ``value`` is a JSON Schema, nothing, a pattern, or a list of texts."""

    kind: Literal["json_schema", "json_object", "regex", "choice"]
    value: Any = None


@dataclass(frozen=True)
class HistoryLimits:
    """How a long conversation may be shortened; see ``history.py``. Without a budget: what the context leaves."""

    budget_tokens: int | None = None
    min_rounds: int = 2


@dataclass(frozen=True)
class Request:
    """One question: a conversation whose picture parts index ``pictures``.

    ``draft_sources`` are texts that the answer is likely to copy: they make it faster, never different. Without
    ``drafting`` each step gives one token; without ``stop_loops`` an answer that runs away goes on to its limit, as it
    does with ``ignore_eos``. Without ``history`` a conversation that does not fit is refused. A ``PictureRef`` stands
    for a picture that the engine has seen before. ``prefill_only`` asks for no answer, only for everything up to the
    last picture to be computed and kept. Prompts with different ``cache_salt`` share no prefix.
    """

    messages: Sequence[Message]
    pictures: Sequence[Picture | PictureRef] = ()
    sampling: SamplingParameters = field(default_factory=SamplingParameters)
    budget: PixelBudget = field(default_factory=PixelBudget)
    deadlines: Deadlines = field(default_factory=Deadlines)
    prefill_only: bool = False
    cache_salt: str = ""
    history: HistoryLimits | None = None
    form: AnswerForm | None = None
    draft_sources: Sequence[str] = ()
    drafting: bool = True
    stop_loops: bool = True


@dataclass(frozen=True)
class Queued:
    """The request waits: ``position`` counts from 1, the wait is a prediction."""

    position: int
    predicted_wait_ms: float


@dataclass(frozen=True)
class Progress:
    """How far a stage has come: layers of the tower over all pictures, or tokens of the prompt."""

    stage: Stage
    num_done: int
    num_total: int


@dataclass(frozen=True)
class TextPiece:
    """Text that is certain: whole characters, no part of a stop string.

    ``num_tokens``: how many were generated since the piece before; some of them may have given no text of their own.
    """

    text: str
    num_tokens: int = 0


@dataclass(frozen=True)
class PictureReport:
    """What the model saw of a picture; the grid counts tokens, each 32×32 pixels of the resized picture.

    ``origin`` says where its features came from; ``prefix``: not needed, as the prompt up to its end was known.
    """

    width_px: int
    height_px: int
    grid_rows: int
    grid_columns: int
    num_tokens: int
    origin: PictureOrigin

    @property
    def is_cached(self) -> bool:
        """Whether the tower had nothing to do for it."""
        return self.origin != "computed"


@dataclass(frozen=True)
class Timings:
    """Milliseconds by stage. ``first_token_ms`` counts from the request's submission.

    A step that several answers share counts wholly for each of them.
    """

    queue_ms: float
    preprocess_ms: float
    vision_ms: float
    prefill_ms: float
    decode_ms: float
    first_token_ms: float
    total_ms: float


@dataclass(frozen=True)
class Counts:
    """What an answer took. ``num_steps`` are runs of the language model that gave it tokens."""

    num_cached_tokens: int = 0
    num_steps: int = 0
    num_drafted_tokens: int = 0
    num_accepted_tokens: int = 0
    num_forced_tokens: int = 0
    num_preemptions: int = 0
    num_dropped_rounds: int = 0


@dataclass(frozen=True)
class Answer:
    """The end of a request: the whole text and all that is known about how it came to be.

    ``token_ids`` are those generated, with the end token if there was one; ``logprobs`` go with them, if asked for.
    ``stopped_by`` says what kind of loop was cut short; ``finish_reason`` is ``length`` then.
    """

    text: str
    finish_reason: FinishReason
    num_prompt_tokens: int
    num_picture_tokens: int
    token_ids: tuple[int, ...]
    pictures: tuple[PictureReport, ...]
    timings: Timings
    counts: Counts = field(default_factory=Counts)
    stopped_by: LoopReason | None = None
    logprobs: tuple[TokenLogprob, ...] = ()

    @property
    def num_generated_tokens(self) -> int:
        """Number of tokens that were generated, the end token included."""
        return len(self.token_ids)


@dataclass(frozen=True)
class Cancelled:
    """The request ended because it was no longer wanted, or was superseded."""


@dataclass(frozen=True)
class Failed:
    """The request ended with an error; it may have given text before."""

    error: KandongError


Event = Queued | Progress | TextPiece | Answer | Cancelled | Failed
END_OF_REQUEST = (Answer, Cancelled, Failed)


@dataclass
class Clock:
    """Adds up the time of each stage of one request, from its submission on."""

    submitted: float = field(default_factory=time.perf_counter)
    started: float | None = None
    first_token: float | None = None
    spent: dict[str, float] = field(default_factory=dict)

    def add(self, stage: str, seconds: float) -> None:
        """Count time to a stage."""
        self.spent[stage] = self.spent.get(stage, 0.0) + seconds

    def mark_started(self) -> None:
        """Remember when the request left the queue for the first time."""
        if self.started is None:
            self.started = time.perf_counter()

    def mark_first_token(self) -> None:
        """Remember when the first token was there."""
        if self.first_token is None:
            self.first_token = time.perf_counter()

    def age_s(self) -> float:
        """Seconds since submission."""
        return time.perf_counter() - self.submitted

    def timings(self) -> Timings:
        """Give the times up to now."""
        now = time.perf_counter()
        stages = {
            f"{name}_ms": self.spent.get(name, 0.0) * 1e3 for name in ("preprocess", "vision", "prefill", "decode")
        }
        return Timings(
            queue_ms=((self.started or now) - self.submitted) * 1e3,
            **stages,
            first_token_ms=((self.first_token or now) - self.submitted) * 1e3,
            total_ms=(now - self.submitted) * 1e3,
        )
