"""Judging posts over HTTP: real OCR, real rules, and a real engine whose weights are random."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from kandong.server.services import Services
from kandong.tasks.analyse import TASKS

ROOT = Path(__file__).resolve().parents[2]
POSTER = "data:image/png;base64," + base64.b64encode((ROOT / "samples" / "poster.png").read_bytes()).decode()
CARD = "data:image/png;base64," + base64.b64encode((ROOT / "samples" / "card.png").read_bytes()).decode()


def error_of(response: Any) -> dict[str, Any]:
    error: dict[str, Any] = response.get_json()["error"]
    return error


def test_all_tasks_on_one_post_each_give_their_report(client: FlaskClient) -> None:
    post = {"text": "说好的赠品呢", "pictures": [CARD], "product": {"price": "85", "gifts": ["小碗"]}}
    response = client.post("/v1/reports", json={"post": post, "tasks": list(TASKS), "question": "价格是多少？"})
    assert response.status_code == 200, response.get_json()
    reports = response.get_json()["reports"]
    assert list(reports) == list(TASKS)
    for task, report in reports.items():
        assert report["task"] == task
        assert report["status"] in ("ok", "partial"), report
        assert len(report["input_sha256"]) == 1
    assert "特价" in json.dumps(reports["read"]["result"], ensure_ascii=False)


def test_without_the_model_rules_and_ocr_work_and_the_rest_is_listed(client: FlaskClient) -> None:
    body = {"post": {"pictures": [POSTER]}, "tasks": ["moderate", "describe"], "use_model": False}
    reports = client.post("/v1/reports", json=body).get_json()["reports"]
    assert reports["moderate"]["result"]["suggestion"] == "block"
    assert reports["moderate"]["result"]["hits"]
    assert reports["moderate"]["model"] is None
    assert reports["describe"]["unchecked"]


def test_the_same_post_again_comes_from_what_is_kept(client: FlaskClient, services: Services) -> None:
    body = {"post": {"text": "全网最低价", "pictures": [CARD]}, "tasks": ["moderate"], "use_model": False}
    first = client.post("/v1/reports", json=body).get_json()["reports"]["moderate"]
    again = client.post("/v1/reports", json=body).get_json()["reports"]["moderate"]
    assert again["result"] == first["result"]
    assert services.readings.num_misses == 1


def test_a_stream_tells_progress_and_ends_with_the_reports(client: FlaskClient) -> None:
    body = {"post": {"pictures": [CARD]}, "tasks": ["describe"], "stream": True}
    response = client.post("/v1/reports", json=body)
    assert response.mimetype == "text/event-stream"
    events = [
        (block.split("\n")[0].removeprefix("event: "), json.loads(block.split("\n")[1].removeprefix("data: ")))
        for block in response.get_data(as_text=True).split("\n\n")
        if block.startswith("event: ")
    ]
    names = [name for name, _ in events]
    assert names[0] == "progress"
    assert names.count("done") == 1
    assert names[-1] == "done"
    assert {data["stage"] for name, data in events if name == "progress"} >= {"reading", "checking", "done"}
    assert events[-1][1]["reports"]["describe"]["task"] == "describe"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "post"),
        ({"post": {}}, "post"),
        ({"post": {"text": 3}}, "post.text"),
        ({"post": {"text": "x"}, "tasks": ["dance"]}, "tasks[0]"),
        ({"post": {"text": "x"}, "tasks": []}, "tasks"),
        ({"post": {"text": "x"}, "mode": "slow"}, "mode"),
        ({"post": {"pictures": "x"}}, "post.pictures"),
        ({"post": {"pictures": [3]}}, "post.pictures[0]"),
        ({"post": {"pictures": [{"color": "red"}]}}, "post.pictures[0]"),
        ({"post": {"pictures": ["file:///etc/passwd"]}}, "post.pictures[0]"),
        ({"post": {"pictures": [CARD] * 17}}, "post.pictures"),
        ({"post": {"text": "x", "product": {"price": "viel"}}}, "post.product.price"),
        ({"post": {"text": "x"}, "tasks": ["extract"], "schema": {"type": "object", "not": {}}}, None),
    ],
)
def test_bad_input_is_refused_by_name(client: FlaskClient, body: dict[str, Any], param: str | None) -> None:
    response = client.post("/v1/reports", json=body)
    assert response.status_code == 400, response.get_data(as_text=True)
    if param is not None:
        assert error_of(response)["param"] == param


def test_another_owners_file_is_not_found(client: FlaskClient) -> None:
    response = client.post("/v1/reports", json={"post": {"pictures": ["file-0000000000000000"]}})
    assert response.status_code == 404
    assert error_of(response)["param"] == "post.pictures[0]"


def test_moderation_has_openais_shape_and_the_whole_report(client: FlaskClient) -> None:
    response = client.post("/v1/moderations", json={"input": ["全网最低价，加微信：abc12345", "今天天气很好"]})
    assert response.status_code == 200, response.get_json()
    moderation = response.get_json()
    flagged, innocent = moderation["results"]
    assert flagged["flagged"] is True
    assert innocent["flagged"] is False
    assert flagged["categories"]["violence"] is False
    assert any(name.startswith("kandong/ad/") and value for name, value in flagged["categories"].items())
    assert set(flagged["categories"]) == set(flagged["category_scores"])
    assert set(flagged["categories"]) == set(flagged["category_applied_input_types"])
    assert flagged["kandong"]["result"]["hits"][0]["article"]
    assert "hate" in flagged["kandong"]["unchecked_categories"]


def test_moderation_of_parts_judges_words_and_pictures_as_one_post(client: FlaskClient) -> None:
    parts = [{"type": "text", "text": "快来看"}, {"type": "image_url", "image_url": {"url": POSTER}}]
    (result,) = client.post("/v1/moderations", json={"input": parts}).get_json()["results"]
    assert result["flagged"] is True
    assert ["image"] in result["category_applied_input_types"].values()


@pytest.mark.parametrize(
    ("value", "param"),
    [
        ("", "input"),
        ([], "input"),
        (["ok", " "], "input[1]"),
        ([{"type": "audio"}], "input[0].type"),
        ([{"type": "text"}], "input[0].text"),
        ([{"type": "image_url", "image_url": {"url": "http://169.254.169.254/"}}], "input[0].image_url"),
        (7, "input"),
    ],
)
def test_bad_moderation_input_is_refused_by_name(client: FlaskClient, value: Any, param: str) -> None:
    response = client.post("/v1/moderations", json={"input": value})
    assert response.status_code == 400, response.get_data(as_text=True)
    assert error_of(response)["param"] == param


def test_openais_own_client_reads_a_moderation(client: FlaskClient) -> None:
    openai_types = pytest.importorskip("openai.types")
    body = client.post("/v1/moderations", json={"input": "全网最低价"}).get_json()
    moderation = openai_types.ModerationCreateResponse.model_validate(body)
    assert moderation.results[0].flagged
    assert moderation.results[0].categories.self_harm is False
