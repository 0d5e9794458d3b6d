"""Weight quantisation: float tensors to int8 by row, or int4 by group of columns.

Owns: the arithmetic and its packing. Must not know: graphs, files, which layer a weight belongs to.

Both forms are symmetric (no zero point): the CPU plugin's dynamic quantisation is faster with them, and the error of
int8 is the same to three digits. A row (or group) is scaled by its largest magnitude.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kandong.vlm.checkpoint import Weight, to_f32

INT4_GROUP_COLUMNS = 128
# About 4 MB of float32: the passes over one piece stay in the cache of a core.
_PIECE_VALUES = 1 << 20
_TINY = np.float32(np.finfo(np.float16).tiny)


@dataclass(frozen=True)
class QuantizedWeight:
    """A quantised matrix.

    int8: ``values`` i8 ``(rows, columns)``, ``scales`` f16 ``(rows, 1)``.
    int4: ``values`` i8 in -8..7 ``(rows, groups, group)``, ``scales`` f16 ``(rows, groups, 1)``.
    ``is_exact`` is False where a scale under- or overflowed float16 and had to be clamped.
    """

    values: NDArray[np.int8]
    scales: NDArray[np.float16]


def quantize_int8(weight: Weight) -> QuantizedWeight:
    """Quantise a matrix ``(rows, columns)`` row by row to -127..127."""
    rows, columns = weight.shape
    values = np.empty((rows, columns), np.int8)
    scales = np.empty((rows, 1), np.float16)

    def run(piece: slice) -> None:
        scales[piece], values[piece] = _quantize(to_f32(weight[piece]), 127, -127)

    _for_row_pieces(rows, columns, run)
    return QuantizedWeight(values, scales)


def quantize_int4(weight: Weight) -> QuantizedWeight:
    """Quantise a matrix ``(rows, columns)`` by groups of 128 columns (all, where 128 does not divide them) to -8..7."""
    rows, columns = weight.shape
    group = INT4_GROUP_COLUMNS if columns % INT4_GROUP_COLUMNS == 0 else columns
    values = np.empty((rows, columns // group, group), np.int8)
    scales = np.empty((rows, columns // group, 1), np.float16)

    def run(piece: slice) -> None:
        grouped = to_f32(weight[piece]).reshape(-1, columns // group, group)
        scales[piece], values[piece] = _quantize_int4_group(grouped)

    _for_row_pieces(rows, columns, run)
    return QuantizedWeight(values, scales)


def dequantize(quantized: QuantizedWeight) -> NDArray[np.float32]:
    """Give back the float32 matrix ``(rows, columns)`` that a graph computes with: the slow twin for tests."""
    product = quantized.values.astype(np.float32) * quantized.scales.astype(np.float32)
    return product.reshape(product.shape[0], -1)


def _quantize(x: NDArray[np.float32], top: int, bottom: int) -> tuple[NDArray[np.float16], NDArray[np.int8]]:
    """Scale the last axis of ``x`` to ``top``; scales are rounded to float16 first, so that values fit them."""
    peak = np.maximum(x.max(axis=-1, keepdims=True), -x.min(axis=-1, keepdims=True))
    scale = np.maximum(peak / top, _TINY).astype(np.float16)
    steps = x / scale.astype(np.float32)
    np.rint(steps, out=steps)
    np.clip(steps, bottom, top, out=steps)
    return scale, steps.astype(np.int8)


def _quantize_int4_group(x: NDArray[np.float32]) -> tuple[NDArray[np.float16], NDArray[np.int8]]:
    """Quantise groups to -8..7, using the eighth negative step: the sign of the scale follows the largest value.

    A scale of -peak/8 puts the value of largest magnitude on -8 exactly, and the steps are 1/8 instead of 1/7 of it.
    """
    top, bottom = x.max(axis=-1, keepdims=True), x.min(axis=-1, keepdims=True)
    peak = np.where(top > -bottom, top, bottom)
    scale = (peak / -8).astype(np.float16)
    scale = np.where(np.abs(scale) < _TINY, np.float16(_TINY), scale)
    steps = x / scale.astype(np.float32)
    np.rint(steps, out=steps)
    np.clip(steps, -8, 7, out=steps)
    return scale, steps.astype(np.int8)


def _for_row_pieces(rows: int, columns: int, run: Any) -> None:
    """Call ``run(slice)`` over pieces of rows on all cores (numpy releases the interpreter lock in these passes)."""
    step = max(1, _PIECE_VALUES // columns)
    pieces = [slice(start, min(start + step, rows)) for start in range(0, rows, step)]
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(run, pieces):
            pass
