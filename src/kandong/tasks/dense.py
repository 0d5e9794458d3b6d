"""Dense pictures in pieces: where print is too small for the model at its token budget, tiles go along with the whole.

Owns: when a picture is dense, and where it is cut. Must not know: prompts, engines' caches, what is asked.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from kandong.reading.report import ImageReading
from kandong.types import Picture
from kandong.vlm.config import PixelConfig
from kandong.vlm.pixels import PixelBudget, plan_grid

# Chinese print below this height, as the model sees it, is read badly.
LEGIBLE_PX: Final = 15
MAX_TILES: Final = 4
_SMALL_SHARE: Final = 0.15
_LARGER: Final = 1.25
_OVERLAP_SHARE: Final = 0.04


def tiles_of(picture: Picture, reading: ImageReading, config: PixelConfig, budget: PixelBudget) -> list[Picture]:
    """Cut a picture whose print is too small for the budget; an empty list where the whole is enough.

    Tiles go from top to bottom, cut between lines of text. They are cut only if that makes print clearly larger.
    """
    heights = sorted(_line_height(line.corners) for line in reading.lines)
    if not heights:
        return []
    scale = _scale(picture.height_px, picture.width_px, config, budget)
    small = [height for height in heights if height * scale < LEGIBLE_PX]
    if len(small) <= _SMALL_SHARE * len(heights):
        return []
    wanted = LEGIBLE_PX / max(1.0, small[len(small) // 2])
    num_tiles = min(MAX_TILES, max(2, math.ceil((wanted / scale) ** 2)))
    edges = _cuts(picture, reading, num_tiles)
    overlap = round(_OVERLAP_SHARE * picture.height_px / num_tiles)
    tiles = []
    for top, bottom in itertools.pairwise(edges):
        rows = slice(max(0, top - overlap), min(picture.height_px, bottom + overlap))
        tiles.append(Picture(np.ascontiguousarray(picture.rgb[rows]), picture.format))
    gains = [_scale(tile.height_px, tile.width_px, config, budget) / scale for tile in tiles]
    return tiles if len(tiles) > 1 and min(gains) >= _LARGER else []


def _scale(height_px: int, width_px: int, config: PixelConfig, budget: PixelBudget) -> float:
    rows, columns = plan_grid(height_px, width_px, config, budget)
    return math.sqrt(rows * columns * config.patch_size**2 / (height_px * width_px))


def _line_height(corners: Sequence[tuple[int, int]]) -> float:
    (x0, y0), _, _, (x3, y3) = corners
    return math.hypot(x3 - x0, y3 - y0)


def _cuts(picture: Picture, reading: ImageReading, num_tiles: int) -> list[int]:
    """Give the rows to cut at: near equal parts, at the row within reach that the fewest lines cross."""
    height = picture.height_px
    crossed = np.zeros(height + 1, np.int32)
    for line in reading.lines:
        crossed[max(0, line.box[1]) : min(height, line.box[3])] += 1
    reach = height // (4 * num_tiles)
    edges = [0]
    for i in range(1, num_tiles):
        middle = height * i // num_tiles
        low, high = max(1, middle - reach), min(height - 1, middle + reach)
        rows = np.arange(low, high + 1)
        edges.append(int(rows[np.lexsort((abs(rows - middle), crossed[low : high + 1]))[0]]))
    return [*dict.fromkeys(edges), height]
