"""Pictures with boxes drawn on them, numbered.

Owns: how a box and its number look. Must not know: what the boxes mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from kandong.errors import InputError
from kandong.types import Picture

Corners = Sequence[tuple[int, int]]
ANNOTATED_ENDINGS: Final = frozenset({".jpg", ".jpeg", ".png", ".webp"})
_SURE: Final = (0, 120, 212)
_UNSURE: Final = (220, 90, 0)


def annotated(picture: Picture, outlines: Sequence[tuple[str, Corners, bool]]) -> Image.Image:
    """Draw outlines, each with its label, on a copy of the picture; the flag says that it is doubtful (orange)."""
    image = Image.fromarray(picture.rgb)
    pen = ImageDraw.Draw(image)
    short = min(image.size)
    line_px = max(1, short // 400)
    font = ImageFont.load_default(size=max(10, min(28, short // 45)))
    for label, corners, is_unsure in outlines:
        colour = _UNSURE if is_unsure else _SURE
        points = [(float(x), float(y)) for x, y in corners]
        pen.line([*points, points[0]], fill=colour, width=line_px)
        left, top, right, bottom = pen.textbbox((0, 0), label, font=font)
        width, height = right - left + 4, bottom - top + 4
        x = min(max(0.0, points[0][0]), image.width - width)
        y = max(0.0, points[0][1] - height)
        pen.rectangle((x, y, x + width, y + height), fill=colour)
        pen.text((x + 2 - left, y + 2 - top), label, fill="white", font=font)
    return image


def save_annotated(image: Image.Image, path: Path) -> None:
    """Write a picture; the ending says as what. Errors: ``InputError`` where it cannot be written."""
    if path.suffix.lower() not in ANNOTATED_ENDINGS:
        endings = ", ".join(sorted(ANNOTATED_ENDINGS))
        raise InputError(f"{path}: cannot write this kind of picture.", hint=f"Use {endings}.", field="annotate")
    try:
        image.save(path)
    except (OSError, ValueError):
        hint = "Check that the folder exists and may be written to."
        raise InputError(f"{path}: the picture cannot be written.", hint=hint, field="annotate") from None
