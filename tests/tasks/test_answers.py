"""What kind of answer an answer is."""

from __future__ import annotations

import pytest

from kandong.tasks.answers import answer_type_of


@pytest.mark.parametrize(
    "answer",
    ["图中没有", "图中没有。", "图片里没有", "没有", "无。", "没有提到", "未标明", "看不清", "", "It is not shown."],
)
def test_saying_that_there_is_none_is_no_answer(answer: str) -> None:
    assert answer_type_of(answer, ()) == "unanswerable"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("有，试吃装", "yes_no"),
        ("没有，只有两件", "yes_no"),
        ("图中没有人", "text"),
        ("图中有三只猫", "text"),
        ("红色", "text"),
    ],
)
def test_an_answer_is_one_also_if_it_says_no(answer: str, kind: str) -> None:
    assert answer_type_of(answer, ()) == kind
