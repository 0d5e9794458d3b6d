"""Where patches and tokens are: interpolated positions and rotary angles of a picture, M-RoPE angles of a text.

Owns: positions to arrays. Must not know: models, cards.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from . import shape


@dataclass(frozen=True)
class PicturePlaces:
    """For pictures of one size: ``indices``, ``weights`` (patches, 4); ``cos``, ``sin`` (patches, head)."""

    indices: Tensor
    weights: Tensor
    cos: Tensor
    sin: Tensor


def merge_order(columns: int, rows: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give row and column of each patch in the order of the tower: cell after cell, four patches each."""
    row, column, inner_row, inner_column = np.meshgrid(
        np.arange(rows), np.arange(columns), np.arange(shape.MERGE), np.arange(shape.MERGE), indexing="ij"
    )
    return (row * shape.MERGE + inner_row).ravel(), (column * shape.MERGE + inner_column).ravel()


@lru_cache(maxsize=64)
def picture_places(columns: int, rows: int) -> PicturePlaces:
    """Give the places of a picture of so many cells."""
    at_row, at_column = merge_order(columns, rows)
    last = shape.POSITIONS_SIDE - 1
    taps = []
    for at, count in ((at_row, rows * shape.MERGE), (at_column, columns * shape.MERGE)):
        exact = at * (last / (count - 1))
        low = np.floor(exact).astype(np.int64)
        taps.append((low, np.minimum(low + 1, last), (exact - low).astype(np.float32)))
    (top, bottom, down), (left, right, along) = taps
    side = shape.POSITIONS_SIDE
    indices = np.stack([top * side + left, top * side + right, bottom * side + left, bottom * side + right], axis=1)
    weights = np.stack([(1 - down) * (1 - along), (1 - down) * along, down * (1 - along), down * along], axis=1)
    rates = 1.0 / shape.ROPE_THETA ** (np.arange(0, shape.HEAD // 2, 2, dtype=np.float32) / (shape.HEAD // 2))
    half = np.concatenate([at_row[:, None] * rates, at_column[:, None] * rates], axis=1)
    angles = torch.from_numpy(np.concatenate([half, half], axis=1).astype(np.float32))
    return PicturePlaces(torch.from_numpy(indices), torch.from_numpy(weights), angles.cos(), angles.sin())


def text_angles(positions: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Give cosine and sine (rows, 1, tokens, head) of M-RoPE positions (3, rows, tokens), sections interleaved."""
    rates = 1.0 / shape.ROPE_THETA ** (np.arange(0, shape.HEAD, 2, dtype=np.float32) / shape.HEAD)
    axis = np.zeros(shape.HEAD // 2, np.int64)
    for which in (1, 2):
        axis[which : 3 * shape.ROPE_SECTIONS[which] : 3] = which
    half = positions[axis].transpose(1, 2, 0) * rates  # (rows, tokens, head / 2)
    angles = torch.from_numpy(np.concatenate([half, half], axis=-1).astype(np.float32))[:, None]
    return angles.cos(), angles.sin()
