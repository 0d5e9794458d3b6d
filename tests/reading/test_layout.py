"""Reading order, from boxes alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kandong.reading.layout import reading_order
from kandong.reading.quads import Quads, turn_back

Line = tuple[str, int, int, int]  # name, x, y, width; all are 30 px high


def quads_of(lines: list[Line]) -> Quads:
    corners = [[[x, y], [x + w, y], [x + w, y + 30], [x, y + 30]] for _, x, y, w in lines]
    return np.array(corners, dtype=np.float32)


def in_order(lines: list[Line], degrees: float = 0.0, seed: int = 0) -> str:
    shuffled = [lines[i] for i in np.random.default_rng(seed).permutation(len(lines))]
    quads = turn_back(quads_of(shuffled), -math.radians(degrees))
    return "".join(shuffled[i][0] for i in reading_order(quads))


HEAD: Line = ("H", 300, 0, 400)
COLUMNS: list[Line] = [(c, 40, 100 + 60 * i, 360 + 10 * i) for i, c in enumerate("abcde")]
COLUMNS += [(c, 540, 100 + 60 * i, 400 - 10 * i) for i, c in enumerate("fghij")]
TABLE: list[Line] = [
    (f"{row}{column}", x, 100 + 60 * i, width)
    for i, row in enumerate("pqrst")
    for column, x, width in (("1", 40, 200 + 20 * i), ("2", 400, 90), ("3", 620, 80))
]
LABELS: list[Line] = [
    (f"{row}{column}", x, 100 + 60 * i, width)
    for i, row in enumerate("uvwxyz")
    for column, x, width in (("1", 40, 400 - 10 * i), ("2", 800, 90))
]
FOOT: Line = ("F", 40, 560, 300)


@pytest.mark.parametrize("degrees", [0.0, 1.0, -3.0, 5.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_order_of_one_column_does_not_depend_on_the_lean(degrees: float, seed: int) -> None:
    lines = [(chr(97 + i), 40, 50 * i, 300 + 20 * (i % 3)) for i in range(12)]
    assert in_order(lines, degrees, seed) == "abcdefghijkl"


@pytest.mark.parametrize("degrees", [0.0, 4.0])
def test_two_columns_are_read_one_after_the_other_between_head_and_foot(degrees: float) -> None:
    assert in_order([HEAD, *COLUMNS, FOOT], degrees) == "HabcdefghijF"


def test_columns_whose_lines_are_not_level_stay_apart() -> None:
    shifted = [(n, x, y + (25 if x > 500 else 0), w) for n, x, y, w in COLUMNS]
    assert in_order([HEAD, *shifted, FOOT]) == "HabcdefghijF"


def test_a_table_is_read_row_by_row() -> None:
    assert in_order([HEAD, *TABLE]) == "H" + "".join(f"{r}1{r}2{r}3" for r in "pqrst")


def test_labels_and_values_are_read_row_by_row() -> None:
    assert in_order(LABELS) == "".join(f"{r}1{r}2" for r in "uvwxyz")


def test_a_price_beside_another_stays_in_its_row() -> None:
    lines: list[Line] = [("a", 40, 0, 300), ("b", 40, 60, 150), ("c", 260, 64, 120), ("d", 40, 120, 300)]
    assert in_order(lines) == "abcd"


def test_a_longer_left_column_keeps_its_last_lines() -> None:
    more: list[Line] = [("k", 40, 400, 380), ("l", 40, 460, 380)]
    assert in_order([HEAD, *COLUMNS, *more]) == "Habcdeklfghij"


def test_no_boxes_have_an_order() -> None:
    assert reading_order(quads_of([])) == []
