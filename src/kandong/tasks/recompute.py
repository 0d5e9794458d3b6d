"""Arithmetic that an answer may do with numbers of the post: 差价, 折扣, 满减, 合计, 单价, 券.

Owns: the formulas, in exact decimals, and the words without which none is tried. Must not know: where numbers come
from.
A computation counts only with a word that asks for it, and with operands that the answer or the question names, or that
are the only ones of their role in the post: among many numbers some difference always fits by chance.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Final

from kandong.reading.found_number import FoundNumber, PriceKind, text_of
from kandong.rules.report import Evidence
from kandong.tasks.number_match import is_bare, role_group

_DIFFERENCE: Final = re.compile(r"差|便宜|省|优惠|减|降|(?<!多)少|贵|saving|save|cheaper|difference")
_DISCOUNT: Final = re.compile(r"折|off|%")
_FULL: Final = re.compile(r"满")
_TOTAL: Final = re.compile(r"共|总|合计|一起|加起来|多少钱|total|sum")
_EACH: Final = re.compile(r"每|单价|平均|均|各|each|per")
_COUPON: Final = re.compile(r"券|红包|coupon")
_CENT: Final = Decimal("0.01")


@dataclass(frozen=True)
class Operand:
    """A number that may be computed with; without evidence it comes from the question."""

    number: FoundNumber
    role: PriceKind | None
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class Computation:
    """How a number follows: the formula with its values, and where these stand."""

    formula: str
    evidence: tuple[Evidence, ...]


_Step = tuple[Decimal, str, tuple[Operand, ...]]


def recompute(
    claimed: FoundNumber, named: Sequence[Operand], labelled: Sequence[Operand], words: str
) -> Computation | None:
    """Find how a number follows from operands: ``named`` in answer or question, ``labelled`` in the post.

    At least one operand must be of the post. ``words`` are question and answer.
    """
    if not (claimed.kind in ("price", "discount") or is_bare(claimed)) or not isinstance(claimed.value, Decimal):
        return None
    prices = _unique([o for o in named if _is_amount(o)] + _only_of_role(labelled))
    others = [*named, *labelled]
    for value, formula, operands in _steps(prices, others, words):
        evidence = tuple(e for o in operands for e in o.evidence)
        if evidence and _is_same(claimed.value, value):
            return Computation(f"{formula} = {text_of(value)}", evidence)
    return None


def _steps(prices: Sequence[Operand], others: Sequence[Operand], words: str) -> Iterator[_Step]:
    if _DIFFERENCE.search(words):
        yield from _differences(prices)
    if _DISCOUNT.search(words):
        yield from _discounts(prices, others)
    if _FULL.search(words):
        yield from _reductions(prices, others)
    if _TOTAL.search(words):
        yield from _totals(prices, others)
    if _EACH.search(words):
        for amount, count, pieces in _by_count(prices, others):
            yield amount / count, f"{text_of(amount)} ÷ {text_of(count)}", pieces
    if _COUPON.search(words):
        for price in prices:
            for coupon in prices:
                if role_group(coupon.role) == "off" and price is not coupon and _value(price) > _value(coupon):
                    yield _value(price) - _value(coupon), f"{_text(price)} - {_text(coupon)}", (price, coupon)


def _differences(prices: Sequence[Operand]) -> Iterator[_Step]:
    for a in prices:
        for b in prices:
            if _value(a) > _value(b):
                yield _value(a) - _value(b), f"{_text(a)} - {_text(b)}", (a, b)


def _discounts(prices: Sequence[Operand], others: Sequence[Operand]) -> Iterator[_Step]:
    for discount in (o for o in others if o.number.kind == "discount"):
        for price in prices:
            if role_group(price.role) != "sale" or len(prices) == 1:
                yield _value(price) * _value(discount) / 10, f"{_text(price)} × {_text(discount)}折", (price, discount)
    for now in prices:
        for before in prices:
            if _value(now) < _value(before) and _value(before) > 0:
                yield 10 * _value(now) / _value(before), f"10 × {_text(now)} ÷ {_text(before)}", (now, before)


def _reductions(prices: Sequence[Operand], others: Sequence[Operand]) -> Iterator[_Step]:
    for offer in (o for o in others if o.number.kind == "offer" and o.number.unit == "off"):
        threshold, less = offer.number.value, offer.number.upper
        if not isinstance(threshold, Decimal) or not isinstance(less, Decimal) or threshold <= 0:
            continue
        for price in prices:
            times = (_value(price) / threshold).to_integral_value(ROUND_DOWN)
            times = times if offer.number.is_each else min(times, Decimal(1))
            if times > 0:
                off = f"{text_of(less)}" if times == 1 else f"{text_of(less)} × {text_of(times)}"
                yield _value(price) - less * times, f"{_text(price)} - {off}", (price, offer)


def _totals(prices: Sequence[Operand], others: Sequence[Operand]) -> Iterator[_Step]:
    for price, count, pieces in _by_count(prices, others):
        yield price * count, f"{text_of(price)} × {text_of(count)}", pieces
    for i, a in enumerate(prices):
        for b in prices[i + 1 :]:
            yield _value(a) + _value(b), f"{_text(a)} + {_text(b)}", (a, b)


def _by_count(
    prices: Sequence[Operand], others: Sequence[Operand]
) -> Iterator[tuple[Decimal, Decimal, tuple[Operand, ...]]]:
    for count in (o for o in others if o.number.kind == "qty" and isinstance(o.number.value, Decimal)):
        if _value(count) > 1:
            for price in prices:
                if price is not count:
                    yield _value(price), _value(count), (price, count)


def _only_of_role(labelled: Sequence[Operand]) -> list[Operand]:
    """Give the prices that are the only ones of their role in the post."""
    groups: dict[str | None, list[Operand]] = {}
    for operand in labelled:
        if _is_amount(operand) and operand.number.kind == "price":
            groups.setdefault(role_group(operand.role), []).append(operand)
    return [group[0] for group in groups.values() if len({_value(o) for o in group}) == 1]


def _unique(operands: Sequence[Operand]) -> list[Operand]:
    """Keep one operand a value and role, those with evidence before those of the question."""
    kept: dict[tuple[Decimal, str | None], Operand] = {}
    for operand in sorted(operands, key=lambda o: not o.evidence):
        kept.setdefault((_value(operand), role_group(operand.role)), operand)
    return list(kept.values())


def _is_amount(operand: Operand) -> bool:
    number = operand.number
    return isinstance(number.value, Decimal) and number.upper is None and (number.kind == "price" or is_bare(number))


def _value(operand: Operand) -> Decimal:
    value = operand.number.value
    assert isinstance(value, Decimal), "operands are amounts, discounts and counts"
    return value


def _text(operand: Operand) -> str:
    return text_of(_value(operand))


def _is_same(claimed: Decimal, value: Decimal) -> bool:
    """Compare to the cent, or to the claimed number's own places where it has fewer and the value does not end."""
    if abs(claimed - value) <= _CENT / 2:
        return True
    places = Decimal(1).scaleb(max(-2, int(claimed.as_tuple().exponent)))
    return places == Decimal("0.1") and value.quantize(places, ROUND_HALF_UP) == claimed
