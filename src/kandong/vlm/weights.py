"""Weights on their way into a graph: what a matrix looks like in storage, and where it comes from.

Owns: the stored form of a matrix, its nodes in a graph, and the source that reads a checkpoint. Must not know: files of
converted models (``converted.py``), model structure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import ml_dtypes
import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

from kandong.vlm.checkpoint import EMBEDDING, Checkpoint, Weight, to_f32
from kandong.vlm.quantize import quantize_int4, quantize_int8

# A node or its output; openvino ships no complete types.
Value = Any


class WeightType(StrEnum):
    """How a matrix is stored in the graph."""

    INT8 = "int8"
    INT4 = "int4"
    BF16 = "bf16"
    F32 = "f32"


@dataclass(frozen=True)
class StoredMatrix:
    """A matrix ``shape`` = (rows, columns) as it is stored.

    int8: ``values`` i8 (rows, columns), ``scales`` f16 (rows, 1). int4: ``values`` u8, two nibbles a byte, the lower
    one first, (rows, groups, group / 2); ``scales`` f16 (rows, groups, 1). bf16: ``values`` bfloat16. f32: float32.
    """

    weight_type: WeightType
    shape: tuple[int, int]
    values: NDArray[Any]
    scales: NDArray[np.float16] | None = None


class WeightSource(Protocol):
    """Hands a model's weights to whoever builds its graphs."""

    def matrix(self, names: Sequence[str], weight_type: WeightType) -> Value:
        """Give nodes that yield one matrix as float32: the named ones, stacked by rows, flattened to two axes."""

    def tensor(self, name: str) -> Weight:
        """Give a tensor as it is stored: norms, biases, tables."""


def encode_matrix(weight: Weight, weight_type: WeightType) -> StoredMatrix:
    """Bring a matrix ``(rows, columns)`` into its stored form; quantises where the type asks for it."""
    shape = (weight.shape[0], weight.shape[1])
    if weight_type is WeightType.F32:
        return StoredMatrix(weight_type, shape, to_f32(weight))
    if weight_type is WeightType.BF16:
        bf16 = weight if weight.dtype == ml_dtypes.bfloat16 else to_f32(weight).astype(ml_dtypes.bfloat16)
        return StoredMatrix(weight_type, shape, bf16)
    if weight_type is WeightType.INT8:
        int8 = quantize_int8(weight)
        return StoredMatrix(weight_type, shape, int8.values, int8.scales)
    int4 = quantize_int4(weight)
    nibbles = int4.values.view(np.uint8) & 0x0F
    return StoredMatrix(weight_type, shape, nibbles[..., ::2] | (nibbles[..., 1::2] << 4), int4.scales)


def matrix_node(stored: StoredMatrix) -> Value:
    """Turn a stored matrix into nodes that yield it as float32, without copying: the caller keeps the arrays alive.

    The chain Constant → Convert → Multiply → Convert is what the CPU plugin keeps compressed in memory.
    """
    values = np.ascontiguousarray(stored.values)
    if stored.weight_type is WeightType.F32:
        return _constant(values, ov.Type.f32, stored.shape)
    if stored.weight_type is WeightType.BF16:
        return op.convert(_constant(values.view(np.uint16), ov.Type.bf16, stored.shape), "f32")
    assert stored.scales is not None, "a quantised matrix has scales"
    scales = _constant(np.ascontiguousarray(stored.scales), ov.Type.f16, stored.scales.shape)
    if stored.weight_type is WeightType.INT8:
        quantised = _constant(values, ov.Type.i8, stored.shape)
        return op.convert(op.multiply(op.convert(quantised, "f16"), scales), "f32")
    grouped = (*values.shape[:2], 2 * values.shape[2])
    quantised = _constant(values, ov.Type.i4, grouped)
    scaled = op.multiply(op.convert(quantised, "f16"), scales)
    return op.convert(op.reshape(scaled, op.constant(np.asarray(stored.shape, np.int32)), False), "f32")


def _constant(array: NDArray[Any], element_type: Any, shape: Sequence[int]) -> Value:
    """Make a constant of any element type over the memory of an array."""
    return ov.op.Constant(ov.Tensor(array, ov.Shape(list(shape)), element_type))


class CheckpointWeights:
    """Weights straight from a checkpoint, quantised as they are asked for."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._alive: list[StoredMatrix] = []

    def matrix(self, names: Sequence[str], weight_type: WeightType) -> Value:
        """See ``WeightSource``; keeps the arrays alive as long as itself."""
        self._alive.append(self.stored(names, weight_type))
        return matrix_node(self._alive[-1])

    def stored(self, names: Sequence[str], weight_type: WeightType) -> StoredMatrix:
        """Give a matrix in its stored form."""
        parts = [self._checkpoint.take(name) for name in names]
        parts = [part.reshape(part.shape[0], -1) for part in parts]
        return encode_matrix(parts[0] if len(parts) == 1 else np.concatenate(parts), weight_type)

    def tensor(self, name: str) -> Weight:
        """See ``WeightSource``. An embedding table in float32 is halved where no value changes."""
        tensor = self._checkpoint.take(name)
        return _shrink_if_exact(tensor) if name == EMBEDDING and tensor.dtype == np.float32 else tensor


def _shrink_if_exact(table: NDArray[np.float32]) -> Weight:
    small = table.astype(ml_dtypes.bfloat16)
    return small if np.array_equal(to_f32(small), table) else table
