"""The conversations of the golden cases.

Owns: what is said and shown in each case. Must not know: token ids, weights, how a case is run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict


class Message(TypedDict):
    """One turn; each part is ``{"text": words}`` or ``{"picture": file name}``."""

    role: str
    parts: list[dict[str, str]]


def _say(role: str, *parts: str) -> Message:
    """One message; a part ending in ``.png`` is a picture of the pictures folder, any other is text."""
    return {"role": role, "parts": [{"picture" if part.endswith(".png") else "text": part} for part in parts]}


CASES: dict[str, list[Message]] = {
    "square": [_say("user", "square.png", "图里写了什么？")],
    "wide": [_say("user", "wide.png", "横幅上的价格是多少？")],
    "tall": [_say("user", "tall.png", "从上到下读出每一行字。")],
    "small": [_say("user", "small.png", "这个小图标是什么颜色？")],
    "large": [_say("user", "large.png", "海报上的活动时间是什么时候？满减怎么算？")],
    "two_pictures": [_say("user", "large.png", "上面是第一张，下面是第二张：", "small.png", "两张图的价格一样吗？")],
    "picture_after_text": [
        _say(
            "user",
            "我在店里看到这张海报，店员说全场五折，满 200 减 30，仅限周末 (weekend only)。\n请先看图，再回答：\n",
            "other.png",
            "店员说的和图上写的一致吗？Is the total price right?",
        )
    ],
    "text_only": [
        _say("system", "你是一个谨慎的助手。"),
        _say("user", "满三百减五十，原价 399 元，现在要付多少？"),
    ],
    "multi_turn": [
        _say("user", "square.png", "这张图的优惠是什么？"),
        _say("assistant", "全场五折，仅此三天。"),
        _say("user", "other.png", "那这一张呢？哪个更便宜？"),
    ],
}


def write_cases(path: Path) -> None:
    """Write all cases as JSON: ``{name: [{"role", "parts": [{"text"} or {"picture"}]}]}``."""
    path.write_text(json.dumps(CASES, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
