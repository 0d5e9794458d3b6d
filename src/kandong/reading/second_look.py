"""A second look at lines that were read unsurely, by weights that were trained on worn lines beside the bundled ones.

Owns: which lines. Must not know: boxes, reading order, how two graphs speak together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from kandong.reading.columns import FoundLine
from kandong.reading.glyphs import num_han
from kandong.reading.ocr import Ocr
from kandong.reading.quads import Rgb, quad_size

# Looking at lines up to 0.995 too mends nothing more, stopping at 0.9 leaves half of what it mends in small print
# (docs/experiments.md).
_UNSURE_CONF: Final = 0.98
# Worn Chinese is at times so little like any that the first reading has no more of it than of a drawing. So many
# characters, read as surely as text is, are more than any drawing was taken for (docs/experiments.md).
_MIN_HAN: Final = 4
# A bound on the time that one hostile picture takes.
MAX_SECOND_LOOKS: Final = 100


def look_again(
    lines: Sequence[FoundLine], crops: Sequence[Rgb], ocr: Ocr, *, is_text: Callable[[FoundLine], bool]
) -> list[FoundLine]:
    """Read unsure lines once more, the least sure first; gives all lines, these as they were read now.

    What ``is_text`` takes for a drawing comes after all text, and becomes text only where the detector was sure and
    several Chinese characters are read. No second look takes text away.
    """
    unsure = [i for i, line in enumerate(lines) if line.raw.conf < _UNSURE_CONF and (is_text(line) or _may_be(line))]
    unsure = sorted(unsure, key=lambda i: (not is_text(lines[i]), lines[i].raw.conf))[:MAX_SECOND_LOOKS]
    better = list(lines)
    if not unsure:
        return better  # the weights for worn lines are opened for worn lines alone
    for index, raw in zip(unsure, ocr.read_worn(crops[i] for i in unsure), strict=True):
        again = replace(lines[index], raw=raw)
        if is_text(again) and (is_text(lines[index]) or num_han(again.raw.text) >= _MIN_HAN):
            better[index] = again
    return better


def _may_be(line: FoundLine) -> bool:
    width, height = quad_size(line.quad)
    return not line.is_weak and width >= _MIN_HAN / 2 * height
