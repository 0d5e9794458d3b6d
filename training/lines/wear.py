"""Wears sheets as posts are worn, and cuts their lines out as the product does.

Owns: the damage, the way of points through it, crops. Must not know: what is written.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from kandong.reading.quads import crop_quad
from kandong.reading.recogniser import LINE_HEIGHT_PX

from .sheets import Line, draw_sheet

MAX_WIDTH_PX = 900
_MIN_CROP_PX = 6
# Saved again and again, saved once or twice, in the dark, out of focus, hardly at all.
WAYS = ("jpeg", "light", "noise", "blur", "clean")
_SHARES = [0.68, 0.16, 0.06, 0.05, 0.05]
_BILINEAR, _BICUBIC = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC
_FIRST_FILTERS = [_BICUBIC, Image.Resampling.LANCZOS, _BILINEAR]
_LATER_FILTERS = [_BILINEAR, _BICUBIC]
_HALVED_COLOUR = [2, 2, 2, 1, 0]  # Pillow's numbers for 4:2:0, 4:2:2 and 4:4:4
# Room above and below the ink, and how far a box's ends are shifted against each other, by the height of the type.
_USUAL_ROOM, _MAX_ROOM, _HIGH_SHARE = 0.26, 0.7, 0.25
_MAX_SLANT, _SLANT_SHARE = 0.25, 0.2
_TURNED_SHARE, _MAX_TURN_DEGREES = 0.12, 4.5

Move = Callable[[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Crop:
    """A worn line as the recogniser sees it, (48, width, 3) in RGB, with its text and what wore it.

    ``sharp`` is the same line cut out before the wear, each glyph in the same place.
    """

    pixels: NDArray[np.uint8]
    sharp: NDArray[np.uint8]
    text: str
    way: str


def crops_of(seeds: Iterable[int]) -> list[Crop]:
    """Draw and wear a sheet for each seed, and cut all its lines out."""
    return [crop for seed in seeds for crop in sheet_crops(seed)]


def sheet_crops(seed: int) -> list[Crop]:
    """Draw, wear and cut one sheet. The same seed gives the same crops with the same fonts and libraries."""
    rng, noise = Random(seed), np.random.default_rng(seed)
    image, lines = draw_sheet(rng, noise)
    middle = sorted(line.size_px for line in lines)[len(lines) // 2] if lines else 20
    worn, move, way = _worn(rng, noise, image, middle)
    pixels, before = np.asarray(worn), np.asarray(image)
    crops = []
    for line in lines:
        corners = _box_of(rng, line)
        quad = np.array([move(*corner) for corner in corners], np.float32)
        quad += noise.normal(0, 0.3, (4, 2))
        cut = crop_quad(pixels, quad)
        height, width = cut.shape[:2]
        if height < _MIN_CROP_PX or width < _MIN_CROP_PX:
            continue
        scaled = min(MAX_WIDTH_PX, max(1, math.ceil(LINE_HEIGHT_PX * width / height)))
        sharp = crop_quad(before, np.array(corners, np.float32))
        crops.append(Crop(_resized(cut, scaled), _resized(sharp, scaled), line.text, way))
    return crops


def _box_of(rng: Random, line: Line) -> tuple[tuple[float, float], ...]:
    """Give corners as a detector might: with more or less room around the ink, at times far too high or slanting."""
    size = line.size_px
    most = _MAX_ROOM if rng.random() < _HIGH_SHARE else _USUAL_ROOM
    above, below = rng.uniform(-0.02, most) * size, rng.uniform(-0.02, most) * size
    left, right = rng.uniform(-0.02, 0.4) * size, rng.uniform(-0.02, 0.4) * size
    slant = rng.uniform(-_MAX_SLANT, _MAX_SLANT) * size if rng.random() < _SLANT_SHARE else 0.0
    above, below = above + abs(slant), below + abs(slant)
    x0, y0, x1, y1 = line.x0 - left, line.y0 - above, line.x1 + right, line.y1 + below
    return (x0, y0 - slant), (x1, y0 + slant), (x1, y1 + slant), (x0, y1 - slant)


def _resized(cut: NDArray[np.uint8], width_px: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(np.ascontiguousarray(cut), (width_px, LINE_HEIGHT_PX)), dtype=np.uint8)


def _worn(rng: Random, noise: np.random.Generator, image: Image.Image, size_px: int) -> tuple[Image.Image, Move, str]:
    """Wear a sheet whose type is ``size_px`` high; gives it, the way of its points, and what wore it."""
    was = image.size
    way = rng.choices(WAYS, _SHARES)[0]
    least, most = {"jpeg": (9, 22), "light": (8, 24)}.get(way, (12, 32))
    scale = min(1.0, math.exp(rng.uniform(math.log(least), math.log(most))) / size_px)
    small = image.resize(_scaled(image, scale), rng.choice(_FIRST_FILTERS))
    if way == "blur":
        small = small.filter(ImageFilter.GaussianBlur(size_px * scale * rng.uniform(0.03, 0.1)))
    if way == "noise":
        small = _in_the_dark(rng, noise, small)
    degrees = rng.uniform(-_MAX_TURN_DEGREES, _MAX_TURN_DEGREES) if rng.random() < _TURNED_SHARE else 0.0
    num_saves = rng.randint(2, 5) if way == "jpeg" else rng.randint(1, 2) if way == "light" else rng.randint(0, 1)
    turned = small
    if degrees:
        turned = small.rotate(degrees, _BICUBIC, expand=True, fillcolor=small.getpixel((0, 0)))
    saved = _saved(rng, turned, num_saves, (18, 60) if way == "jpeg" else (30, 75))
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))

    def move(x: float, y: float) -> tuple[float, float]:
        x, y = x * scale, y * scale
        if not degrees:
            return x * saved.width / round(was[0] * scale), y * saved.height / round(was[1] * scale)
        dx, dy = x - small.width / 2, y - small.height / 2
        x, y = dx * cos + dy * sin + turned.width / 2, -dx * sin + dy * cos + turned.height / 2
        return x * saved.width / turned.width, y * saved.height / turned.height

    return saved, move, way


def _in_the_dark(rng: Random, noise: np.random.Generator, image: Image.Image) -> Image.Image:
    light = np.linspace(rng.uniform(0.35, 1), 1, image.width)[None, :, None]
    grain = noise.normal(0, rng.uniform(8, 45), (image.height, image.width, 3))
    values = np.asarray(image, np.float32) * light + grain
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _saved(rng: Random, image: Image.Image, num_saves: int, quality: tuple[int, int]) -> Image.Image:
    """Save as JPEG, scaling to another width in between."""
    for number in range(num_saves):
        if number:
            image = image.resize(_scaled(image, rng.uniform(0.82, 1.2)), rng.choice(_LATER_FILTERS))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=rng.randint(*quality), subsampling=rng.choice(_HALVED_COLOUR))
        image = Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")
    return image


def _scaled(image: Image.Image, scale: float) -> tuple[int, int]:
    return max(8, round(image.width * scale)), max(8, round(image.height * scale))
