"""The numbers of a text, each parsed once: prices, discounts, dates, times, quantities, telephones, ids, offers.

Owns: the order of precedence between kinds, and what a label on the line before says. Must not know: pictures, rules,
whether numbers add up. Time is linear in the text: every pattern is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from kandong.reading.found_number import FoundNumber, Kind, PriceKind, text_of
from kandong.reading.number_amounts import find_prices, find_quantities, find_sales, label_in
from kandong.reading.number_contacts import find_contacts
from kandong.reading.number_dates import find_dates, find_times
from kandong.reading.number_offers import find_discounts, find_offers
from kandong.reading.numerals import ARABIC, parse_numeral

__all__ = ["FoundNumber", "Kind", "PriceKind", "find_numbers", "find_numbers_in_lines", "text_of"]

# One character for one, so that places stay: full-width forms, both yen signs, traditional words of money and time.
_FULL_WIDTH: Final = {
    code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))
}
_NARROW: Final[dict[int, int | str]] = _FULL_WIDTH | {
    ord(wide): narrow
    for wide, narrow in zip(
        "￥％．，＋－／～〜＄　\u00a0萬億塊時點買贈減滿號張雙個條價",
        "¥%.,+-/~~$  万亿块时点买赠减满号张双个条价",
        strict=True,
    )
}
_DROPPED: Final = re.compile(
    r"https?://[!-~]{1,400}|(?<![A-Za-z])[vV](?:er(?:sion)?)?\.?\s?\d{1,4}(?:\.\d{1,4}){1,4}|(?<![\d.])(?!20\d\d\.\d{1,2}\.\d{1,2}(?!\.?\d))\d{1,4}(?:\.\d{1,6}){2,4}(?![\d.])"
    r"|第\s?[\d一二三四五六七八九十]{1,5}(?!\s?[件杯份盒瓶双个位人袋支条]?\s?(?:半价|免|\d折|仅|打|享))|[nN][oO]\.?\s?\d{1,4}|(?<![\d.])[2-6]G(?![A-Za-z\d+])|(?<!\d)20\d\d新?款|三人行|(?<!\d)\d[对比]\d(?!\d)|一元复始|一块儿|(?:iPhone|iOS|Android)\s?\d{1,3}"
    r"|三八节|三八(?=妇女)|五一(?=劳动|假|小长假|黄金)|十一(?=黄金|假|长假|国庆)|六一(?=儿童)"
)
_Finder = Callable[[str], Iterator[FoundNumber]]
# Who comes first keeps its characters.
_FINDERS: Final[tuple[_Finder, ...]] = (
    find_offers,
    find_contacts,
    find_dates,
    find_discounts,
    find_times,
    find_prices,
    find_sales,
    find_quantities,
)
_LABEL_ONLY: Final = re.compile(r"[\s【\[（(]{0,2}(?P<label>[^\d:：]{2,8}?)[\s:：】\]）)]{0,3}")
_ENDS_IN_WECHAT: Final = re.compile(r"(?:微信号?|(?<![A-Za-z])(?:vx|wx))[:：\s]{0,3}$", re.IGNORECASE)
_ENDS_IN_QQ: Final = re.compile(r"(?:(?<![A-Za-z])QQ|扣扣|企鹅)(?:群|号|群号)?[:：\s]{0,3}$", re.IGNORECASE)
_QQ_ONLY: Final = re.compile(r"\s{0,4}(?P<id>[1-9]\d{4,10})\s{0,4}")
_ID_ONLY: Final = re.compile(r"\s{0,4}(?P<id>[A-Za-z][-_A-Za-z0-9]{5,19})\s{0,4}")
_AMOUNT_ONLY: Final = re.compile(rf"\s{{0,4}}(?P<a>{ARABIC})\s{{0,4}}")


def find_numbers(text: str) -> list[FoundNumber]:
    """Find the numbers of one line (or of any text), in order, without overlaps. Never fails on any text."""
    narrow = text.translate(_NARROW)
    taken = bytearray(len(narrow))
    dropped = [match.span() for match in _DROPPED.finditer(narrow)]
    is_dropping = False
    found: list[FoundNumber] = []
    for finder in _FINDERS:
        if finder is not find_offers and not is_dropping:
            for start, end in dropped:
                if not any(taken[start:end]):
                    taken[start:end] = b"\x01" * (end - start)
            is_dropping = True
        for number in finder(narrow):
            if not any(taken[number.start : number.end]):
                taken[number.start : number.end] = b"\x01" * (number.end - number.start)
                found.append(number)
    return sorted((_as_written(number.at(text)) for number in found), key=lambda number: number.start)


def _as_written(number: FoundNumber) -> FoundNumber:
    """Mark what a Chinese comma may have run together: 原价￥39，299元换购."""
    is_run_together = "，" in number.raw and number.kind in ("price", "qty")
    return replace(number, is_uncertain=True) if is_run_together else number


def find_numbers_in_lines(lines: Sequence[str]) -> list[list[FoundNumber]]:
    """Find the numbers of lines that stand below each other, a list for each line.

    A line that is a label alone (原价) tells what the price on the next line is, with or without a currency; a line
    that ends in 微信： (or in 微, with 信： on the next) makes the next one, if it is an id alone, a WeChat id, and one
    that ends in QQ： makes digits alone a QQ id, unless they are a telephone number.
    """
    found = []
    label: PriceKind | None = None
    before = ""
    for line in lines:
        numbers = find_numbers(line)
        if before.endswith("微") and line.startswith("信"):
            joined = find_numbers(f"微{line}")
            numbers = [replace(number, start=number.start - 1, end=number.end - 1) for number in joined]
        elif _ENDS_IN_WECHAT.search(before) and (match := _ID_ONLY.fullmatch(line)):
            start, end = match.span("id")
            numbers = [FoundNumber(match["id"], start, end, "wechat", match["id"])]
        is_phone = any(number.kind == "phone" for number in numbers)
        if not is_phone and _ENDS_IN_QQ.search(before) and (match := _QQ_ONLY.fullmatch(line)):
            numbers = [FoundNumber(match["id"], *match.span("id"), "qq", match["id"])]
        before = line
        if label is not None:
            numbers = _labelled(line, numbers, label)
        found.append(numbers)
        match = _LABEL_ONLY.fullmatch(line)
        label = label_in(match["label"]) if match and not numbers else None
    return found


def _labelled(line: str, numbers: list[FoundNumber], label: PriceKind) -> list[FoundNumber]:
    if not numbers or (len(numbers) == 1 and numbers[0].kind == "date" and numbers[0].is_uncertain):
        match = _AMOUNT_ONLY.fullmatch(line.translate(_NARROW))
        value = parse_numeral(match["a"]) if match else None
        if match is None or value is None:
            return numbers
        start, end = match.span("a")
        return [FoundNumber(line[start:end], start, end, "price", value, "CNY", price_kind=label)]
    first = numbers[0]
    if first.kind == "price" and first.price_kind in (None, "from") and not line[: first.start].strip():
        return [replace(first, price_kind=label), *numbers[1:]]
    return numbers
