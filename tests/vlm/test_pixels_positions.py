"""Grids, patches and positions against slow twins and the reference's published rules."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kandong.errors import InputError, PictureLimitError
from kandong.vlm.config import read_model_config
from kandong.vlm.pixels import PixelBudget, make_patches, plan_grid, smart_resize
from kandong.vlm.positions import (
    PictureSpan,
    axis_of_frequency,
    interpolate_learned_positions,
    prompt_positions,
    to_merge_order,
)
from tests.inspection import GOLDEN

CONFIG = read_model_config(GOLDEN / "tied")
PUBLISHED = dataclasses.replace(CONFIG.pixels, min_pixels=65_536, max_pixels=16_777_216)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1024, 1024), (1024, 1024)),
        ((1000, 1000), (992, 992)),
        ((48, 80), (224, 352)),  # 2.5 steps of 32: rounds to even, then grows to the minimum
        ((24, 20), (288, 256)),
        ((6000, 8000), (3520, 4704)),
        ((4000, 20), (4000, 32)),
    ],
)
def test_smart_resize_gives_known_sizes(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert smart_resize(*size, factor=32, min_pixels=65_536, max_pixels=16_777_216) == expected


@given(st.integers(1, 9_000), st.integers(1, 9_000))
@settings(max_examples=500)
def test_smart_resize_keeps_bounds_and_steps(height: int, width: int) -> None:
    assume(max(height, width) <= 200 * min(height, width))
    rows, columns = smart_resize(height, width, factor=32, min_pixels=65_536, max_pixels=786_432)
    assert rows % 32 == columns % 32 == 0
    assert rows >= 32
    assert columns >= 32
    assert rows * columns >= 65_536
    # A strip that is one step high cannot be made smaller than its length allows.
    assert rows * columns <= 786_432 or 32 in (rows, columns)


def test_aspect_ratio_over_200_is_refused_and_200_is_taken() -> None:
    with pytest.raises(PictureLimitError, match="over 200 times"):
        smart_resize(10, 2001, factor=32, min_pixels=65_536, max_pixels=786_432)
    assert smart_resize(10, 2000, factor=32, min_pixels=65_536, max_pixels=786_432)[0] >= 32


def test_default_budget_is_768_tokens_or_the_checkpoints_own() -> None:
    assert plan_grid(4000, 4000, PUBLISHED, PixelBudget()) == (54, 54)  # 27 × 27 tokens
    assert plan_grid(4000, 4000, CONFIG.pixels, PixelBudget()) == (16, 16)  # this checkpoint stops at 64
    assert plan_grid(4096, 4096, PUBLISHED, PixelBudget(max_tokens=16_384)) == (256, 256)
    assert plan_grid(10, 10, PUBLISHED, PixelBudget()) == (16, 16)
    assert plan_grid(10, 10, PUBLISHED, PixelBudget(min_tokens=4)) == (4, 4)
    assert plan_grid(4000, 4000, PUBLISHED, PixelBudget(max_tokens=16)) == (8, 8)


@pytest.mark.parametrize(
    ("budget", "field"),
    [
        (PixelBudget(max_tokens=16_385), "max_image_tokens"),
        (PixelBudget(max_tokens=3), "max_image_tokens"),
        (PixelBudget(min_tokens=0), "min_image_tokens"),
        (PixelBudget(min_tokens=900), "min_image_tokens"),
        (PixelBudget(min_tokens=50, max_tokens=40), "min_image_tokens"),
    ],
)
def test_budget_out_of_range_names_the_field(budget: PixelBudget, field: str) -> None:
    with pytest.raises(InputError) as caught:
        plan_grid(100, 100, PUBLISHED, budget)
    assert caught.value.field == field


def test_patches_equal_a_loop_over_pixels() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (128, 192, 3), dtype=np.uint8)
    patches = make_patches(rgb, CONFIG.pixels, PixelBudget())
    assert (patches.grid_height, patches.grid_width) == (8, 12)
    index = 0
    for block_row in range(4):
        for block_column in range(6):
            for row in range(2):
                for column in range(2):
                    y, x = (2 * block_row + row) * 16, (2 * block_column + column) * 16
                    tile = (rgb[y : y + 16, x : x + 16] / 255 - 0.5) / 0.5
                    flat = np.repeat(tile.transpose(2, 0, 1)[:, None], 2, axis=1).ravel()
                    np.testing.assert_allclose(patches.values[index], flat, atol=1e-6)
                    index += 1
    assert index == len(patches.values)


def test_learned_positions_equal_a_loop_over_cells() -> None:
    side, hidden = CONFIG.vision.num_grid_per_side, CONFIG.vision.hidden_size
    table = np.random.default_rng(1).standard_normal((side * side, hidden)).astype(np.float32)
    rows, columns = 6, 10
    slow = np.empty((rows, columns, hidden), np.float64)
    for i in range(rows):
        for j in range(columns):
            y, x = i * (side - 1) / (rows - 1), j * (side - 1) / (columns - 1)
            y0, x0 = min(int(y), side - 2), min(int(x), side - 2)
            for dy in (0, 1):
                for dx in (0, 1):
                    weight = (1 - abs(y - y0 - dy)) * (1 - abs(x - x0 - dx))
                    slow[i, j] = (slow[i, j] if dy or dx else 0) + weight * table[(y0 + dy) * side + x0 + dx]
    fast = interpolate_learned_positions(table, rows, columns, CONFIG.vision)
    assert np.abs(fast - np.asarray(to_merge_order(slow, 2), np.float32)).max() <= 1e-5


def slow_positions(num_tokens: int, pictures: list[PictureSpan]) -> list[tuple[int, int, int]]:
    places: list[tuple[int, int, int]] = []
    following = 0
    while len(places) < num_tokens:
        picture = next((p for p in pictures if p.start == len(places)), None)
        if picture is None:
            places.append((following,) * 3)
            following += 1
            continue
        for row in range(picture.token_rows):
            columns = range(following, following + picture.token_columns)
            places.extend((following, following + row, column) for column in columns)
        following += max(picture.token_rows, picture.token_columns)
    return places


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 7), st.integers(1, 7)), max_size=5), st.integers(0, 9))
@settings(max_examples=200)
def test_prompt_positions_equal_a_walk_over_tokens(pieces: list[tuple[int, int, int]], tail: int) -> None:
    spans, cursor = [], 0
    for text, rows, columns in pieces:
        spans.append(PictureSpan(cursor + text, rows, columns))
        cursor = spans[-1].end
    positions, following = prompt_positions(cursor + tail, spans)
    slow = slow_positions(cursor + tail, spans)
    assert positions.T.tolist() == [list(p) for p in slow]
    assert following == max((max(p) for p in slow), default=-1) + 1


def test_axes_are_interleaved_as_published() -> None:
    config = dataclasses.replace(CONFIG.text, head_dim=128, mrope_section=(24, 20, 20))
    axis = axis_of_frequency(config)
    assert axis[:60].tolist() == [0, 1, 2] * 20
    assert axis[60:].tolist() == [0] * 4
