"""Numerals as Chinese texts write them: 199, 1,299, 1.2万, 一百九十九, 两千三, 二〇二六, 八点五.

Owns: their grammar and exact values. Must not know: what a number means.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

DIGITS: Final = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "俩": 2, "仨": 3}
_TENS: Final = {"十": 10, "百": 100, "千": 1000}
_MYRIADS: Final = {"万": 10**4, "亿": 10**8}
_SCALES: Final = {"百": 100, "千": 1000, "万": 10**4, "亿": 10**8, "w": 10**4, "k": 1000}

# Every repetition is bounded, so that no text makes matching slow. Neither begins inside a longer number.
OPEN: Final = (
    r"(?:\d{1,3}(?:,\d{3}){1,4}(?!\d)|\d{1,15})(?:\.\d{1,4})?(?!\d)(?:\s?(?:[百千]?[万亿]|[百千]|[wWkK](?![A-Za-z])))?"
)
ARABIC: Final = rf"(?<![\d.]){OPEN}"
_WORDS: Final = "零〇一二两三四五六七八九十百千万亿"
CHINESE: Final = rf"(?<![{_WORDS}点第几数])[{_WORDS}]{{1,16}}(?:点[零一二三四五六七八九]{{1,4}})?"
EITHER: Final = f"(?:{ARABIC}|{CHINESE})"
_ARABIC_PARTS: Final = re.compile(r"([\d,]+(?:\.\d+)?)\s?([百千]?[万亿]|[百千]|[wWkK])?")


def parse_numeral(text: str) -> Decimal | None:
    """Give the value of a whole numeral, Arabic or Chinese; ``None`` if it is none (百百, 万, 一点, 三八十)."""
    text = text.strip()
    match = _ARABIC_PARTS.fullmatch(text)
    if match is None:
        return parse_chinese(text)
    value = Decimal(match[1].replace(",", ""))
    for scale in match[2] or "":
        value *= _SCALES[scale.lower()]
    return value


def parse_chinese(text: str) -> Decimal | None:
    """Give the value of a Chinese numeral. 两千三 is 2300 and 一百五 150, as spoken; 二〇二六 goes digit by digit."""
    whole, point, part = text.partition("点")
    if point:
        digits = [DIGITS.get(c) for c in part]
        head = parse_chinese(whole)
        if head is None or not digits or None in digits:
            return None
        return head + Decimal("0." + "".join(map(str, digits)))
    if not whole:
        return None
    if all(c in DIGITS for c in whole):
        return Decimal("".join(str(DIGITS[c]) for c in whole))
    value = _with_scales(whole)
    return None if value is None else Decimal(value)


def _with_scales(text: str) -> int | None:
    """Parse 一百九十九, 二十万, 三亿五千万: sections below a myriad, scales falling inside and outside of a section."""
    total, start, last_myriad = 0, 0, 10**12
    for i, c in enumerate(text):
        if c not in _MYRIADS:
            continue
        section = _section(text[start:i])
        if c == "亿" and section is None and i and text[i - 1] == "万" and total:
            return total * _MYRIADS[c] if i == len(text) - 1 else None  # 一万亿
        if section is None or _MYRIADS[c] >= last_myriad:
            return None
        last_myriad = _MYRIADS[c]
        total += section * last_myriad
        start = i + 1
    rest = text[start:]
    if not rest:
        return total
    if len(rest) == 1 and start and rest in DIGITS:
        return total + DIGITS[rest] * last_myriad // 10  # 一万二 is 12000
    section = _section(rest)
    return None if section is None else total + section


def _section(text: str) -> int | None:
    """Parse a numeral below 10,000; ``None`` if it breaks the grammar."""
    total, digit, last_scale, is_zero_before = 0, None, 10_000, False
    for i, c in enumerate(text):
        if c in _TENS:
            scale = _TENS[c]
            if digit is None and not (c == "十" and i == 0):
                return None
            if scale >= last_scale or digit == 0:
                return None
            total += (1 if digit is None else digit) * scale
            last_scale, digit, is_zero_before = scale, None, False
        elif c in "零〇":
            if digit is not None:
                return None
            is_zero_before = True
        else:
            if digit is not None:
                return None
            digit = DIGITS.get(c)
    if digit is None:
        return total if total and not is_zero_before else None
    is_short = 10 < last_scale < 10_000 and not is_zero_before  # 两千三, 一百五
    return total + digit * (last_scale // 10 if is_short else 1)
