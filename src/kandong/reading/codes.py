"""QR and bar codes in a picture.

Owns: finding and decoding them, and naming the host that a code points to. Must not know: text, posts. Nothing that a
code names is ever fetched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import cv2
import numpy as np
import zxingcpp

from kandong.reading.quads import Rgb

MAX_CODES: Final = 200
MAX_CODE_CHARACTERS: Final = 4_096
# Above this many pixels a picture is searched in bands, so that no search is long.
_BAND_PIXELS: Final = 6_000_000
_BAND_OVERLAP_PX: Final = 700
_SAME_PLACE_PX: Final = 16
_SCHEMES: Final = frozenset({"http", "https"})


@dataclass(frozen=True)
class Code:
    """A decoded code. ``type`` is as zxing names it (``QRCode``, ``EAN13``); ``box`` is x0, y0, x1, y1 in pixels.

    ``host`` is the lower-case host of a web address, in its ASCII form, else ``None``; ``text`` is cut at 4,096
    characters, and what is not text is given with replacement characters.
    """

    type: str
    text: str
    host: str | None
    box: tuple[int, int, int, int]


def find_codes(rgb: Rgb) -> tuple[list[Code], bool]:
    """Find codes from top to bottom; at most 200, and whether there were more."""
    gray: Any = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)
    height, width = gray.shape
    band_px = max(2 * _BAND_OVERLAP_PX, _BAND_PIXELS // width)
    found: list[Code] = []
    top = 0
    while True:
        bottom = min(height, top + band_px)
        for symbol in zxingcpp.read_barcodes(gray[top:bottom], text_mode=zxingcpp.TextMode.Plain):
            code = _code(symbol, top)
            # The same code seen in two bands; the same text elsewhere is another code.
            if not any(_is_same(code, other) for other in found):
                found.append(code)
        if bottom == height:
            break
        top = bottom - _BAND_OVERLAP_PX
    codes = sorted(found, key=lambda code: (code.box[1], code.box[0]))
    return codes[:MAX_CODES], len(codes) > MAX_CODES


def host_of(text: str) -> str | None:
    """Give the host of a web address, or ``None`` for any other text or an address without a sensible host."""
    try:
        parts = urlsplit(text.strip())
        host = parts.hostname
        if parts.scheme.lower() not in _SCHEMES or not host:
            return None
        return host.rstrip(".").encode("idna").decode("ascii").lower() or None
    except (ValueError, UnicodeError):
        return None


def _code(symbol: Any, top: int) -> Code:
    corners = symbol.position
    points = [corners.top_left, corners.top_right, corners.bottom_right, corners.bottom_left]
    xs, ys = [p.x for p in points], [p.y + top for p in points]
    text = str(symbol.text)
    return Code(
        type=symbol.format.name,
        text=text[:MAX_CODE_CHARACTERS],
        host=host_of(text),
        box=(min(xs), min(ys), max(xs) + 1, max(ys) + 1),
    )


def _is_same(a: Code, b: Code) -> bool:
    shifts = [abs(one - other) for one, other in zip(a.box, b.box, strict=True)]
    return (a.type, a.text) == (b.type, b.text) and max(shifts) <= _SAME_PLACE_PX
