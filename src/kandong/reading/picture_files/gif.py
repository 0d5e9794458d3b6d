"""Walking a GIF: its canvas, the place of its first frame, the number of its frames.

Owns: that walk, which skips over compressed data without expanding them. Must not know: the decoder library, limits,
names. Source: Graphics Interchange Format 89a, sections 15 to 26.
"""

from __future__ import annotations

import struct

from kandong.reading.picture_files.container import (
    MAX_BLOCKS,
    Box,
    PictureContainer,
    box_unless_whole,
    cut_short,
    no_pixels,
)

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B


def walk_gif(data: bytes) -> PictureContainer:
    """Read all blocks. A file cut short after its first frame counts the frames that are there.

    Raises PictureDamagedError when there is no frame. The canvas grows where the first frame reaches beyond it.
    """
    if len(data) < 13:
        raise cut_short("GIF")
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    pos = 13 + _palette_bytes(flags)
    box: Box | None = None
    num_frames = 0
    budget = MAX_BLOCKS
    while pos < len(data) and data[pos] != _TRAILER and budget > 0:
        kind = data[pos]
        if kind == _EXTENSION:
            pos, budget = _skip_blocks(data, pos + 2, budget)
        elif kind == _IMAGE and pos + 11 <= len(data):
            left, top, frame_width, frame_height, flags = struct.unpack_from("<HHHHB", data, pos + 1)
            box = box or (left, top, left + frame_width, top + frame_height)
            num_frames += 1
            pos, budget = _skip_blocks(data, pos + 11 + _palette_bytes(flags), budget)
        else:
            pos += 1  # padding between blocks
            budget -= 1
    if box is None:
        raise no_pixels("GIF") if pos < len(data) else cut_short("GIF")
    width, height = max(width, box[2]), max(height, box[3])
    return PictureContainer(
        "GIF", width, height, data, num_frames=num_frames, frame_box_px=box_unless_whole(box, width, height)
    )


def _palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_blocks(data: bytes, pos: int, budget: int) -> tuple[int, int]:
    """Go past sub-blocks, each with its length in front, and the zero that ends them."""
    while pos < len(data) and budget > 0:
        length = data[pos]
        pos += 1 + length
        budget -= 1
        if length == 0:
            break
    return pos, budget
