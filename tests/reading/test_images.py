"""Which files are read, which are refused and with what words, and what a decoded picture is like."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile

from kandong.errors import (
    KandongError,
    PictureDamagedError,
    PictureError,
    PictureFormatError,
    PictureLimitError,
)
from kandong.reading.images import PictureLimits, decode_picture, load_picture
from kandong.types import Picture


def gradient(width_px: int = 60, height_px: int = 40) -> NDArray[np.uint8]:
    x = np.linspace(0, 255, width_px)[None, :]
    y = np.linspace(0, 255, height_px)[:, None]
    planes = (x + 0 * y, y + 0 * x, (x + y) / 2)
    return np.stack(planes, axis=-1).astype(np.uint8)


def encoded(image: Image.Image, format_name: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format_name, **options)
    return file.getvalue()


def png_header(width_px: int, height_px: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def refused(data: bytes, **options: Any) -> KandongError:
    with pytest.raises(KandongError) as caught:
        decode_picture(data, **options)
    return caught.value


@pytest.mark.parametrize(
    ("format_name", "options", "most_mean_error"),
    [
        ("JPEG", {"quality": 95}, 2.0),
        ("JPEG", {"quality": 95, "progressive": True}, 2.0),
        ("PNG", {}, 0.0),
        ("PNG", {"optimize": True}, 0.0),
        ("WEBP", {"lossless": True}, 0.0),
        ("WEBP", {"quality": 95}, 2.0),
        ("BMP", {}, 0.0),
        ("GIF", {}, 12.0),
    ],
)
def test_each_accepted_format_gives_its_pixels(
    format_name: str, options: dict[str, Any], most_mean_error: float
) -> None:
    pixels = gradient()
    picture = decode_picture(encoded(Image.fromarray(pixels), format_name, **options))
    assert picture.format == format_name
    assert picture.num_frames == 1
    assert (picture.width_px, picture.height_px) == (60, 40)
    assert np.abs(picture.rgb.astype(int) - pixels).mean() <= most_mean_error


def test_a_gif_of_few_colours_is_exact() -> None:
    pixels = np.kron(np.arange(6, dtype=np.uint8).reshape(2, 3), np.ones((8, 8), np.uint8))
    image = Image.fromarray(pixels)
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 99, 199, 255, 255, 255])
    picture = decode_picture(encoded(image, "GIF"))
    assert np.array_equal(picture.rgb, np.asarray(image.convert("RGB")))
    assert picture.conversions == ("palette-to-rgb",)


def test_an_interlaced_png_gives_its_pixels() -> None:
    # One pixel per Adam7 pass position of an 8×8 tile: rows are written pass by pass, each with filter 0.
    pixels = gradient(8, 8)
    steps = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = b"".join(b"\0" + row.tobytes() for left, top, right, down in steps for row in pixels[top::down, left::right])
    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 1)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    assert np.array_equal(decode_picture(data).rgb, pixels)


def test_the_result_is_contiguous_and_read_only() -> None:
    for format_name in ("JPEG", "PNG", "WEBP", "GIF", "BMP"):
        rgb = decode_picture(encoded(Image.fromarray(gradient()), format_name)).rgb
        assert rgb.dtype == np.uint8
        assert rgb.flags.c_contiguous
        assert not rgb.flags.writeable


def test_the_extension_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "card.jpg"
    path.write_bytes(encoded(Image.fromarray(gradient()), "PNG"))
    assert load_picture(path).format == "PNG"


def test_a_jpeg_with_further_pictures_gives_the_first() -> None:
    first, second = Image.fromarray(gradient()), Image.new("RGB", (60, 40))
    picture = decode_picture(encoded(first, "MPO", save_all=True, append_images=[second], quality=95))
    assert (picture.format, picture.num_frames) == ("JPEG", 1)
    assert np.abs(picture.rgb.astype(int) - gradient()).mean() <= 2


def test_digest_tells_same_bytes_of_other_shape_apart() -> None:
    flat = np.arange(30 * 100 * 3, dtype=np.uint32).astype(np.uint8)
    tall = Picture(rgb=flat.reshape(100, 30, 3), format="PNG")
    wide = Picture(rgb=flat.reshape(30, 100, 3), format="PNG")
    assert tall.digest != wide.digest
    again = decode_picture(encoded(Image.fromarray(wide.rgb), "PNG"))
    assert again.digest == wide.digest


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"II*\0" + bytes(40), "TIFF"),
        (b"MM\0*" + bytes(40), "TIFF"),
        (b"%PDF-1.7\n" + bytes(40), "PDF"),
        (b"8BPS\0\1" + bytes(40), "Photoshop"),
        (b"\0\0\1\0\1\0" + bytes(40), "ICO"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), "JPEG 2000"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "EPS"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40), "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf" + bytes(40), "AVIF"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(40), "MP4"),
        (b"\x1aE\xdf\xa3" + bytes(40), "WebM"),
        (b"RIFF\x24\0\0\0AVI LIST" + bytes(40), "AVI"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "SVG"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- drawing -->\n<SVG width="9"></SVG>', "SVG"),
        (b"<!DOCTYPE html><html><body><svg></svg></body></html>", "web page"),
        (b"PK\3\4" + bytes(40), "ZIP"),
    ],
)
def test_a_known_format_that_is_not_read_is_named_with_a_remedy(data: bytes, word: str) -> None:
    error = refused(data, name="card.png")
    assert isinstance(error, PictureFormatError)
    assert error.message.startswith("card.png: ")
    assert word in error.message
    assert error.hint
    assert error.field == "picture"


@pytest.mark.parametrize("format_name", ["TIFF", "ICO", "JPEG2000", "PPM", "TGA", "ICNS"])
def test_real_files_of_other_formats_are_refused(format_name: str) -> None:
    assert isinstance(refused(encoded(Image.new("RGB", (64, 64)), format_name)), PictureFormatError)


def test_text_beginning_like_a_bmp_is_not_taken_for_one() -> None:
    assert isinstance(refused(b"BMW and others have shown new cars today."), PictureFormatError)


def test_empty_data_have_their_own_message() -> None:
    error = refused(b"", name="card.png")
    assert isinstance(error, PictureFormatError)
    assert error.message == "card.png: the picture is empty (0 bytes)"
    assert error.hint


def test_without_a_name_messages_begin_with_the_fact() -> None:
    assert refused(b"").message == "the picture is empty (0 bytes)"


def test_too_many_bytes_are_refused_before_anything_else() -> None:
    error = refused(bytes(101), limits=PictureLimits(max_bytes=100))
    assert isinstance(error, PictureLimitError)
    assert "101 bytes" in error.message


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_header_of_60000_by_60000_is_refused_at_once(is_whole: bool) -> None:
    data = png_header(60_000, 60_000)
    if is_whole:
        pixels = b"IDAT" + zlib.compress(bytes(1_000_000))
        data += struct.pack(">I", len(pixels) - 4) + pixels + struct.pack(">I", zlib.crc32(pixels))
        data += b"\0\0\0\0IEND\xaeB`\x82"
    start = time.perf_counter()
    error = refused(data)
    assert time.perf_counter() - start < 0.5
    assert isinstance(error, PictureLimitError)
    assert "60000×60000" in error.message
    assert error.hint


@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is read with the resource module")
def test_refusing_a_huge_header_takes_little_memory() -> None:
    program = (
        "import resource, sys\n"
        "from kandong.errors import PictureLimitError\n"
        "from kandong.reading.images import decode_picture\n"
        "data = sys.stdin.buffer.read()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    decode_picture(data)\n"
        "except PictureLimitError:\n    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], input=png_header(60_000, 60_000), capture_output=True)
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit_bytes < 8 << 20


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_every_format_is_held_to_the_caps(format_name: str) -> None:
    data = encoded(Image.fromarray(gradient()), format_name)
    for limits in (
        PictureLimits(max_pixels=2399),
        PictureLimits(max_side_px=59),
        PictureLimits(min_side_px=41),
        PictureLimits(max_aspect_ratio=1.4),
    ):
        error = refused(data, limits=limits)
        assert isinstance(error, PictureLimitError)
        assert "60×40" in error.message
    exact = PictureLimits(max_pixels=2400, max_side_px=60, min_side_px=40, max_aspect_ratio=1.5, max_bytes=len(data))
    assert decode_picture(data, limits=exact).width_px == 60


@pytest.mark.parametrize("size_px", [(201, 1), (1, 201), (2001, 10)])
def test_more_than_200_to_1_is_refused(size_px: tuple[int, int]) -> None:
    error = refused(encoded(Image.new("RGB", size_px), "PNG"))
    assert isinstance(error, PictureLimitError)
    assert "200 times" in error.message


@pytest.mark.parametrize("size_px", [(200, 1), (1, 200), (2000, 10)])
def test_exactly_200_to_1_is_read(size_px: tuple[int, int]) -> None:
    picture = decode_picture(encoded(Image.new("RGB", size_px), "PNG"))
    assert (picture.width_px, picture.height_px) == size_px


def test_a_png_without_width_is_damaged() -> None:
    assert isinstance(refused(png_header(0, 5)), PictureDamagedError)


def test_a_lower_cap_set_in_pillow_by_the_program_around_is_a_limit_not_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = encoded(Image.fromarray(gradient()), "WEBP")
    for most in (2399, 1000):  # Pillow itself would warn at the first, and raise at the second
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
        assert isinstance(refused(data, limits=PictureLimits(max_pixels=10**9)), PictureLimitError)


def test_pillow_keeps_its_global_state() -> None:
    before = Image.MAX_IMAGE_PIXELS
    decode_picture(encoded(Image.fromarray(gradient()), "PNG"), limits=PictureLimits(max_pixels=10**9))
    refused(png_header(60_000, 60_000))
    assert before == Image.MAX_IMAGE_PIXELS
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_many_threads_get_the_same_pictures() -> None:
    image = Image.fromarray(gradient(300, 200))
    files = [encoded(image, name) for name in ("JPEG", "PNG", "WEBP", "GIF", "BMP")]
    alone = [decode_picture(data).digest for data in files]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda data: decode_picture(data).digest, files * 10))
    assert together == alone * 10


def test_a_missing_file_is_named_as_given(tmp_path: Path) -> None:
    path = tmp_path / "none.png"
    with pytest.raises(PictureError) as caught:
        load_picture(path)
    assert caught.value.message == f"{path}: there is no such file"
    assert caught.value.field == "picture"
    assert caught.value.hint


def test_a_folder_is_not_a_picture(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="folder") as caught:
        load_picture(tmp_path)
    assert str(tmp_path) in caught.value.message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in this file system")
def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "pipe.png"
    os.mkfifo(path)
    with pytest.raises(PictureError, match="regular file"):
        load_picture(path)


@pytest.mark.parametrize("name", ["a\0b.png", "x" * 5000, "file.png/inside.png"])
def test_an_impossible_path_is_a_picture_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "file.png").write_bytes(b"x")
    with pytest.raises(PictureError) as caught:
        load_picture(tmp_path / name)
    assert caught.value.field == "picture"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind this user")
def test_an_unreadable_file_is_a_picture_error(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(PictureError, match="cannot be read"):
        load_picture(path)


def test_a_file_over_the_cap_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # sparse: reading it would take a terabyte
    with pytest.raises(PictureLimitError) as caught:
        load_picture(path)
    assert caught.value.message.startswith(f"{path}: ")


def test_errors_of_a_file_name_its_path(tmp_path: Path) -> None:
    path = tmp_path / "torn.png"
    path.write_bytes(encoded(Image.fromarray(gradient()), "PNG")[:100])
    with pytest.raises(PictureDamagedError) as caught:
        load_picture(path)
    assert caught.value.message.startswith(f"{path}: ")
