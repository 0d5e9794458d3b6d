"""CMYK and embedded colour profiles. The profiles are written by hand after ICC.1:2001-04 (version 2)."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from kandong.reading.images import decode_picture

D50 = (0.9642, 1.0, 0.8249)
# Colorants adapted to D50, one column per primary.
ADOBE_RGB_TO_XYZ = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
SRGB_TO_XYZ = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
GAMMA = 563 / 256  # 2.2 as the format stores it


def encoded(image: Image.Image, format_name: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format_name, **options)
    return file.getvalue()


def fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": b"XYZ \0\0\0\0" + fixed(*D50),
        **tags,
    }
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x02400000, kind, space, connection)
    head += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + fixed(*D50)
    return head + bytes(128 - len(head)) + table + body


def gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def rgb_profile() -> bytes:
    tags = {}
    for index, letter in enumerate((b"r", b"g", b"b")):
        tags[letter + b"XYZ"] = b"XYZ \0\0\0\0" + fixed(*ADOBE_RGB_TO_XYZ[:, index])
        tags[letter + b"TRC"] = gamma_curve(GAMMA)
    return profile(b"mntr", b"RGB ", b"XYZ ", tags)


def gray_profile(gamma: float) -> bytes:
    return profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": gamma_curve(gamma)})


def cmyk_profile(ink_lab: dict[tuple[int, int, int, int], tuple[int, int, int]]) -> bytes:
    """A table with two steps per ink; corners without a given L*a*b* are black."""
    table = b"".join(
        struct.pack(">BBB", round(lightness * 2.55), a + 128, b + 128)
        for corner in np.ndindex(2, 2, 2, 2)
        for lightness, a, b in [ink_lab.get((corner[0], corner[1], corner[2], corner[3]), (0, 0, 0))]
    )
    straight = bytes(range(256))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    return profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": lut + straight * 4 + table + straight * 3})


def srgb_from_xyz(xyz: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = np.clip(xyz @ np.linalg.inv(SRGB_TO_XYZ).T, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def srgb_from_lab(lightness: float, a: float, b: float) -> NDArray[np.float64]:
    middle = (lightness + 16) / 116
    roots = np.array([middle + a / 500, middle, middle - b / 200])
    return srgb_from_xyz(np.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29)) * D50)


def smooth_rgb() -> NDArray[np.uint8]:
    x, y = np.meshgrid(np.linspace(0.2, 0.8, 48), np.linspace(0.2, 0.8, 32))
    return (np.stack([x, y, 1 - x], axis=-1) * 255).astype(np.uint8)


def test_a_cmyk_jpeg_looks_like_the_picture_it_was_made_from() -> None:
    data = encoded(Image.fromarray(smooth_rgb()).convert("CMYK"), "JPEG", quality=95)
    picture = decode_picture(data)
    assert np.abs(picture.rgb.astype(int) - smooth_rgb()).mean() < 3
    assert picture.conversions == ("cmyk-to-rgb",)


def test_paper_and_full_ink_of_a_cmyk_jpeg_are_white_and_black() -> None:
    for ink, level in ((0, 255), (255, 0)):
        data = encoded(Image.new("CMYK", (16, 16), (0, 0, 0, ink)), "JPEG", quality=95)
        assert np.abs(decode_picture(data).rgb.astype(int) - level).max() <= 2


def test_a_cmyk_profile_decides_the_colour_of_inks() -> None:
    paper, cyan = (100, 0, 0), (60, -30, -30)
    icc = cmyk_profile({(0, 0, 0, 0): paper, (1, 0, 0, 0): cyan})
    for inks, lab in (((0, 0, 0, 0), paper), ((255, 0, 0, 0), cyan)):
        data = encoded(Image.new("CMYK", (16, 16), inks), "JPEG", quality=100, subsampling=0, icc_profile=icc)
        picture = decode_picture(data)
        assert picture.conversions == ("icc-converted",)
        assert np.abs(picture.rgb - srgb_from_lab(*lab)).max() <= 4
    plain = decode_picture(encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG")).rgb
    assert np.abs(plain - srgb_from_lab(*cyan)).max() > 50


def test_an_rgb_profile_is_converted_to_srgb() -> None:
    linear = (smooth_rgb() / 255.0) ** GAMMA
    expected = srgb_from_xyz(linear @ ADOBE_RGB_TO_XYZ.T)
    for format_name, options in (("PNG", {}), ("WEBP", {"lossless": True})):
        data = encoded(Image.fromarray(smooth_rgb()), format_name, icc_profile=rgb_profile(), **options)
        picture = decode_picture(data)
        assert picture.conversions == ("icc-converted",)
        assert np.abs(picture.rgb - expected).max() <= 2
    jpeg = decode_picture(encoded(Image.fromarray(smooth_rgb()), "JPEG", quality=95, icc_profile=rgb_profile()))
    assert np.abs(jpeg.rgb - expected).mean() <= 2
    assert np.abs(expected - smooth_rgb()).mean() > 5


def test_a_gray_profile_is_converted_to_srgb() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    picture = decode_picture(encoded(Image.fromarray(ramp), "PNG", icc_profile=gray_profile(1.0)))
    level = ramp / 255.0
    expected = 255 * np.where(level <= 0.0031308, 12.92 * level, 1.055 * level ** (1 / 2.4) - 0.055)
    assert picture.conversions == ("icc-converted",)
    assert np.abs(picture.rgb[..., 1] - expected).max() <= 2


def test_an_rgb_profile_on_gray_or_palette_pixels_is_converted() -> None:
    for image in (Image.new("L", (4, 4), 90), Image.fromarray(smooth_rgb()).quantize(16)):
        picture = decode_picture(encoded(image, "PNG", icc_profile=rgb_profile()))
        assert picture.conversions == ("icc-converted",)


def test_transparent_pixels_stay_white_through_a_profile() -> None:
    image = Image.new("RGBA", (4, 4), (10, 200, 30, 0))
    picture = decode_picture(encoded(image, "PNG", icc_profile=rgb_profile()))
    assert picture.conversions == ("alpha-on-white", "icc-converted")
    assert picture.rgb.min() >= 254


def test_an_srgb_profile_changes_nothing() -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = decode_picture(encoded(Image.fromarray(smooth_rgb()), "PNG", icc_profile=icc))
    assert picture.conversions == ()
    assert np.array_equal(picture.rgb, smooth_rgb())


def test_a_profile_spread_over_many_jpeg_segments_is_joined() -> None:
    # A text of 150,000 bytes makes the profile longer than two segments.
    long_profile = rgb_profile()
    long_profile = profile(b"mntr", b"RGB ", b"XYZ ", {**_tags_of(long_profile), b"targ": b"text" + bytes(150_000)})
    data = encoded(Image.fromarray(smooth_rgb()), "JPEG", quality=95, icc_profile=long_profile)
    assert data.count(b"ICC_PROFILE\0") == 3
    assert decode_picture(data).conversions == ("icc-converted",)
    second = data.index(b"ICC_PROFILE\0", data.index(b"ICC_PROFILE\0") + 1)
    torn = data[:second] + b"XXX_PROFILE\0" + data[second + 12 :]
    assert decode_picture(torn).conversions == ("icc-ignored",)


def _tags_of(icc: bytes) -> dict[bytes, bytes]:
    (num_tags,) = struct.unpack_from(">I", icc, 128)
    found = {}
    for index in range(num_tags):
        name, start, length = struct.unpack_from(">4sII", icc, 132 + 12 * index)
        found[name] = icc[start : start + length]
    return found


@pytest.mark.parametrize("icc", [b"junk", bytes(200), rgb_profile()[:150], rgb_profile()[:-60], cmyk_profile({})])
@pytest.mark.parametrize("format_name", ["PNG", "JPEG"])
def test_an_unusable_profile_is_ignored(format_name: str, icc: bytes) -> None:
    image = Image.fromarray(smooth_rgb())
    picture = decode_picture(encoded(image, format_name, icc_profile=icc))
    assert picture.conversions == ("icc-ignored",)
    assert np.array_equal(picture.rgb, decode_picture(encoded(image, format_name)).rgb)


def test_an_unusable_profile_on_cmyk_leaves_the_plain_conversion() -> None:
    data = encoded(Image.new("CMYK", (16, 16), (0, 0, 0, 0)), "JPEG", icc_profile=rgb_profile())
    picture = decode_picture(data)
    assert picture.conversions == ("icc-ignored", "cmyk-to-rgb")
    assert picture.rgb.min() >= 253
