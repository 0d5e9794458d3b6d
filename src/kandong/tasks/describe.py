"""What a picture shows: asked once, without the post's words, for all tasks that need it.

Owns: the closed inventory that the model fills in, and what of it is believed. Must not know: rules, sentiment.
"""

from __future__ import annotations

from typing import Any, Final

from kandong.reading.report import ImageReading
from kandong.tasks.case import Answers, Case, Conclusion, greedy, json_answer, json_form
from kandong.tasks.number_check import check_numbers
from kandong.tasks.running import Job

BLIND: Final = "blind"
IMAGE_KINDS: Final = ("photo", "poster", "screenshot", "receipt", "chat", "meme")
FLAGS: Final = (
    "国旗国徽", "军警或公职人员", "儿童", "饮酒", "驾驶", "吸烟", "裸露", "血腥暴力", "使用前后对比",
)  # fmt: skip
_MAX_TOKENS: Final = 280
_MAIN_TEXT_SHARE: Final = 0.12


def _text(limit: int) -> dict[str, Any]:
    return {"type": "string", "maxLength": limit}


def _record(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


SCHEMA: Final = _record(
    {
        "caption": _text(50),
        "scene": _text(16),
        "image_kind": {"enum": list(IMAGE_KINDS)},
        "people_count": {"type": "integer", "minimum": 0, "maximum": 99},
        "objects": {
            "type": "array",
            "maxItems": 6,
            "items": _record({"name": _text(10), "count": {"type": "integer", "minimum": 1, "maximum": 99}}),
        },
        "brands": {"type": "array", "maxItems": 3, "items": _text(12)},
        "mood": {"enum": ["positive", "neutral", "negative"]},
        "damage": {"type": "boolean"},
        "flags": {"type": "array", "maxItems": 3, "items": {"enum": list(FLAGS)}},
    }
)
UNSEEN: Final = ("画面内容（没有模型，只读了文字和码）",)


def blind_jobs(case: Case) -> dict[str, Job]:
    """Give the one request about what is seen; none without a model or pictures."""
    if not case.has_model or not case.post.pictures:
        return {}
    text = case.prompts["describe"].fill(flags="、".join(FLAGS))
    return {BLIND: Job(case.blind(text, form=json_form(SCHEMA), sampling=greedy(_MAX_TOKENS)))}


def conclude_describe(case: Case, answers: Answers) -> Conclusion:
    """Give the description; what the post's text does not bear out is taken out of it, and listed."""
    if not case.post.pictures:
        return Conclusion(_result(case, {}, [], []), ("没有图片",), is_failed=True)
    seen, warnings = json_answer(answers, BLIND)
    if seen is None:
        return Conclusion(_result(case, {}, [], []), warnings, UNSEEN, ("describe",))
    removed: list[str] = []
    caption = _supported(str(seen.get("caption", "")), case, removed)
    brands = [
        {"name": name, "verified": "vlm" if evidence is None else "both"}
        for name in dict.fromkeys(seen.get("brands") or [])
        if name.strip()
        for evidence in (case.book.find_text(name),)
    ]
    return Conclusion(_result(case, seen | {"caption": caption}, brands, removed), warnings, (), ("describe",))


def _result(case: Case, seen: dict[str, Any], brands: list[dict[str, str]], removed: list[str]) -> dict[str, Any]:
    return {
        "caption": seen.get("caption"),
        "scene": seen.get("scene"),
        "objects": seen.get("objects", []),
        "people_count": seen.get("people_count"),
        "brands": brands,
        "visible_text_role": text_role(case.known_readings) if case.post.pictures else None,
        "image_kind": seen.get("image_kind"),
        "unsupported_claims_removed": removed,
    }


def text_role(readings: list[ImageReading]) -> str:
    """Tell how much of the pictures is text: none, some or main."""
    lines = [(line.box, reading) for reading in readings for line in reading.lines]
    if not lines:
        return "none"
    area = sum((box[2] - box[0]) * (box[3] - box[1]) for box, _ in lines)
    whole = sum(reading.width_px * reading.height_px for reading in readings)
    return "main" if area >= _MAIN_TEXT_SHARE * whole else "some"


def _supported(caption: str, case: Case, removed: list[str]) -> str:
    """Take the clauses of a caption out whose prices, dates or telephones stand nowhere in the post."""
    kept = []
    for clause in caption.replace(",", "，").split("，"):
        marks = check_numbers(clause, case.book)
        if any(mark.state == "unverified" and mark.kind not in ("qty", "number") for mark in marks):
            removed.append(clause)
        else:
            kept.append(clause)
    return "，".join(kept)
