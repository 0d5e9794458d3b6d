"""Answers of the chat route as types, whole and in chunks.

Owns: the shape that OpenAI's clients read, with what Kandong adds under ``kandong``. Must not know: engines, streams.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any, Literal

import msgspec

from kandong.vlm.loops import LoopReason
from kandong.vlm.request import Answer, Counts, FinishReason, PictureReport, Timings
from kandong.vlm.sampling import TokenLogprob
from kandong.vlm.vocabulary import Vocabulary

# Of a token that the form of the answer forced, the model was not asked: it was certain.
FORCED_LOGPROB = 0.0


class PromptDetails(msgspec.Struct, frozen=True):
    """Tokens of the prompt that need not be computed, and those of pictures."""

    cached_tokens: int
    image_tokens: int


class Usage(msgspec.Struct, frozen=True):
    """Tokens that a request took."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails


class TopLogprob(msgspec.Struct, frozen=True):
    """One of the likeliest tokens at a place."""

    token: str
    logprob: float
    bytes: list[int] | None


class ContentLogprob(msgspec.Struct, frozen=True):
    """A token of the answer; one that had to come has the log-probability 0."""

    token: str
    logprob: float
    bytes: list[int] | None
    top_logprobs: list[TopLogprob]


class Logprobs(msgspec.Struct, frozen=True):
    """Log-probabilities of an answer."""

    content: list[ContentLogprob]
    refusal: None = None


class PictureSeen(msgspec.Struct, frozen=True):
    """What the model saw of a picture: its grid in tokens, and where the features came from."""

    width_px: int
    height_px: int
    grid: tuple[int, int]
    tokens: int
    origin: str


Check = Callable[[str], dict[str, Any]]


class KandongFacts(msgspec.Struct, frozen=True):
    """What only Kandong tells: pictures as seen, milliseconds by stage, why an answer was cut short.

    With ``assist`` also ``evidence``: each number of the answer with where it stands, or that it stands nowhere.
    """

    pictures: list[PictureSeen]
    timings_ms: dict[str, float]
    stopped_by: LoopReason | None
    counts: dict[str, int]
    evidence: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class AssistantMessage(msgspec.Struct, frozen=True):
    """The answer."""

    content: str
    role: Literal["assistant"] = "assistant"
    refusal: None = None


class Choice(msgspec.Struct, frozen=True):
    """The one answer."""

    message: AssistantMessage
    finish_reason: FinishReason
    logprobs: Logprobs | None
    index: int = 0


class ChatCompletion(msgspec.Struct, frozen=True, tag_field="object", tag="chat.completion"):
    """A whole answer."""

    id: str
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    kandong: KandongFacts
    system_fingerprint: str | None = None


class ShortAnswer(msgspec.Struct, frozen=True, tag_field="object", tag="kandong.answer"):
    """The answer to the short form."""

    response: str
    model: str
    finish_reason: FinishReason
    usage: Usage
    kandong: KandongFacts


class Delta(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a chunk adds."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(msgspec.Struct, frozen=True):
    """A piece of the one answer."""

    delta: Delta
    finish_reason: FinishReason | None = None
    logprobs: Logprobs | None = None
    index: int = 0


class ChatChunk(msgspec.Struct, frozen=True, tag_field="object", tag="chat.completion.chunk"):
    """A piece of a stream. ``usage`` is set in the last one, ``kandong`` in the one with ``finish_reason``."""

    id: str
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | msgspec.UnsetType | None = msgspec.UNSET
    kandong: KandongFacts | msgspec.UnsetType = msgspec.UNSET


def new_completion_id() -> str:
    """Give an id for one answer."""
    return f"chatcmpl-{uuid.uuid4().hex}"


def completion_of(
    answer: Answer, model: str, vocabulary: Vocabulary | None, check: Check | None = None
) -> ChatCompletion:
    """Give a whole answer; ``vocabulary`` is needed for log-probabilities, ``check`` for evidence."""
    choice = Choice(AssistantMessage(answer.text), answer.finish_reason, logprobs_of(answer, vocabulary))
    facts = facts_of(answer, check)
    return ChatCompletion(new_completion_id(), int(time.time()), model, [choice], usage_of(answer), facts)


def short_answer_of(answer: Answer, model: str, check: Check | None = None) -> ShortAnswer:
    """Give an answer to the short form."""
    return ShortAnswer(answer.text, model, answer.finish_reason, usage_of(answer), facts_of(answer, check))


def usage_of(answer: Answer) -> Usage:
    """Give the tokens that an answer took."""
    num_prompt, num_generated = answer.num_prompt_tokens, answer.num_generated_tokens
    details = PromptDetails(answer.counts.num_cached_tokens, answer.num_picture_tokens)
    return Usage(num_prompt, num_generated, num_prompt + num_generated, details)


def facts_of(answer: Answer, check: Check | None = None) -> KandongFacts:
    """Give what only Kandong tells of an answer."""
    return KandongFacts(
        [_seen(picture) for picture in answer.pictures],
        _timings(answer.timings),
        answer.stopped_by,
        _counts(answer.counts),
        msgspec.UNSET if check is None else check(answer.text),
    )


def _seen(picture: PictureReport) -> PictureSeen:
    grid = (picture.grid_rows, picture.grid_columns)
    return PictureSeen(picture.width_px, picture.height_px, grid, picture.num_tokens, picture.origin)


def _timings(timings: Timings) -> dict[str, float]:
    return {name.removesuffix("_ms"): round(value, 1) for name, value in asdict(timings).items()}


def _counts(counts: Counts) -> dict[str, int]:
    return {name.removeprefix("num_"): value for name, value in asdict(counts).items()}


def logprobs_of(answer: Answer, vocabulary: Vocabulary | None) -> Logprobs | None:
    """Give the log-probabilities, if they were asked for; end tokens, which are no text, are left out."""
    if vocabulary is None:
        return None
    return Logprobs([_content(one, vocabulary) for one in answer.logprobs if not vocabulary.is_control(one.token)])


def _content(one: TokenLogprob, vocabulary: Vocabulary) -> ContentLogprob:
    token = vocabulary.bytes_of(one.token)
    logprob = FORCED_LOGPROB if one.logprob is None else one.logprob
    return ContentLogprob(_shown(token), logprob, list(token), _top(one.top, vocabulary))


def _top(pairs: Iterable[tuple[int, float]], vocabulary: Vocabulary) -> list[TopLogprob]:
    tokens = [(vocabulary.bytes_of(token), logprob) for token, logprob in pairs]
    return [TopLogprob(_shown(token), logprob, list(token)) for token, logprob in tokens]


def _shown(token: bytes) -> str:
    return token.decode("utf-8", "replace")
