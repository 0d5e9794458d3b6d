"""Every kind of mistake is counted, on cards whose readings are made by hand; the page follows its JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from bench.cards.truth import Card, Point, TrueCode, TrueLine, TrueNumber
from bench.quality import missed, rates, table
from bench.quality_intervals import share_interval
from bench.quality_metrics import Score, score
from bench.readings import OURS, PLAIN, Reading, ReadLine
from docs.quality_page import quality_page

ROOT = Path(__file__).resolve().parents[2]
Quad = tuple[Point, Point, Point, Point]


def quad(x: float, y: float, width: float = 200, height: float = 20) -> Quad:
    return (x, y), (x + width, y), (x + width, y + height), (x, y + height)


PRICE = TrueNumber(2, 6, "price", "399", "CNY", "original")
CARD = Card(
    "test",
    0,
    Image.new("RGB", (600, 400)),
    (
        TrueLine(0, "夏日清凉节", quad(10, 10), 0, 20),
        TrueLine(1, "原价399元", quad(10, 50), 0, 20, (PRICE,)),
        TrueLine(2, "右边一栏", quad(300, 50), 1, 20),
    ),
    (TrueCode("QRCode", "https://example.com/a", quad(10, 200, 100, 100)),),
)
LINES = tuple(ReadLine(line.text, line.quad, 0.99) for line in CARD.lines)
PERFECT = Reading(LINES, ("https://example.com/a",), 0.1)


def scored(*lines: ReadLine) -> Score:
    return score(CARD, replace(PERFECT, lines=lines))


def test_a_perfect_reading_has_no_mistakes() -> None:
    assert score(CARD, PERFECT) == Score(15, 0, 3, 3, 0, 0, 0, 1, 1, 0, 1, 1, 0)


def test_an_empty_reading_loses_everything() -> None:
    total = score(CARD, Reading((), (), 0.1))
    assert (total.num_wrong_characters, total.num_lost_lines, total.num_exact_lines) == (15, 3, 0)
    assert (total.num_exact_numbers, total.num_silently_wrong_numbers, total.num_read_codes) == (0, 0, 0)


def test_a_lost_line_is_counted() -> None:
    total = scored(LINES[0], LINES[1])
    assert (total.num_lost_lines, total.num_wrong_characters, total.num_exact_lines) == (1, 4, 2)


def test_a_doubled_line_is_counted() -> None:
    total = scored(*LINES, replace(LINES[0], quad=quad(12, 11)))
    assert (total.num_doubled_lines, total.num_wrong_characters, total.num_lost_lines) == (1, 5, 0)
    assert total.num_exact_lines == 2


def test_an_invented_line_is_counted() -> None:
    total = scored(*LINES, ReadLine("水印", quad(300, 300), 0.9))
    assert (total.num_invented_lines, total.num_wrong_characters, total.num_exact_lines) == (1, 2, 3)


def test_a_wrong_digit_is_silent_unless_marked() -> None:
    wrong = replace(LINES[1], text="原价339元")
    assert scored(LINES[0], wrong, LINES[2]).num_silently_wrong_numbers == 1
    assert scored(LINES[0], wrong, LINES[2]).num_exact_numbers == 0
    assert scored(LINES[0], replace(wrong, is_marked=True), LINES[2]).num_silently_wrong_numbers == 0
    assert scored(LINES[0], replace(wrong, conf=0.6), LINES[2]).num_silently_wrong_numbers == 0


def test_a_line_in_two_pieces_is_whole_and_merged_columns_are_not_exact() -> None:
    halves = (
        replace(LINES[1], text="原价", quad=quad(10, 50, 80)),
        replace(LINES[1], text="399元", quad=quad(95, 50, 115)),
    )
    assert scored(LINES[0], halves[1], halves[0], LINES[2]).num_exact_lines == 3
    merged = ReadLine("原价399元右边一栏", quad(10, 50, 490), 0.99)
    total = scored(LINES[0], merged)
    assert (total.num_exact_lines, total.num_lost_lines, total.num_exact_numbers) == (1, 0, 1)
    hollow = ReadLine("原价399元", quad(10, 50, 490), 0.99)  # drawn over both columns, but reads one
    assert scored(LINES[0], hollow).num_lost_lines == 1


def test_wrong_order_costs_characters_and_full_width_does_not() -> None:
    assert scored(LINES[2], LINES[0], LINES[1]).num_wrong_characters > 0
    assert scored(LINES[0], replace(LINES[1], text="原价 ３９９元"), LINES[2]).num_wrong_characters == 0


def test_without_order_only_the_order_is_forgiven() -> None:
    def wrong(*lines: ReadLine) -> int:
        return scored(*lines).num_wrong_characters_any_order

    assert wrong(LINES[2], LINES[0], LINES[1]) == 0
    assert wrong(LINES[2], LINES[0], replace(LINES[1], text="原价339元")) == 1
    assert wrong(LINES[2], LINES[1]) == 5
    assert wrong(*LINES, ReadLine("水印", quad(300, 300), 0.9)) == 2
    assert wrong(LINES[0], ReadLine("原价399元右边一栏", quad(10, 50, 490), 0.99)) == 0
    assert wrong(LINES[0], ReadLine("右边一栏", quad(10, 50, 490), 0.99)) == 6


def test_turned_cards_keep_their_lines_apart() -> None:
    def turned(points: Quad) -> Quad:
        a, b, c, d = ((x, y + 0.15 * x) for x, y in points)
        return a, b, c, d

    lines = tuple(replace(n, quad=turned(quad(10, 10 + 26 * n.order, 400))) for n in CARD.lines)
    read = tuple(replace(r, quad=n.quad) for r, n in zip(LINES, lines, strict=True))
    total = score(replace(CARD, lines=lines), replace(PERFECT, lines=read))
    assert (total.num_exact_lines, total.num_doubled_lines, total.num_invented_lines) == (3, 0, 0)


def test_sums_and_rates() -> None:
    total = score(CARD, PERFECT) + score(CARD, Reading((), (), 0.1))
    assert rates(total)["cer"] == 0.5
    assert rates(total)["line_exact"] == 0.5
    assert rates(total)["number_exact"] == 0.5
    assert rates(Score())["cer"] == 0


BARS = [
    {"bar": "a", "measured": 0.5, "sense": "<=", "limit": 0.6, "is_reached": True},
    {"bar": "b", "measured": 0.5, "sense": ">=", "limit": 0.97, "is_reached": False},
]


def result_of(score_of_ours: Score) -> dict[str, object]:
    tools = {OURS: rates(score_of_ours) | {"median_s": 0.5}, PLAIN: rates(Score()) | {"median_s": 0.6}}
    row = {"kind": "all", "num_cards": 7, "time_ratio": 0.83, "tools": tools, "share_low": 0.1, "share_high": None}
    about = {
        "date": "2026-01-02",
        "command": "python -m bench.quality",
        "processor": "P",
        "num_cores": 2,
        "python": "3",
    }
    return about | {"num_cards": 7, "num_cards_asked": 9, "versions": {"rapidocr": "3.10"}, "rows": [row], "bars": BARS}


def test_the_page_shows_what_the_json_says(tmp_path: Path) -> None:
    assert "not measured yet" in quality_page(tmp_path)
    data = result_of(scored(LINES[0], LINES[1]))
    (tmp_path / "quality.json").write_text(json.dumps(data), "utf-8")
    page = quality_page(tmp_path)
    assert "| all | 7 | 26.67 % | 0.00 % | 26.67 % | 0.00 % | 66.67 % |" in page
    assert "1 of 2 reached" in page
    assert "| all | 4 | 0 | – | 0.10 to ∞ |" in page
    assert "| b | 0.5 | ≥ 0.97 | **missed** |" in page
    assert "ended after 7 of 9 cards" in page
    assert "all" in table(data["rows"])  # type: ignore[arg-type]
    assert missed(BARS) == "1 of 2 bars reached\nmissed: b: 0.5, limit >= 0.97"
    rules = [{"rule": "AD9-3", "precision": 0.97, "recall": None, "n": 40}]
    (tmp_path / "rules.json").write_text(json.dumps(rules), "utf-8")
    assert "| AD9-3 | 40 | 0.970 | – |" in quality_page(tmp_path)
    counts = {"num_sentences": 41, "num_innocent": 9, "precision": 0.5, "recall": 0.25}
    parts = {"command": "x", "parts": [{"part": "tuned", **counts, "rules": rules}]}
    (tmp_path / "rules.json").write_text(json.dumps(parts), "utf-8")
    assert "### tuned: 41 sentences" in quality_page(tmp_path)


def test_intervals_narrow_with_the_cards_and_tell_where_nothing_can_be_told() -> None:
    few, many = share_interval([(1, 3), (0, 2), (2, 3)]), share_interval([(1, 3), (0, 2), (2, 3)] * 30)
    assert few[0] is not None
    assert few[1] is not None
    assert many[0] is not None
    assert many[1] is not None
    assert few[0] < many[0] < 3 / 8 < many[1] < few[1]
    assert share_interval([(2, 4)] * 5) == (0.5, 0.5)
    assert share_interval([(1, 0), (0, 0)]) == (None, None)
    assert share_interval([(1, 1), (0, 0), (0, 0)])[1] is None  # most draws have none of the peer's mistakes


def test_the_page_shows_how_long_a_folder_took(tmp_path: Path) -> None:
    times = {"mean_s": 0.41, "median_s": 0.4, "worst_s": 0.9, "whole_s": 25.0}
    counts = {"num_posters": 50, "num_reports": 50, "num_table_rows": 50, "num_cores": 2}
    data = {"date": "2026-01-02", "command": "python -m bench.moderating"} | counts | times
    (tmp_path / "moderating.json").write_text(json.dumps(data), "utf-8")
    assert "mean 0.41 s, median 0.40 s, longest 0.90 s (bar 1 s)" in quality_page(tmp_path)


def test_the_page_shows_what_the_trained_weights_do(tmp_path: Path) -> None:
    row = {"lines": 9, "characters": 200, "bundled": 30, "trained": 12, "both": 11}
    data = {"date": "2026-01-02", "command": "python -m training.lines.evaluate", "ways": {"jpeg": row}}
    (tmp_path / "worn_lines.json").write_text(json.dumps(data), "utf-8")
    expected = "| saved as JPEG two to five times | 9 | 200 | 15.00 % | 6.00 % | 5.50 % |"
    assert expected in quality_page(tmp_path)


def test_the_kept_page_is_fresh() -> None:
    kept = (ROOT / "docs" / "quality.md").read_text("utf-8")
    assert kept.endswith(quality_page())
    assert "| all |" in kept


def test_scoring_without_readings_says_what_to_do(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.quality", "--rescore", "--readings", str(tmp_path / "none.jsonl")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "run without --rescore first" in run.stderr


@pytest.mark.parametrize("field", [name for name in vars(Score()) if name.startswith("num_")])
def test_adding_adds_every_field(field: str) -> None:
    assert getattr(Score(**{field: 2}) + Score(**{field: 3}), field) == 5
