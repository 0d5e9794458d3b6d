"""Draws the pictures of the golden cases.

Owns: what is on each picture, pixel by pixel, from fixed seeds. Must not know: models, prompts, resizing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Name → (width, height). What each size is for stands in README.md.
PICTURE_SIZES_PX: dict[str, tuple[int, int]] = {
    "square": (128, 128),
    "wide": (640, 48),
    "tall": (40, 520),
    "small": (24, 20),
    "large": (600, 450),
    "other": (160, 96),
}
_SEED = 20_240


def _stamp_glyphs(
    rgb: NDArray[np.uint8], rng: np.random.Generator, *, line_px: int, dot_px: int, ink: NDArray[np.uint8]
) -> None:
    """Fill the picture in place with lines of random 6×6-dot glyphs in colour ``ink``; some lines stay short."""
    height_px, width_px, _ = rgb.shape
    side_px = 6 * dot_px
    for top in range(dot_px, height_px - side_px + 1, line_px):
        end = int(width_px * rng.uniform(0.55, 1.0))
        for left in range(dot_px, end - side_px + 1, side_px + dot_px):
            dots = rng.random((6, 6)) < 0.5
            glyph = np.kron(dots, np.ones((dot_px, dot_px), dtype=bool))
            rgb[top : top + side_px, left : left + side_px][glyph] = ink


def draw_picture(name: str) -> NDArray[np.uint8]:
    """Draw one picture as uint8 ``(height, width, 3)``: glyph lines, a ramp, flat blocks and a one-pixel frame.

    The edges are sharp and the finest strokes one pixel wide, so that the choice of resize filter shows.
    """
    width_px, height_px = PICTURE_SIZES_PX[name]
    rng = np.random.default_rng([_SEED, sorted(PICTURE_SIZES_PX).index(name)])
    paper, ink, block, frame = rng.permutation(
        np.array([[250, 246, 230], [20, 30, 70], [225, 40, 35], [15, 140, 90]], dtype=np.uint8)
    )
    rgb = np.tile(paper, (height_px, width_px, 1))
    dot_px = 1 if min(width_px, height_px) < 100 else 2
    _stamp_glyphs(rgb, rng, line_px=9 * dot_px, dot_px=dot_px, ink=ink)
    # A flat block in one corner and a ramp in the opposite one: no flip or transpose maps the picture on itself.
    rgb[: height_px // 3, : width_px // 4] = block
    ramp = np.linspace(0, 255, max(width_px // 3, 1)).astype(np.uint8)
    rgb[-(height_px // 4) :, -len(ramp) :] = np.stack([ramp, ramp[::-1], ramp // 2], axis=-1)
    rgb[height_px // 2, :: max(width_px // 12, 2)] = frame
    rgb[0, :] = rgb[-1, :] = rgb[:, 0] = rgb[:, -1] = frame
    return rgb


def write_pictures(folder: Path) -> None:
    """Write every picture as ``<name>.png`` into ``folder``, which must exist."""
    for name in PICTURE_SIZES_PX:
        Image.fromarray(draw_picture(name)).save(folder / f"{name}.png", optimize=True)
