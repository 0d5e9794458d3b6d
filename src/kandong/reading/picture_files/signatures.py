"""Telling what a file is by its first bytes, and how large a picture it says it holds.

Owns: the allow-list of formats, the names and remedies of recognisable formats that are not read, and the size in the
header of those formats that keep it in a fixed place.
Must not know: the decoder library, what follows the header, the limits of the caller, names and paths.
"""

from __future__ import annotations

import re
import struct
from typing import Final

from kandong.errors import PictureFormatError

SAVE_AS_HINT: Final = "Save it as PNG or JPEG and send that."
_SAVE_FRAME_HINT: Final = "Save one frame of it as PNG or JPEG and send that."
_BMP_HEADER_BYTES: Final = frozenset({12, 40, 52, 56, 64, 108, 124})
_MARKUP: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml|!--|!doctype|svg|html|head|body)", re.IGNORECASE)
_HEIC_BRANDS: Final = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})

_REFUSED: Final = (
    (b"II*\0", "a TIFF picture", SAVE_AS_HINT),
    (b"MM\0*", "a TIFF picture", SAVE_AS_HINT),
    (b"II+\0", "a TIFF picture", SAVE_AS_HINT),
    (b"MM\0+", "a TIFF picture", SAVE_AS_HINT),
    (b"%PDF-", "a PDF document", "Export the page as PNG and send that."),
    (b"8BPS", "a Photoshop document", SAVE_AS_HINT),
    (b"gimp xcf", "a GIMP document", SAVE_AS_HINT),
    (b"\0\0\1\0", "an ICO icon", SAVE_AS_HINT),
    (b"\0\0\2\0", "a CUR cursor", SAVE_AS_HINT),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture", SAVE_AS_HINT),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture", SAVE_AS_HINT),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture", SAVE_AS_HINT),
    (b"\xff\x0a", "a JPEG XL picture", SAVE_AS_HINT),
    (b"qoif", "a QOI picture", SAVE_AS_HINT),
    (b"%!PS", "an EPS or PostScript document", SAVE_AS_HINT),
    (b"\xc5\xd0\xd3\xc6", "an EPS or PostScript document", SAVE_AS_HINT),
    (b"\x8aMNG", "an MNG animation", _SAVE_FRAME_HINT),
    (b"\x1aE\xdf\xa3", "a WebM or Matroska video", _SAVE_FRAME_HINT),
    (b"\0\0\1\xba", "an MPEG video", _SAVE_FRAME_HINT),
    (b"FLV\1", "a Flash video", _SAVE_FRAME_HINT),
    (b"PK\3\4", "a ZIP archive or office document", "Take the picture out of it and send that."),
    (b"\x1f\x8b", "a gzip-compressed file", "Unpack it and send the picture."),
)


def detect_format(data: bytes) -> str:
    """Give ``"JPEG"``, ``"PNG"``, ``"WEBP"``, ``"GIF"`` or ``"BMP"`` from the first bytes alone.

    Raises PictureFormatError for everything else, naming the format where it is a known one.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        if data[12:16] == b"CgBI":
            raise PictureFormatError("the picture is a PNG in the private variant of iOS apps", hint=SAVE_AS_HINT)
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    # Two letters are too little: a text may begin with them.
    if data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BMP_HEADER_BYTES:
        return "BMP"
    refused = _refused_format(data)
    if refused is None:
        hint = "Send a JPEG, PNG, WebP, GIF or BMP picture."
        raise PictureFormatError("the data are not a picture of a known format", hint=hint)
    what, remedy = refused
    raise PictureFormatError(f"the file is {what}, which is not read", hint=remedy)


def _refused_format(data: bytes) -> tuple[str, str] | None:
    """Give (name, remedy) of a recognisable format that is not read, or None."""
    for signature, what, remedy in _REFUSED:
        if data.startswith(signature):
            return what, remedy
    if data[4:8] == b"ftyp":
        return _refused_media_container(data)
    if data.startswith(b"RIFF") and data[8:12] == b"AVI ":
        return "an AVI video", _SAVE_FRAME_HINT
    if _MARKUP.match(data, 0, 512):
        head = data[:4096].lower()
        if b"<html" in head or b"<!doctype html" in head:
            return "a web page", "Download the picture itself, not the page that shows it."
        if b"<svg" in head:
            return "an SVG drawing", "Export it as PNG and send that."
        return "an XML document", "Send a JPEG, PNG, WebP, GIF or BMP picture."
    return None


def _refused_media_container(data: bytes) -> tuple[str, str]:
    """Tell AVIF, HEIC and video apart by the brands in the ``ftyp`` box (ISO/IEC 14496-12)."""
    box_bytes = min(max(16, int.from_bytes(data[:4], "big")), 256)
    brands = {data[at : at + 4] for at in range(8, box_bytes, 4)}
    if brands & {b"avif", b"avis"}:
        return "an AVIF picture", SAVE_AS_HINT
    if brands & _HEIC_BRANDS:
        return "a HEIC picture", SAVE_AS_HINT
    return "an MP4 or QuickTime video", _SAVE_FRAME_HINT


def declared_size_px(data: bytes, format_name: str) -> tuple[int, int] | None:
    """Give (width, height) from its fixed place in the header, or None where only a walk finds it (JPEG).

    Looks at no more than 30 bytes, so that caps can be applied before any other work.
    """
    head = data[:30]
    if format_name == "PNG" and head[12:16] == b"IHDR" and len(head) >= 24:
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if format_name == "GIF" and len(head) >= 10:
        width, height = struct.unpack_from("<HH", head, 6)
        # The screen may be 0×0: then the first frame gives the size, which the walk finds.
        return (width, height) if width and height else None
    if format_name == "BMP" and len(head) >= 26:
        width, height = struct.unpack_from("<HH" if head[14] == 12 else "<ii", head, 18)
        return width, abs(height)  # a negative height means rows from top to bottom
    if format_name == "WEBP" and len(head) >= 30:
        return _webp_size_px(head)
    return None


def _webp_size_px(head: bytes) -> tuple[int, int] | None:
    """Read the canvas size of the three kinds of WebP: extended, lossless, lossy."""
    if head[12:16] == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if head[12:16] == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None
