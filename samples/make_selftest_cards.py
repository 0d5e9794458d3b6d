"""Draws the cards of `kandong selftest` and writes down what they say. Needs the font of make_card.py.

Owns: the cards' texts, prices and colours. Must not know: the engine, how answers are judged.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from samples.make_card import FONT, SIMPLIFIED

FOLDER = Path(__file__).resolve().parent.parent / "src" / "kandong" / "runtime" / "selftest_cards"


@dataclass(frozen=True)
class Card:
    """One card. ``is_transcribed`` asks for its whole text too."""

    name: str
    background: tuple[int, int, int]
    price_ink: tuple[int, int, int]
    title: str
    price: str
    original: str
    date: str
    discount: str
    is_transcribed: bool = False

    @property
    def lines(self) -> list[str]:
        """The five lines, from the top."""
        return [self.title, f"特价：{self.price}元", f"原价：{self.original}元", f"活动时间{self.date}", self.discount]


CARDS = (
    Card("cake", (250, 232, 196), (190, 30, 30), "春季草莓蛋糕", "39", "68", "5月1日", "满100减20", True),
    Card("tea", (214, 236, 214), (170, 40, 20), "夏日奶茶套餐", "12", "25", "6月3日", "满50减10"),
    Card("hotpot", (252, 214, 214), (150, 20, 20), "秋冬火锅套餐", "128", "199", "9月2日", "满300减50", True),
    Card("mask", (216, 228, 248), (180, 30, 60), "精选面膜", "76", "94", "3月8日", "满200减30"),
    Card("noodles", (244, 244, 244), (200, 40, 30), "招牌牛肉面", "18", "27", "7月5日", "满80减15"),
)


def draw(card: Card, target: Path) -> None:
    """Draw a card: 256×256 pixels, five lines of 26-pixel type, one a row of 32 pixels."""
    picture = Image.new("RGB", (256, 256), card.background)
    pen = ImageDraw.Draw(picture)
    font = ImageFont.truetype(FONT, 26, index=SIMPLIFIED)
    for i, line in enumerate(card.lines):
        ink = card.price_ink if i == 1 else (40, 40, 40)
        pen.text((16, 48 + 32 * i), line, font=font, fill=ink, anchor="lm")
    picture.save(target, optimize=True)


def truth() -> list[dict[str, object]]:
    """Give what the cards say, as it is bundled."""
    return [
        {
            "file": f"{card.name}.png",
            "lines": card.lines,
            "price": card.price,
            "original": card.original,
            "transcribe": card.is_transcribed,
        }
        for card in CARDS
    ]


def main(folder: Path) -> None:
    """Write all cards and truth.json into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for card in CARDS:
        draw(card, folder / f"{card.name}.png")
    text = json.dumps({"cards": truth()}, ensure_ascii=False, indent=1)
    (folder / "truth.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
