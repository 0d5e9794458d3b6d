"""Draws small cards on a grid, with exact truth: what the miniature is trained and measured on.

Owns: what is written on a card, where, and in which colours. Must not know: questions, tokens, models.

Every row of text lies on a row of 32-pixel cells, give or take two pixels; a Chinese glyph fills a cell, and two digits
share one. That is far simpler than real posts, on purpose: the miniature has to read it without fault, so that a fault
of the engine shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from . import wording
from .glyphs import CELL_PX, HALF_PX, MARGIN_PX, places, tile
from .tokens import CARD_HAN

JITTER_PX = 2
_NUM_HELD_OUT_SHARE = 10  # one text or amount in so many is kept for measuring
_FIELDS = ("price", "original_price", "date", "phone", "threshold", "gift")


@dataclass(frozen=True)
class Style:
    """What may vary between sets of cards. ``shapes`` are columns and rows of cells, ``grain`` the most
    noise on pixels.

    With ``is_tight`` a Chinese glyph may lie across two cells, after an odd number of digits; with ``is_scattered``
    each row begins where it likes, and else all at one margin.
    """

    shapes: tuple[tuple[int, int], ...]
    sizes_px: tuple[int, ...]
    faces: tuple[str, ...]
    is_held_out: bool
    grain: float = 3.0
    is_tight: bool = False
    is_scattered: bool = False


TRAINED = Style(
    shapes=((10, 8), (8, 10), (10, 6), (9, 7), (7, 9), (6, 10)),
    sizes_px=(26, 28, 30),
    faces=("sans", "sans-bold"),
    is_held_out=False,
)
# Smaller glyphs and more grain were too much for the time there was.
VARIED = replace(TRAINED, sizes_px=(22, 24, 26, 28, 30), grain=6.0)
SCATTERED = replace(VARIED, shapes=(*TRAINED.shapes, (10, 10)), is_scattered=True)
TIGHT = replace(SCATTERED, is_tight=True)
# Nothing of these is trained: shapes, sizes between, and amounts, dates, numbers, goods and gifts kept apart.
HELD_OUT = Style(
    shapes=((9, 8), (8, 9), (10, 7), (9, 9), (8, 8), (9, 10)),
    sizes_px=(27, 29),
    faces=("sans", "sans-bold"),
    is_held_out=True,
)
NEW_FACE = Style(HELD_OUT.shapes, HELD_OUT.sizes_px, ("serif",), is_held_out=True)


@dataclass
class Row:
    """One text at a row of cells, from a half cell on; ``places`` are where its glyphs begin, counted from there."""

    text: str
    row: int
    start_half: int
    places: list[int]


@dataclass
class Card:
    """A picture ``(rows * 32, columns * 32, 3)`` and what is on it; ``fields`` holds ``None`` for what is absent."""

    picture: NDArray[np.uint8]
    columns: int
    rows: int
    lines: list[Row]
    colour: str
    fields: dict[str, str | None] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All lines from top to bottom."""
        return "\n".join(line.text for line in self.lines)


def is_kept_apart(text: str) -> bool:
    """Tell whether a text belongs to the measuring sets: a fixed tenth of all texts."""
    total = 0
    for sign in text:
        total = (total * 31 + ord(sign)) % 1_000_003
    return (total * 7919 >> 3) % _NUM_HELD_OUT_SHARE == 0


class Writer:
    """Chooses what a card says; texts that are kept apart only if ``is_held_out``."""

    def __init__(self, rng: Random, style: Style, columns: int) -> None:
        self.rng, self.style, self.columns = rng, style, columns

    def fresh(self, make: object) -> str:
        """Draw until the text is on the right side of what is kept apart."""
        assert callable(make)
        text = str(make())
        for _ in range(300):
            if is_kept_apart(text) == self.style.is_held_out:
                return text
            text = str(make())
        return text

    def amount(self) -> str:
        """An amount as shops write it: 9.9, 39, 199, 1299."""
        rng = self.rng

        def make() -> str:
            whole = rng.choice((rng.randint(1, 99), rng.randint(10, 999), rng.randint(100, 4999)))
            return f"{whole}.{rng.randint(1, 9)}" if rng.random() < 0.3 else str(whole)

        return self.fresh(make)

    def width(self, text: str) -> int:
        """Give the width of a text in half cells."""
        return places(text, is_tight=self.style.is_tight)[-1]

    def fitting(self, *texts: str) -> str | None:
        """Give the first text that fits the width, or None."""
        return next((text for text in texts if self.width(text) <= 2 * self.columns), None)

    def price(self, labels: tuple[str, ...]) -> tuple[str | None, str]:
        """A row with a price, and its amount."""
        rng, value = self.rng, self.amount()
        money = rng.choice(("¥{}", "{}元", "{}")).format(value)
        return self.fitting(rng.choice(labels) + rng.choice(("", "", "：", " ", ":")) + money), value

    def date(self) -> tuple[str | None, str]:
        """A row with days from and to, and the days as they are written."""
        rng = self.rng

        def make() -> str:
            month, later = rng.randint(1, 12), rng.randint(1, 12)
            first, last = sorted(rng.sample(range(1, 31), 2))
            days = f"{month}月{first}日"
            return rng.choice(
                (
                    f"{days}-{last}日",
                    f"{days}-{later}月{last}日",
                    f"{month}.{first}-{later}.{last}",
                    f"{days}至{last}日",
                )
            )

        value = self.fresh(make)
        label = rng.choice(wording.DATE_LABELS)
        return self.fitting(label + rng.choice(("", "：", " ")) * bool(label) + value, label + value, value), value

    def phone(self) -> tuple[str | None, str]:
        """A row with a telephone number, and its digits."""
        rng = self.rng

        def make() -> str:
            if rng.random() < 0.25:
                return "400" + "".join(rng.choices("0123456789", k=7))
            return "1" + rng.choice("35789") + "".join(rng.choices("0123456789", k=9))

        value = self.fresh(make)
        label = rng.choice(wording.PHONE_LABELS)
        return self.fitting(label + rng.choice(("", "：", " ", ":")) + value, label + value), value

    def threshold(self) -> tuple[str | None, str]:
        """A row with 满300减50, and the offer."""
        rng = self.rng

        def make() -> str:
            least = rng.choice(
                (50, 58, 66, 88, 99, 100, 128, 159, 188, 199, 200, 268, 299, 300, 399, 500, 666, 888, 999)
            )
            return (
                f"满{least}减{rng.choice([less for less in (5, 8, 10, 15, 20, 30, 40, 50, 80, 100) if less < least])}"
            )

        value = self.fresh(make)
        return self.fitting(rng.choice(wording.THRESHOLD_LABELS) + value, value), value

    def gift(self) -> tuple[str | None, str]:
        """A row with a gift, and the gift."""
        rng = self.rng
        value = rng.choice(wording.GIFTS)
        row = self.fresh(lambda: rng.choice(wording.GIFT_LABELS) + rng.choice(("", "：", " ")) + value)
        return self.fitting(row, "送" + value), value

    def headline(self) -> str | None:
        """A row that names goods, a shop or an occasion."""
        rng = self.rng

        def make() -> str:
            which = rng.random()
            if which < 0.55:
                return (rng.choice(wording.BRANDS) if rng.random() < 0.5 else "") + rng.choice(wording.GOODS)
            return rng.choice(wording.TITLES if which < 0.85 else wording.SHOPS)

        for _ in range(20):
            if (row := self.fitting(self.fresh(make))) is not None:
                return row
        return None

    def filler(self) -> str | None:
        """A row that nothing is asked about, some with numbers that must not be taken for a price."""
        rng = self.rng
        text = rng.choice(wording.FILLERS)
        while "{n}" in text:
            text = text.replace("{n}", str(rng.choice((rng.randint(1, 9), rng.randint(10, 99), 100, 500))), 1)
        return self.fitting(text)

    def random_row(self, *, is_full: bool = False, is_han: bool = False, is_even: bool = False) -> str:
        """A row without sense, so that reading cannot become guessing.

        ``is_han`` leaves out what is half as wide as a cell, ``is_even`` keeps it in pairs that fill one.
        """
        rng = self.rng
        if is_even:
            return "".join(
                rng.choice(CARD_HAN) if rng.random() < 0.7 else "".join(rng.choices("0123456789.-:¥", k=2))
                for _ in range(self.columns)
            )
        if is_han:
            return "".join(rng.choices(CARD_HAN, k=rng.randint(1, self.columns)))
        text, most = "", 2 * self.columns if is_full else rng.randint(2, 2 * self.columns)
        while self.width(text) < most - 1:
            if rng.random() < 0.6:
                text += "".join(rng.choices(CARD_HAN, k=rng.randint(1, 5)))
            else:
                text += "".join(
                    rng.choices("0123456789012345678901234567890123456789.-:¥：，、（）元", k=rng.randint(1, 6))
                )
        while self.width(text) > most:
            text = text[:-1]
        return text


def promotion(writer: Writer, most_rows: int) -> tuple[list[str], dict[str, str | None]]:
    """Choose the rows of a promotion, top to bottom, and what its fields are."""
    rng = writer.rng
    fields: dict[str, str | None] = dict.fromkeys(_FIELDS)
    makers = {
        "price": lambda: writer.price(wording.PRICE_LABELS),
        "original_price": lambda: writer.price(wording.ORIGINAL_LABELS),
        "date": writer.date,
        "phone": writer.phone,
        "threshold": writer.threshold,
        "gift": writer.gift,
    }
    chances = {"price": 0.75, "original_price": 0.55, "date": 0.5, "phone": 0.45, "threshold": 0.45, "gift": 0.5}
    wanted = [name for name in _FIELDS if rng.random() < chances[name]]
    rng.shuffle(wanted)
    room = most_rows - 1
    rows: list[str] = []
    for name in wanted[:room]:
        text, value = makers[name]()
        if text is not None:
            rows.append(text)
            fields[name] = value
    while len(rows) < room and rng.random() < 0.3:
        extra = writer.random_row() if rng.random() < 0.25 else writer.filler()
        if extra is not None:
            rows.append(extra)
    rng.shuffle(rows)
    headline = writer.headline()
    if headline is not None and (rng.random() < 0.9 or not rows):
        rows.insert(0 if rng.random() < 0.85 else rng.randint(0, len(rows)), headline)
    return rows or [writer.random_row()], fields


def draw_card(
    rng: Random,
    style: Style,
    *,
    shape: tuple[int, int] | None = None,
    is_random: bool = False,
    is_dense: bool = False,
    is_han: bool = False,
    is_painted: bool = True,
) -> Card:
    """Make a card. ``shape`` fixes columns and rows of cells; ``is_random`` gives rows without sense and no fields,
    ``is_dense`` fills the card with them, ``is_han`` lets no glyph lie across two cells.

    Without ``is_painted`` the picture is left black, for a language model that learns on stand-ins.
    """
    columns, num_rows = shape or rng.choice(style.shapes)
    writer = Writer(rng, style, columns)
    most_rows = min(num_rows, 8)
    fields: dict[str, str | None]
    if is_dense:
        texts, fields = [writer.random_row(is_full=True, is_even=is_han) for _ in range(num_rows)], {}
    elif is_random:
        texts = [writer.random_row(is_han=is_han) for _ in range(rng.randint(1, most_rows))]
        fields = {}
    else:
        texts, fields = promotion(writer, most_rows)
    rows = sorted(rng.sample(range(num_rows), len(texts))) if rng.random() < 0.5 else None
    first = rng.randint(0, num_rows - len(texts))
    lines = []
    widths = [writer.width(text) for text in texts]
    margin = 2 * rng.randint(0, 1) if max(widths) <= 2 * columns - 2 else 0
    for i, text in enumerate(texts):
        free = 2 * columns - widths[i]
        start = rng.choice((0, free // 2, rng.randint(0, free))) if style.is_scattered else margin
        start -= start % 2 if is_han or not style.is_tight else 0
        begins = places(text, is_tight=style.is_tight)[:-1]
        lines.append(Row(text, rows[i] if rows else first + i, start, begins))
    if not is_painted:
        black = np.zeros((num_rows * CELL_PX, columns * CELL_PX, 3), np.uint8)
        return Card(black, columns, num_rows, lines, "黑色", fields)
    colour, picture = _paint(rng, style, columns, num_rows, lines)
    return Card(picture, columns, num_rows, lines, colour, fields)


def _paint(rng: Random, style: Style, columns: int, num_rows: int, lines: list[Row]) -> tuple[str, NDArray[np.uint8]]:
    colour = rng.choice(list(wording.COLOURS))
    ground = np.array([min(255, max(0, c + rng.randint(-14, 14))) for c in wording.COLOURS[colour]], np.float32)
    height, width = num_rows * CELL_PX, columns * CELL_PX
    canvas = np.empty((height + 2 * MARGIN_PX + 2 * JITTER_PX, width + 2 * MARGIN_PX + 2 * JITTER_PX, 3), np.float32)
    canvas[:] = ground
    slope = rng.uniform(-14, 14)
    canvas += np.linspace(-slope, slope, canvas.shape[0], dtype=np.float32)[:, None, None]
    face, size_px = rng.choice(style.faces), rng.choice(style.sizes_px)
    for line in lines:
        ink = _ink(rng, ground)
        line_face = face if rng.random() < 0.8 else rng.choice(style.faces)
        line_size = size_px if rng.random() < 0.7 else rng.choice(style.sizes_px)
        x = line.start_half * HALF_PX + JITTER_PX + rng.randint(-JITTER_PX, JITTER_PX)
        y = line.row * CELL_PX + JITTER_PX + rng.randint(-JITTER_PX, JITTER_PX)
        for sign, begin in zip(line.text, line.places, strict=True):
            glyph, left = tile(line_face, line_size, sign), x + begin * HALF_PX
            part = canvas[y : y + glyph.shape[0], left : left + glyph.shape[1]]
            part += (ink - part) * (glyph.astype(np.float32) / 255.0)[:, :, None]
    edge = MARGIN_PX + JITTER_PX
    canvas = canvas[edge : edge + height, edge : edge + width]
    if rng.random() < 0.5:
        noise = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(1, style.grain), canvas.shape)
        canvas = canvas + noise.astype(np.float32)
    return colour, np.clip(canvas, 0, 255).astype(np.uint8)


def _ink(rng: Random, ground: NDArray[np.float32]) -> NDArray[np.float32]:
    """Choose a colour that stands out from the ground."""
    light = float(ground @ np.array([0.3, 0.59, 0.11], np.float32))
    for _ in range(60):
        ink = np.array([rng.randint(0, 255) for _ in range(3)], np.float32)
        if abs(float(ink @ np.array([0.3, 0.59, 0.11], np.float32)) - light) > 110:
            return ink
    return np.full(3, 0.0 if light > 127 else 255.0, np.float32)
