"""Walking a PNG, still or animated, and reducing it to a still PNG of its first frame.

Owns: sorting chunks and checking their checksums, so that the decoder gets those that bear on pixels, and damaged or
hostile texts and indexes never reach it. Must not know: the decoder library, limits, names.
Source: Portable Network Graphics (PNG) Specification, third edition (W3C), sections 5, 11 and 13.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from kandong.errors import PictureDamagedError
from kandong.reading.picture_files.container import (
    FETCH_AGAIN_HINT,
    MAX_BLOCKS,
    MAX_ICC_BYTES,
    PictureContainer,
    box_unless_whole,
    cut_short,
    no_pixels,
)

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_HEADER_BYTES: Final = 13
_NEEDED: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT"})
_GRAY, _RGB = 0, 2
_SAMPLES_PER_PIXEL: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Left, top, step right, step down of the seven Adam7 passes (section 8.1).
_PASSES: Final = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


@dataclass
class _Chunks:
    header: bytes = b""
    colours: list[bytes] = field(default_factory=list)
    exif: bytes | None = None
    icc: bytes | None = None
    still: list[memoryview] = field(default_factory=list)
    is_still_complete: bool = False
    is_still_animated: bool = False
    is_animated: bool = False
    num_controls: int = 0
    first_control: bytes = b""
    moving: list[memoryview] = field(default_factory=list)
    is_end_seen: bool = False

    def take(self, kind: bytes, payload: memoryview, is_intact: bool) -> None:
        """Sort one chunk. Pixels need the right checksum; a wrong one elsewhere only voids that chunk."""
        if kind in _NEEDED and not is_intact:
            raise PictureDamagedError("the PNG data fail their own checksum", hint=FETCH_AGAIN_HINT)
        if kind == b"IDAT":
            self.still.append(payload)
            return
        self.is_still_complete = self.is_still_complete or bool(self.still)
        if kind == b"IHDR" and not self.header:
            self.header = bytes(payload)
        elif kind == b"PLTE":
            self.colours.append(_chunk(b"PLTE", payload))
        elif kind == b"tRNS":
            self.colours.append(_chunk(b"tRNS", _scaled_transparency(bytes(payload), self.header)))
        elif kind == b"eXIf":
            self.exif = bytes(payload) if is_intact else b""
        elif kind == b"iCCP":
            self.icc = _inflate_icc(bytes(payload)) if is_intact else b""
        elif kind == b"IEND":
            self.is_end_seen = True
        else:
            self._take_animation(kind, payload, is_intact)

    def _take_animation(self, kind: bytes, payload: memoryview, is_intact: bool) -> None:
        if kind == b"acTL" and not self.still:
            self.is_animated = is_intact and any(payload[:4])
        elif kind == b"fcTL":
            self.num_controls += 1
            if self.num_controls == 1:
                self.is_still_animated = not self.still
                self.first_control = bytes(payload) if is_intact else b""
        elif kind == b"fdAT" and self.num_controls == 1 and is_intact:
            self.moving.append(payload[4:])


def walk_png(data: bytes) -> PictureContainer:
    """Read all chunks; ``data`` of the result is a still PNG of the first frame, without texts and metadata.

    The still image of an animated PNG may be a stand-in for viewers that cannot animate; then the first frame is the
    first animated one, as a viewer shows it. Raises PictureDamagedError for a wrong checksum of a chunk that pixels
    need, and for a first frame that is cut short.
    """
    chunks = _Chunks()
    for kind, payload, is_intact in _chunks_of(data):
        chunks.take(kind, payload, is_intact)
    if len(chunks.header) != _HEADER_BYTES:
        raise cut_short("PNG") if not chunks.is_end_seen else no_pixels("PNG")
    if not chunks.is_still_complete:
        raise no_pixels("PNG") if chunks.is_end_seen else cut_short("PNG")
    width, height = struct.unpack_from(">II", chunks.header)
    header, pixels, box = chunks.header, chunks.still, None
    if chunks.is_animated and not chunks.is_still_animated:
        frame = _first_moving_frame(chunks, width, height)
        if frame is not None:
            header, box = frame
            pixels = chunks.moving
    return PictureContainer(
        "PNG",
        width,
        height,
        b"".join([_SIGNATURE, _chunk(b"IHDR", header), *chunks.colours, _chunk(b"IDAT", b"".join(pixels)), _END]),
        num_frames=max(1, chunks.num_controls) if chunks.is_animated else 1,
        frame_box_px=None if box is None else box_unless_whole(box, width, height),
        exif=chunks.exif,
        icc=chunks.icc,
        bits_per_sample=header[8],
    )


def png_stream_is_whole(still: bytes) -> bool:
    """Say whether the pixel stream of a PNG made by ``walk_png`` expands to all its rows.

    Decoders leave the rest black when the compressed stream ends early by its own word. Expands the stream once.
    """
    pixels = b""
    header = still[16 : 16 + _HEADER_BYTES]
    for kind, payload, _ in _chunks_of(still):
        if kind == b"IDAT":
            pixels = bytes(payload)
    missing_bytes = _stream_bytes(header)
    stream = zlib.decompressobj()
    while missing_bytes > 0 and not stream.eof:
        piece = stream.decompress(pixels, 1 << 20)
        pixels = stream.unconsumed_tail
        if not piece and not pixels:
            break
        missing_bytes -= len(piece)
    return missing_bytes <= 0


def _stream_bytes(header: bytes) -> int:
    """Count the bytes of all rows, each with its filter byte, over all passes."""
    width, height, depth, colour = struct.unpack_from(">IIBB", header)
    bits_per_pixel = depth * _SAMPLES_PER_PIXEL[colour]
    total = 0
    for left, top, step_right, step_down in _PASSES if header[12] else ((0, 0, 1, 1),):
        columns = (width - left + step_right - 1) // step_right
        rows = (height - top + step_down - 1) // step_down
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits_per_pixel + 7) // 8)
    return total


def _chunks_of(data: bytes) -> Iterator[tuple[bytes, memoryview, bool]]:
    """Yield (type, payload, checksum is right) of every whole chunk up to and with IEND."""
    view = memoryview(data)
    pos = len(_SIGNATURE)
    for _ in range(MAX_BLOCKS):
        end = pos + 12 + int.from_bytes(view[pos : pos + 4], "big")
        if end > len(data):
            return
        kind = data[pos + 4 : pos + 8]
        checksum = int.from_bytes(view[end - 4 : end], "big")
        yield kind, view[pos + 8 : end - 4], zlib.crc32(view[pos + 4 : end - 4]) == checksum
        if kind == b"IEND":
            return
        pos = end


def _chunk(kind: bytes, payload: bytes | memoryview) -> bytes:
    return b"".join([struct.pack(">I", len(payload)), kind, payload, _checksum(kind, payload)])


def _checksum(kind: bytes, payload: bytes | memoryview) -> bytes:
    return zlib.crc32(payload, zlib.crc32(kind)).to_bytes(4, "big")


_END: Final = _chunk(b"IEND", b"")


def _first_moving_frame(
    chunks: _Chunks, width_px: int, height_px: int
) -> tuple[bytes, tuple[int, int, int, int]] | None:
    """Give (header, box) of the first animated frame, or None where it is cut short or lies outside the canvas."""
    is_complete = chunks.num_controls > 1 or chunks.is_end_seen
    if not is_complete or not chunks.moving or len(chunks.first_control) != 26:
        return None
    width, height, left, top = struct.unpack_from(">IIII", chunks.first_control, 4)
    if not (width and height and left + width <= width_px and top + height <= height_px):
        return None
    return struct.pack(">II", width, height) + chunks.header[8:], (left, top, left + width, top + height)


def _scaled_transparency(payload: bytes, header: bytes) -> bytes:
    """Bring the transparent colour of a tRNS chunk to the scale of decoded samples.

    The decoder compares it with samples stretched to 8 bits (gray of 2 and 4 bits) or cut to their high byte (RGB of
    16 bits), but leaves the colour itself as stored. Gray of 1 and 16 bits it handles.
    """
    if len(header) != _HEADER_BYTES:
        return payload
    depth, colour = header[8], header[9]
    if colour == _GRAY and len(payload) >= 2 and depth in {2, 4, 8}:
        most = (1 << depth) - 1
        return ((int.from_bytes(payload[:2], "big") & most) * 255 // most).to_bytes(2, "big")
    if colour == _RGB and len(payload) >= 6:
        samples = struct.unpack_from(">HHH", payload)
        return struct.pack(">HHH", *((sample >> 8 if depth == 16 else sample & 255) for sample in samples))
    return payload[:256]


def _inflate_icc(payload: bytes) -> bytes:
    """Expand the profile of an iCCP chunk: name, zero, method zero, zlib data. Empty when it is damaged or huge."""
    end_of_name = payload.find(b"\0", 0, 80)
    if end_of_name < 0 or payload[end_of_name + 1 : end_of_name + 2] != b"\0":
        return b""
    stream = zlib.decompressobj()
    try:
        profile = stream.decompress(payload[end_of_name + 2 :], MAX_ICC_BYTES)
    except zlib.error:
        return b""
    return profile if stream.eof else b""
