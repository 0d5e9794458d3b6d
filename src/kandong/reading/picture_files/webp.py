"""Walking a WebP: its canvas, the place of its first frame, the number of its frames, EXIF and ICC blocks.

Owns: that walk. Must not know: the decoder library, limits, names. Source: WebP Container Specification.
"""

from __future__ import annotations

from kandong.reading.picture_files.container import (
    MAX_BLOCKS,
    MAX_ICC_BYTES,
    Box,
    PictureContainer,
    box_unless_whole,
    cut_short,
    no_pixels,
)
from kandong.reading.picture_files.signatures import declared_size_px


def walk_webp(data: bytes) -> PictureContainer:
    """Read all chunks. Raises PictureDamagedError for a file that ends before its header or in its first chunk."""
    size = declared_size_px(data, "WEBP")
    if size is None:
        raise cut_short("WEBP") if len(data) < 30 else no_pixels("WEBP")
    width, height = size
    exif = icc = None
    box: Box | None = None
    num_frames = 0
    pos = 12
    for _ in range(MAX_BLOCKS):
        kind, length = data[pos : pos + 4], int.from_bytes(data[pos + 4 : pos + 8], "little")
        start, end = pos + 8, pos + 8 + length
        if end > len(data) or start > len(data):
            break
        if kind == b"EXIF" and exif is None:
            exif = data[start:end]
        elif kind == b"ICCP" and icc is None:
            icc = data[start:end] if length <= MAX_ICC_BYTES else b""
        elif kind == b"ANMF" and length >= 16:
            num_frames += 1
            box = box or _frame_box(data, start)
        pos = end + (length & 1)  # chunks are padded to even lengths
    return PictureContainer(
        "WEBP",
        width,
        height,
        data,
        num_frames=max(1, num_frames),
        frame_box_px=None if box is None else box_unless_whole(box, width, height),
        exif=exif,
        icc=icc,
    )


def _frame_box(data: bytes, start: int) -> Box:
    left, top, width_less_1, height_less_1 = (
        int.from_bytes(data[at : at + 3], "little") for at in range(start, start + 12, 3)
    )
    return left * 2, top * 2, left * 2 + width_less_1 + 1, top * 2 + height_less_1 + 1
