"""Six tasks on one post: real OCR and rules, a scripted model for what is said, the real engine from end to end."""

from __future__ import annotations

import json
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kandong.errors import CancelledError, GrammarError, InputError, PictureError
from kandong.reading.images import load_picture
from kandong.reading.reader import read_picture
from kandong.tasks.analyse import TASKS, TaskEvent, analyse
from kandong.tasks.post import Comment, Gift, Post, ProductFacts
from kandong.tasks.report_cache import MemoryReports
from kandong.types import Picture
from kandong.vlm.device import Precision
from kandong.vlm.engine import Engine, EngineOptions
from kandong.vlm.request import Request
from tests.inspection import GOLDEN
from tests.tasks.scripted_model import ScriptedModel, words_of

SAMPLES = Path(__file__).resolve().parent.parent.parent / "samples"
ENVELOPE = {
    "post_id", "platform", "task", "status", "result", "warnings", "unchecked", "model", "engines", "rules_version",
    "prompt_version", "input_sha256", "took_ms", "cached",
}  # fmt: skip
SEEN: dict[str, Any] = {
    "caption": "一张不粘锅海报，售价88元", "scene": "海报", "image_kind": "poster", "people_count": 0,
    "objects": [{"name": "不粘锅", "count": 1}], "brands": ["某某牌", "可口可乐"], "mood": "positive", "damage": False,
    "flags": [],
}  # fmt: skip
SAID: dict[str, Any] = {
    "polarity": "negative", "intensity": 4, "demand": "resend", "urgency": "medium", "claims": [],
    "aspects": [
        {"quote": "没有收到梳子", "aspect": "赠品", "polarity": "negative"},
        {"quote": "颜色很好看", "aspect": "外观", "polarity": "positive"},
    ],
}  # fmt: skip
FIELDS: dict[str, Any] = {
    "brand": "某某牌", "products": [{"name": "不粘锅", "spec": "24cm", "price": "199", "list_price": "398"}],
    "gifts": [], "start": None, "end": None, "channel": "微信",
}  # fmt: skip


def poster_script(request: Request, **changes: Any) -> str:
    """Answer as a fair model would about the sample poster; ``changes`` are to what it sees."""
    words = words_of(request)
    if request.form is not None and request.form.kind == "choice":
        return "没有"
    if "caption" in words:
        return json.dumps(SEEN | changes, ensure_ascii=False)
    if "polarity" in words:
        return json.dumps(SAID, ensure_ascii=False)
    if "照抄图中这一行" in words:
        return "原价399元现价199元"
    if request.form is not None:
        return json.dumps(FIELDS, ensure_ascii=False)
    return "现价199元，比原价399元便宜200元，另加55元运费"


@pytest.fixture(scope="module")
def poster() -> Picture:
    return load_picture(SAMPLES / "poster.png")


@pytest.fixture(scope="module")
def post(poster: Picture) -> Post:
    product = ProductFacts(price=Decimal(188), gifts=(Gift("锅铲"),))
    text = "说好的赠品呢？没有收到梳子，请补发"
    return Post(text, (poster,), (Comment("真不错"), Comment("差评")), "xhs", "2026-11-11", product, "n1")


@pytest.fixture(scope="module")
def reports(post: Post) -> dict[str, dict[str, Any]]:
    return analyse(post, engine=ScriptedModel(poster_script), question="便宜多少？", model={"id": "script"})


def test_every_report_has_the_envelope_and_is_json(reports: dict[str, dict[str, Any]]) -> None:
    assert tuple(reports) == TASKS
    for task, report in reports.items():
        assert set(report) == ENVELOPE
        assert (report["task"], report["post_id"], report["platform"]) == (task, "n1", "xhs")
        assert report["prompt_version"].endswith(tuple("0123456789abcdef"))
        assert report["model"] == {"id": "script"}
        assert json.loads(json.dumps(report, ensure_ascii=False, allow_nan=False)) == report


def test_read_shows_where_both_readings_agree(reports: dict[str, dict[str, Any]]) -> None:
    (image,) = reports["read"]["result"]["images"]
    reread = {line["id"]: line["agree"] for line in image["lines"] if line["vlm_text"] is not None}
    assert reread == {"L3": True}, "the contact's line got an answer of another line, which is no reading of it"
    assert all(n["verified_by"] == ["ocr", "vlm"] for n in image["numbers"] if n["line_id"] == "L3")


def test_ask_finds_computes_and_marks(reports: dict[str, dict[str, Any]]) -> None:
    result = reports["ask"]["result"]
    states = [(mark["text"], mark["state"]) for mark in result["marks"]]
    assert states == [("199元", "found"), ("399元", "found"), ("200元", "computed"), ("55元", "unverified")]
    assert result["marks"][2]["formula"] == "399 - 199 = 200"
    assert result["verified"] == "vlm"
    assert result["marks"][0]["evidence"][0]["line_id"] == "L3"


def test_describe_drops_a_price_that_stands_nowhere(reports: dict[str, dict[str, Any]]) -> None:
    result = reports["describe"]["result"]
    assert result["caption"] == "一张不粘锅海报"
    assert result["unsupported_claims_removed"] == ["售价88元"]
    assert {brand["name"]: brand["verified"] for brand in result["brands"]} == {"某某牌": "both", "可口可乐": "vlm"}


def test_moderate_compares_the_products_facts_and_distrusts_a_model_that_was_spoken_to(
    reports: dict[str, dict[str, Any]],
) -> None:
    result = reports["moderate"]["result"]
    assert result["suggestion"] == "block"
    fields = {one["field"]: (one["stated"], one["shown"]) for one in result["contradictions"]}
    assert fields["price"] == ("188元", "199元")
    rules = {hit["rule_id"] for hit in result["hits"]}
    assert {"AD9-3", "FACT-PRICE", "INJECTION"} <= rules
    assert any("评论" in what for what in reports["moderate"]["unchecked"])
    assert not any("国旗" in what for what in reports["moderate"]["unchecked"])


def test_sentiment_supports_a_missing_gift_but_never_proves_it(reports: dict[str, dict[str, Any]]) -> None:
    result = reports["sentiment"]["result"]
    assert result["overall"]["polarity"] == "negative"
    assert result["demand"] == "resend"
    assert result["comments"] == {"positive": 1, "negative": 1}
    assert [(c["object"], c["observed"], c["verdict"]) for c in result["claims"]] == [
        ("赠品", "no", "supported"),
        ("梳子", "no", "supported"),
    ]
    assert result["relation"] == "image_supports_text"
    assert [aspect["quote"] for aspect in result["aspects"]] == ["没有收到梳子"], "what is not in the post is dropped"


def test_extract_takes_what_stands_in_the_post(reports: dict[str, dict[str, Any]]) -> None:
    result = reports["extract"]["result"]
    fields = {path: (field["value"], field["status"]) for path, field in result["fields"].items()}
    assert fields["offers[0].price"] == ("199", "verified")
    assert fields["offers[0].list_price"] == ("399", "conflict"), "the model misread 398"
    assert fields["offers[0].saving"] == ("200", "computed")
    assert fields["products[0].spec"] == (None, "missing")
    assert fields["brand"] == ("某某牌", "verified")
    assert result["conflicts"][0]["values"] == ["399", "398"]


def test_pictures_are_asked_first_without_the_words_and_all_prompts_begin_alike(post: Post) -> None:
    model = ScriptedModel(poster_script)
    analyse(post, engine=model, question="价格？")
    assert len({request.messages[0] for request in model.requests}) == 1
    blind = [r for r in model.requests if "caption" in words_of(r)]
    assert len(blind) == 1, "one look serves describe, moderate and sentiment"
    assert "赠品呢" not in words_of(blind[0])
    assert "国家级" not in words_of(blind[0])
    alone = [r for r in model.requests if "polarity" in words_of(r) and "caption" not in words_of(r)]
    assert [len(r.pictures) for r in alone] == [0]


def test_without_a_model_each_task_says_what_is_left_out(post: Post) -> None:
    reports = analyse(post, question="电话是多少？")
    assert reports["moderate"]["result"]["suggestion"] == "block"
    for task in ("read", "ask", "describe", "sentiment", "extract"):
        assert reports[task]["unchecked"], task
        assert reports[task]["status"] == "partial", task
    assert all(report["model"] is None and report["prompt_version"] is None for report in reports.values())
    assert reports["ask"]["result"]["abstained"]
    asked = analyse(Post("", post.pictures), ["ask"], question="原价是多少？")["ask"]["result"]
    assert (asked["answer"], asked["verified"]) == ("399元", "ocr")


def test_flags_of_the_model_lead_to_review_and_no_further(poster: Picture) -> None:
    white = Picture(poster.rgb[:1, :1].repeat(200, 0).repeat(200, 1), "png")
    engine = ScriptedModel(lambda request: poster_script(request, flags=["饮酒", "儿童"]))
    result = analyse(Post("今天聚餐", (white,)), ["moderate"], engine)["moderate"]["result"]
    assert result["suggestion"] == "review"
    assert [(hit["rule_id"], hit["decided_by"]) for hit in result["hits"]] == [("AD23-2", "model")]
    assert [proof["rule_id"] for proof in result["needs_proof"]] == ["AD38-C"]


def test_an_own_schema_is_checked_leaf_by_leaf(poster: Picture) -> None:
    schema = {
        "type": "object",
        "properties": {"现价": {"type": "number"}, "原价": {"type": "number"}, "电话": {"type": ["string", "null"]}},
        "required": ["现价", "原价", "电话"],
    }
    engine = ScriptedModel(lambda _: '{"现价": 199, "原价": 389, "电话": null}')
    result = analyse(Post("", (poster,)), ["extract"], engine, schema=schema)["extract"]["result"]
    assert {leaf["path"]: leaf["status"] for leaf in result["fields"]} == {
        "$.现价": "verified",
        "$.原价": "single",
        "$.电话": "missing",
    }
    with pytest.raises(GrammarError):
        analyse(Post("好"), ["extract"], schema={"type": "object", "not": {}})
    with pytest.raises(InputError):
        analyse(Post("好"), ["extract"], schema={"type": "string"})


def test_a_report_made_before_is_given_again_and_any_change_makes_a_new_one(post: Post) -> None:
    cache = MemoryReports()
    model = ScriptedModel(poster_script)
    first = analyse(post, ["describe"], model, cache=cache)["describe"]
    num_requests = len(model.requests)
    again = analyse(post, ["describe"], model, cache=cache)["describe"]
    assert len(model.requests) == num_requests
    assert again == first | {"cached": True}
    assert not analyse(Post("别的", post.pictures), ["describe"], model, cache=cache)["describe"]["cached"]
    assert not analyse(post, ["describe"], cache=cache)["describe"]["cached"], "without a model it is another report"


def test_a_picture_that_cannot_be_read_is_named(post: Post) -> None:
    def broken(picture: Picture, index: int) -> Any:
        raise PictureError(f"torn: {index} {picture.format}")

    report = analyse(post, ["read"], reader=broken)["read"]
    assert report["status"] == "failed"
    assert report["warnings"] == ["图1没有读成（picture_invalid）"]


def test_wrong_requests_name_their_field(post: Post) -> None:
    for arguments, field in (
        ({"tasks": ["dance"]}, "tasks[0]"),
        ({"tasks": []}, "tasks"),
        ({"question": " "}, "question"),
        ({"mode": "slow"}, "mode"),
    ):
        with pytest.raises(InputError) as caught:
            analyse(post, **arguments)
        assert caught.value.field == field
    with pytest.raises(InputError):
        analyse(Post(" "))


def test_cancelling_ends_the_work(post: Post) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(CancelledError):
        analyse(post, engine=ScriptedModel(poster_script), cancel=cancel)


@pytest.mark.parametrize("mode", ["auto", "model"])
def test_six_tasks_run_on_the_real_engine(post: Post, mode: str) -> None:
    engine = Engine(GOLDEN / "tied", EngineOptions(precision=Precision.F32))
    events: list[TaskEvent] = []
    reports = analyse(post, engine=engine, mode=mode, listener=events.append)  # type: ignore[arg-type]
    assert all(report["status"] in ("ok", "partial") for report in reports.values())
    assert reports["moderate"]["result"]["suggestion"] == "block"
    assert {event.stage for event in events} == {"reading", "vision", "prefill", "writing", "checking", "done"}
    assert [event.task for event in events if event.stage == "done"] == list(TASKS)
    assert read_picture(post.pictures[0]).lines
    engine.language.pool.check([])
