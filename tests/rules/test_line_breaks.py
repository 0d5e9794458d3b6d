"""Words broken by the end of a line: found where text runs on, made up nowhere else."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bench.rules import read_sentences
from kandong.rules.judge import judge
from kandong.rules.line_breaks import joined_lines
from kandong.rules.packs import load_rules
from kandong.rules.report import Evidence, ModerationReport, TextLine
from kandong.rules.rule import Suggestion

BOOK = load_rules()
SIZE = 20.0
Line = tuple[str, float, float]  # text, left, top


def line(text: str, left: float, top: float, number: int = 1, *, source: str = "image_text") -> TextLine:
    """Give a line as OCR does: every glyph 20 px wide in a box 24 px high."""
    boxes = tuple((left + SIZE * i, top, left + SIZE * (i + 1), top + 24) for i in range(len(text)))
    box = (left, top, left + SIZE * len(text), top + 24)
    return TextLine(text, source, 0, f"L{number}", box, 0.9, character_boxes=boxes)  # type: ignore[arg-type]


def judged(*lines: Line) -> ModerationReport:
    return judge([line(*values, number) for number, values in enumerate(lines, start=1)], BOOK)


def broken(report: ModerationReport) -> list[Evidence]:
    places = [hit.evidence for hit in report.hits] + [one.evidence for one in report.exempted]
    places += [one.evidence for one in report.missing_notices] + [one.evidence for one in report.needs_proof]
    return [evidence for evidence in places if evidence.continued]


def test_a_word_over_two_lines_is_found_and_both_lines_are_named() -> None:
    report = judged(("这口炒锅是国", 10, 0), ("家级品质，下单", 10, 34))
    (hit,) = report.hits
    assert (hit.rule_id, hit.term, hit.evidence.quote) == ("AD9-3", "国家级", "国家级")
    assert (hit.evidence.line_id, hit.evidence.span, hit.evidence.box) == ("L1", (5, 6), (110.0, 0.0, 130.0, 24.0))
    (place,) = hit.evidence.continued
    assert (place.line_id, place.span, place.quote, place.box) == ("L2", (0, 2), "家级", (10.0, 34.0, 50.0, 58.0))
    assert hit.suggest is Suggestion.REVIEW
    assert report.to_dict()["hits"][0]["evidence"]["continued"][0]["line_id"] == "L2"  # type: ignore[index]


def test_the_same_word_in_one_line_blocks_so_the_line_break_alone_makes_it_a_question() -> None:
    (hit,) = judged(("这口炒锅是国家级品质，下单", 10, 0)).hits
    assert (hit.suggest, hit.evidence.continued) == (Suggestion.BLOCK, ())


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("another column", ("这口炒锅是国", 10, 0), ("家级品质下单", 300, 34)),
        ("far below", ("这口炒锅是国", 10, 0), ("家级品质下单", 10, 90)),
        ("a short line, which does not end at an edge", ("这口炒锅是国", 10, 0), ("家级品质下单立减二十元整", 10, 34)),
        ("a cell or a heading of a few glyphs", ("炒锅国", 10, 0), ("家级", 10, 34)),
        ("a sentence's end", ("这口炒锅是国。", 10, 0), ("家级品质下单", 10, 34)),
        ("a number of a list", ("这口炒锅是国", 10, 0), ("2、家级品质", 10, 34)),
        ("above instead of below", ("这口炒锅是国", 10, 34), ("家级品质下单", 10, 0)),
    ],
)
def test_lines_that_do_not_run_on_make_no_word(name: str, first: Line, second: Line) -> None:
    assert not judged(first, second).hits, name


def test_a_larger_line_is_another_text() -> None:
    small = line("这口炒锅是国", 10, 0)
    large = TextLine("家级品质下单", "image_text", 0, "L2", (10, 34, 130, 74), 0.9)
    assert joined_lines([small, large]) == []
    assert len(joined_lines([small, line("家级品质下单", 10, 34)])) == 1


def test_only_lines_of_one_picture_run_on() -> None:
    first, second = line("这口炒锅是国", 10, 0), line("家级品质下单", 10, 34)
    other = TextLine(second.text, "image_text", 1, "L1", second.box, 0.9)
    assert joined_lines([first, other]) == []
    assert joined_lines([line(first.text, 10, 0, source="post_text"), second]) == []


def test_what_stands_in_one_line_is_reported_once() -> None:
    report = judged(("喜欢的可以加微信：", 10, 0), ("kd_shop88", 10, 34))
    assert len([hit for hit in report.hits if hit.rule_id == "CONTACT"]) == 1


@pytest.mark.parametrize("second", [("87654321", 10.0, 34.0), ("87654321", 90.0, 0.0)])
def test_a_label_and_its_number_make_one_contact(second: Line) -> None:
    alone = judged(("QQ：", 10, 0))
    assert not alone.hits
    (hit,) = judged(("QQ：", 10, 0), second).hits
    assert hit.rule_id == "CONTACT"
    assert [place.line_id for place in hit.evidence.continued] == ["L2"]


def test_a_notice_over_two_lines_is_shown() -> None:
    supplement = ("蛋白粉保健食品，开业八折", 10.0, 0.0)
    before = judged(supplement)
    after = judged(supplement, ("友情提示，本品不能代", 10, 100), ("替药物", 10, 134))
    assert len(after.missing_notices) < len(before.missing_notices)


def test_words_in_the_next_line_exempt_a_broken_word() -> None:
    whole = judged(("荣获2023年中国烘焙展最佳创意奖，同款吐司18元一条", 10, 0))
    parted = judged(("荣获2023年中国烘焙展最", 10, 0), ("佳创意奖，同款吐司", 10, 34))
    assert not whole.hits
    assert not parted.hits
    assert broken(parted)[0].quote == "最佳"


def test_innocent_lines_below_each_other_are_hardly_ever_a_broken_word() -> None:
    """The worst case: any two innocent sentences, full to the edge. Two in a thousand may make a word by chance."""
    rng = random.Random(5)
    everyday = (Path(__file__).parent / "everyday.txt").read_text("utf-8").replace("\n", "。").split("。")
    innocent = [one.text for one in read_sentences() if not one.rules] + [text for text in everyday if len(text) > 6]
    num_broken = 0
    for _ in range(500):
        first, second = (text.rstrip("。！!？?,，~") for text in rng.sample(innocent, 2))
        report = judged((first[-18:], 10, 0), (second[:18], 10, 34))
        num_broken += bool(broken(report))
    assert num_broken <= 1
