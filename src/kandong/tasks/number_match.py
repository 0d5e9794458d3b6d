"""Whether a number of an answer is a number of the post: same value, same kind, same role.

Owns: what counts as the same, and what a question asks for. Must not know: models, marks, where numbers stand.
Strict on purpose: a price is no date, 原价 is no 现价, 3盒 is no 3瓶, so that a wrong number does not pass for another
that happens to stand in the post.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from kandong.reading.found_number import FoundNumber, Kind, PriceKind, text_of
from kandong.reading.number_amounts import label_in
from kandong.tasks.evidence import values_of

_ASKED: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = tuple(
    (kind, re.compile(words, re.IGNORECASE))  # type: ignore[misc]
    for kind, words in (
        ("phone", r"电话|手机|热线|联系方式|phone"),
        ("wechat", r"微信|vx|wechat"),
        ("discount", r"几折|折扣"),
        ("date", r"日期|哪天|几号|什么时候|何时|几月|截止|活动时间|有效期|when|date"),
        ("price", r"价|多少钱|多钱|费用|几元|几块|多少元|定金|订金|price|cost|how much"),
        ("qty", r"几个|几件|几瓶|几盒|多少个|多少件|数量|规格|净含量|几份|几人|多少人|how many"),
    )
)
_ORIGINALLY: Final = re.compile(r"原来|之前|以前|划线")
_DIFFERENCE: Final = re.compile(r"差|便宜|省|优惠了?多少|减了?多少|降")
_FILLERS: Final = re.compile(r"[\s？?。请问这个款那它要是呢啊呀的]|现在|图中|图里")
_SALE: Final = frozenset({"current", "final", "member", "from"})
_OFF: Final = frozenset({"coupon", "saving"})
_IDS: Final = frozenset({"phone", "wechat", "qq", "id"})
_SAME_UNITS: Final = {
    "毫升": "ml", "克": "g", "千克": "kg", "公斤": "kg", "毫克": "mg", "厘米": "cm", "毫米": "mm", "升": "l",
    "平方米": "㎡", "平米": "㎡", "名": "人", "位": "人", "粒": "颗", "小时": "h",
}  # fmt: skip
_ANY_GOODS: Final = frozenset({"件", "个", "份"})
_GOODS: Final = frozenset("件个份只瓶盒袋包箱张片支条双套台杯碗款罐桶枝朵束颗枚")


@dataclass(frozen=True)
class Asked:
    """What a question asks for, as far as its words tell: a kind of number, and which price."""

    kind: Kind | None = None
    role: PriceKind | None = None


def asked_by(question: str) -> Asked:
    """Tell what a question asks for."""
    kinds = [kind for kind, pattern in _ASKED if pattern.search(question)]
    if len(kinds) != 1:
        return Asked()  # 价格和电话是多少: each answer must tell for itself
    if kinds[0] != "price" or _DIFFERENCE.search(question):
        return Asked(kinds[0])
    found = {label_in(part) for part in re.split(r"[和与及、,，跟]", question)}
    if len(found) > 1:
        return Asked("price")
    if _ORIGINALLY.search(question):
        return Asked("price", "original")
    is_plain = len(_FILLERS.sub("", question)) <= len("多少钱")  # 换购要多少钱 asks for another price
    return Asked("price", found.pop() or ("current" if is_plain else None))


def role_group(role: PriceKind | None) -> str | None:
    """Put roles together that posts use for one another: 现价, 到手价, 会员价 are what is paid."""
    if role in _SALE:
        return "sale"
    return "off" if role in _OFF else role


def is_bare(number: FoundNumber) -> bool:
    """Whether a number is only a numeral, of no known kind."""
    return number.kind == "qty" and number.unit is None


def agree(claimed: FoundNumber, source: FoundNumber, asked: Asked) -> bool:
    """Tell whether a claimed number is the source's number. ``asked`` says what a bare numeral is meant to be."""
    kind = claimed.kind
    if is_bare(claimed):
        if asked.kind is None and source.kind not in ("price", "qty"):
            return False  # 84 is not the 84% of something
        kind = asked.kind or source.kind
    if kind in _IDS or source.kind in _IDS:
        return _same_id(kind, claimed, source, asked)
    if source.kind == "offer" or kind == "offer":
        return _same_offer(kind, claimed, source)
    values = values_of(claimed)
    if is_bare(source) and (kind in ("price", "discount") or is_bare(claimed)):
        return values == values_of(source)
    if kind != source.kind:
        return False
    if kind in ("date", "time"):
        return _same_dates(values, values_of(source))
    if kind == "qty" and not is_bare(claimed):
        return values == values_of(source) and _same_unit(claimed.unit, source.unit)
    if kind == "price" and claimed.unit != source.unit and not is_bare(claimed):
        return False
    return values == values_of(source) or (len(values) == 1 and values[0] in values_of(source))


def same_role(claimed: PriceKind | None, source: FoundNumber) -> bool:
    """Tell whether a price's role and the source's do not exclude each other."""
    if source.kind != "price":
        return True
    mine, its = role_group(claimed), role_group(source.price_kind)
    return mine is None or its is None or mine == its


def _same_id(kind: Kind, claimed: FoundNumber, source: FoundNumber, asked: Asked) -> bool:
    if not (kind in _IDS or is_bare(claimed) or asked.kind in _IDS):
        return False
    return claimed.canonical.replace("-", "").casefold() == source.canonical.replace("-", "").casefold()


def _same_offer(kind: Kind, claimed: FoundNumber, source: FoundNumber) -> bool:
    if kind == source.kind == "offer" and not is_bare(claimed):
        return claimed.canonical == source.canonical
    if source.kind != "offer" or source.upper is None:
        return False
    money = {"off": values_of(source), "back": values_of(source), "worth": values_of(source)}
    parts = money.get(source.unit or "", ())
    if kind == "price":
        return text_of(claimed.value) in (parts or (text_of(source.upper),) if source.unit in (*money, "元") else ())
    if kind == "discount":
        return source.unit == "折" and text_of(claimed.value) == text_of(source.upper)
    if kind == "qty":
        is_counted = source.unit in ("free", "折", "元")
        return is_counted and text_of(claimed.value) in (text_of(source.value), text_of(source.upper))
    return is_bare(claimed) and text_of(claimed.value) in values_of(source)


def _same_dates(claimed: tuple[str, ...], source: tuple[str, ...]) -> bool:
    """Compare days; a year or an end of a range that only one of the two gives is no difference."""
    if len(claimed) > len(source):
        return False
    if len(claimed) == len(source):
        return all(_same_day(a, b) for a, b in zip(claimed, source, strict=True))
    return any(_same_day(claimed[0], end) for end in source)


def _same_day(a: str, b: str) -> bool:
    return a == b or (a.startswith("--") and b.endswith(a[1:])) or (b.startswith("--") and a.endswith(b[1:]))


def _same_unit(a: str | None, b: str | None) -> bool:
    if a is None or b is None:
        return True
    a, b = (_SAME_UNITS.get(unit.lower(), unit.lower()) for unit in (a, b))
    return a == b or (bool({a, b} & _ANY_GOODS) and {a, b} <= _GOODS)
