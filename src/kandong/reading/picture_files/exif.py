"""The one thing of an EXIF block that changes how a picture looks: its orientation.

Owns: reading that tag. A copy of it in XMP is not consulted: browsers ignore that too.
Must not know: where the block came from. Source: Exif 2.32, section 4.6.4, tag 0x0112.
"""

from __future__ import annotations

import struct

_ORIENTATION_TAG = 0x0112
_SHORT, _LONG = 3, 4


def exif_orientation(exif: bytes) -> int | None:
    """Give the orientation 1 to 8 of an EXIF block, or None when it has none.

    Raises ValueError for a block that is broken before that tag is found. Later damage does not matter here.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        raise ValueError("no TIFF header")
    (start,) = struct.unpack_from(f"{order}I", tiff, 4)
    if start + 2 > len(tiff):
        raise ValueError("directory outside the block")
    (num_entries,) = struct.unpack_from(f"{order}H", tiff, start)
    for entry in range(start + 2, start + 2 + 12 * num_entries, 12):
        if entry + 12 > len(tiff):
            raise ValueError("directory cut short")
        tag, kind = struct.unpack_from(f"{order}HH", tiff, entry)
        if tag == _ORIENTATION_TAG:
            (value,) = struct.unpack_from(f"{order}{'I' if kind == _LONG else 'H'}", tiff, entry + 8)
            if kind not in {_SHORT, _LONG} or not 1 <= value <= 8:
                raise ValueError("no such orientation")
            return int(value)
    return None
