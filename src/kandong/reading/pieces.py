"""Boxes as the detector gives them made whole: pieces of one line joined, ends that were left out taken in.

Owns: what belongs to a box beside it. Must not know: what lines say, reading order.

The detector parts a small currency sign from the large amount behind it, and ends a faint line before its last glyphs.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kandong.reading.quads import (
    Boxes,
    Quad,
    Rgb,
    crop_quad,
    page_angle,
    part_of_quad,
    quad_size,
    turn_back,
    upright_boxes,
)

# A small box this near a higher one (by the higher one's height), and within its rows, is a piece of the same line.
_JOIN_GAP: Final = 0.12
_JOIN_MIN_HEIGHTS: Final = 1.5
# A box so many times as high is a picture taken for text, and what touches its corner is a line of its own.
_JOIN_MAX_HEIGHTS: Final = 6.0
_END_SHARE: Final = 0.35
# Boxes that share this of their rows, this near each other by their height, are one line that fell apart.
_TWIN_SHARE: Final = 0.8
_TWIN_GAP: Final = 0.2
# Glyphs of one line are less than this apart, by the height of its box.
_GLYPH_GAP: Final = 0.75
_MAX_GROWTH: Final = 25.0
# By how many levels text must differ from its ground, and by which share of that a pixel beside it counts as ink.
_MIN_CONTRAST: Final = 8.0
_INK_SHARE: Final = 0.5


def join_pieces(boxes: Boxes) -> Boxes:
    """Join each small box with the large one that it directly stands at, as in a small ￥ before a large amount."""
    if len(boxes) < 2:
        return boxes
    angle = page_angle(boxes.quads)
    level = upright_boxes(turn_back(boxes.quads, angle))
    heights = level[:, 3] - level[:, 1]
    gone = np.zeros(len(boxes), dtype=bool)
    joined = np.array(boxes.quads)
    for small in np.argsort(heights):
        for large in np.flatnonzero((heights >= heights[small]) & ~gone & ~boxes.is_weak):
            is_smaller = heights[large] >= _JOIN_MIN_HEIGHTS * heights[small]
            if large == small or gone[small] or heights[large] > _JOIN_MAX_HEIGHTS * heights[small]:
                continue
            if _is_piece_of(level[small], level[large]) if is_smaller else _joined_twins(level, int(small), int(large)):
                low, high = np.minimum(level[small], level[large])[:2], np.maximum(level[small], level[large])[2:]
                level[large] = np.concatenate([low, high])
                corners = np.array([low, [high[0], low[1]], high, [low[0], high[1]]], dtype=np.float32)
                joined[large] = turn_back(corners[None], -angle)[0]
                gone[small] = True
                break
    return boxes.with_quads(joined).where(~gone)


def grown_quad(rgb: Rgb, quad: Quad, free: tuple[float, float]) -> Quad | None:
    """Lengthen a box to the ink that continues its line; ``None`` if there is none.

    ``free`` is the room to its left and right in pixels, up to the next box.
    """
    width, height = quad_size(quad)
    room = [min(space, _MAX_GROWTH * height) for space in free]
    if width < height or height < 6 or max(room) < 0.15 * height:
        return None
    wide = part_of_quad(quad, -room[0] / width, 1 + room[1] / width)
    gray: Any = cv2.cvtColor(np.ascontiguousarray(crop_quad(rgb, wide)), cv2.COLOR_RGB2GRAY)
    scale = gray.shape[1] / (width + sum(room))
    begin, end = round(room[0] * scale), round((room[0] + width) * scale)
    columns = _ink_columns(gray, begin, end)
    if columns is None:
        return None
    gap = round(_GLYPH_GAP * height * scale)
    left = _follow(columns[:begin][::-1], gap)
    right = _follow(columns[end:], gap)
    if left is None or right is None or left + right < 0.1 * height * scale:
        return None
    pad = 0.12 * height * scale
    lower = (begin - min(begin, left + pad if left else 0)) / gray.shape[1]
    upper = (end + min(gray.shape[1] - end, right + pad if right else 0)) / gray.shape[1]
    return part_of_quad(wide, lower, upper)


def free_room(boxes: NDArray[np.float32], index: int, width_px: int) -> tuple[float, float]:
    """Give the pixels to the left and right of an upright box that no other box of its rows takes, (n, 4) given all."""
    x0, y0, x1, y1 = boxes[index]
    shared = np.minimum(boxes[:, 3], y1) - np.maximum(boxes[:, 1], y0)
    is_near = shared > 0.25 * np.minimum(boxes[:, 3] - boxes[:, 1], y1 - y0)
    is_near[index] = False
    lefts = boxes[is_near & (boxes[:, 2] <= (x0 + x1) / 2), 2]
    rights = boxes[is_near & (boxes[:, 0] >= (x0 + x1) / 2), 0]
    left = x0 - max(lefts, default=0.0)
    right = min(rights, default=float(width_px)) - x1
    return max(0.0, float(left)), max(0.0, float(right))


def _is_piece_of(small: NDArray[np.float32], large: NDArray[np.float32]) -> bool:
    """Whether a lower box stands directly at the begin or end of a higher one, or overlaps it there."""
    height = large[3] - large[1]
    middle = (small[0] + small[2]) / 2
    is_at_end = middle <= large[0] + _END_SHARE * height or middle >= large[2] - _END_SHARE * height
    gap = max(large[0] - small[2], small[0] - large[2])
    overhang = max(large[1] - small[1], small[3] - large[3])
    is_on_baseline = abs(large[3] - small[3]) <= _END_SHARE * height
    is_short = small[2] - small[0] <= 1.6 * (small[3] - small[1])
    return bool(is_at_end and gap <= _JOIN_GAP * height and overhang <= 0.1 * height and (is_short or is_on_baseline))


def _joined_twins(level: NDArray[np.float32], a: int, b: int) -> bool:
    """Whether two boxes of one height follow each other so closely that they are halves of one line."""
    heights = level[[a, b], 3] - level[[a, b], 1]
    shared = min(level[a, 3], level[b, 3]) - max(level[a, 1], level[b, 1])
    gap = max(level[a, 0], level[b, 0]) - min(level[a, 2], level[b, 2])
    is_level = shared >= _TWIN_SHARE * heights.max()
    return bool(is_level and -0.5 * heights.min() <= gap <= _TWIN_GAP * heights.min())


def _ink_columns(gray: NDArray[np.uint8], begin: int, end: int) -> NDArray[np.bool_] | None:
    """Tell which columns hold ink as strong as that between ``begin`` and ``end``; ``None`` without clear ink there."""
    values = gray.astype(np.float32)
    edge = max(1, len(values) // 10)
    ground = np.median(np.concatenate([values[:edge], values[-edge:]]), axis=0)  # of each column
    inner = np.abs(values[:, begin:end] - ground[begin:end])
    contrast = float(np.percentile(inner, 95)) if inner.size else 0.0
    if contrast < _MIN_CONTRAST:
        return None
    middle = values[edge:-edge] if len(values) > 2 * edge else values
    return np.asarray((np.abs(middle - ground) > _INK_SHARE * contrast).sum(axis=0) >= 1)


def _follow(columns: NDArray[np.bool_], gap: int) -> int | None:
    """Go outwards from glyph to glyph; gives the last column of ink, ``None`` if it does not end within the room."""
    reach = 0
    for place in np.flatnonzero(columns):
        if place - reach > gap:
            break
        reach = int(place) + 1
    return None if len(columns) > gap and reach >= len(columns) - 1 else reach
