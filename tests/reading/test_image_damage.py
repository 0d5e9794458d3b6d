"""Truncated, corrupt and hostile files end in the tree of errors, or in the picture where only metadata are bad."""

from __future__ import annotations

import io
import random
import struct
import time
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from kandong.errors import KandongError, PictureDamagedError, PictureError, PictureFormatError, PictureLimitError
from kandong.reading.images import decode_picture

NOISE: NDArray[np.uint8] = np.random.default_rng(7).integers(0, 256, (24, 36, 3), dtype=np.uint8)
SMOOTH: NDArray[np.uint8] = np.tile(np.linspace(0, 255, 36).astype(np.uint8)[None, :, None], (24, 1, 3))


def encoded(format_name: str, pixels: NDArray[np.uint8] = NOISE, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format_name, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(extra: bytes, pixels: NDArray[np.uint8] = NOISE) -> bytes:
    """Put chunks right behind the header of a PNG."""
    data = encoded("PNG", pixels)
    return data[:33] + extra + data[33:]


def jpeg_with(marker: int, body: bytes) -> bytes:
    """Put a segment right behind the start marker of a JPEG."""
    data = encoded("JPEG", SMOOTH, quality=95)
    return data[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + data[2:]


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_a_file_cut_anywhere_in_its_pixels_is_damaged(format_name: str) -> None:
    data = encoded(format_name)
    for part in (0.5, 0.6, 0.7, 0.8, 0.9, 0.99):
        with pytest.raises(PictureDamagedError) as caught:
            decode_picture(data[: int(len(data) * part)], name="card")
        assert caught.value.message.startswith("card: ")
        assert caught.value.hint


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "BMP"])
def test_a_file_without_its_last_byte_is_damaged(format_name: str) -> None:
    with pytest.raises(PictureDamagedError):
        decode_picture(encoded(format_name)[:-1])


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_a_file_cut_in_its_header_is_refused(format_name: str) -> None:
    data = encoded(format_name)
    for num_bytes in range(1, 60):
        with pytest.raises(PictureError):
            decode_picture(data[:num_bytes])


def test_a_gif_that_lacks_only_its_trailer_is_read() -> None:
    data = encoded("GIF")
    assert decode_picture(data[:-1]).digest == decode_picture(data).digest


def test_random_and_zero_bytes_are_no_picture() -> None:
    rng = random.Random(3)
    for num_bytes in (1, 7, 16, 100, 5000):
        for data in (rng.randbytes(num_bytes), bytes(num_bytes)):
            with pytest.raises(PictureFormatError):
                decode_picture(data)


@pytest.mark.parametrize("head", [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\xff\0\0\0WEBPVP8 "])
def test_random_bytes_behind_a_signature_are_refused(head: bytes) -> None:
    for seed in range(20):
        with pytest.raises(PictureError):
            decode_picture(head + random.Random(seed).randbytes(400))


@pytest.mark.parametrize("place", ["IHDR", "IDAT", "tRNS"])
def test_a_png_whose_pixels_fail_their_checksum_is_damaged(place: str) -> None:
    data = bytearray(png_with(chunk(b"tRNS", bytes(6))))
    at = data.index(place.encode()) + 4
    data[at + 4] ^= 1
    with pytest.raises(PictureError) as caught:
        decode_picture(bytes(data))
    assert isinstance(caught.value, PictureDamagedError | PictureLimitError)


@pytest.mark.parametrize("num_rows", [0, 1, 12, 23])
def test_a_png_stream_that_ends_early_is_damaged_not_black(num_rows: int) -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in NOISE[:num_rows])
    data = encoded("PNG")[:33] + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    with pytest.raises(PictureDamagedError):
        decode_picture(data)


def test_a_whole_png_with_a_black_bottom_is_read() -> None:
    pixels = NOISE.copy()
    pixels[12:] = 0
    assert np.array_equal(decode_picture(encoded("PNG", pixels)).rgb, pixels)


@pytest.mark.parametrize("key", ["transparency", "icc_profile", "exif", "interlace", "bbox", "duration"])
def test_png_texts_named_like_decoder_facts_change_nothing(key: str) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text(key, "1")
    picture = decode_picture(encoded("PNG", pnginfo=texts))
    assert np.array_equal(picture.rgb, NOISE)
    assert picture.conversions == ()


def test_a_png_text_that_expands_without_end_changes_nothing() -> None:
    bomb = b"Comment\0\0" + zlib.compress(bytes(50_000_000), 9)
    start = time.perf_counter()
    assert np.array_equal(decode_picture(png_with(chunk(b"zTXt", bomb))).rgb, NOISE)
    assert time.perf_counter() - start < 1


def test_an_icc_profile_that_expands_without_end_is_ignored() -> None:
    bomb = b"profile\0\0" + zlib.compress(bytes(50_000_000), 9)
    picture = decode_picture(png_with(chunk(b"iCCP", bomb)))
    assert np.array_equal(picture.rgb, NOISE)
    assert picture.conversions == ("icc-ignored",)


BROKEN_EXIF = [
    b"",
    b"II",
    b"not a tiff at all",
    b"II*\0\xff\xff\xff\xff" + bytes(20),  # directory far outside
    b"MM\0*\0\0\0\x08\xff\xff" + bytes(20),  # 65,535 entries in 20 bytes
    b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", 0x0112, 3, 1, 9, 0),  # orientation 9
    b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", 0x0112, 2, 1, 6, 0),  # orientation as text
]


@pytest.mark.parametrize("block", BROKEN_EXIF)
def test_broken_exif_is_ignored_and_recorded(block: bytes) -> None:
    jpeg = decode_picture(jpeg_with(0xE1, b"Exif\0\0" + block))
    assert np.abs(jpeg.rgb.astype(int) - SMOOTH).mean() <= 2
    assert jpeg.conversions == ("exif-ignored",)
    png = decode_picture(png_with(chunk(b"eXIf", block)))
    assert np.array_equal(png.rgb, NOISE)
    assert png.conversions == ("exif-ignored",)
    webp = decode_picture(encoded("WEBP", lossless=True, exif=block or b"x"))
    assert np.array_equal(webp.rgb, NOISE)
    assert webp.conversions == ("exif-ignored",)


def test_png_exif_with_a_wrong_checksum_is_ignored() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = bytearray(png_with(chunk(b"eXIf", exif.tobytes()[6:])))
    data[data.index(b"eXIf") + 30] ^= 1
    picture = decode_picture(bytes(data))
    assert picture.conversions == ("exif-ignored",)
    assert np.array_equal(picture.rgb, NOISE)


@pytest.mark.parametrize(
    ("marker", "body"),
    [
        (0xE2, b"MPF\0" + b"\xff" * 60),  # index of further pictures
        (0xE2, b"MPF\0II*\0\x08\0\0\0\x02\0" + bytes(40)),
        (0xE2, b"ICC_PROFILE\0"),
        (0xED, b"Photoshop 3.0\x008BIM\x03\xed" + b"\xff" * 9),
        (0xE0, b"JFIF"),
        (0xEE, b"Adobe"),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta"),
        (0xFE, b"\xff" * 500),
    ],
)
def test_damaged_jpeg_segments_beside_the_pixels_change_nothing(marker: int, body: bytes) -> None:
    picture = decode_picture(jpeg_with(marker, body))
    assert np.abs(picture.rgb.astype(int) - SMOOTH).mean() <= 2
    assert picture.conversions == ()


def test_a_12_bit_or_lossless_jpeg_is_named_as_such() -> None:
    data = bytearray(encoded("JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 4] = 12
    with pytest.raises(PictureFormatError, match="12 bits"):
        decode_picture(bytes(data))
    data[at + 1] = 0xC3
    with pytest.raises(PictureFormatError, match="lossless"):
        decode_picture(bytes(data))


def test_a_second_larger_jpeg_header_does_not_get_past_the_caps() -> None:
    data = encoded("JPEG")
    at = data.index(b"\xff\xc0")
    header = bytearray(data[at : at + 19])
    header[5:9] = struct.pack(">HH", 65_000, 65_000)
    with pytest.raises(PictureError):
        decode_picture(data[:at] + bytes(header) + data[at:])
    with pytest.raises(PictureError):
        decode_picture(data[: at + 19] + bytes(header) + data[at + 19 :])


@pytest.mark.parametrize("between", [b"", b"\xff\xfe\0\x06\xff\xd9\xff\xd9"])  # a comment may hold an end marker
def test_thousands_of_scans_in_a_jpeg_are_refused(between: bytes) -> None:
    data = encoded("JPEG", SMOOTH, progressive=True)
    last_scan = data[data.rindex(b"\xff\xda") : -2]
    more = decode_picture(data[:-2] + (between + last_scan) * 50 + b"\xff\xd9")
    assert more.rgb.shape == (24, 36, 3)
    with pytest.raises(PictureLimitError, match="scans"):
        decode_picture(data[:-2] + (between + last_scan) * 5000 + b"\xff\xd9")


def test_data_behind_the_end_of_a_jpeg_are_left_alone() -> None:
    data = encoded("JPEG", SMOOTH)
    picture = decode_picture(data + b"\xff\xda\0\x08" * 10_000)  # as with a video appended by a phone
    assert picture.digest == decode_picture(data).digest


def run_length_bmp(width_px: int, height_px: int, runs: bytes) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width_px, height_px, 1, 8, 1, len(runs), 0, 0, 256, 0)
    palette = b"".join(bytes([level, 255 - level, 7, 0]) for level in range(256))
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + 40 + 1024) + info + palette + runs


def test_a_run_length_bmp_is_read_when_small_and_refused_when_large() -> None:
    picture = decode_picture(run_length_bmp(4, 2, b"\x04\x05\0\0\x04\x09\0\1"))
    assert picture.rgb[1].tolist() == [[7, 250, 5]] * 4  # rows are stored from the bottom
    assert picture.rgb[0].tolist() == [[7, 246, 9]] * 4
    with pytest.raises(PictureLimitError):
        decode_picture(run_length_bmp(2100, 2100, b""))


def samples_for_mutation() -> dict[str, bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [Image.fromarray(np.roll(NOISE, shift, axis=0)) for shift in (3, 9)]
    moving: dict[str, Any] = {"save_all": True, "append_images": frames, "duration": 50}
    return {
        "jpeg": encoded("JPEG", exif=exif),
        "progressive jpeg": encoded("JPEG", progressive=True),
        "png": encoded("PNG", exif=exif),
        "apng": encoded("PNG", **moving),
        "webp": encoded("WEBP", exif=exif),
        "lossless webp": encoded("WEBP", lossless=True),
        "animated webp": encoded("WEBP", **moving),
        "gif": encoded("GIF"),
        "animated gif": encoded("GIF", **moving),
        "bmp": encoded("BMP"),
    }


@pytest.mark.parametrize("sample", list(samples_for_mutation()))
def test_mutants_decode_or_end_in_the_tree_of_errors(sample: str) -> None:
    whole = samples_for_mutation()[sample]
    rng = random.Random(sample)
    refusals: list[KandongError] = []
    for _ in range(120):
        mutant = bytearray(whole)
        for _ in range(rng.choice([1, 1, 2, 8])):
            # Half of the flips go to the headers, which are a small part of the file.
            reach = len(mutant) if rng.random() < 0.5 else min(len(mutant), 200)
            mutant[rng.randrange(reach)] ^= 1 << rng.randrange(8)
        if rng.random() < 0.2:
            at = rng.randrange(len(mutant))
            del mutant[at : at + rng.randrange(1, 9)]
        start = time.perf_counter()
        try:
            assert decode_picture(bytes(mutant), name="mutant").rgb.ndim == 3
        except KandongError as error:
            refusals.append(error)
        assert time.perf_counter() - start < 2
    assert refusals
    for refusal in refusals:
        assert isinstance(refusal, PictureError)
        assert refusal.message.startswith("mutant: ")
        assert "0x" not in refusal.message
        assert refusal.hint
