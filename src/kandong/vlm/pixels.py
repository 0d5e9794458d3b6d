"""From RGB pixels to the patches that the vision tower takes.

Owns: the target grid (smart_resize), the bicubic resize, normalisation, the order of patches. Bit-equal to the PIL
backend of transformers' ``Qwen2VLImageProcessorPil``. Must not know: file formats, graphs, tokens of text.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kandong.errors import InputError, PictureLimitError
from kandong.vlm.config import PixelConfig

DEFAULT_MAX_IMAGE_TOKENS = 768
RESAMPLING = Image.Resampling.BICUBIC
MAX_ASPECT_RATIO = 200  # the reference processor's own limit


@dataclass(frozen=True)
class PixelBudget:
    """How many tokens a picture may take; ``None`` means the default, see ``resolve``."""

    min_tokens: int | None = None
    max_tokens: int | None = None

    def resolve(self, config: PixelConfig) -> tuple[int, int]:
        """Give ``(min_pixels, max_pixels)``.

        The maximum defaults to 768 tokens or the checkpoint's own, if that is smaller; the minimum to the checkpoint's
        own, or the maximum if that is smaller. Errors: ``InputError`` naming the field, with the allowed range.
        """
        limit = config.max_tokens
        if self.max_tokens is not None and not 4 <= self.max_tokens <= limit:
            raise InputError(
                f"max_image_tokens is {self.max_tokens}, allowed are 4 to {limit:,} with this model.",
                hint="768 suits most pictures, 1,024 to 2,048 fine print.",
                field="max_image_tokens",
            )
        max_tokens = min(DEFAULT_MAX_IMAGE_TOKENS, limit) if self.max_tokens is None else self.max_tokens
        if self.min_tokens is not None and not 1 <= self.min_tokens <= max_tokens:
            raise InputError(
                f"min_image_tokens is {self.min_tokens}, allowed are 1 to max_image_tokens ({max_tokens}).",
                field="min_image_tokens",
            )
        min_tokens = min(config.min_tokens, max_tokens) if self.min_tokens is None else self.min_tokens
        unit = config.factor_px**2
        # Not asked for: the file's own number, which need not be a multiple of a token.
        min_pixels = config.min_pixels if min_tokens == config.min_tokens else min_tokens * unit
        max_pixels = config.max_pixels if max_tokens == limit else max_tokens * unit
        return min(min_pixels, max_pixels), max_pixels


@dataclass(frozen=True)
class Patches:
    """A picture as the vision tower takes it.

    ``values`` f32 ``(grid_height * grid_width, patch_dim)``, in the order of merge blocks: the four patches of one
    token are neighbours. ``grid_height`` and ``grid_width`` count patches.
    """

    values: NDArray[np.float32]
    grid_height: int
    grid_width: int


def smart_resize(height: int, width: int, *, factor: int, min_pixels: int, max_pixels: int) -> tuple[int, int]:
    """Choose the size a picture is resized to: multiples of ``factor``, area within the bounds, aspect nearly kept.

    Same results as ``smart_resize`` of transformers' Qwen2-VL image processor. Errors: ``PictureLimitError`` if one
    side is over 200 times the other. A picture so long that one side is at its minimum may stay over ``max_pixels``.
    """
    if max(height, width) > MAX_ASPECT_RATIO * min(height, width):
        raise PictureLimitError(
            f"The picture is {width}×{height}: one side is over {MAX_ASPECT_RATIO} times the other.",
            hint="Cut it into pieces and ask about each.",
        )
    target_height = round(height / factor) * factor
    target_width = round(width / factor) * factor
    if target_height * target_width > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        target_height = max(factor, math.floor(height / shrink / factor) * factor)
        target_width = max(factor, math.floor(width / shrink / factor) * factor)
    elif target_height * target_width < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        target_height = math.ceil(height * grow / factor) * factor
        target_width = math.ceil(width * grow / factor) * factor
    return target_height, target_width


def plan_grid(height: int, width: int, config: PixelConfig, budget: PixelBudget) -> tuple[int, int]:
    """Give the grid in patches ``(rows, columns)`` that a picture of this size will take."""
    min_pixels, max_pixels = budget.resolve(config)
    target = smart_resize(height, width, factor=config.factor_px, min_pixels=min_pixels, max_pixels=max_pixels)
    return target[0] // config.patch_size, target[1] // config.patch_size


def make_patches(rgb: NDArray[np.uint8], config: PixelConfig, budget: PixelBudget) -> Patches:
    """Resize, normalise and cut ``rgb`` uint8 ``(height, width, 3)`` into patches."""
    rows, columns = plan_grid(rgb.shape[0], rgb.shape[1], config, budget)
    height, width = rows * config.patch_size, columns * config.patch_size
    if rgb.shape[:2] != (height, width):
        rgb = np.asarray(Image.fromarray(rgb).resize((width, height), RESAMPLING))
    return Patches(_cut(_normalise(rgb, config), rows, columns, config), rows, columns)


def _normalise(rgb: NDArray[np.uint8], config: PixelConfig) -> NDArray[np.float32]:
    """Map uint8 to float32 by a table of 256 values a channel: exact, and one pass instead of four.

    The roundings are the reference's: rescaled in float64, rounded to float32, then shifted and divided in float32.
    """
    levels = (np.arange(256).astype(np.float64) * config.rescale_factor).astype(np.float32)
    mean = np.asarray(config.image_mean, np.float32)
    std = np.asarray(config.image_std, np.float32)
    tables = (levels[:, None] - mean) / std  # (256, 3)
    return np.stack([tables[:, channel][rgb[:, :, channel]] for channel in range(3)])  # (3, height, width)


def _cut(planes: NDArray[np.float32], rows: int, columns: int, config: PixelConfig) -> NDArray[np.float32]:
    """Cut ``(3, height, width)`` into flat patches; a still picture fills both frames of the temporal patch."""
    merge, size = config.merge_size, config.patch_size
    blocks = planes.reshape(3, rows // merge, merge, size, columns // merge, merge, size)
    blocks = blocks.transpose(1, 4, 2, 5, 0, 3, 6)  # (block row, block column, row, column, channel, y, x)
    frames = np.broadcast_to(
        blocks[:, :, :, :, :, None], (*blocks.shape[:5], config.temporal_patch_size, *blocks.shape[5:])
    )
    return np.ascontiguousarray(frames.reshape(rows * columns, -1))
