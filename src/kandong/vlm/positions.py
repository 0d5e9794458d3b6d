"""Positions: learned ones of patches, rotary ones of patches, and interleaved M-RoPE of tokens.

Owns: all tables that tell the model where something stands. Must not know: weights other than the learned grid,
graphs, text.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kandong.vlm.config import TextConfig, VisionConfig

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]


def to_merge_order(raster: NDArray[np.generic], merge: int) -> NDArray[np.generic]:
    """Reorder ``(rows, columns, …)`` to ``(rows * columns, …)`` so that the patches of one token are neighbours."""
    rows, columns = raster.shape[:2]
    rest = raster.shape[2:]
    blocks = raster.reshape(rows // merge, merge, columns // merge, merge, *rest)
    return blocks.swapaxes(1, 2).reshape(rows * columns, *rest)


def _grid_corners(num_cells: int, side: int) -> tuple[I64, I64, F32]:
    """For each of ``num_cells`` the lower and upper neighbour on the learned grid, and the upper one's weight.

    The first and last cell lie on the first and last learned position (align_corners in the reference).
    """
    place = np.arange(num_cells, dtype=np.float32) * np.float32((side - 1) / max(num_cells - 1, 1))
    lower = np.minimum(np.floor(place), side - 1).astype(np.int64)
    upper = np.minimum(lower + 1, side - 1)
    return lower, upper, (place - lower).astype(np.float32)


def interpolate_learned_positions(table: F32, grid_height: int, grid_width: int, config: VisionConfig) -> F32:
    """Resample the learned square grid ``(side², hidden)`` bilinearly to a picture's grid, in merge order.

    Gives ``(grid_height * grid_width, hidden)``. Source: get_vision_interpolation_indices_and_weights, bilinear.
    """
    side = config.num_grid_per_side
    grid = table.reshape(side, side, -1)
    top, bottom, down = _grid_corners(grid_height, side)
    rows = grid[top] * (1 - down)[:, None, None] + grid[bottom] * down[:, None, None]
    left, right, along = _grid_corners(grid_width, side)
    cells = rows[:, left] * (1 - along)[None, :, None] + rows[:, right] * along[None, :, None]
    return np.ascontiguousarray(to_merge_order(cells, config.spatial_merge_size), np.float32)


def _tables(angles: F32) -> tuple[F32, F32]:
    """Turn angles ``(n, head_dim / 2)`` into cosines and sines ``(n, 1, head_dim)``, both halves alike."""
    both = np.concatenate([angles, angles], axis=-1)[:, None, :]
    return np.cos(both), np.sin(both)


def patch_rotary_tables(grid_height: int, grid_width: int, config: VisionConfig) -> tuple[F32, F32]:
    """Cosines and sines ``(patches, 1, head_dim)``: first quarter of a head turns by row, second by column, repeated.

    Source: Qwen3VLVisionRotaryEmbedding.
    """
    quarter = np.arange(0, config.head_dim // 2, 2, dtype=np.float32) / np.float32(config.head_dim // 2)
    inverse = (1.0 / np.float32(config.rope_theta) ** quarter).astype(np.float32)
    places = np.stack(np.meshgrid(np.arange(grid_height), np.arange(grid_width), indexing="ij"), axis=-1)
    ordered = to_merge_order(places, config.spatial_merge_size).astype(np.float32)  # (patches, 2)
    angles = (ordered[:, :, None] * inverse).reshape(len(ordered), -1)
    return _tables(angles)


@dataclass(frozen=True)
class PictureSpan:
    """Where a picture stands in a prompt: ``start`` is its first token; the grid counts tokens, not patches."""

    start: int
    token_rows: int
    token_columns: int

    @property
    def num_tokens(self) -> int:
        """Number of tokens of the picture."""
        return self.token_rows * self.token_columns

    @property
    def end(self) -> int:
        """Index after the last token."""
        return self.start + self.num_tokens


def prompt_positions(num_tokens: int, pictures: list[PictureSpan]) -> tuple[I64, int]:
    """Lay out M-RoPE positions of a prompt: ``(3, num_tokens)`` for time, row, column, and the next free position.

    Text counts up on all three axes at once. A picture holds its time still, counts rows and columns from there, and
    text goes on after the longer side. Source: Qwen3VLModel.get_rope_index.
    """
    positions = np.empty((3, num_tokens), np.int64)
    cursor, place = 0, 0
    for picture in pictures:
        length = picture.start - cursor
        positions[:, cursor : picture.start] = place + np.arange(length)
        place += length
        rows, columns = picture.token_rows, picture.token_columns
        positions[0, picture.start : picture.end] = place
        positions[1, picture.start : picture.end] = place + np.repeat(np.arange(rows), columns)
        positions[2, picture.start : picture.end] = place + np.tile(np.arange(columns), rows)
        place += max(rows, columns)
        cursor = picture.end
    positions[:, cursor:] = place + np.arange(num_tokens - cursor)
    return positions, place + num_tokens - cursor


def token_rotary_tables(positions: I64, config: TextConfig) -> tuple[F32, F32]:
    """Cosines and sines ``(tokens, 1, head_dim)`` of positions ``(3, tokens)``, the three axes interleaved.

    Frequency i turns by row where i = 1, 4, 7 … below 3·section[1], by column where i = 2, 5, 8 … below 3·section[2],
    else by time. Source: Qwen3VLTextRotaryEmbedding.
    """
    half = np.arange(0, config.head_dim, 2, dtype=np.float32) / np.float32(config.head_dim)
    inverse = (1.0 / np.float32(config.rope_theta) ** half).astype(np.float32)
    axis = axis_of_frequency(config)
    angles = np.ascontiguousarray(positions[axis].T, np.float32) * inverse  # (tokens, head_dim / 2)
    return _tables(angles)


def axis_of_frequency(config: TextConfig) -> I64:
    """Say for each frequency which axis turns it: 0 time, 1 row, 2 column."""
    axis = np.zeros(config.head_dim // 2, np.int64)
    for which in (1, 2):
        axis[which : config.mrope_section[which] * 3 : 3] = which
    return axis
