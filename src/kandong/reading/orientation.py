"""Pages that lie on their side or stand on their head, turned upright.

Owns: deciding by how many quarter turns. Must not know: reading, order. Single lines that run downwards stay so.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from kandong.reading.ocr import Ocr
from kandong.reading.quads import Boxes, Quads, Rgb, crop_quad, is_tall, quad_size, start_at_top_left, turn_quads

_MAX_ASKED: Final = 9
_MAJORITY: Final = 0.6


def upright_page(rgb: Rgb, found: Boxes, ocr: Ocr) -> tuple[Rgb, Boxes, int]:
    """Turn page and boxes by 0 to 3 quarter turns anticlockwise, so that most lines run from left to right."""
    turns = 0
    quads = found.quads
    if _tall_share(quads) > _MAJORITY:
        rgb, quads, turns = _turned(rgb, quads, 1)
    longest = sorted(quads, key=lambda q: -quad_size(q)[0])[:_MAX_ASKED]
    level = [crop_quad(rgb, quad) for quad in longest if not is_tall(quad)]
    if ocr.upside_down_share(level) > _MAJORITY:
        rgb, quads, _ = _turned(rgb, quads, 2)
        turns += 2
    return rgb, found.with_quads(quads), turns


def _tall_share(quads: Quads) -> float:
    """Give the share of tall boxes among those that are clearly longer than wide, by length; 0.0 below two boxes."""
    lengths = {True: 0.0, False: 0.0}
    count = 0
    for quad in quads:
        width, height = quad_size(quad)
        if max(width, height) >= 2 * min(width, height):
            lengths[height > width] += max(width, height)
            count += 1
    total = sum(lengths.values())
    return lengths[True] / total if count >= 2 and total else 0.0


def _turned(rgb: Rgb, quads: Quads, quarter_turns: int) -> tuple[Rgb, Quads, int]:
    size = rgb.shape[1], rgb.shape[0]
    turned = start_at_top_left(turn_quads(quads, quarter_turns, size))
    return np.ascontiguousarray(np.rot90(rgb, quarter_turns)), turned, quarter_turns
