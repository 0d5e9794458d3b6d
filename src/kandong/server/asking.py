"""From a conversation to a request, and from its answer to what is known about it.

Owns: which messages the model sees and in what order, defaults of sampling, and the one place where a request is made
ready and its answer checked. Must not know: HTTP, how answers are followed.

The order is that of ``kandong.runtime.conversation.Chat``: system, then for each round pictures, words, answer. So the
second question finds the keys and values of the first one computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kandong.server.conversation_shapes import ConversationSettings, Outcome, SeenPicture, Usage
from kandong.server.sampling_defaults import DEFAULT_TEMPERATURE, DEFAULT_TOP_K, DEFAULT_TOP_P
from kandong.store.files import StoredFile
from kandong.store.messages import StoredMessage
from kandong.types import Picture
from kandong.vlm.pixels import PixelBudget
from kandong.vlm.prompt import Message, PicturePart, TextPart
from kandong.vlm.request import Answer, Deadlines, HistoryLimits, Request
from kandong.vlm.sampling import SamplingParameters

DEFAULT_MAX_TOKENS = 1_024
DEFAULT_MIN_ROUNDS = 2
LoadPicture = Callable[[StoredFile], Picture]


@dataclass(frozen=True)
class Asked:
    """All that is known when an answer is wanted: the messages up to the question, and how it shall be answered."""

    owner: str
    messages: Sequence[StoredMessage]
    settings: ConversationSettings
    max_tokens: int
    max_answer_s: float


@dataclass(frozen=True)
class Prepared:
    """A request made ready; ``check`` gives what a finished answer rests on, if that is looked at."""

    request: Request
    check: Callable[[str], dict[str, Any]] | None = None


Prepare = Callable[[Asked, LoadPicture], Prepared]


def prepare_plain(asked: Asked, load: LoadPicture) -> Prepared:
    """Make the conversation's request as it is. Errors: those of ``load``; ``InputError`` for settings out of range."""
    settings = asked.settings
    messages, pictures = _conversation(asked, load)
    sampling = SamplingParameters(
        max_tokens=min(settings.max_tokens or DEFAULT_MAX_TOKENS, asked.max_tokens),
        temperature=DEFAULT_TEMPERATURE if settings.temperature is None else settings.temperature,
        top_p=DEFAULT_TOP_P,
        top_k=DEFAULT_TOP_K,
    )
    min_rounds = DEFAULT_MIN_ROUNDS if settings.min_rounds is None else settings.min_rounds
    return Prepared(
        Request(
            messages,
            pictures,
            sampling,
            budget=PixelBudget(None, settings.max_image_tokens),
            deadlines=Deadlines(total_s=asked.max_answer_s),
            history=HistoryLimits(min_rounds=min_rounds),
        )
    )


def _conversation(asked: Asked, load: LoadPicture) -> tuple[list[Message], list[Picture]]:
    """Lay the rounds out. A question that was never answered goes, and its pictures wait for the next, as in a chat."""
    messages: list[Message] = []
    pictures: list[Picture] = []
    waiting: list[PicturePart] = []
    question: StoredMessage | None = None
    if asked.settings.system:
        messages.append(Message("system", (TextPart(asked.settings.system),)))
    for message in asked.messages:
        if message.role == "user":
            question = message
            for file in message.files:
                waiting.append(PicturePart(len(pictures)))
                pictures.append(load(file))
        elif question is not None and message.text:
            messages += [_asked(waiting, question), Message("assistant", (TextPart(message.text),))]
            waiting, question = [], None
    if question is not None:
        messages.append(_asked(waiting, question))
    return messages, pictures


def _asked(pictures: list[PicturePart], question: StoredMessage) -> Message:
    words = (TextPart(question.text),) if question.text else ()
    return Message("user", (*pictures, *words))


def outcome_of_answer(answer: Answer, model: str | None, evidence: dict[str, Any] | None = None) -> Outcome:
    """Give what is known about a finished answer."""
    timings = answer.timings
    return Outcome(
        finish_reason=answer.finish_reason,
        stopped_by=answer.stopped_by,
        usage=Usage(
            prompt_tokens=answer.num_prompt_tokens,
            completion_tokens=answer.num_generated_tokens,
            cached_tokens=answer.counts.num_cached_tokens,
            picture_tokens=answer.num_picture_tokens,
        ),
        timings_ms={
            "queue": round(timings.queue_ms, 1),
            "preprocess": round(timings.preprocess_ms, 1),
            "vision": round(timings.vision_ms, 1),
            "prefill": round(timings.prefill_ms, 1),
            "decode": round(timings.decode_ms, 1),
            "first_token": round(timings.first_token_ms, 1),
            "total": round(timings.total_ms, 1),
        },
        pictures=[
            SeenPicture([picture.grid_rows, picture.grid_columns], picture.num_tokens, picture.origin)
            for picture in answer.pictures
        ],
        dropped_rounds=answer.counts.num_dropped_rounds,
        model=model,
        evidence=evidence,
    )
