"""Pieces of OpenVINO graphs that the language model and the vision tower share.

Owns: node patterns that the CPU plugin recognises (compressed weights, RMS norm, rotary). Must not know: model
structure, checkpoints, devices.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import ml_dtypes
import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

from kandong.vlm.checkpoint import Weight, to_f32
from kandong.vlm.quantize import quantize_int4, quantize_int8

# A node or its output; openvino ships no complete types.
Value = Any


class WeightType(StrEnum):
    """How a matrix is stored in the graph."""

    INT8 = "int8"
    INT4 = "int4"
    BF16 = "bf16"
    F32 = "f32"


def f32_constant(values: Any) -> Value:
    """Make a float32 constant."""
    return op.constant(np.asarray(values, np.float32))


def i32_constant(values: Any) -> Value:
    """Make an int32 constant (shapes, axes)."""
    return op.constant(np.asarray(values, np.int32))


def weight_constant(weight: Weight, weight_type: WeightType) -> Value:
    """Turn a matrix ``(rows, columns)`` into nodes that yield it as float32.

    The chain Constant → Convert → Multiply → Convert is what the CPU plugin keeps compressed in memory.
    """
    if weight_type is WeightType.F32:
        return op.constant(to_f32(weight))
    if weight_type is WeightType.BF16:
        bf16 = weight if weight.dtype == ml_dtypes.bfloat16 else to_f32(weight).astype(ml_dtypes.bfloat16)
        return op.convert(_raw_constant(ov.Type.bf16, bf16.shape, bf16.view(np.uint16)), "f32")
    if weight_type is WeightType.INT8:
        int8 = quantize_int8(weight)
        scaled = op.multiply(op.convert(op.constant(int8.values), "f16"), op.constant(int8.scales))
        return op.convert(scaled, "f32")
    int4 = quantize_int4(weight)
    nibbles = int4.values.reshape(-1, 2).astype(np.uint8) & 0x0F
    packed = (nibbles[:, 0] | (nibbles[:, 1] << 4)).astype(np.uint8)
    values = _raw_constant(ov.Type.i4, int4.values.shape, packed)
    scaled = op.multiply(op.convert(values, "f16"), op.constant(int4.scales))
    return op.convert(op.reshape(scaled, i32_constant(weight.shape), False), "f32")


def _raw_constant(element_type: Any, shape: tuple[int, ...], raw: NDArray[Any]) -> Value:
    """Make a constant of a type that numpy lacks from its bytes."""
    tensor = ov.Tensor(element_type, ov.Shape(list(shape)))
    tensor_bytes = np.frombuffer(np.ascontiguousarray(raw).tobytes(), np.uint8)
    target = tensor.data.view(np.uint8).reshape(-1)
    target[...] = tensor_bytes
    return ov.op.Constant(tensor)


def linear(x: Value, weight: Weight, weight_type: WeightType, bias: Weight | None = None) -> Value:
    """Compute ``x @ weight.T + bias`` for ``x`` ``(rows, columns)``."""
    product = op.matmul(x, weight_constant(weight, weight_type), False, True)
    return product if bias is None else op.add(product, f32_constant(to_f32(bias).reshape(1, -1)))


def rms_norm(x: Value, weight: Weight, eps: float) -> Value:
    """Normalise the last axis by its root mean square (Qwen3VLTextRMSNorm)."""
    mean_square = op.reduce_mean(op.power(x, f32_constant(2.0)), i32_constant([-1]), True)
    inverse = op.divide(f32_constant(1.0), op.sqrt(op.add(mean_square, f32_constant(eps))))
    return op.multiply(op.multiply(x, inverse), f32_constant(to_f32(weight)))


def layer_norm(x: Value, weight: Weight, bias: Weight, eps: float) -> Value:
    """Normalise the last axis to mean 0 and variance 1, then scale and shift."""
    normal = op.mvn(x, i32_constant([-1]), True, eps, "inside_sqrt")
    return op.add(op.multiply(normal, f32_constant(to_f32(weight))), f32_constant(to_f32(bias)))


def rotate(x: Value, cos: Value, sin: Value, head_dim: int) -> Value:
    """Apply rotary positions to ``(tokens, heads, head_dim)`` with tables ``(tokens, 1, head_dim)``.

    The halves of a head are turned against each other. The reference negates one half (``rotate_half``); here the
    first half of ``sin`` is negative instead, which spares a pass over the data.
    """
    half = head_dim // 2
    first, second = op.variadic_split(x, i32_constant(-1), i32_constant([half, half])).outputs()
    return op.add(op.multiply(x, cos), op.multiply(op.concat([second, first], -1), sin))
