"""Finding text in pictures of any size: long ones in overlapping bands, at their full resolution.

Owns: where a picture is cut, and making one set of boxes of what the bands show. Must not know: what the text says.

Bands are as wide as the picture, so no line is ever cut across; they end in blank rows where there are any. What a
seam cuts all the same (huge letters, a photograph) is looked at again in a band laid over the seam.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kandong.reading.quads import Boxes, Rgb, all_boxes, overlap_shares, upright_boxes

Detect = Callable[[Rgb], Boxes]

# Up to this side a picture is looked at in one piece.
MAX_SIDE_PX: Final = 2000
_BAND_PIXELS: Final = 1_600_000
_BAND_MIN_HEIGHT_PX: Final = 320
# Wider pictures are first looked at in this width; where their text turns out small, in up to the full one.
_REDUCED_WIDTH_PX: Final = 1600
_FULL_WIDTH_PX: Final = 6000
_SMALL_TEXT_PX: Final = 18
# A step in brightness from pixel to pixel that counts as ink.
_INK_LEVELS: Final = 24
_BLANK_RUN_PX: Final = 8
_OVERLAP_BLANK_PX: Final = 32
_OVERLAP_INK_PX: Final = 160
_TOUCHES_PX: Final = 3
_SAME_SHARE: Final = 0.5


@dataclass(frozen=True)
class Band:
    """Rows of a picture, the last exclusive."""

    top: int
    bottom: int


def find_text(rgb: Rgb, detect: Detect) -> Boxes:
    """Find all lines of text of a picture; quads in its pixels, each line once."""
    width = rgb.shape[1]
    if width <= MAX_SIDE_PX:
        return _find(rgb, detect)
    found = _find_scaled(rgb, detect, _REDUCED_WIDTH_PX / width)
    if not len(found):
        return found
    heights = np.linalg.norm(found.quads[:, 3] - found.quads[:, 0], axis=1) * (_REDUCED_WIDTH_PX / width)
    if np.percentile(heights, 25) >= _SMALL_TEXT_PX:
        return found
    return _find_scaled(rgb, detect, min(1.0, _FULL_WIDTH_PX / width))


def plan_bands(rgb: Rgb) -> list[Band]:
    """Choose the bands in which a picture is looked at; together they cover it, and neighbours overlap."""
    height, width = rgb.shape[:2]
    if height <= MAX_SIDE_PX and width <= MAX_SIDE_PX:
        return [Band(0, height)]
    band_px = int(np.clip(_BAND_PIXELS / width, _BAND_MIN_HEIGHT_PX, MAX_SIDE_PX))
    ink = row_ink(rgb)
    bands: list[Band] = []
    top = 0
    while height - top > band_px + band_px // 4:
        cut, overlap = _choose_cut(ink, top + band_px * 3 // 5, top + band_px)
        bands.append(Band(top, min(height, cut + overlap // 2)))
        top = cut - overlap // 2
    bands.append(Band(top, height))
    return bands


def row_ink(rgb: Rgb) -> NDArray[np.int32]:
    """Count for each row the pixels whose brightness differs clearly from their left neighbour's."""
    if rgb.shape[1] < 2:
        return np.zeros(len(rgb), dtype=np.int32)
    gray: Any = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    steps = cv2.absdiff(gray[:, 1:], gray[:, :-1]) > _INK_LEVELS
    return np.asarray(steps.sum(axis=1), dtype=np.int32)


def merge_bands(bands: list[Band], found: list[Boxes]) -> Boxes:
    """Make one set of what neighbouring bands show; quads are in pixels of the picture.

    Of two boxes around the same line the one that no seam cuts is kept, else the larger.
    """
    kept: list[Boxes] = []
    for index, boxes in enumerate(found):
        if not kept or not len(boxes) or not len(kept[-1]):
            kept.append(boxes)
            continue
        shares = overlap_shares(upright_boxes(kept[-1].quads), upright_boxes(boxes.quads))
        drop_before, drop_after = np.zeros(len(kept[-1]), bool), np.zeros(len(boxes), bool)
        worth_before = _worth(kept[-1], bands[index - 1].bottom, is_lower_edge=True)
        worth_after = _worth(boxes, bands[index].top, is_lower_edge=False)
        for i, j in zip(*np.nonzero(shares > _SAME_SHARE), strict=True):
            if drop_before[i] or drop_after[j]:
                continue
            if worth_before[i] >= worth_after[j]:
                drop_after[j] = True
            else:
                drop_before[i] = True
        kept[-1] = kept[-1].where(~drop_before)
        kept.append(boxes.where(~drop_after))
    return all_boxes(kept)


def _find_scaled(rgb: Rgb, detect: Detect, scale: float) -> Boxes:
    if scale >= 1.0:
        return _find(rgb, detect)
    size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
    small: Any = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    factors = np.array([rgb.shape[1] / size[0], rgb.shape[0] / size[1]], dtype=np.float32)
    found = _find(small, detect)
    return found.with_quads(found.quads * factors)


def _find(rgb: Rgb, detect: Detect) -> Boxes:
    bands = plan_bands(rgb)
    if len(bands) == 1:
        return detect(rgb)
    with ThreadPoolExecutor(2, thread_name_prefix="bands") as pool:
        # While one band is in the detector, the next is scaled and the last one's map is turned into boxes.
        found = list(pool.map(lambda band: _detect_band(rgb, band, detect), bands))
    merged = merge_bands(bands, found)
    for before, after in itertools.pairwise(bands):
        merged = _heal_seam(rgb, merged, before, after, detect)
    return merged


def _detect_band(rgb: Rgb, band: Band, detect: Detect) -> Boxes:
    found = detect(rgb[band.top : band.bottom])
    return found.with_quads(found.quads + np.array([0, band.top], dtype=np.float32))


def _heal_seam(rgb: Rgb, boxes: Boxes, before: Band, after: Band, detect: Detect) -> Boxes:
    """Look again at boxes that end at a seam, in a band with the seam in its middle."""
    upright = upright_boxes(boxes.quads)
    ends_above = (abs(upright[:, 3] - before.bottom) <= _TOUCHES_PX) & (upright[:, 1] < after.top)
    begins_below = (abs(upright[:, 1] - after.top) <= _TOUCHES_PX) & (upright[:, 3] > before.bottom)
    is_cut = ends_above | begins_below
    if not is_cut.any():
        return boxes
    half = max(before.bottom - before.top, after.bottom - after.top) // 2
    seam = (after.top + before.bottom) // 2
    again = Band(max(0, seam - half), min(rgb.shape[0], seam + half))
    fresh = _detect_band(rgb, again, detect)
    if not len(fresh):
        return boxes
    fresh_upright = upright_boxes(fresh.quads)
    is_whole = (fresh_upright[:, 1] > again.top + _TOUCHES_PX) & (fresh_upright[:, 3] < again.bottom - _TOUCHES_PX)
    shares = overlap_shares(upright[is_cut], fresh_upright)
    wanted = np.asarray(is_whole & (shares > _SAME_SHARE).any(axis=0))
    # A fresh box replaces every box that lies in it, cut or not.
    is_replaced = np.asarray((overlap_shares(upright, fresh_upright[wanted]) > _SAME_SHARE).any(axis=1))
    return all_boxes([boxes.where(~is_replaced), fresh.where(wanted)])


def _choose_cut(ink: NDArray[np.int32], low: int, high: int) -> tuple[int, int]:
    """Choose a row to cut at between two rows: the middle of the longest blank run, else where there is least ink.

    Gives the row and the overlap that it needs.
    """
    window = ink[low:high]
    is_blank = np.concatenate([[False], window <= 2, [False]])
    edges = np.flatnonzero(is_blank[1:] != is_blank[:-1])
    starts, ends = edges[0::2], edges[1::2]
    if len(starts):
        longest = int(np.argmax(ends - starts))
        if ends[longest] - starts[longest] >= _BLANK_RUN_PX:
            return low + int(starts[longest] + ends[longest]) // 2, _OVERLAP_BLANK_PX
    smooth = np.convolve(window, np.ones(25), mode="same")
    return low + int(np.argmin(smooth)), _OVERLAP_INK_PX


def _worth(found: Boxes, seam: int, *, is_lower_edge: bool) -> NDArray[np.float64]:
    """Rank boxes: whole ones before cut ones, sure ones before weak ones, then by area."""
    boxes = upright_boxes(found.quads)
    edge = boxes[:, 3] if is_lower_edge else boxes[:, 1]
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return np.asarray(
        np.where(abs(edge - seam) > _TOUCHES_PX, 2e9, 0) + np.where(found.is_weak, 0, 1e9) + area, dtype=np.float32
    )
