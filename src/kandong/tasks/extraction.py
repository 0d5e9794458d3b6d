"""Structured data of a post: products, offers, promotions, dates, gifts, channels, each with evidence and a status.

Owns: the fields, and which value counts where model and reading differ: what is found in the post, never what only the
model says. Must not know: how numbers are parsed, prompts. Statuses: ``verified`` (the model's value stands in the
post), ``single`` (only one of the two has it), ``conflict`` (they differ), ``missing``, ``computed``.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from kandong.reading.found_number import text_of
from kandong.rules.report import Evidence
from kandong.tasks.answering import WORDS
from kandong.tasks.case import Answers, Case, Conclusion, greedy, json_answer, json_form
from kandong.tasks.contradictions import find_gifts
from kandong.tasks.evidence import evidence_to_dict
from kandong.tasks.fields import Field, choose, found_dates, found_prices, phrase_field, quantity_in, text_field
from kandong.tasks.own_schema import check_own
from kandong.tasks.promotions import CALLS, CHANNELS, conditions, difference, rules_of, sums
from kandong.tasks.running import Job

EXTRACT: Final = "extract"
_MAX_TOKENS: Final = 320
_OWN_MAX_TOKENS: Final = 768


def _or_null(kind: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [kind, {"type": "null"}]}


def _record(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_NAME: Final = {"type": "string", "maxLength": 24}
_AMOUNT: Final = _or_null({"type": "string", "maxLength": 12})
SCHEMA: Final = _record(
    brand=_or_null(_NAME),
    products={
        "type": "array",
        "maxItems": 4,
        "items": _record(name=_NAME, spec=_or_null(_NAME), price=_AMOUNT, list_price=_AMOUNT),
    },
    gifts={"type": "array", "maxItems": 3, "items": _record(name=_NAME, quantity=_AMOUNT)},
    start=_or_null(_NAME),
    end=_or_null(_NAME),
    channel=_or_null(_NAME),
)


def extract_jobs(case: Case) -> dict[str, Job]:
    """Give the request for the fields, or for the caller's own schema; none without a model."""
    if not case.has_model:
        return {}
    own = case.options.schema
    text = case.prompts["extract" if own is None else "extract_schema"].text
    sampling = greedy(_MAX_TOKENS if own is None else _OWN_MAX_TOKENS)
    return {EXTRACT: Job(case.with_words(text, form=json_form(own or SCHEMA), sampling=sampling), WORDS)}


def conclude_extract(case: Case, answers: Answers) -> Conclusion:
    """Give the fields as far as the post bears them out."""
    proposed, warnings = json_answer(answers, EXTRACT)
    own = case.options.schema
    if own is not None:
        return _own(case, proposed, warnings)
    result = _fields(case, proposed or {})
    unchecked = () if proposed is not None else ("品牌、商品名称与规格（没有模型）",)
    if result["conflicts"]:
        warnings = (*warnings, f"{len(result['conflicts'])} 处对不上，见 conflicts")
    return Conclusion(result, warnings, unchecked, ("words", "extract") if proposed is not None else ())


def _own(case: Case, proposed: dict[str, Any] | None, warnings: tuple[str, ...]) -> Conclusion:
    if proposed is None:
        result: dict[str, Any] = {"data": None, "fields": []}
        return Conclusion(result, warnings, ("按自定结构抽取（需要模型）",), (), is_failed=True)
    result = {"data": proposed, "fields": check_own(proposed, case.book)}
    return Conclusion(result, warnings, (), ("words", "extract_schema"))


def _fields(case: Case, proposed: Mapping[str, Any]) -> dict[str, Any]:
    book = case.book
    fields: dict[str, Field] = {}
    fields["brand"] = text_field(proposed.get("brand"), book)
    products = []
    for i, one in enumerate(proposed.get("products", [])):
        name = text_field(one.get("name"), book)
        fields[f"products[{i}].name"] = name
        fields[f"products[{i}].spec"] = spec = text_field(one.get("spec"), book)
        products.append({"name": name.value, "spec": spec.value, "quantity": quantity_in(spec.value or "")})
    offers = _offers(case, proposed, fields)
    gifts = _gifts(case, proposed, fields)
    start, end = found_dates(book, proposed.get("start"), proposed.get("end"))
    fields["promotion.start"], fields["promotion.end"] = start, end
    fields["channel"] = phrase_field(proposed.get("channel"), book, CHANNELS)
    fields["cta"] = phrase_field(None, book, CALLS)
    conflicts = [field.conflict(path) for path, field in fields.items() if field.status == "conflict"]
    conflicts += sums(book)
    rules = rules_of(book)
    return {
        "brand": fields["brand"].value,
        "products": products,
        "channel": fields["channel"].value,
        "cta": fields["cta"].value,
        "offers": offers,
        "promotion": {
            "types": list(dict.fromkeys(rule["type"] for rule in rules)),
            **_threshold(rules),
            "gifts": gifts,
            "start": start.value,
            "end": end.value,
            "date_basis": None if start.value is None and end.value is None else "post",
        },
        "rules": conditions(book),
        "promotion_rules": rules,
        "fields": {path: field.to_dict() for path, field in fields.items()},
        "conflicts": conflicts,
    }


def _threshold(rules: list[dict[str, Any]]) -> dict[str, str | None]:
    first = next((rule for rule in rules if rule["type"] == "full_reduction"), None)
    return {
        "threshold": None if first is None else first["threshold"],
        "reduce": None if first is None else first["reduce"],
    }


def _offers(case: Case, proposed: Mapping[str, Any], fields: dict[str, Field]) -> list[dict[str, Any]]:
    """Give one offer for each price that is paid, with its list price where both are the only ones."""
    book = case.book
    said = [one for one in proposed.get("products", []) if one.get("price") is not None]
    sale, original = found_prices(book, "sale"), found_prices(book, "original")
    others = {kind: found_prices(book, kind) for kind in ("off", "deposit")}
    offers: list[dict[str, Any]] = []
    has_one = len(sale) <= 1 and len(said) <= 1
    if has_one:
        price = choose(said[0]["price"] if said else None, sale, book, "current")
        listed = choose(said[0].get("list_price") if said else None, original, book, "original")
        fields["offers[0].price"], fields["offers[0].list_price"] = price, listed
        if price.value is not None or listed.value is not None:
            offers.append(_offer(price, listed, "current", fields, 0))
    else:
        for number in sale:
            price = Field(text_of(_decimal(number.number.value)), "single", (number.evidence,))
            if any(str(one["price"]).strip("¥￥元 ") == price.value for one in said):
                price = Field(price.value, "verified", price.evidence)
            fields[f"offers[{len(offers)}].price"] = price
            offers.append(_offer(price, Field(None, "missing"), number.number.price_kind or "current", fields, None))
    for kind, name in (("off", "coupon"), ("deposit", "deposit")):
        for number in others[kind]:
            amount = Field(text_of(_decimal(number.number.value)), "single", (number.evidence,))
            fields[f"offers[{len(offers)}].price"] = amount
            offers.append(_offer(amount, Field(None, "missing"), number.number.price_kind or name, fields, None))
    return offers


def _decimal(value: Decimal | str) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(0)


def _offer(price: Field, listed: Field, kind: str, fields: dict[str, Field], index: int | None) -> dict[str, Any]:
    saving = difference(listed, price)
    if saving is not None and index is not None:
        fields[f"offers[{index}].saving"] = saving
    evidence: tuple[Evidence, ...] = price.evidence
    return {
        "price": price.value,
        "currency": "CNY",
        "price_text": evidence[0].quote if evidence else None,
        "price_kind": kind,
        "list_price": listed.value,
        "saving": None if saving is None else saving.value,
        "status": price.status,
        "evidence": [evidence_to_dict(one) for one in evidence],
    }


def _gifts(case: Case, proposed: Mapping[str, Any], fields: dict[str, Field]) -> list[dict[str, Any]]:
    """Give what the post promises as gifts; one that only the model names counts if its name stands in the post."""
    gifts: list[dict[str, Any]] = []
    said = {str(one.get("name")): one for one in proposed.get("gifts", [])}
    for name, count, evidence in find_gifts(case.book):
        is_said = any(name in other or other in name for other in said)
        fields[f"promotion.gifts[{len(gifts)}]"] = Field(name, "verified" if is_said else "single", (evidence,))
        gifts.append({"name": name, "quantity": None if count is None else text_of(count)})
    for name in said:
        field = text_field(name, case.book)
        is_known = any(gift["name"] in name or name in gift["name"] for gift in gifts)
        if field.value is not None and not is_known:
            fields[f"promotion.gifts[{len(gifts)}]"] = field
            gifts.append({"name": field.value, "quantity": None})
    return gifts
