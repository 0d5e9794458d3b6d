"""Promotions of a post as data: 满减, 折扣, 买赠, conditions in words, and sums that do not come out.

Owns: what each promotion means, and which sentences are conditions. Must not know: models.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

from kandong.reading.found_number import FoundNumber, text_of
from kandong.rules.arithmetic import check_arithmetic
from kandong.tasks.evidence import EvidenceBook, evidence_to_dict
from kandong.tasks.fields import Field
from kandong.tasks.offers import find_statements

_TYPES: Final = {
    "off": "full_reduction",
    "back": "cash_back",
    "worth": "deposit",
    "free": "buy_get",
    "折": "nth_discount",
    "元": "nth_price",
}
_KINDS: Final = (
    ("refund", re.compile(r"退换|退款|不退|七天无理由|不支持退")),
    ("limit", re.compile(r"限购|限量|每人限|限\d+[件份]|仅限|数量有限|先到先得")),
    ("stacking", re.compile(r"不可叠加|可叠加|不与.{0,8}同享|叠加使用")),
    ("eligibility", re.compile(r"新客|新人|首单|会员专享|老客|仅.{0,6}用户|凭.{0,6}券")),
    ("region", re.compile(r"地区|包邮|偏远|仅.{0,6}门店|到店|限.{0,6}地")),
    ("time", re.compile(r"有效期|截止|限时|活动时间|即日起|周[一二三四五六日末]|工作日")),
)
CHANNELS: Final = re.compile(
    r"淘宝|天猫|京东|拼多多|抖音(?:商城)?|快手|小红书|得物|唯品会|美团|饿了么|大众点评|小程序|公众号|视频号|直播间|官网|旗舰店|门店|线下"
)
CALLS: Final = re.compile(
    r"立即(?:购买|下单|抢购|领取|预约)|马上(?:抢|购买|下单)|点击.{0,6}(?:购买|链接|领取|下单|了解)|扫码.{0,6}|"
    r"(?:加|添加)(?:我)?(?:微信|vx|VX).{0,4}|私信.{0,4}|下单.{0,6}|预约.{0,4}|(?:到店|进店)(?:领取|体验|咨询)|抢购|领券"
)
_MAX_RULES: Final = 12
_MAX_CHARACTERS: Final = 80


def rules_of(book: EvidenceBook) -> list[dict[str, Any]]:
    """Give each promotion that is made of numbers, once."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for number in book.trusted():
        one = number.number
        if one.kind not in ("offer", "discount") or number.evidence.source == "comment":
            continue
        kind = "discount" if one.kind == "discount" else _TYPES.get(one.unit or "", "other")
        value = {
            "type": kind,
            "text": one.raw,
            "threshold": text_of(one.value) if one.kind == "offer" else None,
            "reduce": None if one.upper is None or one.kind != "offer" else text_of(one.upper),
            "rate": _rate(one),
            "repeats": one.is_each,
            "evidence": [evidence_to_dict(number.evidence)],
        }
        found.setdefault((kind, one.canonical), value)
    return list(found.values())


def conditions(book: EvidenceBook) -> list[dict[str, Any]]:
    """Give the lines that are conditions of an offer, in order, each with its kind."""
    rules: list[dict[str, Any]] = []
    for line in book.lines:
        if line.source in ("comment", "code") or line.is_suspected_instruction or len(rules) >= _MAX_RULES:
            continue
        kind = next((name for name, pattern in _KINDS if pattern.search(line.text)), None)
        if kind is not None:
            rules.append(
                {
                    "order": len(rules) + 1,
                    "text": line.text[:_MAX_CHARACTERS],
                    "kind": kind,
                    "source": line.source,
                    "image_index": line.image_index,
                    "line_id": line.line_id,
                    "box": None if line.box is None else list(line.box),
                }
            )
    return rules


def sums(book: EvidenceBook) -> list[dict[str, Any]]:
    """Give the promotions whose own numbers do not come out, recomputed."""
    lines = [line for line in book.lines if not line.is_suspected_instruction]
    return [
        {
            "field": "arithmetic",
            "kind": one.kind,
            "values": [text_of(one.claimed), text_of(one.computed)],
            "claimed": text_of(one.claimed),
            "computed": text_of(one.computed),
            "formula": one.formula,
            "evidence": [evidence_to_dict(one.evidence)],
        }
        for one in check_arithmetic(find_statements(lines), None)
    ]


def difference(listed: Field, price: Field) -> Field | None:
    """Compute what is saved, where both prices are known."""
    if listed.value is None or price.value is None:
        return None
    before, now = Decimal(listed.value), Decimal(price.value)
    if before <= now:
        return None
    formula = f"{text_of(before)} - {text_of(now)} = {text_of(before - now)}"
    return Field(text_of(before - now), "computed", (*listed.evidence, *price.evidence), formula=formula)


def _rate(number: FoundNumber) -> str | None:
    if number.kind == "discount":
        return text_of(number.value)
    return text_of(number.upper) if number.unit == "折" and number.upper is not None else None
