"""Boxes: crops, turns, overlaps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kandong.reading.quads import (
    Quad,
    crop_quad,
    is_tall,
    overlap_shares,
    page_angle,
    part_of_quad,
    quad_size,
    start_at_top_left,
    turn_back,
    turn_quads,
    upright_boxes,
)


def box(x0: float, y0: float, x1: float, y1: float) -> Quad:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=np.float32)


def picture(height: int = 60, width: int = 80) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 255, (height, width, 3), dtype=np.uint8)


def test_an_upright_box_is_cut_out_byte_for_byte() -> None:
    rgb = picture()
    assert np.array_equal(crop_quad(rgb, box(10, 5, 50, 25)), rgb[5:25, 10:50])


@pytest.mark.parametrize("quarter_turns", [0, 1, 2, 3])
def test_a_turned_box_shows_the_same_pixels_in_the_turned_picture(quarter_turns: int) -> None:
    rgb = picture()
    quads = box(10, 5, 50, 25)[None]
    turned = start_at_top_left(turn_quads(quads, quarter_turns, (80, 60)))
    crop = crop_quad(np.ascontiguousarray(np.rot90(rgb, quarter_turns)), turned[0])
    assert np.array_equal(crop, np.rot90(rgb[5:25, 10:50], quarter_turns))
    size = (80, 60) if quarter_turns % 2 == 0 else (60, 80)
    back = turn_quads(turn_quads(quads, quarter_turns, (80, 60)), 4 - quarter_turns, size)
    assert np.allclose(back, quads)


def test_a_slanted_box_is_straightened() -> None:
    rgb = np.full((200, 300, 3), 255, dtype=np.uint8)
    slanted = turn_back(box(-80, -10, 80, 10)[None], -math.radians(10))[0] + np.array([150, 100], dtype=np.float32)
    import cv2

    cv2.fillPoly(rgb, [slanted.round().astype(np.int32)], (0, 0, 0))
    crop = crop_quad(rgb, slanted)
    assert crop.shape[:2] == (20, 160)
    assert crop[3:-3, 3:-3].max() < 40


@pytest.mark.parametrize("quad", [box(-20, -20, 10, 5), box(70, 50, 200, 90), box(5, 5, 5.2, 5.1), box(79, 59, 80, 60)])
def test_boxes_beyond_the_edge_and_tiny_ones_give_a_crop(quad: Quad) -> None:
    crop = crop_quad(picture(), quad)
    assert min(crop.shape[:2]) >= 1


@given(st.floats(-20, 20))
def test_the_lean_of_a_page_is_found_and_taken_back(degrees: float) -> None:
    level = np.stack([box(0, 40 * i, 200 + 30 * i, 40 * i + 20) for i in range(5)])
    angle = math.radians(degrees)
    leaning = turn_back(level, -angle)
    found = page_angle(leaning)
    assert found == pytest.approx(angle, abs=math.radians(0.31))
    assert np.allclose(turn_back(leaning, angle), level, atol=0.1)


def test_sizes_parts_and_overlaps() -> None:
    quad = box(10, 20, 110, 40)
    assert quad_size(quad) == (100, 20)
    assert not is_tall(quad)
    assert is_tall(box(0, 0, 10, 15))
    assert np.allclose(part_of_quad(quad, 0.25, 0.5), box(35, 20, 60, 40))
    boxes = upright_boxes(np.stack([box(0, 0, 10, 10), box(5, 0, 15, 10), box(20, 0, 30, 10)]))
    assert np.allclose(overlap_shares(boxes[:1], boxes), [[1, 0.5, 0]])
    assert page_angle(np.zeros((0, 4, 2), dtype=np.float32)) == 0.0
