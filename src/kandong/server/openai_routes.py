"""Routes that OpenAI's clients use: chat completions and models.

Owns: these addresses, and the way from a body to an answer. Must not know: how bodies are read or engines run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import msgspec
from flask import Response, request

from kandong.errors import InputError, ModelNotFoundError
from kandong.runtime.handle import Handle
from kandong.server.chat_answer import ChatCompletion, Check, ShortAnswer, completion_of, short_answer_of
from kandong.server.chat_body import ChatBody
from kandong.server.chat_request import ChatLimits, ChatPlan, plan_chat
from kandong.server.chat_run import ChatStream, is_gone, wait_for
from kandong.server.event_stream import stream_response
from kandong.server.model_names import ModelList, ModelObject, checked_model, model_objects
from kandong.server.picture_sources import read_pictures
from kandong.server.routes import Routes
from kandong.server.services import Services, caller, services
from kandong.server.short_form import FORM_FIELDS, FORM_HINT, is_short, plan_form, plan_short
from kandong.server.upload_form import read_form
from kandong.store.idempotency import IdempotentAnswers
from kandong.vlm.vocabulary import Vocabulary

REPLAYED_HEADER = "Idempotency-Replayed"
_KEY_HEADER = "Idempotency-Key"


def add_routes(routes: Routes) -> None:
    """Declare them."""

    @routes.add(
        "POST",
        "/v1/chat/completions",
        scope="submit",
        summary="Answer a conversation with pictures, or the short form of one question",
        takes=ChatBody,
        gives=ChatCompletion | ShortAnswer,
        takes_multipart=True,
        form=FORM_FIELDS,
        takes_pictures=True,
        is_work=True,
        is_long=True,
        errors=(400, 404, 409, 413, 415, 422, 429, 503),
    )
    def chat(body: ChatBody | None) -> Response:
        parts = services()
        limits = ChatLimits(parts.settings.max_pictures, parts.engine.config.pixels.max_tokens)
        if body is None:
            fields, files = read_form(parts.settings.max_request_bytes, FORM_HINT)
            plan, is_of_short_form = plan_form(fields, files, limits), True
        elif is_short(body):
            plan, is_of_short_form = plan_short(body, limits), True
        else:
            plan, is_of_short_form = plan_chat(body, limits), False
        model = checked_model(parts.engine, plan.model)
        if plan.is_stream:
            return _stream(plan, model, parts)
        return _idempotent(
            plan, is_of_short_form, lambda is_unwanted: _whole(plan, model, is_of_short_form, is_unwanted)
        )

    @routes.add("GET", "/v1/models", scope="read", summary="The models that can be asked", gives=ModelList)
    def list_models() -> ModelList:
        return ModelList(_models())

    @routes.add(
        "GET",
        "/v1/models/<path:model_id>",
        scope="read",
        summary="What is known about a model",
        gives=ModelObject,
        errors=(404,),
    )
    def get_model(model_id: str) -> ModelObject:
        for model in _models():
            if model_id == model.id or model_id in model.kandong.aliases:
                return model
        raise ModelNotFoundError("There is no such model here.", hint="GET /v1/models lists them.", field="model")


def _models() -> list[ModelObject]:
    parts = services()
    return model_objects(parts.engine, is_demo=parts.host.is_demo)


def _submit(plan: ChatPlan, parts: Services) -> tuple[Handle, Check | None]:
    """Read the pictures and send the request on its way; gives how its answer is checked, if it is."""
    owner = caller().owner
    pictures = read_pictures(plan.sources, parts, owner)
    request = plan.request(pictures, parts.settings.max_answer_s)
    check = None
    if plan.is_assisted:
        prepared = parts.assistant.assist(request)
        request, check = prepared.request, prepared.check
    return parts.engine.submit(request, client=owner), check


def _whole(plan: ChatPlan, model: str, is_of_short_form: bool, is_unwanted: Callable[[], bool]) -> bytes:
    """Wait for an answer and give it as JSON."""
    parts = services()
    handle, check = _submit(plan, parts)
    answer = wait_for(handle, is_unwanted)
    if is_of_short_form:
        return msgspec.json.encode(short_answer_of(answer, model, check))
    return msgspec.json.encode(completion_of(answer, model, _vocabulary(plan, parts), check))


def _stream(plan: ChatPlan, model: str, parts: Services) -> Response:
    if _KEY_HEADER in request.headers:
        raise InputError(
            "A stream cannot be sent with an Idempotency-Key: streams are not kept.",
            hint="Leave the key out, or ask without stream.",
            field=_KEY_HEADER,
        )
    environ = request.environ
    handle, check = _submit(plan, parts)
    stream = ChatStream(
        handle,
        model,
        includes_usage=plan.includes_usage,
        vocabulary=_vocabulary(plan, parts),
        is_unwanted=lambda: is_gone(environ),
        check=check,
    )
    return stream_response(stream, cache_control="no-cache")


def _idempotent(plan: ChatPlan, is_of_short_form: bool, run: Callable[[Callable[[], bool]], bytes]) -> Response:
    """Answer once for each ``Idempotency-Key``; with one, the work goes on when the client is gone: it asks again."""
    key = request.headers.get(_KEY_HEADER)
    if key is None:
        environ = request.environ
        return _json(run(lambda: is_gone(environ)))
    owner, kept = caller().owner, IdempotentAnswers(services().database)
    known = kept.begin(owner, key, _sha_of(plan, is_of_short_form))
    if known is not None:
        replayed = _json(known)
        replayed.headers[REPLAYED_HEADER] = "true"
        return replayed
    try:
        body = run(lambda: False)
        kept.finish(owner, key, body)
    except BaseException:
        kept.abandon(owner, key)
        raise
    return _json(body)


def _sha_of(plan: ChatPlan, is_of_short_form: bool) -> str:
    """Give what tells two requests apart: all that was asked, not how it was written."""
    said = repr((plan.messages, plan.sampling, plan.budget, plan.form, plan.model, plan.is_assisted, is_of_short_form))
    state = hashlib.sha256(said.encode("utf-8", "surrogatepass"))
    for source in plan.sources:
        data = source.text.encode("utf-8", "surrogatepass") if source.data is None else source.data
        state.update(f"|{len(data)}:".encode() + data)
    return state.hexdigest()


def _vocabulary(plan: ChatPlan, parts: Services) -> Vocabulary | None:
    """Give what token ids mean, if log-probabilities are asked for."""
    return None if plan.sampling.top_logprobs is None else _read_vocabulary(parts.host.model_folder)


@lru_cache(maxsize=1)
def _read_vocabulary(folder: Path) -> Vocabulary:
    return Vocabulary(folder)


def _json(body: bytes) -> Response:
    return Response(body, mimetype="application/json")
