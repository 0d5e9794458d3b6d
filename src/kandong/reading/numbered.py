"""Marks after the numbers of a list: in small print 、 loses its tail and is read as a point or a comma.

Owns: when lines are a list, and which mark it has. Must not know: pictures, places, other corrections.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from kandong.reading.glyphs import GlyphChange
from kandong.reading.recogniser import RawCharacter

_NUMBERED: Final = re.compile(r"(\d{1,3})([、.．，,。])(.?)")
_MIN_NUMBERED_LINES: Final = 3
# A list has one mark. A point is hardly ever taken for 、, but 、 often for a point: so little of it tells.
_MIN_SHARE: Final = 0.15


def mark_changes(lines: Sequence[Sequence[RawCharacter]]) -> list[GlyphChange | None]:
    """Name for each line of a picture the mark after its number that should be 、; ``None`` for all other lines.

    What is before a digit may be a decimal point, unless the lines above and below have the numbers around.
    """
    found = [_NUMBERED.match("".join(c.text for c in line)) for line in lines]
    numbers = [int(match.group(1)) if match else None for match in found]
    marks: list[GlyphChange | None] = [None] * len(lines)
    num_numbered, share = 0, 0.0
    for index, (line, match) in enumerate(zip(lines, found, strict=True)):
        if match is None or (match.group(3).isdigit() and not _counts_on(numbers, index)):
            continue
        mark = line[match.start(2)]
        num_numbered += 1
        share += mark.conf if mark.text == "、" else dict(mark.others).get("、", 0.0)
        if mark.text != "、":
            marks[index] = GlyphChange(match.start(2), mark.text, "、", "list")
    is_list = num_numbered >= _MIN_NUMBERED_LINES and share >= _MIN_SHARE * num_numbered
    return marks if is_list else [None] * len(lines)


def _counts_on(numbers: Sequence[int | None], index: int) -> bool:
    """Whether the number of a line follows that of the line above and goes before that of the line below."""
    own = numbers[index]
    around = [numbers[place] for place in (index - 1, index + 1) if 0 <= place < len(numbers)]
    expected = [own + step for step, place in ((-1, index - 1), (1, index + 1)) if own and 0 <= place < len(numbers)]
    return len(around) > 0 and around == expected
