"""Boxes made whole, and lines parted at gutters, on drawn bars that stand for glyphs."""

from __future__ import annotations

import numpy as np
import pytest

from kandong.reading.columns import FoundLine, split_columns
from kandong.reading.lines import _says_more
from kandong.reading.pieces import free_room, grown_quad, join_pieces
from kandong.reading.quads import Boxes, Quad, Rgb, crop_quad, upright_boxes
from kandong.reading.recogniser import RawCharacter, RawLine

HEIGHT = 40
GLYPH = 32


def box(x0: float, y0: float, x1: float, y1: float) -> Quad:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=np.float32)


def glyphs(rgb: Rgb, y: int, places: list[int], level: int = 0) -> None:
    for x in places:
        rgb[y + 6 : y + HEIGHT - 6, x : x + GLYPH - 4] = level


def line_of(y: int, places: list[int], text: str) -> FoundLine:
    left, right = places[0] - 4, places[-1] + GLYPH
    centers = [(x + GLYPH / 2 - left) / (right - left) for x in places]
    characters = tuple(RawCharacter(c, 0.99, at, "", 0.0) for c, at in zip(text, centers, strict=True))
    return FoundLine(RawLine(characters), box(left, y, right, y + HEIGHT))


def parted(rows: list[tuple[list[int], str]]) -> list[str]:
    rgb = np.full((60 * len(rows) + 60, 1400, 3), 255, dtype=np.uint8)
    lines = []
    for number, (places, text) in enumerate(rows):
        glyphs(rgb, 60 * number, places)
        lines.append(line_of(60 * number, places, text))
    level = np.array([line.quad for line in lines])
    found = split_columns(lines, [crop_quad(rgb, line.quad) for line in lines], level)
    for line in found:
        assert all(0 <= c.center <= 1 for c in line.raw.characters)
    return [line.raw.text for line in found]


def row(num_left: int, gap: int, num_right: int) -> list[int]:
    left = [640 - gap - GLYPH * (num_left - i) for i in range(num_left)]
    return left + [640 + GLYPH * i for i in range(num_right)]


def test_a_wide_gap_parts_a_line_by_itself() -> None:
    assert parted([(row(4, 80, 3), "甲乙丙丁戊己庚")]) == ["甲乙丙丁", "戊己庚"]


def test_a_narrow_gap_parts_lines_only_where_others_agree() -> None:
    assert parted([(row(4, 26, 3), "甲乙丙丁戊己庚")]) == ["甲乙丙丁戊己庚"]
    rows = [(row(4 + i, 26, 3), "甲乙丙丁戊己庚辛壬"[: 7 + i]) for i in range(3)]
    assert parted(rows) == ["甲乙丙丁", "戊己庚", "甲乙丙丁戊", "己庚辛", "甲乙丙丁戊己", "庚辛壬"]


def test_the_room_after_punctuation_is_no_gutter() -> None:
    rows = [(row(3, 26, 4), "地址：甲乙丙丁"), (row(3, 26, 4), "电话：甲乙丙丁"), (row(3, 26, 4), "时间：甲乙丙丁")]
    assert parted(rows) == [text for _, text in rows]


def test_a_small_sign_is_joined_with_the_large_amount_behind_it() -> None:
    quads = np.stack([box(100, 100, 300, 200), box(62, 150, 98, 190), box(500, 100, 560, 140), box(60, 300, 96, 340)])
    joined = join_pieces(Boxes(quads, np.zeros(4, dtype=bool)))
    assert len(joined) == 3
    assert joined.quads[0].tolist() == box(62, 100, 300, 200).tolist()


def test_a_line_at_the_corner_of_a_picture_taken_for_text_stays() -> None:
    quads = np.array([box(0, 1500, 1080, 2280), box(47, 2247, 302, 2287)])
    assert len(join_pieces(Boxes(quads, np.zeros(2, dtype=bool)))) == 2


@pytest.mark.parametrize("level", [0, 190, 235])
def test_a_box_grows_to_the_glyphs_that_it_left_out(level: int) -> None:
    rgb = np.full((60, 800, 3), 255, dtype=np.uint8)
    glyphs(rgb, 10, [100 + GLYPH * i for i in range(8)], level)
    quad = box(98, 10, 100 + 5 * GLYPH, 10 + HEIGHT)
    grown = grown_quad(rgb, quad, (98, 500))
    assert grown is not None
    assert 100 + 8 * GLYPH - 6 <= grown[1][0] <= 100 + 9 * GLYPH
    assert grown[0][0] >= 90


def test_a_box_does_not_grow_into_a_neighbour_or_over_a_gap() -> None:
    rgb = np.full((60, 800, 3), 255, dtype=np.uint8)
    glyphs(rgb, 10, [100 + GLYPH * i for i in range(4)])
    glyphs(rgb, 10, [300 + GLYPH * i for i in range(4)])
    quad = box(98, 10, 100 + 4 * GLYPH, 10 + HEIGHT)
    assert grown_quad(rgb, quad, (90, 500)) is None
    boxes = upright_boxes(np.stack([quad, box(300, 10, 430, 50)]))
    assert free_room(boxes, 0, 800) == (98, 300 - (100 + 4 * GLYPH))
    assert free_room(boxes, 1, 800) == (300 - (100 + 4 * GLYPH), 370)


def test_a_box_does_not_grow_into_texture() -> None:
    rgb = np.random.default_rng(1).integers(0, 255, (60, 800, 3), dtype=np.uint8)
    assert grown_quad(rgb, box(300, 10, 460, 50), (300, 340)) is None


def said(text: str, conf: float = 0.95) -> RawLine:
    return RawLine(tuple(RawCharacter(c, conf, 0.5, "", 0.0) for c in text))


@pytest.mark.parametrize(
    ("wide", "old", "is_more"),
    [
        ("买二送一", "买二送", True),
        ("请仔细阅读说明书后使用。", "请仔细阅读说", True),
        ("特价￥10", "特价￥1", True),
        ("特价￥10€", "特价￥10", False),
        ("记得带券O", "记得带券", False),
        ("买二送", "买二送", False),
        ("买一送一", "买一送", True),
        ("一即日起至3月16日", "即日起至3月16日", False),
        ("一律8折起", "8折起", True),
        ("完全不同的另一行", "买二送一", False),
    ],
)
def test_a_longer_reading_counts_only_with_more_text(wide: str, old: str, is_more: bool) -> None:
    assert _says_more(said(wide), said(old)) is is_more
    assert not _says_more(said(wide, 0.5), said(old))
