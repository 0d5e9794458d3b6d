"""Lists have one mark; what is no list, or may be a decimal point, stays."""

from __future__ import annotations

from collections.abc import Sequence

from kandong.reading.numbered import mark_changes
from kandong.reading.recogniser import RawCharacter


def line(text: str, pause: float = 0.0) -> list[RawCharacter]:
    others = (("、", pause),) if pause else ()
    return [
        RawCharacter(c, 0.7 if c in ".,，。" else 0.99, 0.5, "", 0.0, others if c in ".,，。" else ()) for c in text
    ]


def corrected(lines: Sequence[list[RawCharacter]]) -> list[str]:
    texts = ["".join(c.text for c in characters) for characters in lines]
    return [
        text if change is None else text[: change.index] + change.text + text[change.index + 1 :]
        for text, change in zip(texts, mark_changes(lines), strict=True)
    ]


def test_points_in_a_list_of_other_marks_are_such_marks() -> None:
    lines = [line("1、限购2件"), line("2.凭票兑换"), line("3，售完即止"), line("4、到店自提")]
    assert corrected(lines) == ["1、限购2件", "2、凭票兑换", "3、售完即止", "4、到店自提"]


def test_doubt_alone_tells_too() -> None:
    lines = [line(f"{n}.凭票兑换", 0.25) for n in (1, 2, 3)]
    assert corrected(lines) == ["1、凭票兑换", "2、凭票兑换", "3、凭票兑换"]


def test_a_list_of_points_stays() -> None:
    lines = [line(f"{n}.凭票兑换") for n in (1, 2, 3, 4)]
    assert mark_changes(lines) == [None] * 4


def test_two_lines_are_no_list() -> None:
    assert mark_changes([line("1、限购"), line("2.凭票")]) == [None, None]


def test_a_decimal_point_stays_unless_the_numbers_count_on() -> None:
    head = [line("1、限购"), line("2、凭票"), line("3、到店")]
    assert corrected([*head, line("9.9元起"), line("首单")])[3] == "9.9元起"
    assert corrected([*head, line("4.9折", 0.3), line("5、自提")])[3] == "4、9折"


def test_no_lines_are_no_list() -> None:
    assert mark_changes([]) == []
    assert mark_changes([[]]) == [None]
