"""The facts that a walk through a picture file yields.

Owns: the shape of those facts. Must not know: the decoder library, the limits of the caller, names and paths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kandong.errors import PictureDamagedError

Box = tuple[int, int, int, int]

FETCH_AGAIN_HINT: Final = "Download or export the picture again."
# Walks run in Python, so a file of millions of tiny blocks stops here. 32 MiB of full GIF blocks are 131,000.
MAX_BLOCKS: Final = 500_000
MAX_ICC_BYTES: Final = 8 << 20


@dataclass(frozen=True)
class PictureContainer:
    """A walked picture file.

    ``data`` is what the decoder gets. ``num_frames`` is a lower bound in a file of more than ``MAX_BLOCKS`` blocks.
    ``frame_box_px`` (left, top, right, bottom) is the part of the canvas that the first frame covers, or None when it
    covers all of it. ``exif`` and ``icc`` are None when the file has no such block, empty when it is damaged.
    """

    format: str
    width_px: int
    height_px: int
    data: bytes
    num_frames: int = 1
    frame_box_px: Box | None = None
    exif: bytes | None = None
    icc: bytes | None = None
    bits_per_sample: int = 8


def cut_short(format_name: str) -> PictureDamagedError:
    """Make the error for a file that ends too early."""
    return PictureDamagedError(f"the {format_name} data end before the picture is complete", hint=FETCH_AGAIN_HINT)


def no_pixels(format_name: str) -> PictureDamagedError:
    """Make the error for a file whose blocks hold no picture."""
    return PictureDamagedError(f"the {format_name} data hold no picture", hint=FETCH_AGAIN_HINT)


def box_unless_whole(box_px: Box, width_px: int, height_px: int) -> Box | None:
    """Clip a box to the canvas, and give None where it covers the whole of it."""
    left, top = min(box_px[0], width_px), min(box_px[1], height_px)
    clipped = (left, top, min(box_px[2], width_px), min(box_px[3], height_px))
    return None if clipped == (0, 0, width_px, height_px) else clipped
