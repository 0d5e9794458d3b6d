"""What a chat request's fields become, and which are refused: each refusal names its field."""

from __future__ import annotations

from typing import Any, get_type_hints

import msgspec
import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming

from kandong.errors import InputError, KandongError
from kandong.server.bodies import decode_body
from kandong.server.chat_body import IGNORED, ONLY_DEFAULTS, ChatBody
from kandong.server.chat_request import (
    DEFAULT_MAX_TOKENS,
    HIGH_DETAIL_TOKENS,
    LOW_DETAIL_TOKENS,
    ChatLimits,
    ChatPlan,
    plan_chat,
)
from kandong.server.picture_sources import data_uri_bytes
from kandong.server.sampling_defaults import DEFAULT_TEMPERATURE, DEFAULT_TOP_K, DEFAULT_TOP_P
from kandong.vlm.prompt import PicturePart, TextPart
from kandong.vlm.request import AnswerForm
from kandong.vlm.sampling import SamplingParameters

LIMITS = ChatLimits(max_pictures=3, max_image_tokens=16_384)
USER = [{"role": "user", "content": "你好"}]


def plan(messages: Any = USER, **fields: Any) -> ChatPlan:
    data = msgspec.json.encode({"messages": messages, **fields})
    return plan_chat(decode_body(data, ChatBody), LIMITS)


def refused(messages: Any = USER, **fields: Any) -> KandongError:
    with pytest.raises(InputError) as caught:
        plan(messages, **fields)
    return caught.value


def picture(url: str = "file-1", **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def test_every_field_of_openai_is_in_the_table() -> None:
    names = set(get_type_hints(CompletionCreateParamsStreaming))
    assert names <= set(ChatBody.__struct_fields__) | IGNORED, "a new field of OpenAI's: decide what it is"
    assert set(ONLY_DEFAULTS) <= set(ChatBody.__struct_fields__)
    assert not IGNORED & set(ChatBody.__struct_fields__)


def test_defaults_are_those_of_a_chat() -> None:
    sampling = plan().sampling
    assert sampling == SamplingParameters(DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE, DEFAULT_TOP_P, DEFAULT_TOP_K)
    assert plan(top_p=1, top_k=0).sampling == SamplingParameters(DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE)
    nulls = dict.fromkeys(set(ChatBody.__struct_fields__) - {"messages"})
    assert plan(**nulls) == plan()


def test_fields_become_sampling() -> None:
    sampling = plan(
        max_completion_tokens=9,
        temperature=1,
        top_p=0.5,
        top_k=7,
        presence_penalty=-1,
        frequency_penalty=2,
        repetition_penalty=1.1,
        seed=3,
        stop="。",
        logit_bias={"5": -100},
        logprobs=True,
        top_logprobs=4,
    ).sampling
    assert sampling == SamplingParameters(9, 1.0, 0.5, 7, -1.0, 2.0, 1.1, ((5, -100),), 4, 3, ("。",))
    assert plan(max_tokens=9, max_completion_tokens=9).sampling.max_tokens == 9
    assert plan(logprobs=True).sampling.top_logprobs == 0
    assert plan(logprobs=False, top_logprobs=0).sampling.top_logprobs is None
    assert plan(seed=-1).sampling.seed == 2**63 - 1


def test_top_p_zero_is_greedy() -> None:
    sampling = plan(top_p=0, temperature=1.2).sampling
    assert (sampling.temperature, sampling.top_p) == (0.0, 1.0)


@pytest.mark.parametrize("name", sorted(ONLY_DEFAULTS))
def test_unsupported_field_is_refused_unless_it_asks_for_nothing(name: str) -> None:
    for harmless in ONLY_DEFAULTS[name]:
        assert plan(**{name: harmless}) == plan()
    error = refused(**{name: {"type": "x"}})
    assert error.field == name
    assert name in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -0.1, "top_p": 0}, "temperature"),
        ({"top_p": 1.1}, "top_p"),
        ({"top_p": -1}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"frequency_penalty": -3}, "frequency_penalty"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 10**9}, "max_tokens"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"max_completion_tokens": 5, "max_tokens": 6}, "max_completion_tokens"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"n": 2}, "n"),
        ({"n": 0}, "n"),
        ({"seed": 2**63}, "seed"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"stop": [""]}, "stop"),
        ({"stop": [1]}, "stop[0]"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logit_bias": {"x": 1}}, "logit_bias"),
        ({"logit_bias": {"1": 101}}, "logit_bias"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            "response_format.json_schema.schema",
        ),
        ({"response_format": {"type": "json_object"}, "kandong": {"regex": "a"}}, "response_format"),
        ({"kandong": {"assist": "x"}}, "kandong.assist"),
        ({"kandong": {"choices": "x"}}, "kandong.choices"),
        ({"image": "file-1"}, "messages"),
    ],
)
def test_value_out_of_range_is_refused_by_name(fields: dict[str, Any], field: str) -> None:
    assert refused(**fields).field == field


def test_unknown_names_are_ignored() -> None:
    assert plan(foo=1, metadata={"a": "b"}, user="me", kandong={"bar": 2}) == plan()


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"role": "tool", "content": "x"}, "messages[0].role"),
        ({"role": "robot", "content": "x"}, "messages[0].role"),
        ({"role": "user"}, "messages[0].content"),
        ({"role": "user", "content": []}, "messages[0].content"),
        ({"role": "user", "content": 5}, "messages[0].content"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages[0].content[0].text"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "messages[0].content[0].image_url"),
        ({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}, "messages[0].content[0].type"),
        ({"role": "user", "content": [{"type": "file", "file": {}}]}, "messages[0].content[0].file.file_id"),
        (
            {"role": "user", "content": [{"type": "file", "file": {"file_id": "x"}}]},
            "messages[0].content[0].file.file_id",
        ),
        ({"role": "user", "content": [picture(detail="max")]}, "messages[0].content[0].image_url"),
        ({"role": "system", "content": [picture()]}, "messages[0].content[0].type"),
        ({"role": "user", "content": [picture()] * 4}, "messages[0].content"),
        ({"role": "user", "content": "x" * 1_000_001}, "messages[0].content"),
        ({"role": "assistant", "content": None, "tool_calls": [{}]}, "messages[0].tool_calls"),
    ],
)
def test_fault_of_a_message_names_its_place(message: dict[str, Any], field: str) -> None:
    error = refused([message, *USER])
    assert error.field is not None
    assert error.field.startswith(field)


@pytest.mark.parametrize("messages", [[], None, [*USER, {"role": "assistant", "content": "我"}]])
def test_conversation_must_end_with_a_question(messages: Any) -> None:
    assert (refused(messages).field or "").startswith("messages")


def test_roles_and_parts() -> None:
    by_text = {"type": "image_url", "image_url": "file-c"}
    told = plan(
        [
            {"role": "developer", "content": "规则"},
            {"role": "user", "content": [picture("file-a"), {"type": "text", "text": "看"}], "name": "x"},
            {"role": "assistant", "content": None, "refusal": "不"},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "不"}], "tool_calls": None},
            {"role": "user", "content": [{"type": "file", "file": {"file_id": "file-b"}}, by_text]},
        ]
    )
    assert [m.role for m in told.messages] == ["system", "user", "assistant", "assistant", "user"]
    assert told.messages[1].parts == (PicturePart(0), TextPart("看"))
    assert told.messages[2].parts == told.messages[3].parts == (TextPart("不"),)
    assert [s.text for s in told.sources] == ["file-a", "file-b", "file-c"]
    assert told.sources[0].place == "messages[1].content[0].image_url.url"


def test_detail_of_the_request_is_its_highest() -> None:
    def most(*details: str | None) -> int | None:
        content = [picture(**({"detail": d} if d else {})) for d in details]
        return plan([{"role": "user", "content": content}]).budget.max_tokens

    assert most("low") == most("low", "low") == LOW_DETAIL_TOKENS
    assert most("auto") is most(None) is most("low", None) is None
    assert most("low", "high") == HIGH_DETAIL_TOKENS
    small = plan_chat(
        decode_body(
            msgspec.json.encode({"messages": [{"role": "user", "content": [picture(detail="high")]}]}), ChatBody
        ),
        ChatLimits(3, 100),
    )
    assert small.budget.max_tokens == 100


def test_forms() -> None:
    schema = {"type": "object"}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert plan(response_format=wanted).form == AnswerForm("json_schema", schema)
    assert plan(response_format={"type": "json_object"}).form == AnswerForm("json_object")
    assert plan(response_format={"type": "text"}).form is None
    assert plan(kandong={"choices": ["a", "b"]}).form == AnswerForm("choice", ["a", "b"])
    unsupported = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"not": {}}}}
    assert refused(response_format=unsupported).field == "response_format"


@pytest.mark.parametrize(
    "uri",
    [
        "data:image/png;base64,aGk=",
        "data:;base64,aGk",
        "DATA:IMAGE/PNG;BASE64,aG k=\n",
        "data:text/plain;charset=utf-8;base64,aGk%3D",
        "data:,hi",
        "data:text/plain,%68i",
    ],
)
def test_data_uris_in_all_their_spellings(uri: str) -> None:
    assert data_uri_bytes(uri, 100) == b"hi"


@pytest.mark.parametrize(
    "uri", ["data:image/png;base64", "data:;base64,a", "data:;base64,??", "data:,", "data:;base64,"]
)
def test_broken_data_uris(uri: str) -> None:
    with pytest.raises(InputError):
        data_uri_bytes(uri, 100)
    with pytest.raises(InputError):
        data_uri_bytes("data:;base64," + "A" * 1000, 100)
