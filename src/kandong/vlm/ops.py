"""Pieces of OpenVINO graphs that the language model and the vision tower share.

Owns: node patterns that the CPU plugin recognises (products, RMS norm, rotary). Must not know: model
structure, checkpoints, devices.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from openvino import opset13 as op

from kandong.vlm.checkpoint import Weight, to_f32
from kandong.vlm.weights import Value


def f32_constant(values: Any) -> Value:
    """Make a float32 constant."""
    return op.constant(np.asarray(values, np.float32))


def i32_constant(values: Any) -> Value:
    """Make an int32 constant (shapes, axes)."""
    return op.constant(np.asarray(values, np.int32))


def linear(x: Value, matrix: Value, bias: Weight | None = None) -> Value:
    """Compute ``x @ matrix.T + bias`` for ``x`` ``(rows, columns)``."""
    product = op.matmul(x, matrix, False, True)
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

    The halves of a head are turned against each other, as in the reference's ``rotate_half``. The CPU plugin makes one
    operator of exactly this form: the axis as a list with the number 2 (-1 is not recognised), the sign as a product.
    """
    half = head_dim // 2
    first, second = op.variadic_split(x, i32_constant([2]), i32_constant([half, half])).outputs()
    turned = op.concat([op.multiply(second, f32_constant(-1.0)), first], -1)
    return op.add(op.multiply(x, cos), op.multiply(turned, sin))
