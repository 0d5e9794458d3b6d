"""A sheet of paper that remembers what was written on it.

Owns: backgrounds, drawing of lines, panels and codes, and their exact places. Must not know: what the text means.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

import numpy as np
import segno
from PIL import Image, ImageDraw

from bench.cards.fonts import font
from bench.cards.truth import Card, Phrase, TrueCode, TrueLine

Colour = tuple[int, int, int]


class SheetFullError(ValueError):
    """A phrase would reach over the edge of its sheet."""


class Theme(NamedTuple):
    """Colours that go together: the ground from top to bottom, the ink, the ink of prices, that of small print."""

    top: Colour
    bottom: Colour
    ink: Colour
    accent: Colour
    faint: Colour


THEMES = (
    Theme((255, 255, 255), (255, 255, 255), (34, 34, 34), (220, 30, 30), (130, 130, 130)),
    Theme((250, 246, 236), (240, 230, 210), (60, 45, 30), (190, 50, 30), (140, 125, 105)),
    Theme((214, 40, 40), (170, 16, 30), (255, 250, 240), (255, 224, 120), (245, 190, 180)),
    Theme((255, 228, 230), (255, 200, 210), (110, 30, 50), (214, 20, 70), (150, 95, 110)),
    Theme((226, 244, 230), (190, 226, 200), (20, 70, 44), (200, 60, 20), (90, 130, 105)),
    Theme((24, 36, 62), (10, 16, 34), (240, 240, 245), (250, 204, 100), (140, 150, 175)),
    Theme((222, 236, 252), (180, 208, 244), (20, 44, 96), (210, 40, 40), (95, 115, 150)),
    Theme((255, 240, 200), (255, 206, 120), (90, 40, 0), (196, 30, 10), (150, 105, 45)),
    Theme((40, 40, 40), (18, 18, 18), (235, 235, 230), (255, 130, 60), (150, 150, 145)),
)


@dataclass(frozen=True)
class Style:
    """How a piece of text looks."""

    size_px: int
    ink: Colour
    face: str = "sans"
    is_struck: bool = False


class Sheet:
    """A picture under work. Lines take their reading order from the order of writing."""

    def __init__(self, width_px: int, height_px: int, top: Colour, bottom: Colour) -> None:
        self.width_px, self.height_px = width_px, height_px
        share = np.linspace(0, 1, height_px)[:, None]
        rows = np.array(top) * (1 - share) + np.array(bottom) * share  # (height, 3)
        pixels = np.broadcast_to(rows.round().astype(np.uint8)[:, None], (height_px, width_px, 3))
        self.image = Image.fromarray(np.ascontiguousarray(pixels))
        self.pen = ImageDraw.Draw(self.image)
        self.lines: list[TrueLine] = []
        self.codes: list[TrueCode] = []

    def width_of(self, text: str, style: Style) -> int:
        """Measure a text in pixels."""
        return int(font(style.face, style.size_px).getlength(text)) + 1

    def write(self, phrase: Phrase, xy: tuple[int, int], style: Style, *, column: int = 0, anchor: str = "l") -> int:
        """Write a line with its upper left (by ``anchor`` middle or right) at a point; gives the right end in pixels.

        The height of a line is 1.4 times its size; the text stands in its middle.
        """
        return self.write_pieces([(phrase.text, style)], phrase, xy, column=column, anchor=anchor)

    def write_pieces(
        self,
        pieces: Sequence[tuple[str, Style]],
        phrase: Phrase,
        xy: tuple[int, int],
        *,
        column: int = 0,
        anchor: str = "l",
    ) -> int:
        """Write one line in several styles on a common baseline; together the pieces are the phrase's text."""
        largest = max(style.size_px for _, style in pieces)
        total = sum(self.width_of(text, style) for text, style in pieces)
        x = xy[0] - {"l": 0, "m": total // 2, "r": total}[anchor]
        baseline = xy[1] + round(1.08 * largest)
        boxes = []
        for text, style in pieces:
            opened = font(style.face, style.size_px)
            self.pen.text((x, baseline), text, font=opened, fill=style.ink, anchor="ls")
            box = self.pen.textbbox((x, baseline), text, font=opened, anchor="ls")
            if style.is_struck:
                y = (box[1] + box[3]) // 2
                self.pen.line((box[0] - 2, y, box[2] + 2, y), fill=style.ink, width=max(1, style.size_px // 16))
            boxes.append(box)
            x += self.width_of(text, style)
        x0, y0 = min(b[0] for b in boxes), min(b[1] for b in boxes)
        x1, y1 = max(b[2] for b in boxes), max(b[3] for b in boxes)
        if not (x0 >= 0 and y0 >= 0 and x1 <= self.width_px and y1 <= self.height_px):
            raise SheetFullError(f"{phrase.text!r} does not fit on the sheet")
        is_struck = any(style.is_struck for _, style in pieces)
        quad = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
        self.lines.append(TrueLine(len(self.lines), phrase.text, quad, column, largest, phrase.numbers, is_struck))
        return x

    def fits(self, phrase: Phrase, x: int, right: int, style: Style) -> bool:
        """Tell whether a line would end before a column."""
        return x + self.width_of(phrase.text, style) <= right

    def panel(self, box: tuple[int, int, int, int], fill: Colour, radius: int = 18) -> None:
        """Draw a rounded area."""
        self.pen.rounded_rectangle(box, radius, fill=fill)

    def photo(self, box: tuple[int, int, int, int], rng: Random) -> None:
        """Draw something like a blurred photograph: soft colours without any writing."""
        grid = np.array([[rng.randint(60, 230) for _ in range(3)] for _ in range(12)], np.uint8).reshape(3, 4, 3)
        size = (box[2] - box[0], box[3] - box[1])
        self.image.paste(Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC), box[:2])

    def code(self, text: str, xy: tuple[int, int], side_px: int) -> None:
        """Draw a QR code with its quiet zone in a square of about ``side_px``."""
        made = segno.make(text, error="m", micro=False)
        modules = made.symbol_size(border=4)[0]
        scale = max(3, side_px // modules)
        buffer = io.BytesIO()
        made.save(buffer, kind="png", scale=scale, border=4)
        drawn = Image.open(buffer).convert("RGB")
        self.image.paste(drawn, xy)
        quiet = 4 * scale
        x0, y0, x1, y1 = xy[0] + quiet, xy[1] + quiet, xy[0] + drawn.width - quiet, xy[1] + drawn.height - quiet
        self.codes.append(TrueCode("QRCode", text, ((x0, y0), (x1, y0), (x1, y1), (x0, y1))))

    def card(self, kind: str, seed: int, height_px: int | None = None) -> Card:
        """Give what was drawn, cut to a height."""
        image = self.image if height_px is None else self.image.crop((0, 0, self.width_px, height_px))
        return Card(kind, seed, image, tuple(self.lines), tuple(self.codes))


def wrapped(phrase: Phrase, style: Style, max_width_px: int) -> list[Phrase]:
    """Break a phrase into lines of a width, never inside a number nor before closing punctuation."""
    opened = font(style.face, style.size_px)
    kept = {i for n in phrase.numbers for i in range(n.start + 1, n.end)}
    kept |= {i for i, c in enumerate(phrase.text) if c in "，。、；：？！）%"}
    breaks = [i for i in range(1, len(phrase.text)) if i not in kept] + [len(phrase.text)]
    lines, start, end = [], 0, 0
    for i in breaks:
        if end > start and opened.getlength(phrase.text[start:i]) > max_width_px:
            lines.append(_part(phrase, start, end))
            start = end
        end = i
    return [*lines, _part(phrase, start, end)]


def _part(phrase: Phrase, start: int, end: int) -> Phrase:
    numbers = (n for n in phrase.numbers if start <= n.start and n.end <= end)
    moved = tuple(type(n)(n.start - start, n.end - start, n.kind, n.value, n.unit, n.price_kind) for n in numbers)
    return Phrase(phrase.text[start:end], moved)
