"""Promotions that are made of two numbers: 满300减50, 买一送一, 第二件半价, 3件8折; and plain discounts.

Owns: their ways of writing. Must not know: whether they add up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from kandong.reading.found_number import FoundNumber
from kandong.reading.numerals import EITHER, parse_numeral

_YUAN: Final = r"\s?(?:元|块钱|块)?"
_N: Final = r"(?:\d{1,8}(?:\.\d{1,2})?(?!\d)(?:\s?[万千])?|[一二两三四五六七八九十百千万]{1,8})"
_THRESHOLD: Final = re.compile(
    rf"(?P<each>每)?满\s?¥?(?P<least>{_N}){_YUAN}\s?[,，]?\s?(?:即可|可|立|再|直)?(?P<verb>减|省|抵|返|送|-)(?:免|扣)?\s?¥?"
    rf"(?P<less>{_N})(?!\s?[件个只瓶盒袋包份张支套斤罐条款折])(?P<after>{_YUAN})"
)
_SHARE: Final = r"(?P<rate>\d(?:\.\d{1,2})?|\d\d|[一二三四五六七八九]{1,2}|[一二三四五六七八九]点[一二三四五六七八九])"
_THRESHOLD_RATE: Final = re.compile(
    rf"(?:满\s?)?(?P<count>{_N})\s?(?:(?P<what>元|件|份|杯|盒|瓶|双|人)\s?[,，]?\s?(?:享|打|立享|可享)?|(?<=\d)(?:享|打|立享|可享))\s?{_SHARE}\s?折(?![叠扣腾])"
)
_BUY: Final = re.compile(
    r"买\s?(?P<buy>\d{1,3}|[一二两三四五六七八九十])\s?[件盒瓶份杯袋]?\s?[,，]?\s?(?:送|赠|得)\s?(?P<get>\d{1,3}|[一二两三四五六七八九十])(?![\d.百千万元])[件盒瓶份杯袋]?"
)
_SENT: Final = re.compile(
    r"拍\s?(?P<buy>[1-9一二两三四五])\s?[件盒瓶份]?\s?发\s?(?P<all>\d|[一二两三四五六七八九十])(?![\d.])"
    r"|买\s?(?P<taken>\d{1,2}|[一二两三四五六七八九十])\s?(?:付\s?(?P<paid>\d{1,2}|[一二两三四五六七八九])|免\s?(?P<left>\d|[一二两三]))(?![\d.])"
)
_TOP_UP: Final = re.compile(
    rf"(?:充值?|存|预存|(?<![鲜棉桂菊烟])花|消费|[定订]金)\s?¥?(?P<pay>{_N}){_YUAN}\s?[,，]?\s?(?:可|立)?(?P<verb>送|得|赠|抵|返|膨胀)\s?¥?"
    rf"(?P<get>{_N})(?![倍\s件个只瓶盒袋包份张支套斤罐条款折]){_YUAN}"
)
_NTH: Final = re.compile(
    r"第\s?(?P<nth>[二两三四五2-9])\s?[件杯份盒瓶双个位人袋支条]\s?(?:仅需|仅|只要|只需|享|打|立享)?\s?"
    rf"(?:(?P<half>半价)|(?P<free>免费|免单)|{_SHARE}\s?折|¥?(?P<yuan>\d{{1,5}}(?:\.\d{{1,2}})?)\s?元)"
)
_DISCOUNT: Final = re.compile(
    rf"(?<![\d.第一二三四五六七八九十百千])(?:{_SHARE}(?:\s?[-~至到]\s?(?P<upper>\d(?:\.\d{{1,2}})?))?\s?折|(?P<half>[对半]折))(?![叠扣腾页角痕射])(?P<from>起)?"
)
_PERCENT: Final = re.compile(
    rf"(?:(?P<low>(?<![\d.])\d{{1,6}}(?:\.\d{{1,4}})?)%?\s?[-~至到]\s?)?(?<![\d.])(?P<value>\d{{1,6}}(?:\.\d{{1,4}})?)\s?%|百分之(?P<words>{EITHER})"
)
_MANY_PIECES: Final = 20
_UNCAPPED: Final = re.compile(r"[,，、;；（(\s]{0,2}上不封顶")


def find_offers(text: str) -> Iterator[FoundNumber]:
    """Find conditions with what they give."""
    for match in _THRESHOLD.finditer(text):
        least, less = parse_numeral(match["least"]), parse_numeral(match["less"])
        if least is None or less is None:
            continue
        if match["verb"] == "-" and less >= least:
            continue  # 满18-60岁
        is_off = match["verb"] in "减省抵-"
        end = match.end() - (len(match["after"]) - len(match["after"].rstrip()))
        yield FoundNumber(
            match[0],
            match.start(),
            end,
            "offer",
            least,
            "off" if is_off else "back",
            less,
            is_each=match["each"] is not None,
            is_uncapped=_UNCAPPED.match(text, match.end()) is not None,
            is_uncertain=less >= least or (not is_off and not match["after"].strip()),
        )
    for match in _BUY.finditer(text):
        buy, get = parse_numeral(match["buy"]), parse_numeral(match["get"])
        if buy is not None and get is not None:
            is_money = buy >= _MANY_PIECES  # 买100送50 is more likely yuan
            yield FoundNumber(match[0], *match.span(), "offer", buy, "free", get, is_uncertain=is_money)
    for match in _SENT.finditer(text):
        yield from _sent(match)
    for match in _TOP_UP.finditer(text):
        pay, get = parse_numeral(match["pay"]), parse_numeral(match["get"])
        if pay is not None and get is not None:
            how = "worth" if match["verb"] in ("得", "抵", "膨胀") else "back"
            yield FoundNumber(match[0], *match.span(), "offer", pay, how, get)
    for match in _NTH.finditer(text):
        yield _nth(match)
    for match in _THRESHOLD_RATE.finditer(text):
        count, rate = parse_numeral(match["count"]), share(match["rate"])
        if count is not None and rate is not None and (match["what"] not in ("元", None) or match[0].startswith("满")):
            yield FoundNumber(match[0], *match.span(), "offer", count, "折", rate)


def _sent(match: re.Match[str]) -> Iterator[FoundNumber]:
    """Give 拍1发3, 买4付3, 买5免1 as what is paid for and what comes free with it."""
    if match["buy"]:
        paid, whole = parse_numeral(match["buy"]), parse_numeral(match["all"])
    else:
        whole = parse_numeral(match["taken"])
        paid = parse_numeral(match["paid"]) if match["paid"] else None
        left = parse_numeral(match["left"]) if match["left"] else None
        paid = whole - left if whole is not None and left is not None else paid
    if paid is not None and whole is not None and whole > paid > 0:
        yield FoundNumber(match[0], *match.span(), "offer", paid, "free", whole - paid)


def _nth(match: re.Match[str]) -> FoundNumber:
    nth = parse_numeral(match["nth"]) or Decimal(2)
    if match["yuan"]:
        return FoundNumber(match[0], *match.span(), "offer", nth, "元", Decimal(match["yuan"]))
    if match["free"]:
        return FoundNumber(match[0], *match.span(), "offer", nth, "元", Decimal(0))
    rate = Decimal(5) if match["half"] else share(match["rate"])
    return FoundNumber(match[0], *match.span(), "offer", nth, "折", rate or Decimal(0), is_uncertain=rate is None)


def share(text: str) -> Decimal | None:
    """Give the tenths to pay of a discount: 8.5, 85, 八五 and 八点五 are all 8.5. ``None`` for 0."""
    value = parse_numeral(text)
    if value is None or value == 0:
        return None
    return value / 10 if value >= 10 else value


def find_discounts(text: str) -> Iterator[FoundNumber]:
    """Find discounts (折) and percentages."""
    for match in _DISCOUNT.finditer(text):
        value = Decimal(5) if match["half"] else share(match["rate"])
        if value is not None:
            upper = Decimal(match["upper"]) if match["upper"] else None
            end = match.end() - len(match["from"] or "")
            bound = "at_least" if match["from"] else None
            yield FoundNumber(match[0], match.start(), end, "discount", value, "折", upper, bound=bound)  # type: ignore[arg-type]
    for match in _PERCENT.finditer(text):
        value = parse_numeral(match["words"] or match["value"])
        if value is None:
            continue
        if match["low"]:
            yield FoundNumber(match[0], *match.span(), "pct", Decimal(match["low"]), "%", value)
        else:
            yield FoundNumber(match[0], *match.span(), "pct", value, "%")
