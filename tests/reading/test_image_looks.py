"""Orientation, transparency, bit depth and animation: a picture is decoded to what a person would see."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from kandong.reading.images import decode_picture

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def encoded(image: Image.Image, format_name: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format_name, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(size_px: tuple[int, int], depth: int, colour: int, rows: list[bytes], *extra: bytes) -> bytes:
    """Write a PNG by hand: ``rows`` are packed samples, ``extra`` are chunks in front of the pixels."""
    header = struct.pack(">IIBBBBB", *size_px, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def upright() -> NDArray[np.uint8]:
    """A smooth picture of 48×32 without any symmetry."""
    x, y = np.meshgrid(np.linspace(0, 1, 48), np.linspace(0, 1, 32))
    return (np.stack([x, y, x * y], axis=-1) * 255).astype(np.uint8)


def stored_as(orientation: int, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay a picture down so that the orientation brings it up: Exif tells what row 0 and column 0 are."""
    return {
        1: pixels,  # top, left
        2: pixels[:, ::-1],  # top, right
        3: pixels[::-1, ::-1],  # bottom, right
        4: pixels[::-1],  # bottom, left
        5: pixels.swapaxes(0, 1),  # left, top
        6: pixels[:, ::-1].swapaxes(0, 1),  # right, top
        7: pixels[::-1, ::-1].swapaxes(0, 1),  # right, bottom
        8: pixels[::-1].swapaxes(0, 1),  # left, bottom
    }[orientation]


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_name", ["JPEG", "WEBP", "PNG"])
def test_every_orientation_is_brought_upright(format_name: str, orientation: int, endian: str) -> None:
    exif = Image.Exif()
    exif.endian = endian
    exif[0x010E] = "a tag in front of it"
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(stored_as(orientation, upright())))
    quality = {} if format_name == "PNG" else {"quality": 95}
    picture = decode_picture(encoded(stored, format_name, exif=exif.tobytes(), **quality))
    assert (picture.width_px, picture.height_px) == (48, 32)
    assert np.abs(picture.rgb.astype(int) - upright()).mean() <= 2
    assert picture.conversions == (("exif-rotated",) if orientation > 1 else ())
    assert picture.rgb.flags.c_contiguous


def test_exif_without_orientation_changes_nothing() -> None:
    exif = Image.Exif()
    exif[0x010E] = "description"
    picture = decode_picture(encoded(Image.fromarray(upright()), "PNG", exif=exif))
    assert picture.conversions == ()
    assert np.array_equal(picture.rgb, upright())


def on_white(colour: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.int64]:
    wide = alpha.astype(np.int64)
    return (colour * wide + 255 * (255 - wide) + 127) // 255


@pytest.mark.parametrize("format_name", ["PNG", "WEBP"])
def test_every_alpha_over_every_level_is_exact_on_white(format_name: str) -> None:
    level, alpha = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    image = Image.fromarray(np.stack([level, 255 - level, level, alpha], axis=-1))
    options = {"lossless": True, "exact": True} if format_name == "WEBP" else {}
    picture = decode_picture(encoded(image, format_name, **options))
    assert np.array_equal(picture.rgb[..., 0], on_white(level, alpha))
    assert np.array_equal(picture.rgb[..., 1], on_white(255 - level, alpha))
    assert picture.conversions == ("alpha-on-white",)


def test_gray_with_alpha_is_exact_on_white() -> None:
    level, alpha = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    picture = decode_picture(encoded(Image.fromarray(np.stack([level, alpha], axis=-1), "LA"), "PNG"))
    assert np.array_equal(picture.rgb, np.repeat(on_white(level, alpha)[..., None], 3, axis=-1))
    assert picture.conversions == ("alpha-on-white", "gray-to-rgb")


PALETTE = chunk(b"PLTE", bytes([255, 0, 0, 0, 255, 0, 0, 0, 255]))


@pytest.mark.parametrize(
    ("alphas", "expected"),
    [
        (b"\xff\0\xff", [RED, WHITE, BLUE]),  # one index is transparent
        (b"\x80\xff\x40", [(255, 127, 127), GREEN, (191, 191, 255)]),  # an alpha for each index
        (b"\0", [WHITE, GREEN, BLUE]),  # fewer alphas than colours
    ],
)
def test_a_transparent_palette_is_put_on_white(alphas: bytes, expected: list[tuple[int, int, int]]) -> None:
    data = png((3, 1), 8, 3, [bytes([0, 1, 2])], PALETTE, chunk(b"tRNS", alphas))
    picture = decode_picture(data)
    assert picture.rgb[0].tolist() == [list(colour) for colour in expected]
    assert picture.conversions == ("alpha-on-white",)


@pytest.mark.parametrize(
    ("depth", "row", "transparent", "expected"),
    [
        (1, bytes([0b01000000]), 0, [255, 255, 255]),
        (1, bytes([0b01000000]), 1, [0, 255, 0]),
        (2, bytes([0b00011000]), 1, [0, 255, 170]),
        (4, bytes([0x0A, 0xF0]), 10, [0, 255, 255]),
        (8, bytes([0, 40, 200]), 200, [0, 40, 255]),
        (16, bytes([0, 40, 0, 41, 200, 0]), 40, [255, 0, 200]),  # only the sample equal in all 16 bits
    ],
)
def test_a_transparent_gray_level_of_any_depth_is_put_on_white(
    depth: int, row: bytes, transparent: int, expected: list[int]
) -> None:
    data = png((3, 1), depth, 0, [row], chunk(b"tRNS", struct.pack(">H", transparent)))
    assert decode_picture(data).rgb[0, :, 0].tolist() == expected


def test_a_transparent_colour_is_put_on_white() -> None:
    data = png((3, 1), 8, 2, [bytes([1, 2, 3, 1, 2, 4, 0, 0, 0])], chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3)))
    assert decode_picture(data).rgb[0].tolist() == [[255, 255, 255], [1, 2, 4], [0, 0, 0]]


def test_a_transparent_16_bit_colour_is_put_on_white() -> None:
    row = struct.pack(">6H", 0x0102, 0x0304, 0x0506, 0x8000, 0x9000, 0xA000)
    data = png((2, 1), 16, 2, [row], chunk(b"tRNS", struct.pack(">HHH", 0x0102, 0x0304, 0x0506)))
    assert decode_picture(data).rgb[0].tolist() == [[255, 255, 255], [0x80, 0x90, 0xA0]]


def test_a_bmp_with_an_all_zero_fourth_byte_is_not_invisible() -> None:
    info = struct.pack("<IiiHHIIiiII", 108, 2, 1, 1, 32, 3, 8, 0, 0, 0, 0)
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head = b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + 108) + info + masks + bytes(108 - 56)
    picture = decode_picture(head + bytes([3, 2, 1, 0, 6, 5, 4, 0]))
    assert picture.rgb[0].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert picture.conversions == ("alpha-ignored",)
    half = decode_picture(head + bytes([0, 0, 0, 0, 6, 5, 4, 255]))
    assert half.rgb[0].tolist() == [[255, 255, 255], [4, 5, 6]]


def test_16_bit_gray_keeps_its_high_byte_and_is_not_clipped() -> None:
    levels = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    picture = decode_picture(encoded(Image.fromarray(levels), "PNG"))
    assert np.array_equal(picture.rgb[..., 0], levels >> 8)
    assert np.array_equal(picture.rgb[..., 0], picture.rgb[..., 2])
    assert picture.conversions == ("16bit-to-8bit", "gray-to-rgb")


@pytest.mark.parametrize(("colour", "num_samples"), [(2, 3), (4, 2), (6, 4)])
def test_16_bit_colour_agrees_with_16_bit_gray(colour: int, num_samples: int) -> None:
    has_alpha = colour in {4, 6}
    levels = [0x0000, 0x00FF, 0x7F80, 0x80FF, 0xFFFF]
    row = b"".join(struct.pack(">H", level) * (num_samples - has_alpha) + b"\xff\xff" * has_alpha for level in levels)
    picture = decode_picture(png((5, 1), 16, colour, [row]))
    assert picture.rgb[0].tolist() == [[level >> 8] * 3 for level in levels]
    assert picture.conversions[0] == "16bit-to-8bit"


def test_1_bit_and_gray_pictures_become_rgb() -> None:
    bits = decode_picture(png((4, 1), 1, 0, [bytes([0b01100000])]))
    assert bits.rgb[0].tolist() == [[0] * 3, [255] * 3, [255] * 3, [0] * 3]
    assert bits.conversions == ("gray-to-rgb",)
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for format_name in ("PNG", "BMP", "GIF"):
        assert np.array_equal(decode_picture(encoded(Image.fromarray(ramp), format_name)).rgb[..., 1], ramp)


def frames() -> list[Image.Image]:
    """Three frames in few colours, each a block in another place."""
    made = []
    for index, colour in enumerate((RED, GREEN, BLUE)):
        pixels = np.full((20, 30, 3), 30, np.uint8)
        pixels[4:12, 2 + 8 * index : 10 + 8 * index] = colour
        made.append(Image.fromarray(pixels))
    return made


@pytest.mark.parametrize(("format_name", "options"), [("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True})])
def test_an_animation_gives_its_exact_first_frame_and_its_frame_count(
    format_name: str, options: dict[str, Any]
) -> None:
    first, *rest = frames()
    data = encoded(first, format_name, save_all=True, append_images=rest, duration=80, loop=0, **options)
    picture = decode_picture(data)
    assert picture.num_frames == 3
    assert np.array_equal(picture.rgb, np.asarray(first))


def apng(still: bytes, moving: bytes, num_frames: int = 2) -> bytes:
    """A 4×2 animation in gray whose still image is not a frame; the first frame is 2×1 pixels at (1, 1)."""

    def control(number: int, width: int, height: int, left: int, top: int) -> bytes:
        return chunk(b"fcTL", struct.pack(">5I2H2B", number, width, height, left, top, 1, 10, 0, 1))

    parts = [
        chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 2, 8, 0, 0, 0, 0)),
        chunk(b"acTL", struct.pack(">II", num_frames, 0)),
        chunk(b"IDAT", zlib.compress(still)),
        control(0, 2, 1, 1, 1),
        chunk(b"fdAT", struct.pack(">I", 1) + zlib.compress(moving)),
        control(2, 4, 2, 0, 0),
        chunk(b"fdAT", struct.pack(">I", 3) + zlib.compress(still)),
        chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


STILL = b"\0\x09\x09\x09\x09" * 2


def test_the_stand_in_of_an_animated_png_gives_way_to_its_first_frame() -> None:
    picture = decode_picture(apng(STILL, b"\0\x50\x60"))
    assert picture.num_frames == 2
    assert picture.rgb[..., 0].tolist() == [[255, 255, 255, 255], [255, 0x50, 0x60, 255]]
    assert picture.conversions == ("frame-placed-on-canvas", "alpha-on-white")


def test_an_animated_png_that_claims_no_frames_is_its_still_image() -> None:
    picture = decode_picture(apng(STILL, b"\0\x50\x60", num_frames=0))
    assert picture.num_frames == 1
    assert (picture.rgb == 9).all()


def test_an_animated_png_that_claims_two_thousand_million_frames_has_those_it_has() -> None:
    assert decode_picture(apng(STILL, b"\0\x50\x60", num_frames=2_000_000_000)).num_frames == 2


def test_what_the_first_gif_frame_leaves_open_is_white() -> None:
    image = Image.fromarray(np.zeros((3, 4), np.uint8))
    image.putpalette([9, 99, 199, 0, 0, 0])
    data = encoded(image, "GIF")
    at = data.index(b"\x2c" + struct.pack("<4H", 0, 0, 4, 3))
    moved = data[:6] + struct.pack("<HH", 8, 6) + data[10 : at + 1] + struct.pack("<4H", 2, 1, 4, 3) + data[at + 9 :]
    picture = decode_picture(moved)
    expected = np.full((6, 8, 3), 255)
    expected[1:4, 2:6] = (9, 99, 199)
    assert np.array_equal(picture.rgb, expected)


def test_a_transparent_gif_is_put_on_white() -> None:
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    image.putpalette([*RED, *GREEN, *BLUE])
    picture = decode_picture(encoded(image, "GIF", transparency=1))
    assert picture.rgb[0].tolist() == [list(RED), list(WHITE), list(BLUE)]


def test_what_the_first_webp_frame_leaves_open_is_white() -> None:
    first, *rest = frames()
    data = bytearray(encoded(first, "WEBP", save_all=True, append_images=rest, lossless=True))
    for at in (24, 27):  # the canvas grows by 10 pixels in each direction
        data[at] += 10
    picture = decode_picture(bytes(data))
    expected = np.full((30, 40, 3), 255)
    expected[:20, :30] = np.asarray(first)
    assert np.array_equal(picture.rgb, expected)


def test_counting_frames_takes_little_effort() -> None:
    # 40,000 frames of one pixel: a decoder that visited each would take many seconds.
    image = encoded(Image.new("L", (1, 1)), "GIF")
    at = image.index(b"\x2c" + struct.pack("<4H", 0, 0, 1, 1))
    picture = decode_picture(image[:-1] + image[at:-1] * 39_999 + b";")
    assert picture.num_frames == 40_000
