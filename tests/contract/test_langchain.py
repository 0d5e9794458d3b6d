"""LangChain's OpenAI client against the real server."""

from __future__ import annotations

import base64
from typing import Literal

import pydantic
import pytest
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI

from tests.contract.conftest import Endpoint
from tests.server.asking import SQUARE


class Mood(pydantic.BaseModel):
    """How a post sounds."""

    mood: Literal["好", "坏"]


def connect(endpoint: Endpoint, max_tokens: int) -> ChatOpenAI:
    return ChatOpenAI(
        base_url=endpoint.url,
        api_key=pydantic.SecretStr(endpoint.key),
        model="tied",
        temperature=0,
        max_completion_tokens=max_tokens,
        max_retries=0,
    )


@pytest.fixture(scope="module")
def chat(endpoint: Endpoint) -> ChatOpenAI:
    return connect(endpoint, 12)


def picture_message() -> HumanMessage:
    picture = {
        "type": "image",
        "base64": base64.b64encode(SQUARE).decode(),
        "mime_type": "image/png",
    }
    return HumanMessage(content=[picture, {"type": "text", "text": "图里写了什么？"}])


def test_invoke(chat: ChatOpenAI) -> None:
    answer = chat.invoke([("system", "简短回答。"), ("human", "你好")])
    assert answer.content
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_tokens"] == 12
    assert answer.response_metadata["finish_reason"] == "length"


def test_pictures_and_streams(chat: ChatOpenAI) -> None:
    whole = chat.invoke([picture_message()])
    pieces = list(chat.stream([picture_message()]))
    assert len(pieces) > 2
    assert "".join(str(piece.content) for piece in pieces) == whole.content
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["input_tokens"] > 16


def test_batch(chat: ChatOpenAI) -> None:
    answers = chat.batch(["一", "二", "三"])
    assert len(answers) == 3


def test_structured_output(endpoint: Endpoint) -> None:
    found = connect(endpoint, 200).with_structured_output(Mood, method="json_schema").invoke("你好")
    assert isinstance(found, Mood)
