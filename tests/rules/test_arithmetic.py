"""Promotions that add up and ones that do not."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from kandong.rules.arithmetic import Amount, PriceStatement, check_arithmetic
from kandong.rules.judge import judge
from kandong.rules.packs import load_rules
from kandong.rules.report import Evidence
from kandong.rules.rule import Suggestion

EVIDENCE = Evidence("image_text", 0, "l1", (0, 8), "满300减50", (1.0, 2.0, 3.0, 4.0), 0.9)
RULE = load_rules().find("PRC19")
A = Amount


def statement(amounts: dict[str, str], *, repeats: bool = False) -> PriceStatement:
    return PriceStatement({A(name): Decimal(value) for name, value in amounts.items()}, EVIDENCE, repeats)


@pytest.mark.parametrize(
    "amounts",
    [
        {"list": "100", "discount": "0.5", "final": "50"},
        {"list": "99", "discount": "0.85", "final": "84"},  # 84.15, shown without cents
        {"list": "99", "discount": "0.88", "final": "87"},  # 87.12
        {"list": "99", "discount": "0.85", "final": "84.2"},  # 84.15, shown in tenths
        {"list": "129", "coupon": "30", "final": "99"},
        {"list": "399", "final": "199", "saving": "200"},
        {"bought": "320", "threshold": "300", "reduction": "50", "final": "270"},
        {"bought": "299", "threshold": "300", "reduction": "50", "final": "299"},
        {"unit": "59", "quantity": "3", "total": "177"},
        {"unit": "59", "quantity": "3", "total": "159"},
        {"unit": "59", "quantity": "3", "total": "159", "saving": "18"},
        {"final": "99"},
        {"list": "399", "final": "199"},
        {"bought": "320", "threshold": "0", "reduction": "50", "final": "1"},
    ],
)
def test_what_adds_up_is_no_finding(amounts: dict[str, str]) -> None:
    assert check_arithmetic([statement(amounts)], RULE) == ()


@pytest.mark.parametrize(
    ("amounts", "kind", "computed"),
    [
        ({"list": "100", "discount": "0.5", "final": "60"}, "discount", "50"),
        ({"list": "200", "discount": "0.8", "final": "150"}, "discount", "160"),
        ({"list": "99", "discount": "0.85", "final": "84.90"}, "discount", "84.15"),
        ({"list": "129", "coupon": "30", "final": "89"}, "coupon", "99"),
        ({"list": "399", "final": "299", "saving": "200"}, "saving", "100"),
        ({"bought": "320", "threshold": "300", "reduction": "50", "final": "290"}, "full_reduction", "270"),
        ({"bought": "299", "threshold": "300", "reduction": "50", "final": "249"}, "full_reduction", "299"),
        ({"unit": "59", "quantity": "3", "total": "199"}, "bundle", "177"),
        ({"unit": "59", "quantity": "3", "total": "159", "saving": "50"}, "bundle_saving", "18"),
        ({"unit": "100", "quantity": "2", "total": "160", "nth": "2", "nth_rate": "0.5"}, "bundle_discount", "150"),
        ({"unit": "50", "quantity": "2", "total": "80", "pieces": "2", "pieces_rate": "0.7"}, "bundle_discount", "70"),
    ],
)
def test_what_does_not_add_up_says_what_it_should_be(amounts: dict[str, str], kind: str, computed: str) -> None:
    (finding,) = check_arithmetic([statement(amounts)], RULE)
    assert finding.kind == kind
    assert finding.computed == Decimal(computed)
    assert finding.rule_id == "PRC19"
    assert finding.evidence is EVIDENCE


def test_every_full_threshold_counts_where_it_says_so() -> None:
    amounts = {"bought": "650", "threshold": "300", "reduction": "50", "final": "550"}
    assert check_arithmetic([statement(amounts, repeats=True)], RULE) == ()
    assert check_arithmetic([statement(amounts)], RULE)[0].computed == Decimal(600)


def test_arithmetic_alone_asks_for_review_and_is_json() -> None:
    report = judge([], load_rules(), statements=[statement({"list": "129", "coupon": "30", "final": "89"})])
    assert report.suggestion is Suggestion.REVIEW
    assert report.sub_label == "price_arithmetic"
    assert '"claimed": "89", "computed": "99"' in json.dumps(report.to_dict())
