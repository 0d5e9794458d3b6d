"""Marks after the numbers of a list: in small print 、 loses its tail and is read as a point or a comma.

Owns: when lines are a list, and which mark it has. Must not know: pictures, places, other corrections.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from kandong.reading.glyphs import GlyphChange

# A point before a digit may be a decimal one.
_NUMBERED: Final = re.compile(r"\d{1,3}([、.．，,])(?=\D)")
_MIN_NUMBERED_LINES: Final = 3
# A list has one mark. A point is hardly ever read as 、, but 、 often as a point: so few of them tell.
_MIN_SHARE: Final = 0.3


def mark_changes(lines: Sequence[str]) -> list[GlyphChange | None]:
    """Name for each line of a picture the mark after its number that should be 、; ``None`` for all other lines."""
    found = [_NUMBERED.match(line) for line in lines]
    marks = [match.group(1) for match in found if match]
    if len(marks) < _MIN_NUMBERED_LINES or marks.count("、") < _MIN_SHARE * len(marks):
        return [None] * len(lines)
    return [
        GlyphChange(match.start(1), match.group(1), "、", "list") if match and match.group(1) != "、" else None
        for match in found
    ]
