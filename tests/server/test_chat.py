"""Chat completions over HTTP: answers are the engine's own, whole and streamed, with all that OpenAI's clients read."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from kandong.reading.images import decode_picture
from kandong.server.engine_gate import SupervisedEngine
from kandong.server.services import Services
from tests.inspection import CASES, GOLDEN, golden_arrays
from tests.server.asking import SMALL, SQUARE, URL, ask, body, data_uri, events_of, image, refusal, text_of


@pytest.mark.parametrize("case", ["text_only", "square", "two_pictures", "multi_turn"])
def test_answers_are_those_of_the_reference(client: FlaskClient, case: str) -> None:
    messages = []
    for message in CASES[case]:
        parts: list[dict[str, Any]] = []
        for part in message["parts"]:
            if "picture" in part:
                parts.append(image(data_uri((GOLDEN / "pictures" / part["picture"]).read_bytes())))
            else:
                parts.append({"type": "text", "text": part["text"]})
        messages.append({"role": message["role"], "content": parts})
    arrays = golden_arrays("tied", case)
    answer = ask(client, messages=messages, max_tokens=16, logprobs=True)
    said = [token["bytes"] for token in answer["choices"][0]["logprobs"]["content"]]
    again = ask(client, messages=messages, max_tokens=16)
    assert answer["usage"]["prompt_tokens"] == len(arrays["input_ids"].ravel())
    assert again["choices"][0]["message"] == answer["choices"][0]["message"]
    assert b"".join(map(bytes, said)).decode("utf-8", "replace") == answer["choices"][0]["message"]["content"]


def test_answer_has_the_form_of_openai(client: FlaskClient, services: Services) -> None:
    answer = ask(client, image(), "图里写了什么？")
    assert answer["object"] == "chat.completion"
    assert answer["id"].startswith("chatcmpl-")
    assert answer["model"] == services.engine.model_name == "tied"
    (choice,) = answer["choices"]
    assert (choice["index"], choice["finish_reason"], choice["logprobs"]) == (0, "length", None)
    assert choice["message"]["role"] == "assistant"
    assert choice["message"]["refusal"] is None
    usage = answer["usage"]
    assert usage["completion_tokens"] == 8
    assert usage["total_tokens"] == usage["prompt_tokens"] + 8
    facts = answer["kandong"]
    picture = decode_picture(SQUARE)
    assert facts["pictures"][0]["width_px"] == picture.width_px
    assert facts["pictures"][0]["tokens"] == usage["prompt_tokens_details"]["image_tokens"]
    assert facts["timings_ms"]["total"] > 0
    assert facts["stopped_by"] is None


def test_with_assist_the_answer_tells_what_its_numbers_rest_on(client: FlaskClient) -> None:
    plain = ask(client, image(), "价格是多少？")
    assisted = ask(client, image(), "价格是多少？", kandong={"assist": True})
    assert "evidence" not in plain["kandong"]
    assert assisted["usage"]["prompt_tokens"] > plain["usage"]["prompt_tokens"]
    evidence = assisted["kandong"]["evidence"]
    assert set(evidence) >= {"verified", "marks", "num_unverified", "prompt_version"}
    parts = [image(), {"type": "text", "text": "价格是多少？"}]
    body = {"messages": [{"role": "user", "content": parts}], "max_tokens": 8, "temperature": 0, "stream": True}
    chunks = client.post("/v1/chat/completions", json=body | {"kandong": {"assist": True}}).get_data(as_text=True)
    assert '"evidence":{' in chunks


def test_second_question_about_a_picture_finds_the_prompt(client: FlaskClient) -> None:
    long = "这张图里写了什么？请把每一行字都写出来，不要漏掉任何一行，也不要多写。" * 3
    ask(client, image(), long)
    usage = ask(client, image(), long)["usage"]
    assert 0 < usage["prompt_tokens_details"]["cached_tokens"] < usage["prompt_tokens"]


def test_stream_is_the_whole_answer_in_pieces(client: FlaskClient) -> None:
    whole = ask(client, image(), "写什么", max_tokens=24)
    stream = client.post(URL, json=body(image(), "写什么", max_tokens=24, stream=True))
    assert stream.mimetype == "text/event-stream"
    assert stream.headers["Cache-Control"] == "no-cache"
    assert "\nid:" not in stream.text
    events = events_of(stream.text)
    assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert text_of(events) == whole["choices"][0]["message"]["content"]
    assert [e["choices"][0]["finish_reason"] for e in events] == [None] * (len(events) - 1) + ["length"]
    assert {e["object"] for e in events} == {"chat.completion.chunk"}
    assert len({e["id"] for e in events}) == 1
    assert not any("usage" in e for e in events)
    assert events[-1]["kandong"]["pictures"] == [
        whole["kandong"]["pictures"][0] | {"origin": events[-1]["kandong"]["pictures"][0]["origin"]}
    ]


def test_stream_with_usage_ends_in_a_chunk_without_choices(client: FlaskClient) -> None:
    stream = client.post(URL, json=body(stream=True, stream_options={"include_usage": True}))
    events = events_of(stream.text)
    assert [e["usage"] for e in events[:-1]] == [None] * (len(events) - 1)
    assert events[-1]["choices"] == []
    assert events[-1]["usage"]["completion_tokens"] == 8


def test_streamed_logprobs_come_with_the_end(client: FlaskClient) -> None:
    whole = ask(client, logprobs=True, top_logprobs=3)["choices"][0]["logprobs"]
    events = events_of(client.post(URL, json=body(stream=True, logprobs=True, top_logprobs=3)).text)
    assert events[-1]["choices"][0]["logprobs"] == whole
    assert len(whole["content"]) == 8
    for token in whole["content"]:
        assert [t["logprob"] for t in token["top_logprobs"]] == sorted(
            (t["logprob"] for t in token["top_logprobs"]), reverse=True
        )
        assert len(token["top_logprobs"]) == 3
        assert token["top_logprobs"][0]["token"] == token["token"]  # greedy


def test_engines_refusal_is_a_status_before_the_stream_begins(client: FlaskClient) -> None:
    long = "字" * 40_000
    for fields in ({}, {"stream": True}):
        error = refusal(client, 400, long, **fields)
        assert (error["code"], error["param"]) == ("context_length_exceeded", "messages")


def test_json_schema_is_followed_and_forced_tokens_have_logprob_zero(client: FlaskClient) -> None:
    schema = {"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"], "additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    answer = ask(client, response_format=form, max_tokens=32, logprobs=True)
    choice = answer["choices"][0]
    assert json.loads(choice["message"]["content"])["a"] in (1, 2)
    assert choice["finish_reason"] == "stop"
    assert 0.0 in [token["logprob"] for token in choice["logprobs"]["content"]]
    assert answer["kandong"]["counts"]["forced_tokens"] > 0


def test_other_forms(client: FlaskClient) -> None:
    assert ask(client, kandong={"choices": ["是", "否"]})["choices"][0]["message"]["content"] in ("是", "否")
    assert ask(client, kandong={"regex": "[0-9]{3}"})["choices"][0]["message"]["content"].isdigit()
    text = ask(client, response_format={"type": "json_object"}, max_tokens=400)["choices"][0]
    assert text["message"]["content"].startswith("{")


def test_stop_ends_before_its_string(client: FlaskClient) -> None:
    text = ask(client, "写", max_tokens=30)["choices"][0]["message"]["content"]
    stop = next(c for c in text[3:] if c.isprintable() and c != "\ufffd")
    cut = ask(client, "写", max_tokens=30, stop=[stop])["choices"][0]
    assert cut["message"]["content"] == text[: text.index(stop)]
    assert cut["finish_reason"] == "stop"


def test_seed_repeats_an_answer_by_chance(client: FlaskClient) -> None:
    texts = [
        ask(client, "写", max_tokens=24, temperature=1.5, seed=seed)["choices"][0]["message"]["content"]
        for seed in (-5, -5, 6)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_detail_is_how_many_tokens_a_picture_takes(client: FlaskClient) -> None:
    large = data_uri((GOLDEN / "pictures" / "large.png").read_bytes())
    tokens = {
        detail: ask(client, image(large, detail))["kandong"]["pictures"][0]["tokens"] for detail in ("low", "auto")
    }
    few = ask(client, image(large), kandong={"max_image_tokens": 16})["kandong"]["pictures"][0]["tokens"]
    assert few <= 16 < tokens["low"] <= tokens["auto"]
    assert ask(client, image(large, "high"), image(large, "low"))["kandong"]["pictures"][0]["tokens"] >= tokens["auto"]


def test_pictures_may_be_uploaded_files_of_the_same_owner(client: FlaskClient) -> None:
    part = (
        b'--frame\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        + SQUARE
        + b"\r\n--frame--\r\n"
    )
    file = client.post("/v1/files?warm=0", data=part, content_type="multipart/form-data; boundary=frame").json
    assert file is not None
    whole = ask(client, image(), "？")["choices"]
    assert ask(client, image(file["id"]), "？")["choices"] == whole
    assert ask(client, {"type": "file", "file": {"file_id": file["id"]}}, "？")["choices"] == whole
    error = refusal(client, 404, image("file-0123456789abcdef01234567"))
    assert error["param"] == "messages[0].content[0].image_url.url"


def test_short_form_as_json_and_as_a_form(client: FlaskClient) -> None:
    expected = ask(client, image(data_uri(SMALL)), "颜色？")["choices"][0]["message"]["content"]
    short = {"image": data_uri(SMALL), "query": "颜色？", "max_tokens": 8, "temperature": 0}
    answer = client.post(URL, json=short)
    assert answer.json is not None
    assert answer.json["response"] == expected
    form = {"image": (io.BytesIO(SMALL), "a.png"), "query": "颜色？", "max_tokens": "8", "temperature": "0"}
    answer = client.post(URL, data=form)
    assert answer.json is not None
    assert answer.json["response"] == expected
    assert set(answer.json) == {"object", "response", "model", "finish_reason", "usage", "kandong"}


def test_models_are_listed_by_their_names(client: FlaskClient, engine: SupervisedEngine) -> None:
    listed = client.get("/v1/models").json
    assert listed is not None
    assert listed["object"] == "list"
    (model,) = listed["data"]
    assert (model["id"], model["object"], model["owned_by"]) == (engine.model_name, "model", "kandong")
    assert client.get("/v1/models/tied").json == model
    assert client.get("/v1/models/default").json == model
    assert client.get("/v1/models/gpt-4o").status_code == 404


def test_model_must_be_one_of_its_names(client: FlaskClient) -> None:
    assert ask(client, model="default")["model"] == "tied"
    error = refusal(client, 404, model="gpt-4o")
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert "tied" in error["message"]
