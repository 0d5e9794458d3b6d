"""Labelled amounts of a promotion, put together to statements whose arithmetic can be checked.

Owns: which label means what, and when amounts belong together. Must not know: the formulas (rules/arithmetic.py).
Careful on purpose: within the words of a post, or of one picture, a label that stands twice makes no statement, because
nothing tells which price it goes with; 低至5折, 3件8折 and 5折起 are no fixed discount.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import groupby
from typing import Final

from kandong.rules.arithmetic import Amount, PriceStatement
from kandong.rules.judge import evidence_of
from kandong.rules.normalise import NormalisedText
from kandong.rules.report import Evidence, TextLine

_DIGITS: Final = {character: value for value, character in enumerate("零一二三四五六七八九十")} | {"两": 2, "半": 5}
_TEN: Final = Decimal(10)
# 折后只要89: what stands between a label and its sum; 低至 and 最低 are left out, as they fix no price.
_ONLY: Final = r"(?:只需要?|仅需要?|只要|仅要|只卖|仅售|只|仅|就|才|价格?|[:为是])?"
_SUM: Final = (
    rf"\s{{0,2}}[:为是]?\s{{0,2}}{_ONLY}\s{{0,2}}[¥$]?\s{{0,2}}(\d{{1,7}}(?:\.\d{{1,2}})?)(?![\d折%起]|\.\d|元起)"
)
_HAN_DIGIT: Final = "一二三四五六七八九"
_RATE: Final = rf"([{_HAN_DIGIT}]{{1,2}}|半|\d(?:\.\d)?|\d\d)"
_COUNT: Final = r"([一二两三四五六七八九十]|\d{1,3})"


class _Label(StrEnum):
    ORIGINAL = "original"
    CURRENT = "current"
    BEFORE_COUPON = "before_coupon"
    AFTER_COUPON = "after_coupon"
    PAID = "paid"
    SAVING = "saving"
    COUPON = "coupon"
    DISCOUNT = "discount"
    FULL = "full"
    EVERY_FULL = "every_full"
    BOUGHT = "bought"
    UNIT = "unit"
    BUNDLE = "bundle"
    NTH = "nth"
    PIECES = "pieces"


_PATTERNS: Final = tuple(
    (label, re.compile(source))
    for label, source in (
        (_Label.ORIGINAL, rf"(?:原价|标价|定价|吊牌价|专柜价|市场价|划线价|日常价){_SUM}"),
        (_Label.CURRENT, rf"(?:现价|现在(?=只|仅|就|[¥$])|折后价?|活动价|特价|秒杀价|今日价|优惠价){_SUM}"),
        (_Label.BEFORE_COUPON, rf"券前价?{_SUM}"),
        (_Label.AFTER_COUPON, rf"(?:领?券后价?|用券后){_SUM}"),
        (_Label.PAID, rf"(?:到手价?|只需付|实付|仅需付|应付|最终价){_SUM}"),
        (_Label.PAID, rf"(?<=[,.!;\s折])(?:只要|只需|仅需|只卖|仅售){_SUM}(?=元)"),
        (_Label.SAVING, rf"(?:立省|立减|节省|直降|省下|差价){_SUM}"),
        (_Label.COUPON, r"(?<!满)(?<!\d)(\d{1,5}(?:\.\d{1,2})?)元?(?:优惠|代金|抵用|现金|立减)?券(?![前后])"),
        (
            _Label.DISCOUNT,
            rf"(?<!低至)(?<!最低)(?<![件盒瓶袋包支\d.{_HAN_DIGIT}])(?<![件盒瓶袋包支][打享]){_RATE}折(?![扣起])",
        ),
        (_Label.NTH, rf"第{_COUNT}(?:件|盒|瓶|袋|包|支|杯)(?:打|享|只要)?(?:{_RATE}折(?![扣起])|(半)价)"),
        (_Label.PIECES, rf"(?<!第){_COUNT}(?:件|盒|瓶|袋|包|支|杯)(?:打|享)?{_RATE}折(?![扣起])"),
        (_Label.EVERY_FULL, r"每满(\d{1,6})元?减(\d{1,6})"),
        (_Label.FULL, r"(?<!每)满(\d{1,6})元?减(\d{1,6})"),
        (_Label.BOUGHT, r"(?:买|购买|消费|凑到|合计)(\d{1,6}(?:\.\d{1,2})?)元"),
        (_Label.UNIT, rf"(?:单价|每件|每盒|每瓶|每杯|一件){_SUM}"),
        (_Label.BUNDLE, rf"{_COUNT}(?:件|盒|瓶|袋|包|支|杯)(?:合计|一共|共|总价|到手价?)?{_SUM}元"),
    )
)


@dataclass(frozen=True)
class _Found:
    label: _Label
    numbers: tuple[Decimal, ...]
    evidence: Evidence
    place: tuple[int, int, int]  # line, first and last character: two patterns may see the same words


def find_statements(lines: Sequence[TextLine]) -> list[PriceStatement]:
    """Find what the words of a post, and each picture for itself, state about one price."""
    statements: list[PriceStatement] = []
    words = [line for line in lines if line.source in ("post_text", "image_text", "comment")]
    for _, group in groupby(words, key=lambda line: (line.source, line.image_index)):
        statements += _statements({one.label: one for one in _unambiguous(list(group))})
    return statements


def _unambiguous(lines: Sequence[TextLine]) -> list[_Found]:
    found: dict[tuple[_Label, int, int, int], _Found] = {}
    for number, line in enumerate(lines):
        for one in _amounts(number, line):
            found.setdefault((one.label, *one.place), one)
    num_found = Counter(one.label for one in found.values())
    return [one for one in found.values() if num_found[one.label] == 1]


def _amounts(number: int, line: TextLine) -> Iterator[_Found]:
    view = NormalisedText(line.text).plain
    for label, pattern in _PATTERNS:
        for match in pattern.finditer(view.text):
            values = tuple(_value(group) for group in match.groups() if group is not None)
            if label in (_Label.DISCOUNT, _Label.NTH, _Label.PIECES):
                is_two_digits = values[-1] >= _TEN  # 85折
                values = (*values[:-1], values[-1] / (_TEN * _TEN if is_two_digits else _TEN))
            start, end = view.original_span(match.start(), match.end())
            place = (number, match.start(match.lastindex or 0), match.end(match.lastindex or 0))
            yield _Found(label, values, evidence_of(line, start, end), place)


def _value(text: str) -> Decimal:
    if all(character in _DIGITS for character in text):
        return Decimal("".join(str(_DIGITS[character]) for character in text))
    return Decimal(text)


def _statements(one: dict[_Label, _Found]) -> Iterator[PriceStatement]:
    """Put together what belongs together; a coupon or a threshold in between breaks a simple comparison."""
    paid = one.get(_Label.PAID)
    final = paid or one.get(_Label.CURRENT)
    original, discount, saving = one.get(_Label.ORIGINAL), one.get(_Label.DISCOUNT), one.get(_Label.SAVING)
    full = one.get(_Label.EVERY_FULL) or one.get(_Label.FULL)
    coupon = one.get(_Label.COUPON)
    if original and final and coupon is None and full is None:
        amounts = {Amount.LIST: original.numbers[0], Amount.FINAL: final.numbers[0]}
        if discount is not None:
            yield PriceStatement(amounts | {Amount.DISCOUNT: discount.numbers[0]}, final.evidence)
        elif saving is not None:
            yield PriceStatement(amounts | {Amount.SAVING: saving.numbers[0]}, saving.evidence)
    after = one.get(_Label.AFTER_COUPON) or paid
    before = one.get(_Label.BEFORE_COUPON) or one.get(_Label.CURRENT)
    if coupon and after and before and discount is None and full is None:
        amounts = {Amount.LIST: before.numbers[0], Amount.COUPON: coupon.numbers[0], Amount.FINAL: after.numbers[0]}
        yield PriceStatement(amounts, after.evidence)
    if full and paid and (spent := _spent(one, full)) is not None:
        threshold, reduction = full.numbers
        amounts = {Amount.BOUGHT: spent, Amount.FINAL: paid.numbers[0]}
        amounts |= {Amount.THRESHOLD: threshold, Amount.REDUCTION: reduction}
        yield PriceStatement(amounts, paid.evidence, repeats=full.label is _Label.EVERY_FULL)
    yield from _bundles(one)


def _spent(one: dict[_Label, _Found], full: _Found) -> Decimal | None:
    """Give the sum that 满减 is taken from: what is bought, else an original price with nothing else behind it."""
    bought, original = one.get(_Label.BOUGHT), one.get(_Label.ORIGINAL)
    others = {_Label.COUPON, _Label.DISCOUNT}
    if bought is not None:
        return bought.numbers[0] if one.keys().isdisjoint(others) else None
    others |= {_Label.CURRENT, _Label.BEFORE_COUPON, _Label.AFTER_COUPON, _Label.SAVING}
    others |= {_Label.BUNDLE, _Label.NTH, _Label.PIECES}
    if original is None or original.numbers[0] < full.numbers[0] or not one.keys().isdisjoint(others):
        return None
    return original.numbers[0]


def _bundles(one: dict[_Label, _Found]) -> Iterator[PriceStatement]:
    """Put a single price and the price of several together; 第二件半价 and 两件7折 go before what is saved."""
    nth, pieces, saving = one.get(_Label.NTH), one.get(_Label.PIECES), one.get(_Label.SAVING)
    unit, bundle, original = one.get(_Label.UNIT), one.get(_Label.BUNDLE), one.get(_Label.ORIGINAL)
    if (nth or pieces) and unit is None:
        prices = [price for price in (original, one.get(_Label.CURRENT)) if price is not None]
        unit = prices[0] if len(prices) == 1 else None  # of two prices either may be meant
    is_apart = one.keys().isdisjoint({_Label.DISCOUNT, _Label.FULL, _Label.EVERY_FULL})
    if unit is None or bundle is None or not is_apart or (nth and pieces):
        return
    quantity, total = bundle.numbers
    amounts = {Amount.UNIT: unit.numbers[0], Amount.QUANTITY: quantity, Amount.TOTAL: total}
    if nth is not None:
        amounts |= {Amount.NTH: nth.numbers[0], Amount.NTH_RATE: nth.numbers[1]}
    elif pieces is not None:
        amounts |= {Amount.PIECES: pieces.numbers[0], Amount.PIECES_RATE: pieces.numbers[1]}
    elif saving is not None and original is None:
        amounts |= {Amount.SAVING: saving.numbers[0]}
    yield PriceStatement(amounts, bundle.evidence)
