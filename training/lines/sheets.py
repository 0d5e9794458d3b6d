"""Draws sheets of lines in any colours and faces, each line with its place.

Owns: looks and places. Must not know: how a sheet is worn, what the texts mean.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bench.cards.fonts import FontMissingError

from .wording import line_text

Colour = tuple[int, ...]
Values = NDArray[np.float64]

_NOTO = "/usr/share/fonts/opentype/noto/"
_TRUETYPE = "/usr/share/fonts/truetype/"
_PACKAGES = "fonts-noto-cjk fonts-wqy-zenhei fonts-wqy-microhei fonts-arphic-gbsn00lp"
# File, face within it, how often. Weights trained with other faces would be others, so none is replaced.
_FACES = (
    (_NOTO + "NotoSansCJK-Regular.ttc", 2, 3),
    (_NOTO + "NotoSansCJK-Bold.ttc", 2, 3),
    (_NOTO + "NotoSerifCJK-Regular.ttc", 2, 2),
    (_NOTO + "NotoSerifCJK-Bold.ttc", 2, 2),
    (_TRUETYPE + "wqy/wqy-zenhei.ttc", 0, 2),
    (_TRUETYPE + "wqy/wqy-microhei.ttc", 0, 2),
    (_TRUETYPE + "arphic-gbsn00lp/gbsn00lp.ttf", 0, 1),
)
_WEIGHTS = [weight for _, _, weight in _FACES]
_SIZES_PX = (16, 18, 20, 22, 24, 26, 28, 30, 34, 38, 44)
_MIN_CONTRAST, _STRONG_CONTRAST, _STRONG_SHARE = 55, 150, 0.3


@dataclass(frozen=True)
class Line:
    """A line of a sheet; its ink lies within ``x0, y0, x1, y1``, in pixels of the sheet."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    size_px: int


def draw_sheet(rng: Random, noise: np.random.Generator) -> tuple[Image.Image, list[Line]]:
    """Draw up to twelve lines; gives the picture and what stands where."""
    size, num_lines = rng.choice(_SIZES_PX), rng.randint(7, 12)
    width = rng.randint(460, 1000)
    ground = _ground(rng)
    below = np.clip(ground + noise.normal(0, 14, 3), 0, 255)
    pitch = size * rng.uniform(1.25, 2.2)
    height = int(pitch * num_lines + size * 1.5)
    image = Image.fromarray(_paper(rng, noise, (width, height), ground, below))
    pen = ImageDraw.Draw(image)
    main_ink = _ink(rng, ground)
    main_face = rng.choices(range(len(_FACES)), _WEIGHTS)[0]
    lines: list[Line] = []
    y = size * 0.5
    for _ in range(num_lines):
        own = size if rng.random() < 0.75 else max(14, int(size * rng.uniform(0.8, 1.5)))
        face = main_face if rng.random() < 0.7 else rng.choices(range(len(_FACES)), _WEIGHTS)[0]
        font = _font(face, own)
        text = _fitted(rng, font, width - 2 * own)
        if not text:
            continue
        length = font.getlength(text)
        x = rng.uniform(own * 0.5, max(own * 0.5, width - own * 0.5 - length)) if rng.random() < 0.5 else own * 0.6
        base = y + 0.9 * own
        if base + 0.3 * own > height:
            break
        if rng.random() < 0.1:
            panel = np.clip(ground + noise.normal(0, 20, 3), 0, 255).astype(int)
            box = (x - own * 0.4, y - 0.2 * own, x + length + own * 0.4, y + 1.3 * own)
            pen.rounded_rectangle(box, 6, fill=tuple(int(v) for v in panel))
        pen.text((x, base), text, font=font, fill=main_ink if rng.random() < 0.7 else _ink(rng, ground), anchor="ls")
        lines.append(_placed(text, font, own, (x, base)))
        y = max(base + 0.12 * own + (pitch - size), y + pitch * own / size)
    return image, lines


def _ground(rng: Random) -> Values:
    ground = np.array([rng.randint(0, 255) for _ in range(3)], float)
    if rng.random() < 0.5:  # nearly white or nearly black, as most posts are
        ground = np.clip(ground * 0.3 + (180 if rng.random() < 0.75 else 0), 0, 255)
    return ground


def _paper(
    rng: Random, noise: np.random.Generator, size_px: tuple[int, int], top: Values, bottom: Values
) -> NDArray[np.uint8]:
    """Give an even shade from top to bottom, or soft spots as of a photograph out of focus."""
    width, height = size_px
    share = np.linspace(0, 1, height)[:, None]
    paper = (top * (1 - share) + bottom * share)[:, None].repeat(width, 1).astype(np.uint8)
    if rng.random() < 0.2:
        spots = np.clip(top + noise.normal(0, 25, (4, 5, 3)), 0, 255).astype(np.uint8)
        paper = np.asarray(cv2.resize(spots, size_px, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    return paper


def _light(colour: Colour | Values | list[int]) -> float:
    return float(0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2])


def _ink(rng: Random, ground: Values) -> Colour:
    """Draw a colour that differs from the ground in its light."""
    for _ in range(50):
        colour = [rng.randint(0, 255) for _ in range(3)]
        if rng.random() < 0.5:
            colour = [int(_light(colour))] * 3
        contrast = abs(_light(colour) - _light(ground))
        if contrast > (_STRONG_CONTRAST if rng.random() < _STRONG_SHARE else _MIN_CONTRAST):
            return tuple(colour)
    return (0, 0, 0) if _light(ground) > 128 else (255, 255, 255)


@functools.lru_cache(400)
def _font(face: int, size_px: int) -> ImageFont.FreeTypeFont:
    path, index, _ = _FACES[face]
    try:
        return ImageFont.truetype(path, size_px, index=index, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise FontMissingError(f"The font {path} is not installed: apt-get install {_PACKAGES}") from error


def _fitted(rng: Random, font: ImageFont.FreeTypeFont, room_px: int) -> str:
    text = line_text(rng)
    while text and font.getlength(text) > room_px:
        text = text[:-1] if rng.random() < 0.9 else text[: max(0, len(text) - 3)]
    return text


def _placed(text: str, font: ImageFont.FreeTypeFont, size_px: int, at: tuple[float, float]) -> Line:
    x, base = at
    ink = font.getbbox(text, anchor="ls")
    top, bottom = min(base - 0.86 * size_px, base + ink[1]), max(base + 0.10 * size_px, base + ink[3])
    if not any("\u4e00" <= c <= "\u9fff" for c in text):
        top, bottom = base + ink[1], base + ink[3]
    return Line(text, x + ink[0], top, x + ink[2], bottom, size_px)
