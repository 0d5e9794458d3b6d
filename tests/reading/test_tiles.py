"""Long pictures in bands: every line once, whatever the layout."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kandong.reading.images import load_picture
from kandong.reading.quads import Boxes, Rgb
from kandong.reading.reader import read_picture
from kandong.reading.tiles import MAX_SIDE_PX, Band, find_text, merge_bands, plan_bands
from kandong.types import Picture

CARDS = Path(__file__).resolve().parent.parent.parent / "src" / "kandong" / "runtime" / "selftest_cards"


def find_bars(rgb: Rgb) -> Boxes:
    """Find black bars, cut ones too, as a detector would find lines."""
    _, _, stats, _ = cv2.connectedComponentsWithStats((rgb[..., 0] < 128).astype(np.uint8))
    quads = [[[x, y], [x + w, y], [x + w, y + h], [x, y + h]] for x, y, w, h, _ in stats[1:] if h >= 2]
    return Boxes(np.array(quads, dtype=np.float32).reshape(-1, 4, 2), np.zeros(len(quads), dtype=bool))


def page_of(bars: list[tuple[int, int]], width: int = 900) -> Rgb:
    """Draw bars of a gap above and a height, one under the other."""
    rgb = np.full((sum(gap + height for gap, height in bars) + 40, width, 3), 255, dtype=np.uint8)
    y = 0
    for gap, height in bars:
        y += gap
        rgb[y : y + height, 50 : width - 50] = 0
        y += height
    return rgb


def spans(boxes: Boxes) -> list[tuple[int, int]]:
    return sorted((int(q[0][1]), int(q[2][1])) for q in boxes.quads)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 400), st.integers(10, 300)), min_size=5, max_size=60))
def test_every_bar_is_found_once_as_in_one_piece(bars: list[tuple[int, int]]) -> None:
    rgb = page_of(bars)
    assert spans(find_text(rgb, find_bars)) == spans(find_bars(rgb))


def test_a_bar_that_a_seam_must_cut_is_healed() -> None:
    rgb = page_of([(2, 600)] * 9, width=1080)
    assert spans(find_text(rgb, find_bars)) == spans(find_bars(rgb))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5000), st.integers(1, 14_000), st.booleans())
def test_bands_cover_the_picture_and_overlap(width: int, height: int, is_inked: bool) -> None:
    rgb = np.full((height, min(width, 400), 3), 255, dtype=np.uint8)
    if is_inked:
        rgb[:, ::2] = 0
    bands = plan_bands(np.broadcast_to(rgb[:, :1], (height, width, 3)) if not is_inked else rgb)
    assert (bands[0].top, bands[-1].bottom) == (0, height)
    for before, after in itertools.pairwise(bands):
        assert before.top < after.top < before.bottom < after.bottom
    assert all(band.bottom - band.top <= MAX_SIDE_PX * 1.3 for band in bands)


def test_a_line_seen_whole_is_kept_rather_than_its_cut_half() -> None:
    cut = np.array([[[0, 90], [9, 90], [9, 100], [0, 100]]], dtype=np.float32)
    whole = np.array([[[0, 90], [9, 90], [9, 120], [0, 120]]], dtype=np.float32)
    is_weak = np.zeros(1, dtype=bool)
    merged = merge_bands([Band(0, 100), Band(60, 200)], [Boxes(cut, is_weak), Boxes(whole, is_weak)])
    assert merged.quads.tolist() == whole.tolist()


def test_a_wide_picture_with_large_text_is_looked_at_in_a_smaller_size() -> None:
    shapes: list[tuple[int, ...]] = []

    def detect(rgb: Rgb) -> Boxes:
        shapes.append(rgb.shape)
        return find_bars(rgb)

    rgb = np.full((1200, 4000, 3), 255, dtype=np.uint8)
    rgb[300:500, 100:3900] = 0
    found = find_text(rgb, detect)
    assert max(shape[1] for shape in shapes) <= 1600
    assert np.abs(found.quads[0][[0, 2]] - [[100, 300], [3900, 500]]).max() <= 4


@pytest.mark.slow
def test_a_long_picture_loses_and_doubles_no_line() -> None:
    cards = [load_picture(path) for path in sorted(CARDS.glob("*.png"))]
    width = max(card.width_px for card in cards)
    parts, expected = [], []
    for card in cards * 3:
        padded = np.full((card.height_px, width, 3), card.rgb[0, 0], dtype=np.uint8)
        padded[:, : card.width_px] = card.rgb
        parts.append(padded)
        expected += [line.text for line in read_picture(card).lines]
    rgb = np.concatenate(parts)
    assert len(rgb) > MAX_SIDE_PX
    assert [line.text for line in read_picture(Picture(rgb, "PNG")).lines] == expected
