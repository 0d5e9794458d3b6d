"""Four-cornered boxes around lines of text: their geometry, and cutting them out of a picture.

Owns: corners, angles, overlaps, straightened crops. Must not know: where boxes come from, what the text is.

A quad is float32 (4, 2): x and y of top left, top right, bottom right, bottom left as the line is read; many are
(n, 4, 2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Quad = NDArray[np.float32]  # (4, 2)
Quads = NDArray[np.float32]  # (n, 4, 2)
Rgb = NDArray[np.uint8]  # (height, width, 3)

# From this height by width on, a box is taken for a line that runs downwards.
TALL_RATIO: Final = 1.5


def no_quads() -> Quads:
    """Give an array of no boxes."""
    return np.zeros((0, 4, 2), dtype=np.float32)


@dataclass(frozen=True)
class Boxes:
    """Boxes that a detector found; ``is_weak`` (n,) marks those below its usual threshold."""

    quads: Quads
    is_weak: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.quads)

    def where(self, mask: NDArray[np.bool_]) -> Boxes:
        """Keep the boxes that the mask is true for."""
        return Boxes(self.quads[mask], self.is_weak[mask])

    def with_quads(self, quads: Quads) -> Boxes:
        """Give the same boxes at other places."""
        return Boxes(np.asarray(quads, dtype=np.float32), self.is_weak)


def no_boxes() -> Boxes:
    """Give an empty set of boxes."""
    return Boxes(no_quads(), np.zeros(0, dtype=bool))


def all_boxes(parts: Sequence[Boxes]) -> Boxes:
    """Put sets of boxes together."""
    if not parts:
        return no_boxes()
    return Boxes(np.concatenate([p.quads for p in parts]), np.concatenate([p.is_weak for p in parts]))


def quad_size(quad: Quad) -> tuple[float, float]:
    """Give width and height in pixels along the box's own axes: the longer of opposite sides."""
    width = max(_distance(quad[0], quad[1]), _distance(quad[3], quad[2]))
    height = max(_distance(quad[0], quad[3]), _distance(quad[1], quad[2]))
    return width, height


def is_tall(quad: Quad) -> bool:
    """Whether the box is so much higher than wide that its line must run downwards."""
    width, height = quad_size(quad)
    return height >= TALL_RATIO * width


def upright_boxes(quads: Quads) -> NDArray[np.float32]:
    """Give the axis-parallel boxes around quads: (n, 4) of x0, y0, x1, y1."""
    if not len(quads):
        return np.zeros((0, 4), dtype=np.float32)
    return np.concatenate([quads.min(axis=1), quads.max(axis=1)], axis=1)


def page_angle(quads: Quads) -> float:
    """Estimate by how many radians the lines of a page lean (clockwise positive): the median over wide boxes.

    0.0 if there is no wide box, or if the lean is too small to matter.
    """
    angles, weights = [], []
    for quad in quads:
        width, height = quad_size(quad)
        if width >= 3 * height:
            along = (quad[1] - quad[0]) + (quad[2] - quad[3])
            angles.append(math.atan2(float(along[1]), float(along[0])))
            weights.append(width)
    if not angles:
        return 0.0
    order = np.argsort(angles)
    cumulated = np.cumsum(np.asarray(weights)[order])
    middle = angles[int(order[int(np.searchsorted(cumulated, cumulated[-1] / 2))])]
    return middle if abs(middle) > math.radians(0.3) else 0.0


def turn_back(quads: Quads, angle: float) -> Quads:
    """Turn quads about the origin so that lines leaning by ``angle`` radians become level."""
    if angle == 0.0:
        return quads
    c, s = math.cos(angle), math.sin(angle)
    matrix = np.array([[c, -s], [s, c]], dtype=np.float32)  # points are rows
    return np.asarray(quads @ matrix, dtype=np.float32)


def part_of_quad(quad: Quad, left: float, right: float) -> Quad:
    """Cut a piece out of a quad between two fractions of its width."""
    top, bottom = quad[1] - quad[0], quad[2] - quad[3]
    corners = [quad[0] + left * top, quad[0] + right * top, quad[3] + right * bottom, quad[3] + left * bottom]
    return np.asarray(corners, dtype=np.float32)


def crop_quad(rgb: Rgb, quad: Quad, *, margin: float = 0.0) -> Rgb:
    """Cut a quad out of a picture and straighten it; ``margin`` widens it, as a fraction of its height, on all sides.

    The result is at least 1×1 and has the size of the quad in the picture; beyond the picture its edge is repeated.
    """
    width, height = quad_size(quad)
    if margin:
        quad = _widened(quad, margin * min(width, height))
        width, height = quad_size(quad)
    size = max(1, round(width)), max(1, round(height))
    flat = _as_upright(quad)
    if flat is not None:
        x0, y0, x1, y1 = flat
        if x0 >= 0 and y0 >= 0 and x1 <= rgb.shape[1] and y1 <= rgb.shape[0]:
            return rgb[y0:y1, x0:x1]
    target = np.array([[0, 0], [size[0], 0], size, [0, size[1]]], dtype=np.float32)
    # Only the surroundings of the box are warped: the function refuses pictures with a side over 32,767.
    near, offset = _surroundings(rgb, quad)
    matrix = cv2.getPerspectiveTransform(np.asarray(quad - offset, dtype=np.float32), target)
    crop: Any = cv2.warpPerspective(near, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, dtype=np.uint8)


def overlap_shares(boxes: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the shared area of each pair by the smaller area of the two: (n, m) for (n, 4) and (m, 4) upright boxes."""
    low = np.maximum(boxes[:, None, :2], other[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], other[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    area_other = np.prod(other[:, 2:] - other[:, :2], axis=1)
    smaller = np.minimum(area[:, None], area_other[None])
    return np.asarray(shared / np.maximum(smaller, 1e-6), dtype=np.float32)


def turn_quads(quads: Quads, quarter_turns: int, size_px: tuple[int, int]) -> Quads:
    """Follow quads of a picture of (width, height) through ``np.rot90(picture, quarter_turns)``; corners keep order."""
    width, height = size_px
    turned = np.array(quads, dtype=np.float32)
    for _ in range(quarter_turns % 4):
        x, y = turned[..., 0].copy(), turned[..., 1].copy()
        turned[..., 0], turned[..., 1] = y, width - x
        width, height = height, width
    return turned


def start_at_top_left(quads: Quads) -> Quads:
    """Order the corners anew after a turn, so that the first is the top left of each upright view."""
    ordered = np.empty_like(quads)
    for index, quad in enumerate(quads):
        # Clockwise already; begin at the corner nearest the top left.
        ordered[index] = np.roll(quad, -int(np.argmin(quad.sum(axis=1))), axis=0)
    return ordered


def _distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(math.hypot(a[0] - b[0], a[1] - b[1]))


def _as_upright(quad: Quad) -> tuple[int, int, int, int] | None:
    """Give x0, y0, x1, y1 if the quad is axis-parallel to within half a pixel."""
    x0, y0 = quad[0]
    x1, y1 = quad[2]
    if max(abs(quad[1][1] - y0), abs(quad[3][1] - y1), abs(quad[1][0] - x1), abs(quad[3][0] - x0)) > 0.5:
        return None
    left, top = math.floor(x0 + 0.5), math.floor(y0 + 0.5)
    right, bottom = max(left + 1, math.floor(x1 + 0.5)), max(top + 1, math.floor(y1 + 0.5))
    return left, top, right, bottom


def _widened(quad: Quad, by_px: float) -> Quad:
    along = quad[1] - quad[0]
    down = quad[3] - quad[0]
    along = along / max(float(np.linalg.norm(along)), 1e-6) * by_px
    down = down / max(float(np.linalg.norm(down)), 1e-6) * by_px
    moves = [-along - down, along - down, along + down, -along + down]
    return np.asarray(quad + np.asarray(moves), dtype=np.float32)


def _surroundings(rgb: Rgb, quad: Quad) -> tuple[Rgb, NDArray[np.float32]]:
    low = np.floor(quad.min(axis=0)).astype(int) - 2
    high = np.ceil(quad.max(axis=0)).astype(int) + 2
    x0, y0 = (int(np.clip(v, 0, limit - 1)) for v, limit in zip(low, (rgb.shape[1], rgb.shape[0]), strict=True))
    x1 = int(np.clip(high[0], x0 + 1, rgb.shape[1]))
    y1 = int(np.clip(high[1], y0 + 1, rgb.shape[0]))
    return rgb[y0:y1, x0:x1], np.array([x0, y0], dtype=np.float32)
