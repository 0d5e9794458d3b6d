"""What a post says against what its shop's own records say: price, list price, gifts, specification, certificates.

Owns: the comparisons, in code, and what each contradiction means. Must not know: models, rules' words, verdicts.
Only what the post labels clearly is compared: an unlabelled number contradicts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from kandong.reading.found_number import FoundNumber, PriceKind, text_of
from kandong.rules.judge import evidence_of
from kandong.rules.report import Evidence, Hit
from kandong.rules.rule import Suggestion
from kandong.tasks.evidence import EvidenceBook, evidence_to_dict, find_values, values_of
from kandong.tasks.number_match import Asked, agree, role_group
from kandong.tasks.post import ProductFacts

_GIFT: Final = re.compile(
    r"(?:买[一1]?[^，。\s]{0,3}送|赠品[:：]?\s?|加送|另送|再送|赠送|加赠|免费送|(?<![没未])(?<![包配发顺快邮放奉])送(?!货|达|到|礼|人|给|长辈|女友|妈)|赠(?!品|送|票|言|与))"
    r"(?P<name>[一-龥A-Za-z]{2,8})(?:\s?[×x*]?\s?(?P<count>\d{1,3}|[一二两三四五六七八九十])?\s?(?P<unit>[件个只瓶盒袋包张片支条双套把份])?)?"
)
# 没有收到送的梳子, 说好的赠品呢: a complaint promises nothing.
_DENIED: Final = re.compile(r"没|未|不|说好|漏|少发")
_CERTIFICATE: Final = re.compile(
    r"国妆[特备]进?字[A-Z]?\d{6,12}|国食健[字注][A-Z]?\d{6,12}|国药准字[A-Z]\d{8}|卫妆[特准]字[（(]\d{4}[)）]第?\d{3,6}号?|"
    r"(?:ZL)\s?\d{8,13}(?:\.[\dX])?|SC\d{14}"
)
_UNITS: Final = frozenset(
    (
        "ml",
        "毫升",
        "l",
        "升",
        "g",
        "克",
        "kg",
        "千克",
        "公斤",
        "斤",
        "片",
        "粒",
        "支",
        "包",
        "袋",
        "盒",
        "瓶",
        "抽",
        "颗",
    )
)
_NAMES: Final = {"price": "价格", "list_price": "原价", "gift": "赠品", "specification": "规格", "certificate": "证号"}


@dataclass(frozen=True)
class Contradiction:
    """One field of the product that the post states otherwise."""

    field: str
    stated: str
    shown: str
    evidence: Evidence

    @property
    def hit(self) -> Hit:
        """Give it as a finding for a person to look at."""
        name = _NAMES[self.field]
        return Hit(
            rule_id=f"FACT-{self.field.upper()}",
            title=f"{name}与商品资料不符",
            label="Ad",
            sub_label="contradiction",
            law="广告法",
            article="28",
            penalty_article="55",
            certainty="V",
            severity="high",
            term=self.shown,
            normalized_from=None,
            reason=f"帖子写{name}“{self.shown}”，商品资料是“{self.stated}”",
            reword=f"与商品资料一致：{self.stated}",
            evidence=self.evidence,
            suggest=Suggestion.REVIEW,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form."""
        return {
            "field": self.field,
            "stated": self.stated,
            "shown": self.shown,
            "evidence": evidence_to_dict(self.evidence),
        }


def find_contradictions(product: ProductFacts | None, book: EvidenceBook) -> list[Contradiction]:
    """Compare each fact that is known with what the post shows; without facts there is nothing to contradict."""
    if product is None:
        return []
    found = [*_prices(product, book), *_gifts(product, book), *_specification(product, book)]
    return [*found, *_certificates(product, book)]


def find_gifts(book: EvidenceBook) -> Iterator[tuple[str, Decimal | None, Evidence]]:
    """Find what a post promises as a gift: its name, how many, and where."""
    seen: set[str] = set()
    for line in book.lines:
        if line.source in ("comment", "code") or line.is_suspected_instruction:
            continue
        for match in _GIFT.finditer(line.text):
            if _DENIED.search(line.text, max(0, match.start() - 8), match.start() + 1):
                continue
            name = re.sub(r"[一二两三四五六七八九十]?$", "", match["name"])
            if len(name) < 2 or name in seen:
                continue
            seen.add(name)
            numbers = find_values([match[0]])[0]
            counted = [n.value for n in numbers if n.kind == "qty" and isinstance(n.value, Decimal)]
            yield name, counted[-1] if counted else None, evidence_of(line, match.start("name"), match.end())


def _prices(product: ProductFacts, book: EvidenceBook) -> Iterator[Contradiction]:
    facts: tuple[tuple[str, Decimal | None, PriceKind], ...] = (
        ("price", product.price, "current"),
        ("list_price", product.list_price, "original"),
    )
    for field, fact, role in facts:
        shown = [
            n
            for n in book.trusted()
            if fact is not None
            and n.number.kind == "price"
            and n.number.unit in (None, "CNY")
            and n.number.price_kind is not None
            and role_group(n.number.price_kind) == role_group(role)
            and n.evidence.source != "comment"
        ]
        if fact is None or not shown or any(text_of(fact) in values_of(n.number) for n in shown):
            continue
        yield Contradiction(field, f"{text_of(fact)}元", shown[0].number.raw, shown[0].evidence)


def _gifts(product: ProductFacts, book: EvidenceBook) -> Iterator[Contradiction]:
    if product.gifts is None:
        return
    for name, count, evidence in find_gifts(book):
        known = next((gift for gift in product.gifts if gift.name in name or name in gift.name), None)
        stated = "、".join(f"{g.name}{'' if g.quantity is None else f'×{text_of(g.quantity)}'}" for g in product.gifts)
        is_other_count = known is not None and None not in (count, known.quantity) and count != known.quantity
        if known is None or is_other_count:
            yield Contradiction("gift", stated or "无赠品", evidence.quote, evidence)


def _specification(product: ProductFacts, book: EvidenceBook) -> Iterator[Contradiction]:
    facts = _measures(find_values([product.specification])[0]) if product.specification else {}
    for number in book.trusted():
        if number.evidence.source == "comment":
            continue
        for unit, shown in _measures([number.number]).items():
            same = facts.get(unit)
            if same and not any(agree(shown[0], one, Asked()) for one in same):
                yield Contradiction("specification", product.specification or "", shown[0].raw, number.evidence)
                return


def _measures(numbers: list[FoundNumber]) -> dict[str, list[FoundNumber]]:
    by_unit: dict[str, list[FoundNumber]] = {}
    for number in numbers:
        if number.kind == "qty" and number.unit and number.unit.lower() in _UNITS:
            by_unit.setdefault({"毫升": "ml", "克": "g"}.get(number.unit, number.unit.lower()), []).append(number)
    return by_unit


def _certificates(product: ProductFacts, book: EvidenceBook) -> Iterator[Contradiction]:
    if product.certificates is None:
        return
    known = {re.sub(r"\s", "", certificate).upper() for certificate in product.certificates}
    for line in book.lines:
        if line.source in ("comment", "code") or line.is_suspected_instruction:
            continue
        for match in _CERTIFICATE.finditer(line.text):
            if re.sub(r"\s", "", match[0]).upper() not in known:
                stated = "、".join(product.certificates) or "无证号"
                yield Contradiction("certificate", stated, match[0], evidence_of(line, *match.span()))
