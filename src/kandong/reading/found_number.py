"""The value of a number that stands in a text.

Owns: the record and its forms. Must not know: how numbers are found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

Kind = Literal["price", "discount", "pct", "date", "time", "qty", "phone", "wechat", "qq", "id", "offer"]
PriceKind = Literal["current", "original", "coupon", "deposit", "from", "member", "final", "saving"]
Value = Decimal | str


@dataclass(frozen=True)
class FoundNumber:
    """One number. ``raw`` is the text from ``start`` to ``end``, as written.

    ``value`` is a ``Decimal`` for price (in ``unit``, CNY unless said), discount (8.5 of 折), pct and qty; a string for
    date (ISO; ``--06-18`` without a year, ``--06`` for a month), time (``20:00``), phone (digits), wechat, qq and id.
    ``upper`` is the other end of a range; the value ``".."`` is a beginning that is not said (即日起至).
    An offer's ``value`` is its condition (300 of 满300减50, 2 of 第二件半价), ``upper`` what it gives, ``unit`` how:
    ``off`` (yuan less), ``back`` (yuan as coupon or gift), ``worth`` (定金50抵100),
    ``free`` (pieces), ``折`` or ``元``.
    ``bound`` is at_least (低至, 起, 以上) or at_most (最高, 以内). ``is_uncertain``: it may mean something else.
    """

    raw: str
    start: int
    end: int
    kind: Kind
    value: Value
    unit: str | None = None
    upper: Value | None = None
    price_kind: PriceKind | None = None
    bound: Literal["at_least", "at_most"] | None = None
    is_approximate: bool = False
    is_uncertain: bool = False
    is_each: bool = False  # 每满
    is_uncapped: bool = False  # 上不封顶

    @property
    def span(self) -> tuple[int, int]:
        """Start and end in characters."""
        return self.start, self.end

    @property
    def canonical(self) -> str:
        """The value as one string: ``a/b`` for a range, ``300-50``, ``1+1``, ``2:5折`` for an offer."""
        first = text_of(self.value)
        if self.upper is None:
            return first
        other = text_of(self.upper)
        if self.kind != "offer":
            return f"{first}/{other}"
        signs = {"off": f"{first}-{other}", "back": f"{first}>{other}", "free": f"{first}+{other}"}
        signs["worth"] = f"{first}={other}"
        return signs.get(self.unit or "", f"{first}:{other}{self.unit}")

    def at(self, raw_text: str) -> FoundNumber:
        """Give the same number with ``raw`` cut out of the text as it was written."""
        return replace(self, raw=raw_text[self.start : self.end])

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; decimals are strings, so that they stay exact."""
        return {
            "raw": self.raw,
            "span": [self.start, self.end],
            "kind": self.kind,
            "value": text_of(self.value),
            "unit": self.unit,
            "upper": None if self.upper is None else text_of(self.upper),
            "price_kind": self.price_kind,
            "bound": self.bound,
            "is_approximate": self.is_approximate,
            "is_uncertain": self.is_uncertain,
            "is_each": self.is_each,
            "is_uncapped": self.is_uncapped,
        }


def text_of(value: Value) -> str:
    """Write a value plainly: 1E+4 as 10000, 39.90 as 39.9."""
    if isinstance(value, str):
        return value
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
