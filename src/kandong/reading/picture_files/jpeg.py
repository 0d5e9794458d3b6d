"""Walking a JPEG.

Owns: sorting segments, so that the decoder gets those that bear on pixels, and damaged or hostile comments,
thumbnails and indexes never reach it. Must not know: the decoder library, limits, names.
Sources: ITU-T T.81 annex B (markers), T.871 (JFIF), ICC.1 annex B.4 (profiles in JPEG).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import Final

from kandong.errors import PictureFormatError, PictureLimitError
from kandong.reading.picture_files.container import (
    MAX_BLOCKS,
    MAX_ICC_BYTES,
    PictureContainer,
    cut_short,
    no_pixels,
)
from kandong.reading.picture_files.signatures import SAVE_AS_HINT

# A marker is 0xFF and a byte that is neither a stuffed zero nor a fill byte; other bytes between segments are junk.
_MARKER: Final = re.compile(rb"\xff([^\x00\xff])")
# The same without the markers that stand alone, of which a scan may hold very many (restarts).
_MARKER_IN_SCAN: Final = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
_RARE_FRAMES: Final = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7})
_APP0, _APP1, _APP2, _APP14, _APP15, _COMMENT = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# Each scan goes over the whole picture, 40 ms at 40 million pixels, and may be 60 bytes short: thousands of them are
# an attack. Encoders write about ten.
_MAX_SCANS: Final = 100


@dataclass
class _Segments:
    kept: list[bytes] = field(default_factory=lambda: [b"\xff\xd8"])
    size_px: tuple[int, int] | None = None
    exif: bytes | None = None
    icc_parts: dict[int, bytes] = field(default_factory=dict)
    num_icc_parts: int | None = None

    def take(self, marker: int, payload: bytes) -> None:
        """Sort one segment: kept for the decoder, read here, or left out."""
        if marker == _APP1 and payload.startswith(b"Exif\0") and self.exif is None:
            self.exif = payload
        elif marker == _APP2 and payload.startswith(b"ICC_PROFILE\0") and len(payload) > 14:
            self.icc_parts[payload[12]] = payload[14:]
            self.num_icc_parts = payload[13]
        elif marker in _FRAMES:
            self._take_frame_header(payload)
        elif marker in _RARE_FRAMES:
            raise PictureFormatError("the picture is a lossless or hierarchical JPEG", hint=SAVE_AS_HINT)
        # JFIF and Adobe segments decide how colours are coded; no other application segment bears on pixels.
        is_jfif = marker == _APP0 and payload.startswith(b"JFIF\0") and len(payload) >= 14
        is_adobe = marker == _APP14 and payload.startswith(b"Adobe") and len(payload) >= 12
        if is_jfif or is_adobe or not (_APP0 <= marker <= _APP15 or marker == _COMMENT):
            self.kept.append(struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload)

    def _take_frame_header(self, payload: bytes) -> None:
        if self.size_px is not None or len(payload) < 6:
            raise no_pixels("JPEG")
        precision, height, width = struct.unpack_from(">BHH", payload)
        if precision != 8:
            raise PictureFormatError(f"the picture is a JPEG of {precision} bits per sample", hint=SAVE_AS_HINT)
        self.size_px = width, height

    def icc(self) -> bytes | None:
        """Join the profile, which may be spread over segments in any order; empty when one is missing."""
        if self.num_icc_parts is None:
            return None
        is_whole = sorted(self.icc_parts) == list(range(1, self.num_icc_parts + 1))
        profile = b"".join(self.icc_parts[number] for number in sorted(self.icc_parts)) if is_whole else b""
        return profile if len(profile) <= MAX_ICC_BYTES else b""


def walk_jpeg(data: bytes) -> PictureContainer:
    """Read segments up to the end of the first picture. Further ones in the file (MPO) are previews, not frames.

    Raises PictureDamagedError when no scan is reached, PictureFormatError for kinds that are not in use on the web,
    and PictureLimitError for more than 100 scans.
    """
    segments = _Segments()
    pos = 2
    for _ in range(MAX_BLOCKS):
        found = _MARKER.search(data, pos)
        if found is None:
            break
        marker, pos = found[1][0], found.end()
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # these stand alone, without a length
            continue
        length = int.from_bytes(data[pos : pos + 2], "big")
        if marker == _END_OF_IMAGE or length < 2 or pos + length > len(data):
            break
        if marker == _START_OF_SCAN:
            if segments.size_px is None:
                raise no_pixels("JPEG")
            kept = b"".join([*segments.kept, data[pos - 2 : _end_of_scans(data, pos)]])
            return PictureContainer("JPEG", *segments.size_px, kept, exif=segments.exif, icc=segments.icc())
        segments.take(marker, data[pos + 2 : pos + length])
        pos += length
    raise cut_short("JPEG")


def _end_of_scans(data: bytes, pos: int) -> int:
    """Give the place behind the end marker, or the length of cut data. ``pos`` is behind the first scan marker."""
    num_scans = 1
    for _ in range(MAX_BLOCKS):
        pos += int.from_bytes(data[pos : pos + 2], "big")
        found = _MARKER_IN_SCAN.search(data, pos)
        if found is None:
            return len(data)
        marker, pos = found[1][0], found.end()
        if marker == _END_OF_IMAGE:
            return pos
        num_scans += marker == _START_OF_SCAN
        if num_scans > _MAX_SCANS:
            raise PictureLimitError(f"the picture is a JPEG of more than {_MAX_SCANS} scans", hint=SAVE_AS_HINT)
    raise cut_short("JPEG")
