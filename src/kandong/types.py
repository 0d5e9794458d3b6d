"""Values that several layers hand to each other.

Owns: plain data without behaviour beyond derived facts. Must not know: how a value is made or used.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PictureRef:
    """A picture whose pixels are elsewhere, named by what ``Picture.digest`` gives; sizes in pixels."""

    digest: str
    height_px: int
    width_px: int


@dataclass(frozen=True)
class Picture:
    """A decoded picture, as a person would see it.

    ``rgb`` is uint8 ``(height, width, 3)``. ``num_frames`` counts the frames of the file; only the first is in ``rgb``.
    ``conversions`` names what was done on the way to RGB, in order (for example ``"exif-rotated"``), for reports.
    """

    rgb: NDArray[np.uint8]
    format: str
    num_frames: int = 1
    conversions: tuple[str, ...] = ()

    @property
    def width_px(self) -> int:
        """Width in pixels."""
        return int(self.rgb.shape[1])

    @property
    def height_px(self) -> int:
        """Height in pixels."""
        return int(self.rgb.shape[0])

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the size and the raw pixels, so that 30×100 and 100×30 of the same bytes differ."""
        head = f"rgb8 {self.height_px}x{self.width_px}\n".encode()
        return hashlib.sha256(head + np.ascontiguousarray(self.rgb).tobytes()).hexdigest()
