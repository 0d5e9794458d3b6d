"""Which lines of a picture stand in one block with a line that speaks to a model.

Owns: what a block is. Must not know: rules, verdicts. What such a block says may be part of what the line wants, a
notice split over two lines for example, so that it can excuse nothing; it gives hits as any text does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kandong.rules.report import Box, TextLine

# By the height of the lower of two boxes, which are about 1.25 times the size of the type: lines of one block are set
# up to two lines apart, words of one row up to three characters.
_MAX_ROW_GAP: Final = 1.5
_MAX_SIDE_GAP: Final = 3.0


def beside_instructions(lines: Sequence[TextLine], is_instruction: Sequence[bool]) -> list[bool]:
    """Tell for each line whether it, or a line of its block, speaks to a model.

    Only lines of pictures have neighbours; where a place is not known, the whole picture is one block.
    """
    is_beside = list(is_instruction)
    waiting = [i for i, speaks in enumerate(is_instruction) if speaks]
    while waiting:
        reached = lines[waiting.pop()]
        for i, line in enumerate(lines):
            if not is_beside[i] and _is_next_to(reached, line):
                is_beside[i] = True
                waiting.append(i)
    return is_beside


def _is_next_to(a: TextLine, b: TextLine) -> bool:
    if a.source != "image_text" or b.source != "image_text" or a.image_index != b.image_index:
        return False
    if a.box is None or b.box is None:
        return True
    height = max(min(a.box[3] - a.box[1], b.box[3] - b.box[1]), 1e-6)
    across, down = _gap(a.box, b.box, 0), _gap(a.box, b.box, 1)
    return (across <= 0 and down <= _MAX_ROW_GAP * height) or (down <= 0 and across <= _MAX_SIDE_GAP * height)


def _gap(a: Box, b: Box, axis: int) -> float:
    """Give how far two boxes are apart along an axis; at most 0 where they share some of it."""
    return max(a[axis], b[axis]) - min(a[axis + 2], b[axis + 2])
