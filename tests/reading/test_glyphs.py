"""Glyphs put right, and those that must stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kandong.reading.glyphs import (
    currency_changes,
    full_stop_change,
    glyph_changes,
    is_invented,
    is_simplified_print,
    to_simplified,
)


def corrected(text: str, runners_up: list[str] | None = None, *, simplified: bool = True) -> str:
    changes = glyph_changes(text, runners_up or [""] * len(text), simplified_print=simplified)
    letters = list(text)
    for change in changes:
        assert letters[change.index] == change.raw
        letters[change.index] = change.text
    return "".join(letters)


@pytest.mark.parametrize(
    ("raw", "right"),
    [
        ("满299減15", "满299减15"),
        ("凈含量500g", "净含量500g"),
        ("折疊躺椅", "折叠躺椅"),
        ("内店地址", "门店地址"),
        ("本内店自提", "本门店自提"),
        ("国内店铺", "国内店铺"),
        ("市内店通用", "市内店通用"),
        ("店内消费", "店内消费"),
        ("乾坤袋", "乾坤袋"),
        ("著名品牌", "著名品牌"),
        ("price 85", "price 85"),
        ("Y16", "¥16"),
        ("加vX：abc", "加vx：abc"),
        ("VX:abc", "VX:abc"),
        ("AVX:512", "AVX:512"),
        ("Y16盒", "Y16盒"),
        ("大16", "大16"),
        ("", ""),
    ],
)
def test_in_simplified_print(raw: str, right: str) -> None:
    assert corrected(raw) == right


def test_traditional_print_stays_as_it_is() -> None:
    lines = ["滿三百減五十", "門店自取", "優惠價"]
    assert not is_simplified_print(lines)
    assert corrected(lines[0], simplified=False) == lines[0]


def test_a_simplified_second_choice_decides_where_nothing_else_tells_the_script() -> None:
    assert corrected("減15", ["减", "", ""], simplified=False) == "减15"
    assert corrected("減15", ["咸", "", ""], simplified=False) == "減15"


def test_doubt_about_case_and_currency_is_settled_by_the_second_choice() -> None:
    assert corrected("VX:ab", ["", "x", "", "", ""]) == "vx:ab"
    assert corrected("关739", ["¥", "", "", ""]) == "¥739"
    assert corrected("关739", [""] * 4) == "关739"


def test_script_is_told_by_characters_that_only_one_script_has() -> None:
    assert is_simplified_print(["满299減15"])
    assert is_simplified_print(["门店优惠", "减"])
    assert not is_simplified_print(["大小上下"])
    assert not is_simplified_print([])
    assert is_invented("減")
    assert not is_invented("减")
    assert not is_invented("乾")


@given(st.text())
def test_to_simplified_keeps_the_length_and_is_its_own_limit(text: str) -> None:
    once = to_simplified(text)
    assert len(once) == len(text)
    assert len(to_simplified(once)) == len(text)


def test_to_simplified_knows_common_characters() -> None:
    assert to_simplified("減價優惠滿額禮門後臺") == "减价优惠满额礼门后台"
    assert to_simplified("减价 abc 123 ￥") == "减价 abc 123 ￥"


@pytest.mark.parametrize(
    ("text", "place"),
    [("积分后V2186，预订", 3), ("到手：V1229", 3), ("16. 到手 v25", 7), ("活动价@499", 3)],
)
def test_a_letter_before_an_amount_is_a_currency_sign_if_the_recogniser_says_so(text: str, place: int) -> None:
    others = [["¥"] if i == place else [] for i in range(len(text))]
    assert [(c.index, c.text) for c in currency_changes(text, others)] == [(place, "¥")]
    assert currency_changes(text, [[] for _ in text]) == []


@pytest.mark.parametrize(("text", "place"), [("券后价V2186，预订", 3), ("定金：V408.9", 3), ("16. 现价 v25", 7)])
def test_between_the_name_of_a_price_and_its_amount_stands_no_letter(text: str, place: int) -> None:
    assert [(c.index, c.text) for c in currency_changes(text, [[] for _ in text])] == [(place, "¥")]


@pytest.mark.parametrize("text", ["等级：V3", "会员价V8Pro", "押金v2abc", "黄金V5"])
def test_other_letters_stay_where_the_recogniser_is_sure(text: str) -> None:
    assert currency_changes(text, [[] for _ in text]) == []


@pytest.mark.parametrize("text", ["型号：V8Pro", "微信：v2186abc", "规格V12", "价V"])
def test_letters_of_names_stay(text: str) -> None:
    assert currency_changes(text, [["¥"] for _ in text]) == []


def test_a_worn_full_stop_read_as_a_point_ends_its_sentence() -> None:
    change = full_stop_change("请妥善保管小票.", [("。", 0.1)])
    assert change is not None
    assert (change.index, change.raw, change.text, change.reason) == (7, ".", "。", "stop")


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("请妥善保管小票.", []),  # the recogniser sees a point
        ("请妥善保管小票.", [("。", 0.01), (",", 0.2)]),
        ("一级棒.", [("。", 0.3)]),
        ("真是热情到..", [("。", 0.3)]),
        ("共计人民币大写9.", [("。", 0.3)]),
        ("客服热线由 Kandong Co.", [("。", 0.3)]),
        ("请妥善保管.小票", [("。", 0.3)]),
        ("", []),
    ],
)
def test_any_other_point_stays(text: str, others: list[tuple[str, float]]) -> None:
    assert full_stop_change(text, others) is None
