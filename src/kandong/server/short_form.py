"""The short form of a question: ``{"image", "query"}`` as JSON or as a form, for programs of one line.

Owns: that form, and a form's texts as typed values. Must not know: how pictures are read or answers given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from werkzeug.datastructures import FileStorage, MultiDict

from kandong.errors import InputError
from kandong.server.bodies import convert_value
from kandong.server.chat_body import ChatBody, check_unsupported
from kandong.server.chat_request import MAX_TEXT_CHARACTERS, ChatLimits, ChatPlan, budget_of, plan_of
from kandong.server.picture_sources import PictureSource
from kandong.typed_values import from_json
from kandong.vlm.prompt import Message, PicturePart, TextPart

FORM_HINT = "For example: curl -F image=@card.png -F query=价格是多少？ …/v1/chat/completions"
FORM_FIELDS: tuple[tuple[str, Any, str], ...] = (
    ("image", bytes, "a picture; several parts of this name are several pictures"),
    ("query", str, "the question"),
    ("model", str, "as in JSON; all other fields of JSON may be given too"),
    ("max_tokens", int, "as in JSON"),
    ("temperature", float, "as in JSON"),
)
_JSON_FIELDS = ("kandong", "logit_bias", "response_format", "stream_options")
_HINT = 'Send {"image": …, "query": …}; image is a data URI, the id of a file, or a path in the media folder.'


def is_short(body: ChatBody) -> bool:
    """Whether a JSON body is of the short form."""
    return body.messages is None and (body.image is not None or body.query is not None)


def plan_short(body: ChatBody, limits: ChatLimits) -> ChatPlan:
    """Turn a JSON body of the short form into a plan. Errors: ``InputError`` naming the field."""
    images = [body.image] if isinstance(body.image, str) else list(body.image or ())
    is_list = not isinstance(body.image, str)
    places = [f"image[{i}]" if is_list else "image" for i in range(len(images))]
    sources = [PictureSource(place, text, may_be_path=True) for place, text in zip(places, images, strict=True)]
    return _plan(body, sources, limits)


def plan_form(fields: MultiDict[str, str], files: MultiDict[str, FileStorage], limits: ChatLimits) -> ChatPlan:
    """Turn a form into a plan: parts ``image`` (files, or texts as in JSON), ``query``, and fields of the chat route.

    Errors: ``InputError`` naming the field.
    """
    sources = [PictureSource("image", data=part.stream.read()) for part in files.getlist("image")]
    sources += [PictureSource("image", text, may_be_path=True) for text in fields.getlist("image")]
    plain: dict[str, Any] = {}
    for name, text in fields.items():
        if name == "messages":
            raise InputError("A form has image and query, no messages.", hint=FORM_HINT, field="messages")
        if name in ChatBody.__struct_fields__ and name != "image" and (text or name == "query"):
            plain[name] = _json(name, text) if name in _JSON_FIELDS else text
    body: ChatBody = convert_value(plain, ChatBody, "", strict=False)
    return _plan(body, sources, limits)


def _json(name: str, text: str) -> Any:
    try:
        return from_json(text, Any)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise InputError(f"{name} is not valid JSON.", field=name) from None


def _plan(body: ChatBody, sources: Sequence[PictureSource], limits: ChatLimits) -> ChatPlan:
    check_unsupported(body)
    if not sources:
        raise InputError("image is missing.", hint=_HINT, field="image")
    if len(sources) > limits.max_pictures:
        raise InputError(
            f"{len(sources)} pictures, allowed are {limits.max_pictures}.", hint="Send fewer.", field="image"
        )
    if body.query is None or not body.query.strip():
        raise InputError("query is missing.", hint=_HINT, field="query")
    if len(body.query) > MAX_TEXT_CHARACTERS:
        raise InputError(f"query has more than {MAX_TEXT_CHARACTERS:,} characters.", field="query")
    for name in ("stream", "logprobs"):
        if getattr(body, name):
            raise InputError(f"{name} goes with messages only.", hint="Send messages instead.", field=name)
    parts: tuple[PicturePart | TextPart, ...] = (*(PicturePart(i) for i in range(len(sources))), TextPart(body.query))
    return plan_of(body, (Message("user", parts),), tuple(sources), budget_of(body, (), limits.max_image_tokens))
