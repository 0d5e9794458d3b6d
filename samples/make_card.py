"""Draws samples/card.png, a made-up promotion card. Needs a Chinese font (Debian: fonts-noto-cjk).

Owns: the sample that `make serve` asks about. Must not know: the engine.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

FONT = "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc"
SIMPLIFIED = 2  # the collection holds Japanese, Korean, Simplified, Traditional
LINES = ["夏日火锅套餐", "特价：85元", "原价：120元", "活动时间7月1日", "满300减50"]


def draw(target: Path) -> None:
    """Draw the card: 256×256 pixels, five lines of 26-pixel type, one a row of 32 pixels."""
    card = Image.new("RGB", (256, 256), (250, 232, 196))
    pen = ImageDraw.Draw(card)
    font = ImageFont.truetype(FONT, 26, index=SIMPLIFIED)
    for i, line in enumerate(LINES):
        colour = (190, 30, 30) if i == 1 else (40, 40, 40)
        pen.text((16, 48 + 32 * i), line, font=font, fill=colour, anchor="lm")
    card.save(target, optimize=True)


if __name__ == "__main__":
    draw(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("card.png")))
