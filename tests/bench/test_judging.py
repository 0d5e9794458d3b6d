"""The judging bench: how it misreads, counts, compares, and what its page says."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from bench.cards.truth import TrueNumber
from bench.judging import bars
from bench.judging_runs.fields import is_same, summed
from bench.judging_runs.misreading import Counts, misread
from docs.judging_section import judging_section


def test_a_misreading_changes_one_digit_of_the_number() -> None:
    number = TrueNumber(3, 7, "price", "199", "CNY")
    for seed in range(30):
        wrong = misread("现价：199元", number, Random(seed))
        assert len(wrong) == len("现价：199元")
        assert sum(a != b for a, b in zip(wrong, "现价：199元", strict=True)) == 1
        assert not wrong.startswith("现价：0")
    assert misread("半价", TrueNumber(0, 2, "discount", "5"), Random(1)) == "半价"


def test_counts_tell_marked_from_right() -> None:
    counts = Counts()
    counts.add(is_right=False, is_verified=False)
    counts.add(is_right=False, is_verified=True)
    counts.add(is_right=True, is_verified=True)
    rates = counts.rates()
    assert (rates["wrong_marked"], rates["verified_right"], rates["right_verified"]) == (0.5, 0.5, 1.0)


@pytest.mark.parametrize(
    ("answer", "truth", "same"),
    [("¥39.70", "39.7", True), ("85元", "85", True), ("86", "85", False), ("PCD1", "pcd1", True), ("85", None, False)],
)
def test_answers_are_compared_by_value(answer: str, truth: str | None, same: bool) -> None:
    assert is_same(answer, truth) is same


def field_row(**values: Any) -> dict[str, Any]:
    return {"field": "price", "truth": "85", "ocr": None, "model": None, "both": None, "is_verified": False} | values


def test_fields_are_summed_by_way() -> None:
    rows = [
        field_row(ocr="85", model="55", both="85"),
        field_row(model="85", both="85", is_verified=True),
        field_row(truth=None, model="7"),
        field_row(),
        field_row(ocr="85元", both="85元"),
    ]
    data = summed(rows)
    assert data["ways"]["ocr"] == {
        "num_true": 4, "num_answered": 2, "num_right": 2, "precision": 1.0, "recall": 0.5, "f1": 0.6667,
    }  # fmt: skip
    assert data["ways"]["model"]["num_right"] == 1
    assert (data["num_wrong"], data["num_wrong_marked"], data["num_verified_right"]) == (2, 2, 1)


def test_bars_are_missed_when_a_verdict_was_lowered_and_the_page_says_what_was_not_measured() -> None:
    machine = {"cpu": "made up", "num_cpus": 2}
    part = {
        "date": "2026-01-01", "machine": machine, "num_twins": 10, "num_lines": 5, "num_lowered": 1, "num_excused": 0,
        "num_marked": 9,
    }  # fmt: skip
    assert bars({"twins": part}) == [("no twin lowered or excused", False), ("twins marked ≥ 80 %", True)]
    page = "\n".join(judging_section({"twins": part}))
    assert "1 verdicts lowered" in page
    assert "Six tasks on one post: not measured yet." in page
