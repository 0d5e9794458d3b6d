"""Labelled amounts, put together only where they belong together."""

from __future__ import annotations

from decimal import Decimal

import pytest

from kandong.reading.numbers import find_numbers
from kandong.rules.arithmetic import Amount, check_arithmetic
from kandong.rules.report import TextLine
from kandong.tasks.offers import find_statements

A = Amount


def amounts(*texts: str) -> list[dict[Amount, Decimal]]:
    return [dict(one.amounts) for one in find_statements([TextLine(text) for text in texts])]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("原价100元，打5折，到手价60元", {A.LIST: "100", A.DISCOUNT: "0.5", A.FINAL: "60"}),
        ("标价200，八折，现价：￥160", {A.LIST: "200", A.DISCOUNT: "0.8", A.FINAL: "160"}),
        ("原价９９．５０元 8.5折 到手84.6", {A.LIST: "99.50", A.DISCOUNT: "0.85", A.FINAL: "84.6"}),
        ("定价200元，85折后170元", {A.LIST: "200", A.DISCOUNT: "0.85", A.FINAL: "170"}),
        ("现价299元，原价399元，立省200元", {A.LIST: "399", A.FINAL: "299", A.SAVING: "200"}),
        ("券前129元，领30元券，券后89元", {A.LIST: "129", A.COUPON: "30", A.FINAL: "89"}),
        (
            "满300减50，买320元只需付290元",
            {A.BOUGHT: "320", A.FINAL: "290", A.THRESHOLD: "300", A.REDUCTION: "50"},
        ),
        ("单价59元，三件合计177元", {A.UNIT: "59", A.QUANTITY: "3", A.TOTAL: "177"}),
        ("原价199元，5折后只要89元", {A.LIST: "199", A.DISCOUNT: "0.5", A.FINAL: "89"}),
        ("原价199元，八八折后仅需175元", {A.LIST: "199", A.DISCOUNT: "0.88", A.FINAL: "175"}),
        ("原价399元，打五折，现在只要¥199", {A.LIST: "399", A.DISCOUNT: "0.5", A.FINAL: "199"}),
        (
            "原价320元，满300减50，到手价260元",
            {A.BOUGHT: "320", A.FINAL: "260", A.THRESHOLD: "300", A.REDUCTION: "50"},
        ),
        (
            "原价100元，第二件半价，两件共160元",
            {A.UNIT: "100", A.QUANTITY: "2", A.TOTAL: "160", A.NTH: "2", A.NTH_RATE: "0.5"},
        ),
        (
            "单价50元，两件7折，两件共80元",
            {A.UNIT: "50", A.QUANTITY: "2", A.TOTAL: "80", A.PIECES: "2", A.PIECES_RATE: "0.7"},
        ),
    ],
)
def test_amounts_that_belong_together(text: str, expected: dict[Amount, str]) -> None:
    assert amounts(text) == [{name: Decimal(value) for name, value in expected.items()}]


@pytest.mark.parametrize(
    "text",
    [
        "原价100元，低至5折，到手价60元",
        "原价100元，5折起，到手价60元",
        "原价100元，3件8折，到手价60元",
        "原价399元，领20元券，现价199元",
        "原价399，现价199；原价599，现价299，打5折",
        "满300减50",
        "现价199元",
        "今天花了300元，买了3件衣服",
        "原价399，满300减50，到手价349",
        "八五折，原价100，现价85",
        "原价199元，最低5折，只要89元",
        "原价199元，5折起，只要89元起",
        "原价199元，折后价5折起",
        "原价100元，第二件半价，三件共240元",
        "原价199，现价149，第二件半价，两件共200元",
        "原价100元，两件7折，第二件半价，两件共150元",
        "现在有5折活动，原价100元",
    ],
)
def test_what_does_not_clearly_belong_together_is_not_checked(text: str) -> None:
    assert check_arithmetic(find_statements([TextLine(text)]), None) == ()


def test_every_picture_stands_for_itself() -> None:
    lines = [TextLine("原价100元 5折", "image_text", 0), TextLine("到手价60元", "image_text", 1)]
    assert find_statements(lines) == []
    together = [TextLine("原价100元 5折", "image_text", 0, "L1"), TextLine("到手价60元", "image_text", 0, "L2")]
    (statement,) = find_statements(together)
    assert statement.evidence.line_id == "L2"
    assert statement.evidence.quote == "到手价60"


def test_every_full_threshold_is_told_from_one() -> None:
    (statement,) = find_statements([TextLine("每满300减50，买650元实付550元")])
    assert statement.repeats
    assert check_arithmetic([statement], None) == ()


def test_codes_state_no_price() -> None:
    assert find_statements([TextLine("原价100元，打5折，到手价60元", "code", 0)]) == []


@pytest.mark.parametrize(
    "text",
    [
        "原价100元，打5折，到手价60元",
        "现价299元，原价399元，立省200元",
        "券前129元，领30元券，券后89元",
        "满300减50，买320元只需付290元",
        "定价200元，8折后150元",
        "单价59元，三件159元，立减50元",
    ],
)
def test_amounts_are_numbers_that_reading_finds_too(text: str) -> None:
    """The labels are read here, the numbers by reading/numbers.py as well: both must see the same values."""
    values = {value for number in find_numbers(text) for value in (number.value, number.upper)}
    (statement,) = find_statements([TextLine(text)])
    for name, amount in statement.amounts.items():
        assert (amount * 10 if name is A.DISCOUNT else amount) in values, name
