"""Screenshots: chats, and long captures of posts up to 1080×12000.

Owns: bubbles, paragraphs, sections. Must not know: how a card is worn.
"""

from __future__ import annotations

from random import Random

from bench.cards import phrases, words
from bench.cards.layouts import address_of_code
from bench.cards.phrases import join
from bench.cards.sheet import Sheet, Style, wrapped
from bench.cards.truth import Card, Phrase

LONG_WIDTH_PX = 1080
LONG_HEIGHTS_PX = (3200, 4800, 7200, 9600, 12000)
WHITE = (255, 255, 255)
INK = (30, 30, 30)
GREY = (140, 140, 140)


def chat(rng: Random, seed: int) -> Card:
    """Draw the screenshot of a chat between a customer and a shop."""
    width = rng.choice((750, 1080))
    height = round(width * rng.choice((1.6, 1.9, 2.1)))
    size = round(width * rng.choice((0.036, 0.04)))
    sheet = Sheet(width, height, (237, 237, 237), (237, 237, 237))
    name = Phrase(rng.choice(words.BRANDS) + rng.choice(words.SHOP_ENDS) + "客服")
    sheet.write(name, (width // 2, size // 2), Style(round(1.1 * size), INK, "sans-bold"), anchor="m")
    y = 3 * size
    makers = (
        phrases.price_now,
        phrases.threshold,
        phrases.phone,
        phrases.contact,
        phrases.amount_of_goods,
        phrases.order_id,
    )
    is_mine = False
    while True:
        if rng.random() < 0.15:
            clock = f"{rng.randint(7, 22):02}:{rng.randint(0, 59):02}"
            stamp = phrases.number(clock, "time", clock)
            sheet.write(stamp, (width // 2, y), Style(round(0.75 * size), GREY), anchor="m")
            y += 2 * size
        phrase = Phrase(rng.choice(words.CHAT))
        if rng.random() < 0.5:
            phrase = join(phrase, "，", rng.choice(makers)(rng))
        is_mine = rng.random() < 0.3 if is_mine else rng.random() < 0.7
        lines = wrapped(phrase, Style(size, INK), round(0.58 * width))
        bottom = y + round(len(lines) * 1.45 * size) + size
        if bottom > height - size:
            return sheet.card("chat", seed)
        _bubble(sheet, lines, y, size, is_mine)
        y = bottom + size


def _bubble(sheet: Sheet, lines: list[Phrase], y: int, size: int, is_mine: bool) -> None:
    style = Style(size, INK)
    widest = max(sheet.width_of(line.text, style) for line in lines)
    x = sheet.width_px - 4 * size - widest if is_mine else 4 * size
    bottom = y + round(len(lines) * 1.45 * size) + round(0.8 * size)
    sheet.panel((x - size // 2, y, x + widest + size // 2, bottom), (149, 236, 105) if is_mine else WHITE, size // 3)
    avatar = sheet.width_px - 3 * size if is_mine else size
    sheet.pen.ellipse((avatar, y, avatar + 2 * size, y + 2 * size), fill=(90, 140, 190) if is_mine else (220, 150, 90))
    for i, line in enumerate(lines):
        sheet.write(line, (x, y + round(0.4 * size) + round(i * 1.45 * size)), style)


def long(rng: Random, seed: int) -> Card:
    """Draw the long capture of a post: paragraphs, pictures, price blocks, to 1080×12000."""
    target = rng.choice(LONG_HEIGHTS_PX)
    sheet = Sheet(LONG_WIDTH_PX, target, WHITE, WHITE)
    size = rng.choice((32, 36, 40))
    sheet.write(join(phrases.goods(rng), "测评"), (48, 40), Style(56, INK, "sans-bold"))
    y = 160
    sections = (_paragraph, _paragraph, _prices, _photo, _service)
    while y < target - 1100:
        y = rng.choice(sections)(rng, sheet, y, size) + rng.choice((20, 40, 80, 160))
    while y < target - 300:
        y = _line(sheet, rng.choice((phrases.slogan, phrases.goods, phrases.dates))(rng), y, size)
    sheet.write(phrases.disclaimer(rng), (48, y), Style(26, GREY))
    return sheet.card("long", seed, target)


def _line(sheet: Sheet, phrase: Phrase, y: int, size: int) -> int:
    style = Style(size, INK)
    for line in wrapped(phrase, style, LONG_WIDTH_PX - 96):
        sheet.write(line, (48, y), style)
        y += round(1.6 * size)
    return y


def _paragraph(rng: Random, sheet: Sheet, y: int, size: int) -> int:
    sentences: list[str | Phrase] = list(rng.sample(words.PARAGRAPH, rng.randint(2, 5)))
    if rng.random() < 0.6:
        sentences.insert(1, join(rng.choice(phrases.PROMOTIONS)(rng), "。"))
    return _line(sheet, join(*sentences), y, size)


def _prices(rng: Random, sheet: Sheet, y: int, size: int) -> int:
    height = round(size * 8.4)
    sheet.panel((32, y, LONG_WIDTH_PX - 32, y + height), (255, 240, 236))
    y += size // 2
    sheet.write(phrases.goods(rng), (64, y), Style(round(1.2 * size), INK, "sans-bold"))
    for i, maker in enumerate((phrases.price_now, phrases.price_old, phrases.threshold)):
        colour = (210, 30, 30) if i == 0 else INK
        sheet.write(maker(rng), (64, y + round((2.1 + 1.9 * i) * size)), Style(size, colour))
    return y + height


def _photo(rng: Random, sheet: Sheet, y: int, size: int) -> int:  # noqa: ARG001  (one signature for all sections)
    height = rng.choice((360, 540, 720))
    sheet.photo((0, y, LONG_WIDTH_PX, y + height), rng)
    if rng.random() < 0.3:
        sheet.code(address_of_code(rng), (48, y + 48), 240)
    return y + height


def _service(rng: Random, sheet: Sheet, y: int, size: int) -> int:
    for maker in rng.sample(phrases.SERVICE, 3):
        y = _line(sheet, maker(rng), y, size)
    return y
