"""From the bytes of an untrusted picture file to RGB pixels as a person would see them.

Owns: the caps, the order of steps, and turning every failure into the tree of ``kandong.errors``.
Must not know: what the picture is for, models, where bytes come from apart from a plain file.

The order: format by signature, caps from the header, a walk through the blocks, decoding of the first frame, 16 bits
to 8, placing on the canvas, EXIF orientation, transparency onto white, colour profile, RGB. Nothing in Pillow's global
state is changed, and none of its warnings can arise: its cap on pixels is applied here first, and EXIF blocks, texts
and indexes are not handed to it. So pictures may be decoded in many threads at once.
"""

from __future__ import annotations

import io
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

# The plugins of the five formats are imported here, so that opening never loads the plugins of all other formats.
from PIL import (
    BmpImagePlugin,  # noqa: F401
    GifImagePlugin,  # noqa: F401
    Image,
    ImageCms,
    JpegImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    WebPImagePlugin,  # noqa: F401
)

from kandong.errors import (
    KandongError,
    PictureDamagedError,
    PictureError,
    PictureFormatError,
    PictureLimitError,
    ResourceError,
)
from kandong.reading.picture_files.bmp import walk_bmp
from kandong.reading.picture_files.container import FETCH_AGAIN_HINT, PictureContainer
from kandong.reading.picture_files.exif import exif_orientation
from kandong.reading.picture_files.gif import walk_gif
from kandong.reading.picture_files.jpeg import walk_jpeg
from kandong.reading.picture_files.png import png_stream_is_whole, walk_png
from kandong.reading.picture_files.signatures import declared_size_px, detect_format
from kandong.reading.picture_files.webp import walk_webp
from kandong.types import Picture

_FIELD: Final = "picture"
_SMALLER_HINT: Final = "Make the picture smaller and send it again."
_WALKS: Final = {"JPEG": walk_jpeg, "PNG": walk_png, "WEBP": walk_webp, "GIF": walk_gif, "BMP": walk_bmp}
_TRANSPOSE: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# The colour space named by an ICC profile, as a Pillow mode.
_MODE_OF_PROFILE: Final = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
# A profile that moves no colour by more than this (of 255) is sRGB by another name.
_SAME_COLOUR_LEVELS: Final = 2


@dataclass(frozen=True)
class PictureLimits:
    """Caps on one picture. Sides and pixels are those of the file's canvas, before orientation.

    ``max_aspect_ratio`` is long side by short side and is itself allowed; the Qwen3-VL processor refuses more than 200.
    """

    max_bytes: int = 32 * 1024 * 1024
    max_pixels: int = 40_000_000
    max_side_px: int = 30_000
    min_side_px: int = 1
    max_aspect_ratio: float = 200.0


DEFAULT_LIMITS: Final = PictureLimits()


def load_picture(path: Path, *, limits: PictureLimits = DEFAULT_LIMITS) -> Picture:
    """Read and decode a picture file. Messages name ``path`` as it was given.

    Raises PictureError when there is no regular, readable file at ``path``, and what ``decode_picture`` raises.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise PictureError(f"{path}: this is a folder, not a picture", hint="Name a picture file.", field=_FIELD)
        if not stat.S_ISREG(status.st_mode):
            # Opening a pipe would wait for a writer for ever.
            raise PictureError(f"{path}: this is not a regular file", hint="Name a picture file.", field=_FIELD)
        if status.st_size > limits.max_bytes:
            raise _too_many_bytes(status.st_size, limits, prefix=f"{path}: ")
        with path.open("rb") as file:
            data = file.read(limits.max_bytes + 1)
    except FileNotFoundError:
        raise PictureError(f"{path}: there is no such file", hint="Check the path.", field=_FIELD) from None
    except (OSError, ValueError):  # ValueError: a zero character in the path
        hint = "Check the path and the permission to read it."
        raise PictureError(f"{path}: the file cannot be read", hint=hint, field=_FIELD) from None
    return decode_picture(data, name=str(path), limits=limits)


def decode_picture(data: bytes, *, name: str | None = None, limits: PictureLimits = DEFAULT_LIMITS) -> Picture:
    """Decode the first frame of a JPEG, PNG, WebP, GIF or BMP to RGB as a person would see it.

    ``data`` is the whole file. ``rgb`` of the result is uint8 (height, width, 3), C-contiguous and read-only.
    Samples of 16 bits keep their high byte. ``conversions`` holds, in this order and where they apply:
    "16bit-to-8bit", "frame-placed-on-canvas", "exif-rotated" or "exif-ignored" (broken block), "alpha-on-white" or
    "alpha-ignored" (a BMP transparent throughout), "icc-converted" or "icc-ignored" (unusable profile), and
    "cmyk-to-rgb", "gray-to-rgb" or "palette-to-rgb" (plain conversion without a profile).

    Raises PictureFormatError, PictureDamagedError, PictureLimitError, or ResourceError when memory does not suffice.
    Messages begin with ``name`` where it is given. Safe to call from many threads.
    """
    prefix = f"{name}: " if name is not None else ""
    try:
        return _decode(data, limits)
    except KandongError as error:
        raise type(error)(prefix + error.message, hint=error.hint, field=_FIELD) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureLimitError(f"{prefix}the picture has too many pixels", hint=_SMALLER_HINT, field=_FIELD) from None
    except MemoryError:
        message = f"{prefix}there is not enough memory to decode the picture"
        raise ResourceError(message, hint="Try again later, or make the picture smaller.", field=_FIELD) from None
    except Exception as error:  # decoders raise what they like for hostile bytes, and this is the edge
        message = f"{prefix}the picture data are damaged, or of a rare kind that cannot be decoded"
        raise PictureDamagedError(message, hint=FETCH_AGAIN_HINT, field=_FIELD) from error


def _decode(data: bytes, limits: PictureLimits) -> Picture:
    if not data:
        raise PictureFormatError("the picture is empty (0 bytes)", hint=FETCH_AGAIN_HINT)
    if len(data) > limits.max_bytes:
        raise _too_many_bytes(len(data), limits)
    format_name = detect_format(data)
    declared = declared_size_px(data, format_name)
    if declared is not None:
        _check_size(declared, limits)
    container = _WALKS[format_name](data)
    _check_size((container.width_px, container.height_px), limits)

    done: list[str] = []
    image = _load_first_frame(container, limits)
    image = _to_8_bit(image, container, done)
    image = _place_on_canvas(image, container, done)
    image = _orient(image, container.exif, done)
    image = _flatten(image, format_name, done)
    image = _to_srgb(image, container.icc, done)
    rgb = np.ascontiguousarray(_to_rgb(image, done), dtype=np.uint8)
    rgb.setflags(write=False)
    return Picture(rgb=rgb, format=format_name, num_frames=container.num_frames, conversions=tuple(done))


def _too_many_bytes(num_bytes: int, limits: PictureLimits, prefix: str = "") -> PictureLimitError:
    message = f"{prefix}the file has {num_bytes} bytes; at most {limits.max_bytes} are allowed"
    return PictureLimitError(message, hint=_SMALLER_HINT, field=_FIELD)


def _check_size(size_px: tuple[int, int], limits: PictureLimits) -> None:
    """Apply the caps on sides, pixels and aspect ratio to (width, height)."""
    width, height = size_px
    said = f"the picture is {width}×{height} pixels"
    if width < 1 or height < 1:
        raise PictureDamagedError(said, hint=FETCH_AGAIN_HINT)
    # Pillow's own cap, which a program around us may have changed, is applied here so that it never warns.
    max_pixels = min(limits.max_pixels, Image.MAX_IMAGE_PIXELS or limits.max_pixels)
    if max(size_px) > limits.max_side_px:
        raise PictureLimitError(f"{said}; a side may have at most {limits.max_side_px}", hint=_SMALLER_HINT)
    if width * height > max_pixels:
        raise PictureLimitError(f"{said}; at most {max_pixels} pixels in all are allowed", hint=_SMALLER_HINT)
    if min(size_px) < limits.min_side_px:
        hint = "Send the picture in a larger size."
        raise PictureLimitError(f"{said}; a side must have at least {limits.min_side_px}", hint=hint)
    if max(size_px) / min(size_px) > limits.max_aspect_ratio:
        message = f"{said}; one side may be at most {limits.max_aspect_ratio:g} times the other"
        raise PictureLimitError(message, hint="Cut the picture into less elongated parts.")


def _load_first_frame(container: PictureContainer, limits: PictureLimits) -> Image.Image:
    image = Image.open(io.BytesIO(container.data), formats=[container.format])
    _check_size(image.size, limits)
    image.load()
    if container.format == "PNG":
        # A stream that ends early leaves zeros at the bottom, or in any row when interlaced: only then look closer.
        width, height = image.size
        may_be_short = image.info.get("interlace") or not np.asarray(image.crop((0, height - 1, width, height))).any()
        if may_be_short and not png_stream_is_whole(container.data):
            raise PictureDamagedError("the PNG data end before the picture is complete", hint=FETCH_AGAIN_HINT)
    return image


def _to_8_bit(image: Image.Image, container: PictureContainer, done: list[str]) -> Image.Image:
    """Keep the high byte of 16-bit samples, as Pillow itself does for 16-bit RGB, so that gray agrees with RGB."""
    if container.bits_per_sample == 16:
        done.append("16bit-to-8bit")
    if not image.mode.startswith("I"):
        return image
    wide = np.asarray(image)
    gray = Image.fromarray((wide >> 8).astype(np.uint8))
    transparent = image.info.get("transparency")
    if transparent is not None:
        gray.putalpha(Image.fromarray(np.where(wide == transparent, 0, 255).astype(np.uint8)))
    return gray


def _place_on_canvas(image: Image.Image, container: PictureContainer, done: list[str]) -> Image.Image:
    """Leave transparent what the first frame of an animation does not cover."""
    box = container.frame_box_px
    canvas_px = (container.width_px, container.height_px)
    if box is None:
        return image
    done.append("frame-placed-on-canvas")
    frame = image.convert("RGBA")
    canvas = Image.new("RGBA", canvas_px)
    canvas.paste(frame.crop(box) if frame.size == canvas_px else frame, box)
    return canvas


def _orient(image: Image.Image, exif: bytes | None, done: list[str]) -> Image.Image:
    if exif is None:
        return image
    try:
        orientation = exif_orientation(exif)
    except ValueError:
        done.append("exif-ignored")
        return image
    if orientation is None or orientation == 1:
        return image
    done.append("exif-rotated")
    return image.transpose(_TRANSPOSE[orientation])


def _flatten(image: Image.Image, format_name: str, done: list[str]) -> Image.Image:
    """Put a picture with transparency on white; gray stays gray."""
    if not image.has_transparency_data:
        return image
    if image.mode in {"1", "L"}:
        image = image.convert("LA")
    elif image.mode not in {"LA", "RGBA"}:
        image = image.convert("RGBA")
    flat_mode = "L" if image.mode == "LA" else "RGB"
    if format_name == "BMP" and image.getchannel("A").getextrema() == (0, 0):
        # Programs that fill the fourth byte of a BMP with zeros do not mean an invisible picture.
        done.append("alpha-ignored")
        return image.convert(flat_mode)
    done.append("alpha-on-white")
    white = Image.new(flat_mode, image.size, "white")
    white.paste(image, mask=image)  # takes the alpha band of the mask
    return white


def _to_srgb(image: Image.Image, icc: bytes | None, done: list[str]) -> Image.Image:
    """Convert by the embedded profile, unless it is sRGB or cannot be used."""
    if icc is None:
        return image
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        mode = _MODE_OF_PROFILE[profile.profile.xcolor_space.strip()]
        source = image if image.mode == mode else _recast(image, mode)
        # The shortcut tables for gray are coarse: near black they are off by 10 of 255, and no faster.
        flags = ImageCms.Flags.NOOPTIMIZE if mode == "L" else ImageCms.Flags.NONE
        transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB", flags=flags)
        if mode != "CMYK":
            probe = _probe(mode)
            moved = np.asarray(transform.apply(probe), dtype=np.int16) - np.asarray(probe.convert("RGB"))
            if np.abs(moved).max() <= _SAME_COLOUR_LEVELS:
                return image
        converted = transform.apply(source)
    except Exception:  # noqa: BLE001 - whatever is wrong with a profile, the pixels can still be seen without it
        done.append("icc-ignored")
        return image
    done.append("icc-converted")
    return converted


def _recast(image: Image.Image, mode: str) -> Image.Image:
    """Bring a picture to the mode of its profile where that loses nothing; raise ValueError where it would."""
    if (image.mode, mode) in {("1", "L"), ("1", "RGB"), ("L", "RGB"), ("P", "RGB")}:
        return image.convert(mode)
    raise ValueError("the profile is for other pixels")


def _probe(mode: str) -> Image.Image:
    """Make a small picture with colours from all over the space."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    levels = np.array([0, 32, 64, 128, 192, 255], dtype=np.uint8)
    return Image.fromarray(np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3))


def _to_rgb(image: Image.Image, done: list[str]) -> Image.Image:
    kinds = {"CMYK": "cmyk-to-rgb", "P": "palette-to-rgb", "1": "gray-to-rgb", "L": "gray-to-rgb"}
    if image.mode in kinds:
        done.append(kinds[image.mode])
    return image if image.mode == "RGB" else image.convert("RGB")
