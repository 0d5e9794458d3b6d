"""Runaway answers are stopped, ordinary ones never."""

from __future__ import annotations

import json
import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kandong.vlm.loops import LoopDetector, LoopLimits, LoopReason
from tests.vlm.tokenizers import CASES

POEM = "床前明月光，疑是地上霜。举头望明月，低头思故乡。"
TABLE = "| 商品 | 规格 | 原价 | 现价 |\n|------|------|------|------|\n" + "".join(
    f"| 柠檬水 | 大杯 | {price}.0 元 | {price - 3}.9 元 |\n" for price in range(10, 42)
)
ORDINARY = {
    "table": TABLE,
    "wide separator": "|" + " --- |" * 12 + "\n|" + ":---:|" * 12,
    "rows of one answer": "\n".join(f"{i}. 是否含有二维码：否；是否含有价格：否" for i in range(1, 31)),
    "equal rows": "| 无 | 无 | 无 |\n" * 5,
    "rules": "标题\n" + "-" * 60 + "\n正文\n" + "=" * 60 + "\n" + "*" * 40,
    "contents": "第一章 总则" + "…" * 20 + "1\n第二章 细则" + "." * 50 + "12\n",
    "laughter": "哈" * 50 + "，太好笑了" + "！" * 30,
    "chorus": (POEM + "\n") * 3,
    "offers": json.dumps([{"name": f"第{i}款", "price": i + 0.9, "gift": None} for i in range(30)], ensure_ascii=False),
    "empty offer": json.dumps({f"字段{i}": None for i in range(25)}, ensure_ascii=False),
    "numbers": " ".join(str(2**i) for i in range(60)),
    "codes": "订单号 20261122103045987654321012345678，身份证 11010519491231002X，卡号 6222021234567890123",
    "nulls": "[" + ",".join(["null"] * 20) + "]",
    "indented": "\n".join(" " * 8 + f"<li>第{i}项</li>" for i in range(30)),
    "phones": "\n".join(f"1380013{i:04d}" for i in range(8000, 8040)),
    "same watermark": "\n".join(f"@小红书 用户{i}\n仅供内部使用" for i in range(20)),
}
RUNAWAY: dict[str, tuple[str, LoopReason]] = {
    "one character": ("价格是" + "的" * 400, "repetition"),
    "one line": ("好的。\n" + "限时特价，全场五折。\n" * 40, "repetition"),
    "equal rows": (TABLE + "| 柠檬水 | 大杯 | 9.9 元 |\n" * 40, "repetition"),
    "alternating": ("是否" * 200, "repetition"),
    "null rows": ('[{"a":null,"b":null},' + '{"a":null,"b":null},' * 60, "repetition"),
    "digits": ("电话是1" + "".join(str(i * i) for i in range(200)), "digits"),
    "thousands": ("1" + ",000" * 200, "repetition"),
    "fraction": ("0." + "3" * 300, "digits"),
    "full width": ("编号" + "１２３４５６７８９０" * 20, "digits"),
    "escapes": ("\\n" * 300, "repetition"),
}


# Cuts about as Qwen's vocabulary does, for machines that have not got it: words, signs, single digits and characters.
WORDS = re.compile(r"[A-Za-z]+|[\u4e00-\u9fff]|\d| ?[^\w\s]{1,16}\n*|\s+|\w")
Pieces = list[tuple[int, str]]


def cut(cutter: str, text: str) -> Pieces:
    """Cut a text into tokens, each with its own text."""
    if cutter == "words":
        names: dict[str, int] = {}
        assert "".join(WORDS.findall(text)) == text
        return [(names.setdefault(piece, len(names)), piece) for piece in WORDS.findall(text)]
    case = CASES[cutter]()
    return [(token, case.decode([token]).replace("\ufffd", "")) for token in case.encode(text)]


def watch(pieces: Pieces) -> tuple[LoopReason | None, int]:
    """Write a text token by token; gives the reason to stop and after how many tokens."""
    detector = LoopDetector()
    for i, (token, text) in enumerate(pieces):
        if (reason := detector.push(token, text)) is not None:
            return reason, i + 1
    return None, len(pieces)


# The bounds are in tokens of a large vocabulary: one that cuts 哈 into three bytes would take laughter for a loop.
@pytest.mark.parametrize("cutter", ["qwen", "words"])
@pytest.mark.parametrize("name", list(ORDINARY))
def test_ordinary_text_goes_on(cutter: str, name: str) -> None:
    pieces = cut(cutter, ORDINARY[name])
    assert watch(pieces)[0] is None


@pytest.mark.parametrize("cutter", [*CASES, "words"])
@pytest.mark.parametrize("name", list(RUNAWAY))
def test_runaway_text_is_stopped_long_before_its_end(cutter: str, name: str) -> None:
    text, expected = RUNAWAY[name]
    pieces = cut(cutter, text)
    reason, num_written = watch(pieces)
    # Digits that repeat may be noticed by either rule first.
    assert reason == expected or (reason == "repetition" and expected == "digits" and name != "digits")
    assert num_written < 0.8 * len(pieces)


def slow_reason(tokens: list[int], limits: LoopLimits) -> bool:
    """Whether the end of a list is a loop, by its definition: the shortest period of the longest repeated end."""
    for period in range(1, limits.max_period_tokens + 1):
        num_equal = 0
        while num_equal + period < len(tokens) and tokens[-1 - num_equal] == tokens[-1 - num_equal - period]:
            num_equal += 1
        needed = max(limits.min_repeats * period, limits.min_loop_tokens)
        if period <= 2:
            needed = max(needed, limits.min_short_loop_tokens)
        length = num_equal + period
        shorter = max((run_length(tokens, p) for p in (1, 2)), default=0) if period > 2 else 0
        if num_equal and length >= needed and length > shorter:
            return True
    return False


def run_length(tokens: list[int], period: int) -> int:
    num_equal = 0
    while num_equal + period < len(tokens) and tokens[-1 - num_equal] == tokens[-1 - num_equal - period]:
        num_equal += 1
    return num_equal + period if num_equal else 0


@given(st.lists(st.tuples(st.lists(st.integers(0, 2), min_size=1, max_size=7), st.integers(1, 9)), max_size=8))
@settings(max_examples=300, deadline=None)
def test_every_token_agrees_with_the_definition(runs: list[tuple[list[int], int]]) -> None:
    limits = LoopLimits(max_period_tokens=8, min_repeats=3, min_loop_tokens=9, min_short_loop_tokens=14)
    detector = LoopDetector(limits)
    tokens: list[int] = []
    for token in (token for run, times in runs for token in run * times):
        tokens.append(token)
        assert (detector.push(token) == "repetition") == slow_reason(tokens, limits)


@pytest.mark.parametrize("period", [1, 2, 3, 15, 16, 17, 40, 64])
def test_a_loop_is_found_at_its_bound_and_measured(period: int) -> None:
    before, body = list(range(1_000, 1_050)), list(range(period))
    needed = max(4 * period, 128 if period <= 2 else 64)
    detector = LoopDetector()
    tokens = before + body * 200
    num_pushed = next(i for i, token in enumerate(tokens, start=1) if detector.push(token) is not None)
    assert num_pushed == len(before) + needed
    assert detector.num_loop_tokens == needed


def test_longer_periods_and_nearly_equal_rounds_go_on() -> None:
    detector = LoopDetector()
    assert all(detector.push(token) is None for token in list(range(65)) * 20)
    detector = LoopDetector()
    assert all(detector.push(t) is None for i in range(60) for t in (*range(12), 1_000 + i))


def test_a_long_answer_costs_the_same_at_its_end() -> None:
    detector, random = LoopDetector(), np.random.default_rng(0)
    times = []
    for _ in range(8):
        tokens = random.integers(0, 1_000, 2_000).tolist()
        started = time.perf_counter()
        for token in tokens:
            assert detector.push(token, "字") is None
        times.append(time.perf_counter() - started)
    assert min(times[4:]) < 3 * min(times[:4])
