"""What is written on a card: lines with their places, numbers with their values, codes with their content.

Owns: the record and its JSON. Must not know: how a card is drawn or read.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from PIL import Image

Point = tuple[float, float]
Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels, the last two exclusive


@dataclass(frozen=True)
class TrueNumber:
    """A number in a text. ``value`` is canonical: a decimal, an ISO date (``--06-18`` without year), digits, an id;
    a range is ``a/b``, and an offer has the form of its kind (``300-50``, ``1+1``, ``2:5折``, ``2:1元``).

    ``kind`` is price, discount, pct, date, time, qty, phone, wechat, qq, id or offer; ``unit`` CNY, 折, % or the
    word of a quantity, ``None`` where there is none.
    """

    start: int
    end: int
    kind: str
    value: str
    unit: str | None = None
    price_kind: str | None = None


@dataclass(frozen=True)
class Phrase:
    """A text with its numbers; places count characters."""

    text: str
    numbers: tuple[TrueNumber, ...] = ()


@dataclass(frozen=True)
class TrueLine:
    """One line as drawn. ``quad`` goes clockwise from the upper left of the text; ``order`` is the reading order."""

    order: int
    text: str
    quad: tuple[Point, Point, Point, Point]
    column: int
    size_px: int
    numbers: tuple[TrueNumber, ...] = ()
    is_struck: bool = False

    @property
    def box(self) -> Box:
        """The smallest upright box around the quad."""
        xs, ys = [x for x, _ in self.quad], [y for _, y in self.quad]
        return int(min(xs)), int(min(ys)), int(-(-max(xs) // 1)), int(-(-max(ys) // 1))


@dataclass(frozen=True)
class TrueCode:
    """A QR code as drawn."""

    type: str
    text: str
    quad: tuple[Point, Point, Point, Point]


@dataclass(frozen=True)
class Card:
    """A picture (RGB) and everything that is written on it, lines in reading order."""

    kind: str
    seed: int
    image: Image.Image = field(compare=False)
    lines: tuple[TrueLine, ...]
    codes: tuple[TrueCode, ...] = ()
    wear: dict[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All lines in reading order, one a row."""
        return "\n".join(line.text for line in self.lines)

    @property
    def name(self) -> str:
        """A file name without ending."""
        return f"{self.kind}-{self.seed}"

    def moved(self, image: Image.Image, move: Any, **wear: float) -> Card:
        """Give the card with another picture, all its points taken through ``move(x, y) -> (x, y)``."""
        lines = tuple(replace(line, quad=_moved(line.quad, move)) for line in self.lines)
        codes = tuple(replace(code, quad=_moved(code.quad, move)) for code in self.codes)
        return replace(self, image=image, lines=lines, codes=codes, wear=self.wear | wear)

    def to_dict(self) -> dict[str, Any]:
        """Give the truth as JSON data, without the picture."""
        return {
            "name": self.name,
            "kind": self.kind,
            "seed": self.seed,
            "width_px": self.image.width,
            "height_px": self.image.height,
            "wear": self.wear,
            "lines": [asdict(line) | {"box": list(line.box)} for line in self.lines],
            "codes": [asdict(code) for code in self.codes],
        }


def _moved(quad: tuple[Point, Point, Point, Point], move: Any) -> tuple[Point, Point, Point, Point]:
    a, b, c, d = (move(x, y) for x, y in quad)
    return a, b, c, d
