"""Glyphs as bitmaps, each drawn once: a card is then put together in a few milliseconds.

Owns: the cache. Must not know: cards.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from bench.cards.fonts import font

CELL_PX = 32
HALF_PX = CELL_PX // 2
MARGIN_PX = 6  # a tile is larger than its cell by this on each side, for glyphs that reach over
_CENTRE_ABOVE_BASELINE = 0.38  # of the size: the middle of a Chinese glyph


def halves(sign: str) -> int:
    """Give the width of a character in half cells: 1 for ASCII and ¥, 2 for the rest."""
    return 1 if ord(sign) < 0x100 else 2


def places(text: str, *, is_tight: bool = False) -> list[int]:
    """Give where each glyph begins, in half cells, and the end: Chinese ones at whole cells unless ``is_tight``."""
    at, found = 0, []
    for sign in text:
        at += at % 2 if halves(sign) == 2 and not is_tight else 0
        found.append(at)
        at += halves(sign)
    return [*found, at]


def width_halves(text: str, *, is_tight: bool = False) -> int:
    """Give the width of a text in half cells."""
    return places(text, is_tight=is_tight)[-1]


@lru_cache(maxsize=60_000)
def tile(face: str, size_px: int, sign: str) -> NDArray[np.uint8]:
    """Give a glyph's coverage, 0 to 255, centred in its cell with ``MARGIN_PX`` around: ``(44, 28 or 44)``."""
    drawn = font(face, size_px)
    width = halves(sign) * HALF_PX + 2 * MARGIN_PX
    height = CELL_PX + 2 * MARGIN_PX
    image = Image.new("L", (width, height), 0)
    baseline = height / 2 + _CENTRE_ABOVE_BASELINE * size_px
    ImageDraw.Draw(image).text(((width - drawn.getlength(sign)) / 2, baseline), sign, fill=255, font=drawn, anchor="ls")
    return np.asarray(image)
