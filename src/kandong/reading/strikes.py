"""Prices that are struck through: a thin stroke across a number, seen in the pixels of its line.

Owns: telling such a stroke from the glyphs themselves, underlines and borders. Must not know: what the number means.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kandong.reading.quads import Rgb

# Where a stroke may run, by the height of the line's box: underlines and borders of tables are below or above.
_HIGHEST: Final = 0.3
_LOWEST: Final = 0.72
_MAX_SLOPE: Final = 0.3  # from one end to the other, by the height
# Ink is what differs by this share of the strongest ink around from the ground, and by so many levels.
_INK_SHARE: Final = 0.3
_MIN_INK_LEVELS: Final = 10.0
# Of the columns, so many are ink along a stroke; beside it fewer by so much, as glyphs have room between them.
_MIN_COVERED: Final = 0.95
_MIN_STEP: Final = 0.2
_MIN_DISTANCE: Final = 0.12
_MIN_HEIGHT_PX: Final = 9
_MAX_HEIGHT_PX: Final = 48  # larger lines are shrunk to this
_MIN_WIDTH: Final = 0.45


def is_struck(crop: Rgb, left: float, right: float) -> bool:
    """Tell whether a stroke runs through a straightened line, all the way between two fractions of its width."""
    width = crop.shape[1]
    crop = crop[:, max(0, round(left * width)) : min(width, round(right * width) + 1)]
    if not crop.size:
        return False
    if crop.shape[0] > _MAX_HEIGHT_PX:
        size = max(1, crop.shape[1] * _MAX_HEIGHT_PX // crop.shape[0]), _MAX_HEIGHT_PX
        crop = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    height, width = crop.shape[:2]
    if height < _MIN_HEIGHT_PX or width < max(3.0, _MIN_WIDTH * height):
        return False
    ink = _ink(crop)
    if ink is None:
        return False
    first, last = round(_HIGHEST * height), round(_LOWEST * height)
    if ink[first : last + 1].any(axis=0).mean() < _MIN_COVERED:
        return False  # room between glyphs, which a stroke would fill: nearly all numbers end here
    rows = np.arange(first, last + 1)
    rises = np.arange(-round(_MAX_SLOPE * height), round(_MAX_SLOPE * height) + 1)
    share = np.linspace(0, 1, width)
    # All straight strokes by the row where they begin and by how far they sink: (rows, rises, columns)
    places = np.rint(rows[:, None, None] + rises[None, :, None] * share).astype(int)
    is_inside = ((places[..., -1] >= first) & (places[..., -1] <= last)).ravel()
    lines = places.reshape(-1, width)[is_inside]
    # A slanting stroke climbs in steps, so that the pixel above or below counts too; of equal strokes the inkiest.
    covered = _covered(_thickened(ink), lines)
    best = int(np.argmax(covered + 0.1 * _covered(ink, lines)))
    if covered[best] < _MIN_COVERED:
        return False
    away = max(2, round(_MIN_DISTANCE * height))
    return all(
        _covered(ink, np.clip(lines[best] + step, 0, height - 1)[None])[0] <= covered[best] - _MIN_STEP
        for step in _steps_beside(ink, lines[best], away)
    )


def _steps_beside(ink: NDArray[np.bool_], line: NDArray[np.int_], away: int) -> tuple[int, int]:
    """Give the rows to look at above and below a stroke: beyond its own thickness."""
    thickness = [0, 0]
    for side, sign in enumerate((-1, 1)):
        while (
            thickness[side] < away
            and _covered(ink, np.clip(line + sign * (thickness[side] + 1), 0, len(ink) - 1)[None])[0] >= _MIN_COVERED
        ):
            thickness[side] += 1
    return -(thickness[0] + away), thickness[1] + away


def _thickened(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Give the ink one pixel higher and lower; room between glyphs stays open."""
    thick = ink.copy()
    thick[1:] |= ink[:-1]
    thick[:-1] |= ink[1:]
    return thick


def _covered(ink: NDArray[np.bool_], lines: NDArray[np.int_]) -> NDArray[np.float64]:
    """Give the share of ink along lines, (n, columns) of rows."""
    return np.asarray(ink[lines, np.arange(ink.shape[1])].mean(axis=1))


def _ink(crop: Rgb) -> NDArray[np.bool_] | None:
    """Tell which pixels are ink, (height, width); ``None`` where nothing stands out."""
    gray: Any = cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2GRAY)
    values = gray.astype(np.float32)
    edge = max(1, len(values) // 10)
    ground = np.median(np.concatenate([values[:edge], values[-edge:]]), axis=0)
    away = np.abs(values - ground)
    contrast = float(np.percentile(away, 97))
    return None if contrast < _MIN_INK_LEVELS else np.asarray(away >= max(_MIN_INK_LEVELS, _INK_SHARE * contrast))
