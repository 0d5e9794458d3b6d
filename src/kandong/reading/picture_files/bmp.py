"""Reading the header of a BMP.

Owns: its size and the refusal of large run-length data. Must not know: the decoder library, limits of the caller,
names. Source: the BITMAPINFOHEADER structure and its successors (Windows GDI reference).
"""

from __future__ import annotations

from typing import Final

from kandong.errors import PictureLimitError
from kandong.reading.picture_files.container import PictureContainer, cut_short
from kandong.reading.picture_files.signatures import SAVE_AS_HINT, declared_size_px

_RUN_LENGTH_CODINGS: Final = frozenset({1, 2})
# Run-length data are expanded by an interpreted loop, at about 1.5 million runs per second.
_MAX_RUN_LENGTH_BYTES: Final = 4 << 20
_MAX_RUN_LENGTH_PIXELS: Final = 4_000_000


def walk_bmp(data: bytes) -> PictureContainer:
    """Read the header. Raises PictureDamagedError when it is cut short, PictureLimitError for large run-length data."""
    size = declared_size_px(data, "BMP")
    if size is None:
        raise cut_short("BMP")
    width, height = size
    is_run_length = data[14] >= 40 and int.from_bytes(data[30:34], "little") in _RUN_LENGTH_CODINGS
    if is_run_length and (len(data) > _MAX_RUN_LENGTH_BYTES or width * height > _MAX_RUN_LENGTH_PIXELS):
        raise PictureLimitError("the picture is a large BMP with run-length coding", hint=SAVE_AS_HINT)
    return PictureContainer("BMP", width, height, data)
