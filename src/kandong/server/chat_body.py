"""The body of a chat request as types: OpenAI's fields, a few that other local servers have, and the short form.

Owns: names, types and ranges, and which of OpenAI's fields count here. Must not know: what becomes of them.

Everything may be absent or null, as clients send it. A name that is not here is ignored; one that is known and cannot
be done is refused unless it has the value that asks for nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from kandong.errors import InputError

MAX_STOPS = 4
MAX_MESSAGES = 2_048
MAX_PARTS = 512

Detail = Literal["auto", "low", "high"]


class ImageUrl(msgspec.Struct, frozen=True):
    """A picture: a data URI, the id of an uploaded file, or an http(s) address of a host that the operator allows."""

    url: str
    detail: Detail | None = None


class FileRef(msgspec.Struct, frozen=True):
    """An uploaded file."""

    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = None


class ContentPart(msgspec.Struct, frozen=True):
    """One part of a message: ``text``, ``image_url``, ``file`` or ``refusal``, whose field of that name is set."""

    type: str
    text: str | None = None
    image_url: ImageUrl | str | None = None
    file: FileRef | None = None
    refusal: str | None = None


class ChatMessage(msgspec.Struct, frozen=True):
    """One message; ``developer`` counts as ``system``."""

    role: str
    content: str | Annotated[list[ContentPart], msgspec.Meta(max_length=MAX_PARTS)] | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: Any = None
    function_call: Any = None
    audio: Any = None


class JsonSchemaFormat(msgspec.Struct, frozen=True):
    """A JSON Schema that the answer follows, always strictly."""

    name: str | None = None
    schema: dict[str, Any] | None = None
    description: str | None = None
    strict: bool | None = None


class ResponseFormat(msgspec.Struct, frozen=True):
    """What an answer must look like."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaFormat | None = None


class StreamOptions(msgspec.Struct, frozen=True):
    """What a stream tells besides the text."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class KandongOptions(msgspec.Struct, frozen=True):
    """What only Kandong has: tokens of a picture, other forms of an answer, and ``assist``.

    ``assist``: what OCR reads goes beside the pictures, and ``kandong.evidence`` tells what the answer rests on.
    """

    assist: bool | None = None
    min_image_tokens: int | None = None
    max_image_tokens: int | None = None
    regex: str | None = None
    choices: list[str] | None = None


class ChatBody(msgspec.Struct, frozen=True):
    """``messages``, or the short form ``image`` and ``query``; then fields that say how to answer."""

    messages: Annotated[list[ChatMessage], msgspec.Meta(max_length=MAX_MESSAGES)] | None = None
    model: str | None = None
    image: str | Annotated[list[str], msgspec.Meta(max_length=256)] | None = None
    query: str | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    n: int | None = None
    response_format: ResponseFormat | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    kandong: KandongOptions | None = None
    audio: Any = None
    function_call: Any = None
    functions: Any = None
    modalities: Any = None
    moderation: Any = None
    prediction: Any = None
    prompt_cache_options: Any = None
    reasoning_effort: Any = None
    service_tier: Any = None
    store: Any = None
    tool_choice: Any = None
    tools: Any = None
    verbosity: Any = None
    web_search_options: Any = None


# Known and not supported: the values that ask for nothing beyond what is done anyway (null always is one).
ONLY_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "audio": (),
    "function_call": ("none", "auto"),
    "functions": ([],),
    "modalities": (["text"], []),
    "moderation": (),
    "prediction": (),
    "prompt_cache_options": ({}, {"mode": "implicit"}),
    "reasoning_effort": ("none",),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "verbosity": ("medium",),
    "web_search_options": (),
}
# Known and without any effect on an answer.
IGNORED = frozenset(
    {"metadata", "parallel_tool_calls", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "user"}
)
_HINTS = {
    "tools": "Ask for JSON with response_format instead.",
    "functions": "Ask for JSON with response_format instead.",
    "store": "Conversations that are kept are under /api/conversations.",
}


def check_unsupported(body: ChatBody) -> None:
    """Refuse what is known and cannot be done. Errors: ``InputError`` naming the field."""
    for name, harmless in ONLY_DEFAULTS.items():
        value = getattr(body, name)
        if value is not None and not any(type(value) is type(one) and value == one for one in harmless):
            raise InputError(f"{name} is not supported.", hint=_HINTS.get(name, f"Leave {name} out."), field=name)
    if body.n not in (None, 1):
        raise InputError(f"n is {body.n}, only 1 answer is given at a time.", hint="Send more requests.", field="n")
