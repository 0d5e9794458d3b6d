"""Quantised weights stay within half a step, and graphs compute with exactly the dequantised values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import openvino as ov
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openvino import opset13 as op

from kandong.vlm.quantize import QuantizedWeight, dequantize, quantize_int4, quantize_int8
from kandong.vlm.weights import WeightType, encode_matrix, matrix_node


def random_weight(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)


@given(st.integers(1, 40), st.integers(1, 300), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_int8_error_is_at_most_half_a_step(rows: int, columns: int, seed: int) -> None:
    weight = random_weight(rows, columns, seed)
    # A scale is never below the smallest normal float16, which a row of tiny values meets.
    step = np.maximum(np.abs(weight).max(axis=1, keepdims=True) / 127, np.finfo(np.float16).tiny)
    # A float16 scale is off by up to 1/2048, which the largest value sees 127 times.
    assert (np.abs(dequantize(quantize_int8(weight)) - weight) <= step * (0.5 + 127 / 2048)).all()


@pytest.mark.parametrize("columns", [128, 512, 96])
def test_int4_error_is_at_most_one_step_of_its_group(columns: int) -> None:
    weight = random_weight(16, columns)
    quantized = quantize_int4(weight)
    group = quantized.values.shape[2]
    assert group == (128 if columns % 128 == 0 else columns)
    steps = np.abs(quantized.scales.astype(np.float32)).repeat(group, axis=2).reshape(weight.shape)
    # The value opposite to the largest may be cut by up to one step: -8 has no +8.
    assert (np.abs(dequantize(quantized) - weight) <= steps * 1.01).all()


@pytest.mark.parametrize("quantize", [quantize_int8, quantize_int4])
def test_zero_tiny_and_single_values_survive(quantize: Callable[[Any], QuantizedWeight]) -> None:
    weight = np.zeros((4, 128), np.float32)
    weight[1, 3] = 2.0
    weight[2, 5] = -3.0
    weight[3] = 1e-9
    restored = dequantize(quantize(weight))
    assert np.isfinite(restored).all()
    np.testing.assert_allclose(restored[:3], weight[:3], atol=2e-3)
    assert np.abs(restored[3]).max() <= 1e-3


@pytest.mark.parametrize("stored", [ml_dtypes.bfloat16, np.float16, np.float32])
@pytest.mark.parametrize("weight_type", list(WeightType))
def test_graph_constant_yields_the_dequantised_weight(weight_type: WeightType, stored: type) -> None:
    weight: Any = random_weight(24, 256).astype(stored)
    encoded = encode_matrix(weight, weight_type)
    model = ov.Model([op.result(matrix_node(encoded))], [], "constant")
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    result = compiled([])[0]
    by_type: dict[WeightType, Callable[[], Any]] = {
        WeightType.INT8: lambda: dequantize(quantize_int8(weight)),
        WeightType.INT4: lambda: dequantize(quantize_int4(weight)),
        WeightType.BF16: lambda: weight.astype(ml_dtypes.bfloat16).astype(np.float32),
        WeightType.F32: lambda: weight.astype(np.float32),
    }
    expected = by_type[weight_type]()
    # The graph multiplies in float16 before it widens.
    np.testing.assert_allclose(result, expected, rtol=2e-3, atol=1e-6)
