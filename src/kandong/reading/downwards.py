"""Tall boxes: a single narrow glyph, a line on its side, or glyphs one under the other.

Owns: the ways in which such a box may be read; the surest one is right. Must not know: where boxes come from, reading.
"""

from __future__ import annotations

import itertools
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kandong.reading.quads import Quad, Rgb, crop_quad, quad_size

# A box up to this height by width may hold one upright glyph; from the second on, glyphs below each other.
_ONE_GLYPH_RATIO: Final = 3.0
_STACK_RATIO: Final = 1.8
_MAX_STACKED: Final = 40


def tall_views(page: Rgb, quad: Quad) -> list[tuple[Rgb, bool]]:
    """Give the crops in which a tall box may be read, and whether the line then runs downwards.

    Centres of a line that does count from its top.
    """
    crop = crop_quad(page, quad)
    width, height = quad_size(quad)
    ratio = height / max(width, 1e-6)
    views: list[tuple[Rgb, bool]] = [(np.ascontiguousarray(np.rot90(crop)), True)]
    if ratio <= _ONE_GLYPH_RATIO:
        views.append((crop, False))
    if ratio >= _STACK_RATIO:
        views.append((_side_by_side(crop), True))
    return views


def _side_by_side(crop: Rgb) -> Rgb:
    """Lay glyphs that stand under each other beside each other, as wide as the column each."""
    height, width = crop.shape[:2]
    num_glyphs = int(np.clip(round(height / max(width, 1)), 2, _MAX_STACKED))
    cuts = _cuts_between(crop, num_glyphs)
    cells: list[Any] = [cv2.resize(crop[a:b], (width, width)) for a, b in itertools.pairwise(cuts)]
    return np.asarray(np.concatenate(cells, axis=1), dtype=np.uint8)


def _cuts_between(crop: Rgb, num_glyphs: int) -> list[int]:
    """Choose rows to cut at: near even distances, where there is least ink."""
    gray: Any = cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2GRAY)
    values: NDArray[np.float32] = gray.astype(np.float32)
    ink = np.abs(values - np.median(values)).sum(axis=1)
    height = len(values)
    pitch = height / num_glyphs
    cuts = [0]
    for number in range(1, num_glyphs):
        low = max(cuts[-1] + 1, round((number - 0.3) * pitch))
        high = max(low + 1, round((number + 0.3) * pitch))
        cuts.append(low + int(np.argmin(ink[low:high])))
    return [*cuts, height]
