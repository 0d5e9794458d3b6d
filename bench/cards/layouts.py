"""Layouts of posters: headline, prices, promotions, small print, shop details.

Owns: where things stand on a poster. Must not know: how a card is worn; other kinds of cards are in screens.py.
"""

from __future__ import annotations

from random import Random

from bench.cards import phrases, words
from bench.cards.phrases import Maker, join
from bench.cards.sheet import THEMES, Sheet, Style, Theme
from bench.cards.truth import Card, Phrase

SIZES_PX = ((1080, 1440), (1080, 1350), (900, 1200), (1242, 1660), (1080, 1080))


def sheet_of(rng: Random, width_px: int, height_px: int, *, is_light: bool = False) -> tuple[Sheet, Theme]:
    """Choose a theme and make an empty sheet."""
    theme = rng.choice([t for t in THEMES if not is_light or sum(t.bottom) > 450])
    return Sheet(width_px, height_px, theme.top, theme.bottom), theme


def faces(rng: Random) -> tuple[str, str]:
    """Choose the face of text and the face of headlines."""
    return rng.choice(
        (("sans", "sans-bold"), ("sans", "serif-bold"), ("serif", "serif-bold"), ("sans-bold", "sans-bold"))
    )


def poster(rng: Random, seed: int, kind: str = "poster") -> Card:
    """Draw a clean poster of phone size."""
    width, height = rng.choice(SIZES_PX)
    sheet, theme = sheet_of(rng, width, height)
    text, head = faces(rng)
    unit = width // 27
    left = width // 2 if rng.random() < 0.4 else 2 * unit
    anchor = "m" if left == width // 2 else "l"
    y = 2 * unit
    sheet.write(phrases.title(rng), (left, y), Style(round(2.6 * unit), theme.accent, head), anchor=anchor)
    y += 4 * unit
    sheet.write(phrases.slogan(rng), (left, y), Style(round(1.1 * unit), theme.ink, text), anchor=anchor)
    y += round(2.4 * unit)
    if rng.random() < 0.5:
        sheet.photo((0, y, width, y + 6 * unit), rng)
        y += 7 * unit
    details = height - 7 * unit
    while y < details - 3 * unit:
        size = rng.choice((1.0, 1.2, 1.5)) * unit
        phrase = rng.choice((*phrases.PROMOTIONS, phrases.goods))(rng)
        ink = theme.accent if phrase.numbers and rng.random() < 0.5 else theme.ink
        sheet.write(phrase, (left, y), Style(round(size), ink, rng.choice((text, head))), anchor=anchor)
        y += round(size * 1.4 + unit * rng.choice((0.4, 0.7, 1.0)))
    _foot(rng, sheet, theme, text, unit, details)
    return sheet.card(kind, seed)


def _foot(rng: Random, sheet: Sheet, theme: Theme, text: str, unit: int, y: int) -> None:
    """Write the shop's details, sometimes beside a code, and a disclaimer."""
    has_code = rng.random() < 0.4
    for maker in rng.sample(phrases.SERVICE, 3):
        sheet.write(maker(rng), (2 * unit, y), Style(round(0.85 * unit), theme.ink, text))
        y += round(1.7 * unit)
    sheet.write(phrases.disclaimer(rng), (2 * unit, y), Style(round(0.7 * unit), theme.faint, text))
    if has_code:
        sheet.code(address_of_code(rng), (sheet.width_px - 7 * unit, sheet.height_px - round(6.8 * unit)), 5 * unit)


def address_of_code(rng: Random) -> str:
    """Invent the content of a code; the domains are reserved for examples (RFC 2606)."""
    name = "".join(rng.choices("abcdefghijkmnpqrstuvwxyz23456789", k=8))
    return rng.choice(("https://example.com/p/", "https://shop.example.net/q/", "http://example.org/")) + name


def struck(rng: Random, seed: int) -> Card:
    """Draw goods with a large price and a struck one beside or below it."""
    width, height = rng.choice(SIZES_PX[:4])
    sheet, theme = sheet_of(rng, width, height)
    text, head = faces(rng)
    unit = width // 27
    sheet.write(phrases.title(rng), (2 * unit, unit), Style(2 * unit, theme.accent, head))
    y = 5 * unit
    while y < height - 7 * unit:
        sheet.write(phrases.goods(rng), (2 * unit, y), Style(round(1.2 * unit), theme.ink, text))
        value = phrases.amount(rng)
        end = _large_price(rng, sheet, theme, (2 * unit, y + round(1.9 * unit)), unit, head, value)
        before = str(round(float(value) * rng.uniform(1.1, 2.5)) + 1)
        old = join(rng.choice(("原价", "专柜价：", "市场价", "", "")), phrases.price(rng, "original", before))
        size = rng.choice((0.9, 1.1, 1.4)) * unit
        style = Style(round(size), rng.choice((theme.faint, theme.ink)), text, is_struck=True)
        sheet.write(old, (end + 2 * unit, y + round(1.9 * unit) + round(1.08 * (2.4 * unit - size))), style)
        y += round(6.6 * unit)
    sheet.write(phrases.disclaimer(rng), (2 * unit, height - 2 * unit), Style(round(0.8 * unit), theme.faint, text))
    return sheet.card("strike_through", seed)


def _large_price(rng: Random, sheet: Sheet, theme: Theme, xy: tuple[int, int], unit: int, face: str, value: str) -> int:
    """Write a label, a small currency sign and a large amount on one baseline; gives the right end."""
    label, kind = rng.choice((("到手价", "final"), ("特价", "current"), ("券后", "final"), ("", "current")))
    phrase = join(label, phrases.number(f"￥{value}", "price", value, "CNY", kind))
    small, large = Style(unit, theme.accent, face), Style(round(2.4 * unit), theme.accent, face)
    pieces = [(label, small), ("￥", small), (value, large)] if label else [("￥", small), (value, large)]
    return sheet.write_pieces(pieces, phrase, xy)


def two_columns(rng: Random, seed: int) -> Card:
    """Draw a headline over two columns of items whose lines stand side by side."""
    width, height = rng.choice(SIZES_PX[:4])
    sheet, theme = sheet_of(rng, width, height)
    text, head = faces(rng)
    unit = width // 27
    sheet.write(phrases.title(rng), (width // 2, unit), Style(2 * unit, theme.accent, head), anchor="m")
    size = rng.choice((0.8, 0.9, 1.0)) * unit
    pitch = round(size * rng.choice((1.7, 2.0, 2.4)))
    gap = round(size * rng.choice((0.9, 1.2, 1.8)))
    top, bottom = 5 * unit, height - 4 * unit
    lefts = (unit, width // 2 + gap // 2)
    for column, left in enumerate(lefts):
        right = width // 2 - gap // 2 if column == 0 else width - unit
        y = top
        while y < bottom:
            style = Style(round(size), rng.choice((theme.ink, theme.ink, theme.accent)), text)
            phrase = _filling(rng, sheet, left, right, style)
            sheet.write(phrase, (left, y), style, column=column)
            y += pitch
    sheet.write(phrases.disclaimer(rng), (unit, height - 2 * unit), Style(round(0.7 * unit), theme.faint, text))
    return sheet.card("two_columns", seed)


def _filling(rng: Random, sheet: Sheet, left: int, right: int, style: Style) -> Phrase:
    """Choose a phrase that fits a column and mostly fills it, as running text does."""
    makers: tuple[Maker, ...] = (*phrases.PROMOTIONS, phrases.goods, phrases.dates, phrases.slogan, phrases.price_old)
    best = Phrase("")
    for _ in range(12):
        phrase = rng.choice(makers)(rng)
        if rng.random() < 0.5:
            phrase = join(phrases.goods(rng), phrase)
        if sheet.fits(phrase, left, right, style) and len(phrase.text) > len(best.text):
            best = phrase
            if sheet.width_of(best.text, style) > 0.85 * (right - left):
                break
    return best if best.text else Phrase("好物")


def table(rng: Random, seed: int) -> Card:
    """Draw a price list with lines or stripes; every cell is a line of the truth, row by row."""
    width = rng.choice((900, 1080, 1242))
    num_rows = rng.randint(8, 18)
    unit = width // 30
    pitch = round(unit * rng.choice((2.0, 2.4, 2.8)))
    height = 6 * unit + (num_rows + 1) * pitch + 4 * unit
    sheet, theme = sheet_of(rng, width, height, is_light=True)
    text, head = faces(rng)
    sheet.write(phrases.title(rng), (width // 2, unit), Style(2 * unit, theme.accent, head), anchor="m")
    lefts = [unit, 14 * unit, 20 * unit, 25 * unit]
    has_lines = rng.random() < 0.6
    for row in range(num_rows + 1):
        y = 6 * unit + row * pitch
        if has_lines:
            sheet.pen.line((unit // 2, y, width - unit // 2, y), fill=theme.faint, width=2)
        elif row % 2:
            sheet.pen.rectangle((unit // 2, y, width - unit // 2, y + pitch), fill=(255, 255, 255))
        cells = _row(rng) if row else tuple(Phrase(word) for word in words.TABLE_HEADS)
        for column, (left, cell) in enumerate(zip(lefts, cells, strict=True)):
            face, ink = (head, theme.accent) if row == 0 or column == 3 else (text, theme.ink)
            sheet.write(cell, (left, y + (pitch - round(1.4 * unit)) // 2), Style(unit, ink, face), column=column)
    if has_lines:
        for x in (*lefts[1:], width):
            sheet.pen.line((x - unit // 2, 6 * unit, x - unit // 2, height - 4 * unit), fill=theme.faint, width=2)
        sheet.pen.line((unit // 2, height - 4 * unit, width - unit // 2, height - 4 * unit), fill=theme.faint, width=2)
    sheet.write(phrases.disclaimer(rng), (unit, height - 2 * unit), Style(round(0.8 * unit), theme.faint, text))
    return sheet.card("table", seed)


def _row(rng: Random) -> tuple[Phrase, Phrase, Phrase, Phrase]:
    size, unit = rng.choice(
        (("500", "ml"), ("250", "g"), ("30", "分钟"), ("1", "次"), ("2", "盒"), ("10", "片"), ("1.5", "L"))
    )
    old = rng.randint(20, 1999)
    new = round(old * rng.uniform(0.4, 0.95))
    return (
        Phrase(rng.choice(words.GOODS)),
        phrases.number(f"{size}{unit}", "qty", size, unit),
        phrases.number(f"￥{old}", "price", str(old), "CNY", "original"),
        phrases.number(f"￥{new}", "price", str(new), "CNY", "current"),
    )


def small_print(rng: Random, seed: int) -> Card:
    """Draw a poster whose rules are set at 14 px."""
    width, height = rng.choice(((1080, 1440), (900, 1200)))
    sheet, theme = sheet_of(rng, width, height)
    text, head = rng.choice((("sans", "sans-bold"), ("serif", "serif-bold")))
    sheet.write(phrases.title(rng), (60, 60), Style(96, theme.accent, head))
    sheet.write(phrases.price_now(rng), (60, 240), Style(64, theme.accent, head))
    sheet.photo((0, 360, width, height // 2), rng)
    style = Style(14, rng.choice((theme.ink, theme.ink, theme.faint)), text)
    y = height // 2 + 40
    makers = (*phrases.PROMOTIONS, *phrases.SERVICE, phrases.disclaimer, phrases.disclaimer)
    number_of_rule = 0
    while y < height - 60:
        number_of_rule += 1
        phrase = join(f"{number_of_rule}、", rng.choice(makers)(rng))
        if rng.random() < 0.6 and phrase.text[-1] != "。":
            phrase = join(phrase, "，", phrases.disclaimer(rng))
        sheet.write(phrase, (60, y), style)
        y += rng.choice((24, 26, 30))
    return sheet.card("small_print", seed)


def faint(rng: Random, seed: int) -> Card:
    """Draw a poster with lines of low contrast, as watermarks and side notes have."""
    width, height = rng.choice(SIZES_PX[:4])
    sheet, theme = sheet_of(rng, width, height, is_light=True)
    text, head = faces(rng)
    unit = width // 27
    sheet.write(phrases.title(rng), (2 * unit, 2 * unit), Style(round(2.4 * unit), theme.accent, head))
    y = 7 * unit
    while y < height - 3 * unit:
        share = rng.uniform(0.18, 0.4)  # 1 would be the ink, 0 the ground
        ground, ink = theme.bottom, theme.ink
        red, green, blue = (round(g + share * (i - g)) for g, i in zip(ground, ink, strict=True))
        maker = rng.choice((*phrases.PROMOTIONS, *phrases.SERVICE, phrases.slogan, phrases.disclaimer))
        size = rng.choice((0.8, 1.0, 1.2)) * unit
        sheet.write(maker(rng), (2 * unit, y), Style(round(size), (red, green, blue), text))
        y += round(2.2 * unit)
    return sheet.card("faint", seed)
