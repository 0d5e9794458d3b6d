"""OpenAI's own Python client against the real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import openai
import pydantic
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam

from tests.contract.conftest import Endpoint
from tests.server.asking import data_uri

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "你好"}]
LOOK: list[ChatCompletionMessageParam] = [
    {
        "role": "user",
        "content": [
            {"type": "image_url", "image_url": {"url": data_uri(), "detail": "low"}},
            {"type": "text", "text": "图里写了什么？"},
        ],
    }
]


class Verdict(pydantic.BaseModel):
    """A form whose every answer is short."""

    is_advertisement: bool
    mood: Literal["好", "坏"]


@pytest.fixture(scope="module")
def client(endpoint: Endpoint) -> Iterator[OpenAI]:
    with OpenAI(base_url=endpoint.url, api_key=endpoint.key, max_retries=0, timeout=30) as connected:
        yield connected


def test_chat(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="tied", messages=HELLO, max_completion_tokens=8, temperature=0)
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 8
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens is not None


def test_pictures_are_seen(client: OpenAI) -> None:
    def ask(messages: Any) -> Any:
        return client.chat.completions.create(model="default", messages=messages, max_tokens=8, temperature=0, seed=1)

    seen = ask(LOOK)
    assert seen.usage.prompt_tokens > ask(HELLO).usage.prompt_tokens
    assert seen.kandong["pictures"][0]["tokens"] == 16
    two = [{"role": "user", "content": [*LOOK[0]["content"], *LOOK[0]["content"]]}]  # type: ignore[misc]
    assert len(ask(two).kandong["pictures"]) == 2


def test_stream_is_the_same_text(client: OpenAI) -> None:
    whole = client.chat.completions.create(model="tied", messages=LOOK, max_tokens=16, temperature=0)
    chunks = list(
        client.chat.completions.create(
            model="tied",
            messages=LOOK,
            max_tokens=16,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 16


def test_stream_helper_gathers_everything(client: OpenAI) -> None:
    with client.chat.completions.stream(
        model="tied", messages=HELLO, max_tokens=200, response_format=Verdict, logprobs=True, top_logprobs=2
    ) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    (choice,) = final.choices
    assert isinstance(choice.message.parsed, Verdict)
    assert choice.finish_reason == "stop"
    assert choice.logprobs is not None
    said = b"".join(bytes(token.bytes or []) for token in choice.logprobs.content or [])
    assert said.decode() == choice.message.content


def test_stream_that_is_left_early_stops(client: OpenAI, endpoint: Endpoint) -> None:
    stream = client.chat.completions.create(model="tied", messages=HELLO, max_tokens=20_000, temperature=2, stream=True)
    next(iter(stream))
    stream.close()
    left = time.monotonic()
    headers = {"Authorization": f"Bearer {endpoint.key}"}
    while endpoint.service.ask("GET", "/api/system", headers=headers).json["queue"]["running"]:
        assert time.monotonic() - left < 2.0
        time.sleep(0.05)


def test_parsed_answer(client: OpenAI) -> None:
    answer = client.chat.completions.parse(model="tied", messages=HELLO, response_format=Verdict, max_tokens=200)
    assert isinstance(answer.choices[0].message.parsed, Verdict)
    assert answer.choices[0].finish_reason == "stop"


def test_json_object(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="tied", messages=HELLO, response_format={"type": "json_object"}, max_tokens=20
    )
    assert (answer.choices[0].message.content or "").startswith("{")


def test_logprobs(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="tied", messages=HELLO, max_tokens=4, logprobs=True, top_logprobs=5)
    assert answer.choices[0].logprobs is not None
    content = answer.choices[0].logprobs.content
    assert content is not None
    assert all(token.logprob <= 0 and len(token.top_logprobs) == 5 for token in content)
    assert (
        b"".join(bytes(token.bytes or []) for token in content)
        .decode("utf-8", "replace")
        .startswith((answer.choices[0].message.content or "")[:1])
    )


def test_files_can_be_asked_about(client: OpenAI, picture: Path) -> None:
    with picture.open("rb") as opened:
        file = client.files.create(file=opened, purpose="vision")
    assert (file.filename, file.status, file.purpose) == ("卡片.png", "processed", "vision")
    assert file.id in [one.id for one in client.files.list()]
    assert client.files.retrieve(file.id) == file
    assert client.files.content(file.id).read().startswith(b"\x89PNG")
    by_url: Any = {"type": "image_url", "image_url": {"url": file.id}}
    by_file: Any = {"type": "file", "file": {"file_id": file.id}}
    for part in (by_url, by_file):
        messages: Any = [{"role": "user", "content": [part, {"type": "text", "text": "？"}]}]
        answer = client.chat.completions.create(model="tied", messages=messages, max_tokens=2)
        assert answer.kandong["pictures"]  # type: ignore[attr-defined]
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="tied", messages=[{"role": "user", "content": [by_url]}])


def test_models(client: OpenAI) -> None:
    (model,) = client.models.list().data
    assert client.models.retrieve(model.id) == model
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4o")


@pytest.mark.parametrize(
    ("fields", "kind", "param"),
    [
        ({"model": "gpt-4o"}, openai.NotFoundError, "model"),
        ({"temperature": 9}, openai.BadRequestError, "temperature"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, openai.BadRequestError, "tools"),
        ({"messages": []}, openai.BadRequestError, "messages"),
    ],
)
def test_errors_are_the_clients_own(
    client: OpenAI, fields: dict[str, Any], kind: type[openai.APIStatusError], param: str
) -> None:
    for stream in (False, True):
        with pytest.raises(kind) as caught:
            client.chat.completions.create(**({"model": "tied", "messages": HELLO, "stream": stream} | fields))
        assert caught.value.param == param
        assert caught.value.code
        assert "hint" in caught.value.body  # type: ignore[operator]


def test_wrong_key(endpoint: Endpoint) -> None:
    stranger = OpenAI(base_url=endpoint.url, api_key="kd-wrong", max_retries=0)
    with stranger, pytest.raises(openai.AuthenticationError):
        stranger.models.list()


def test_impatient_client_gives_up_and_is_forgotten(client: OpenAI, endpoint: Endpoint) -> None:
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.5).chat.completions.create(
            model="tied", messages=HELLO, max_tokens=20_000, temperature=2
        )
    left = time.monotonic()
    headers = {"Authorization": f"Bearer {endpoint.key}"}
    while endpoint.service.ask("GET", "/api/system", headers=headers).json["queue"]["running"]:
        assert time.monotonic() - left < 2.0
        time.sleep(0.05)


def test_idempotency_key_is_kept(client: OpenAI) -> None:
    def ask() -> Any:
        return client.chat.completions.with_raw_response.create(
            model="tied", messages=HELLO, max_tokens=8, extra_headers={"Idempotency-Key": "openai-1"}
        )

    first, second = ask(), ask()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert first.parse() == second.parse()
