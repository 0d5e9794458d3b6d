"""Promotions recomputed: what is claimed against what the poster's own numbers give.

Owns: the formulas, in exact decimals. Must not know: how numbers are read; the caller says what each number is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from enum import StrEnum

from kandong.rules.report import ArithmeticFinding, Evidence
from kandong.rules.rule import Rule

_TOLERANCE = Decimal("0.01")
_TENTH = Decimal("0.1")


class Amount(StrEnum):
    """What a number of a price statement is."""

    LIST = "list"  # 原价, 标价, 券前
    FINAL = "final"  # 现价, 到手价, 券后
    SAVING = "saving"  # 立减, 立省, 差价
    COUPON = "coupon"  # 券
    DISCOUNT = "discount"  # 8折 is 0.8
    THRESHOLD = "threshold"  # 满 of 满300减50
    REDUCTION = "reduction"  # 减 of 满300减50
    BOUGHT = "bought"  # 买320元, the sum before 满减
    UNIT = "unit"  # 单价
    QUANTITY = "quantity"  # 三件
    TOTAL = "total"  # 三件共
    NTH = "nth"  # 2 of 第二件半价
    NTH_RATE = "nth_rate"  # 第二件半价 is 0.5
    PIECES = "pieces"  # 2 of 两件7折
    PIECES_RATE = "pieces_rate"  # 两件7折 is 0.7


@dataclass(frozen=True)
class PriceStatement:
    """The numbers of one offer that stand together, by what they are, with the text they come from.

    ``repeats`` marks 每满, where the reduction counts for each full threshold.
    """

    amounts: dict[Amount, Decimal]
    evidence: Evidence
    repeats: bool = False


def check_arithmetic(statements: Sequence[PriceStatement], rule: Rule | None) -> tuple[ArithmeticFinding, ...]:
    """Recompute each statement; gives the ones that do not add up, at most one a statement.

    A difference of up to one cent, or of the rounding to whole yuan or tenths that shops do, is none. ``rule`` names
    the law.
    """
    findings = []
    for statement in statements:
        for kind, claimed, computed, formula in _computations(statement):
            if _differs(claimed, computed):
                findings.append(_finding(rule, statement, kind, claimed, computed, formula))
                break
    return tuple(findings)


def _computations(statement: PriceStatement) -> list[tuple[str, Decimal, Decimal, str]]:
    a = statement.amounts
    results = []
    final = a.get(Amount.FINAL)
    if (listed := a.get(Amount.LIST)) is not None and final is not None:
        if (discount := a.get(Amount.DISCOUNT)) is not None:
            results.append(("discount", final, listed * discount, f"{listed} × {discount}"))
        elif (coupon := a.get(Amount.COUPON)) is not None:
            results.append(("coupon", final, listed - coupon, f"{listed} - {coupon}"))
        elif (saving := a.get(Amount.SAVING)) is not None:
            results.append(("saving", saving, listed - final, f"{listed} - {final}"))
    if (bought := a.get(Amount.BOUGHT)) is not None and final is not None:
        threshold, reduction = a.get(Amount.THRESHOLD), a.get(Amount.REDUCTION)
        if threshold is not None and reduction is not None and threshold > 0:
            times = (bought / threshold).to_integral_value(ROUND_DOWN)
            off = reduction * (times if statement.repeats else min(times, Decimal(1)))
            results.append(("full_reduction", final, bought - off, f"{bought} - {off}"))
    if (unit := a.get(Amount.UNIT)) is not None and (quantity := a.get(Amount.QUANTITY)) is not None:
        saving, total = a.get(Amount.SAVING), a.get(Amount.TOTAL)
        rate = _bundle_rate(a, quantity)
        if total is not None and rate is not None:
            results.append(("bundle_discount", total, unit * rate, f"{unit} × {rate}"))
        elif total is not None and saving is not None:
            product = unit * quantity
            results.append(("bundle_saving", saving, product - total, f"{unit} × {quantity} - {total}"))
        elif total is not None and total > unit * quantity:
            # A bundle dearer than its parts; a cheaper one is an ordinary discount.
            results.append(("bundle", total, unit * quantity, f"{unit} × {quantity}"))
    return results


def _bundle_rate(amounts: dict[Amount, Decimal], quantity: Decimal) -> Decimal | None:
    """Give how many single prices a bundle costs where 第二件半价 or 两件7折 speaks of just so many pieces."""
    nth, nth_rate = amounts.get(Amount.NTH), amounts.get(Amount.NTH_RATE)
    if nth_rate is not None and nth == quantity:
        return quantity - 1 + nth_rate
    pieces, rate = amounts.get(Amount.PIECES), amounts.get(Amount.PIECES_RATE)
    return quantity * rate if rate is not None and pieces == quantity else None


def _differs(claimed: Decimal, computed: Decimal) -> bool:
    if abs(claimed - computed) <= _TOLERANCE:
        return False
    rounded = {
        computed.quantize(unit, mode)
        for unit in (Decimal(1), _TENTH)
        if claimed == claimed.quantize(unit)
        for mode in (ROUND_DOWN, ROUND_HALF_UP)
    }
    return claimed not in rounded


def _finding(
    rule: Rule | None, statement: PriceStatement, kind: str, claimed: Decimal, computed: Decimal, formula: str
) -> ArithmeticFinding:
    return ArithmeticFinding(
        rule_id=rule.id if rule else "PRC19",
        title=rule.title if rule else "价格计算不符",
        law=rule.law if rule else "",
        article=rule.article if rule else "",
        certainty=str(rule.certainty) if rule else "M",
        kind=kind,
        claimed=claimed,
        computed=computed.normalize(),
        formula=formula,
        evidence=statement.evidence,
    )
