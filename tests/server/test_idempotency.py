"""``Idempotency-Key`` on the chat route: a retry never does the work twice."""

from __future__ import annotations

import io
import threading
import time
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from kandong.runtime.handle import Handle
from kandong.server.admitted_engine import AdmittedEngine
from kandong.settings import Settings
from kandong.vlm.request import Priority, Request
from tests.conftest import Figure
from tests.server.asking import SMALL, SQUARE, URL, body, data_uri, image

KEY = {"Idempotency-Key": "0f4c7f0e"}
BY_CHANCE = {"temperature": 1.0}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, requests_per_minute=100_000)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Every request that reaches the engine."""
    seen: list[Request] = []
    submit = AdmittedEngine.submit

    def counted(
        self: AdmittedEngine, request: Request, *, client: str, priority: Priority = Priority.INTERACTIVE
    ) -> Handle:
        seen.append(request)
        return submit(self, request, client=client, priority=priority)

    monkeypatch.setattr(AdmittedEngine, "submit", counted)
    return seen


def test_retry_gets_the_first_answer_again(client: FlaskClient, runs: list[Request]) -> None:
    first = client.post(URL, json=body(**BY_CHANCE), headers=KEY)
    second = client.post(URL, json=body(**BY_CHANCE), headers=KEY)
    assert first.status_code == second.status_code == 200
    assert first.data == second.data
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert len(runs) == 1


def test_other_request_with_the_same_key_is_refused(client: FlaskClient, runs: list[Request]) -> None:
    client.post(URL, json=body(image(), "a"), headers=KEY)
    for other in (body(image(), "b"), body(image(data_uri(SMALL)), "a"), body(image(), "a", max_tokens=7)):
        answer = client.post(URL, json=other, headers=KEY)
        assert answer.status_code == 422
        assert answer.json is not None
        assert answer.json["error"]["code"] == "idempotency_key_reused"
        assert answer.json["error"]["param"] == "Idempotency-Key"
    assert len(runs) == 1


def test_form_may_be_sent_again_too(client: FlaskClient, runs: list[Request]) -> None:
    def send(picture: bytes) -> int:
        form = {"image": (io.BytesIO(picture), "a.png"), "query": "？", "max_tokens": "4"}
        return client.post(URL, data=form, headers=KEY).status_code

    assert (send(SQUARE), send(SQUARE), send(SMALL)) == (200, 200, 422)
    assert len(runs) == 1


def test_failed_request_is_not_kept(client: FlaskClient, runs: list[Request]) -> None:
    assert client.post(URL, json=body("字" * 40_000), headers=KEY).status_code == 400
    assert client.post(URL, json=body(), headers=KEY).status_code == 200
    assert len(runs) == 2


def test_stream_with_a_key_is_refused(client: FlaskClient, runs: list[Request]) -> None:
    answer = client.post(URL, json=body(stream=True), headers=KEY)
    assert answer.status_code == 400
    assert "stream" in answer.json["error"]["message"]  # type: ignore[index]
    assert runs == []


def test_of_a_hundred_at_once_one_runs_and_all_get_its_answer(app: Flask, runs: list[Request], figure: Figure) -> None:
    bodies: list[bytes] = []
    num_busy = [0]
    barrier = threading.Barrier(100)

    def send() -> None:
        barrier.wait()
        for _ in range(20):
            fields = body("数", max_tokens=64, temperature=1.0)
            answer = app.test_client().post(URL, json=fields, headers=KEY, buffered=True)
            if answer.status_code == 200:
                bodies.append(answer.data)
                return
            # Refused for this key, or because as many requests are being answered as may be: both say when to come.
            assert answer.status_code in (409, 429, 503), answer.text
            num_busy[0] += answer.status_code == 409
            time.sleep(int(answer.headers["Retry-After"]))

    threads = [threading.Thread(target=send, daemon=True) for _ in range(100)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 60
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    assert len(bodies) == 100
    assert len(set(bodies)) == 1
    assert len(runs) == 1
    assert num_busy[0] > 0
    figure(f"{len(bodies)} answers, {len(set(bodies))} body, {len(runs)} run; 409 meanwhile {num_busy[0]} times")
