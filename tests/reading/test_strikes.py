"""Strokes through prices: seen on cards of every wear, and in nothing that merely has lines."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from bench.cards import wear
from bench.cards.make import make_card
from bench.cards.truth import Card
from kandong.reading.quads import Rgb
from kandong.reading.reader import read_picture
from kandong.reading.report import PlacedNumber
from kandong.reading.strikes import is_struck
from kandong.types import Picture

FONT = ImageFont.load_default(size=32)


def crop(
    text: str, *strokes: tuple[float, float, float, float], width: int = 3, ink: int = 30, ground: int = 240
) -> Rgb:
    """Draw a line of text as its crop; strokes are from x, y to x, y as fractions of the crop."""
    wide = round(FONT.getlength(text)) + 8
    image = Image.new("RGB", (wide, 40), (ground,) * 3)
    pen = ImageDraw.Draw(image)
    pen.text((4, 32), text, fill=(ink,) * 3, font=FONT, anchor="ls")
    for x0, y0, x1, y1 in strokes:
        pen.line((x0 * wide, y0 * 40, x1 * wide, y1 * 40), fill=(ink,) * 3, width=width)
    return np.asarray(image)


@pytest.mark.parametrize("text", ["$128", "1888", "$8", "199.00", "777"])
@pytest.mark.parametrize("stroke", [(0, 0.5, 1, 0.5), (0, 0.62, 1, 0.42), (0, 0.42, 1, 0.62)])
@pytest.mark.parametrize("width", [1, 3, 5])
def test_a_stroke_over_all_glyphs_is_seen_and_its_absence_too(
    text: str, stroke: tuple[float, float, float, float], width: int
) -> None:
    assert is_struck(crop(text, stroke, width=width), 0.1, 0.9)
    assert is_struck(crop(text, stroke, width=width, ink=230, ground=40), 0.1, 0.9)
    assert not is_struck(crop(text), 0.1, 0.9)


@pytest.mark.parametrize(
    ("name", "strokes", "width"),
    [
        ("an underline", [(0, 0.92, 1, 0.92)], 3),
        ("a double underline", [(0, 0.88, 1, 0.88), (0, 0.97, 1, 0.97)], 2),
        ("borders of a table", [(0, 0.02, 1, 0.02), (0, 0.98, 1, 0.98), (0.01, 0, 0.01, 1), (0.99, 0, 0.99, 1)], 2),
        ("a rule that ends before the glyphs", [(0, 0.5, 0.2, 0.5)], 3),
        ("a bar as thick as the type", [(0, 0.5, 1, 0.5)], 34),
        ("a cross line from corner to corner", [(0, 0.05, 1, 0.95)], 3),
    ],
)
def test_other_lines_are_no_stroke(name: str, strokes: list[tuple[float, float, float, float]], width: int) -> None:
    assert not is_struck(crop("$1288", *strokes, width=width), 0.1, 0.9), name


def test_nothing_is_seen_where_nothing_is() -> None:
    for size in ((1, 1), (40, 3), (9, 200), (300, 900)):
        assert not is_struck(np.full((*size, 3), 200, dtype=np.uint8), 0.1, 0.9)
        assert not is_struck(np.full((*size, 3), 200, dtype=np.uint8), 1.0, 1.0)
        assert not is_struck(np.full((*size, 3), 200, dtype=np.uint8), 0.9, 0.1)


def prices(card: Card) -> list[PlacedNumber]:
    reading = read_picture(Picture(np.asarray(card.image), "PNG"))
    return [placed for placed in reading.numbers if placed.number.kind == "price"]


def struck_amounts(card: Card) -> list[str]:
    return sorted(n.value for line in card.lines if line.is_struck for n in line.numbers if n.kind == "price")


def posted(card: Card, rng: Random) -> Card:
    return wear.reposted(card, rng, shrink=(0.5, 0.75), saves=(1, 2), quality=(20, 40))


@pytest.mark.parametrize("worn", ["clean", "turned", "compressed"])
def test_struck_prices_of_cards_are_original_prices(worn: str) -> None:
    card = make_card("strike_through", 61_000_004)
    if worn != "clean":
        card = (wear.turned if worn == "turned" else posted)(card, Random(7))
    found = prices(card)
    assert sorted(n.number.canonical for n in found if n.is_struck) == struck_amounts(card) != []
    assert all(n.number.price_kind == "original" for n in found if n.is_struck)
    assert any(not n.is_struck for n in found)


@pytest.mark.parametrize("kind", ["table", "poster"])
def test_prices_of_cards_without_strokes_are_not_struck(kind: str) -> None:
    found = prices(make_card(kind, 61_000_001))
    assert found
    assert not any(n.is_struck for n in found)
