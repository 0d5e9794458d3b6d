"""A second look at lines that were read unsurely: in gray and slightly softened, as JPEG spoils colour and edges first.

Owns: which lines, what they are shown as, when the second reading counts. Must not know: boxes, reading order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np

from kandong.reading.columns import FoundLine
from kandong.reading.ocr import Ocr
from kandong.reading.quads import Rgb

# A line less sure than this is looked at again; what is then read counts if it is surer by this much.
_UNSURE_CONF: Final = 0.9
_SURER_BY: Final = 0.02
_SOFT_SIGMA_PX: Final = 0.5
# A bound on the time that one hostile picture takes.
MAX_SECOND_LOOKS: Final = 100


def look_again(
    lines: Sequence[FoundLine], crops: Sequence[Rgb], ocr: Ocr, *, is_text: Callable[[FoundLine], bool]
) -> list[FoundLine]:
    """Read unsure lines once more, the least sure first; gives all lines, each as it was read more surely.

    What ``is_text`` takes for a drawing is left as it is: no second look makes it text.
    """
    unsure = [i for i, line in enumerate(lines) if line.raw.conf < _UNSURE_CONF and is_text(line)]
    unsure = sorted(unsure, key=lambda i: lines[i].raw.conf)[:MAX_SECOND_LOOKS]
    better = list(lines)
    for index, raw in zip(unsure, ocr.read(softened(crops[i]) for i in unsure), strict=True):
        if raw.conf >= lines[index].raw.conf + _SURER_BY:
            better[index] = replace(lines[index], raw=raw)
    return better


def softened(crop: Rgb) -> Rgb:
    """Give a crop in gray, its edges a little softer; of the same shape."""
    gray: Any = cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2GRAY)
    soft = cv2.GaussianBlur(gray, (0, 0), _SOFT_SIGMA_PX)
    return np.asarray(np.repeat(soft[..., None], 3, axis=2), dtype=np.uint8)
