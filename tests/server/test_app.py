"""Dispatch: every answer is JSON of one shape, bodies become types, faults name their place."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest
from flask import Flask
from flask.testing import FlaskClient

from kandong.errors import InputError, QueueFullError
from kandong.server.app import add_route, create_app
from kandong.server.bodies import decode_body, decode_query
from kandong.server.routes import Route
from kandong.server.services import Services, caller, query, services


class Part(msgspec.Struct):
    type: str
    text: str


class Body(msgspec.Struct):
    messages: list[Part]
    count: Annotated[int, msgspec.Meta(ge=1, le=4)] = 1


def handle(body: Body, name: str) -> dict[str, object]:
    if body.count == 2:
        raise QueueFullError("Full.", retry_after_s=7)
    if body.count == 3:
        raise RuntimeError("secret /tmp/x at 0x7f001122aabb")
    return {"name": name, "n": len(body.messages), "owner": caller().owner, "limit": query("limit", 5)}


ROUTE = Route(
    "POST", "/test/<name>", "submit", handle, "Test", takes=Body, status=202, query=(("limit", int, "how many"),)
)


@pytest.fixture
def app(services: Services) -> Flask:
    app = create_app(services)
    add_route(app, services, ROUTE, "test")
    return app


def test_handler_gets_body_variables_and_query(client: FlaskClient) -> None:
    body = {"messages": [{"type": "text", "text": "x", "unknown": 1}], "n": 9}
    answer = client.post("/test/abc?limit=9&other=1", json=body)
    assert answer.status_code == 202
    assert answer.json == {"name": "abc", "n": 1, "owner": "local", "limit": 9}
    assert answer.content_type == "application/json"


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        (b"", None, "no body"),
        (b"{", None, "not valid JSON"),
        (b"\xff\xfe", None, "not valid JSON"),
        (b"[" * 100_000, None, ""),
        (b"[]", None, "must be object"),
        (b"{}", "messages", "is missing"),
        (b'{"messages": 1}', "messages", "must be array, not int"),
        (b'{"messages": [{"type": "a", "text": 1}]}', "messages[0].text", "must be str, not int"),
        (b'{"messages": [{"type": "a"}]}', "messages[0].text", "is missing"),
        (b'{"messages": [], "count": 9}', "count", "must be <= 4"),
    ],
)
def test_faults_of_a_body_name_their_place(client: FlaskClient, body: bytes, param: str | None, words: str) -> None:
    answer = client.post("/test/abc", data=body)
    assert answer.status_code == 400
    error = answer.json["error"]  # type: ignore[index]
    assert error["param"] == param
    assert words in error["message"]
    assert error["type"] == "invalid_request_error"
    assert set(error) == {"message", "type", "param", "code", "hint", "retryable"}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/none", 404, "not_found"),
        ("GET", "/api/none", 404, "not_found"),
        ("PATCH", "/healthz", 405, "method_not_allowed"),
        ("OPTIONS", "/healthz", 405, "method_not_allowed"),
        ("POST", "/v1/none", 404, "not_found"),
        ("GET", "/v1", 404, "not_found"),
        ("GET", "/none.js", 404, "not_found"),
        ("POST", "/none", 405, "method_not_allowed"),
        ("POST", "/test/abc?limit=x", 400, "invalid_request"),
    ],
)
def test_errors_of_dispatch_are_json_too(client: FlaskClient, method: str, path: str, status: int, code: str) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == status
    assert answer.json["error"]["code"] == code  # type: ignore[index]
    assert ("Allow" in answer.headers) == (status == 405)


def test_body_over_its_cap_is_refused(client: FlaskClient) -> None:
    answer = client.post("/test/abc", data=b"x" * (2**20 + 1))
    assert answer.status_code == 413
    assert answer.json["error"]["code"] == "body_too_large"  # type: ignore[index]


def test_full_queue_says_when_to_come_again(client: FlaskClient) -> None:
    answer = client.post("/test/abc", json={"messages": [], "count": 2})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")


def test_unforeseen_failure_leaks_nothing(client: FlaskClient) -> None:
    answer = client.post("/test/abc", json={"messages": [], "count": 3})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "0x" not in answer.text


def test_application_knows_its_services(app: Flask) -> None:
    with app.app_context():
        assert services().engine.state == "ready"
        assert services().engine.config.text.num_hidden_layers


def test_query_values_are_of_their_types() -> None:
    from werkzeug.datastructures import MultiDict

    names = (("limit", int, ""), ("warm", bool, ""), ("query", str, ""))
    assert decode_query(MultiDict({"limit": "3", "warm": "0"}), names) == {"limit": 3, "warm": False}
    with pytest.raises(InputError, match="limit"):
        decode_query(MultiDict({"limit": "many"}), names)


def test_decoded_body_is_of_its_type() -> None:
    assert isinstance(decode_body(b'{"messages": []}', Body), Body)
