"""Paged attention: OpenVINO's PagedAttention operator and the block layout that it works on.

Owns: the operator's twenty-eight inputs and their order. Must not know: which blocks belong to whom.

The operator's Python symbol is private, so the OpenVINO minor version is pinned and
``tests/vlm/test_language.py`` compares the graph with a twin made of public operators.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as op
from openvino.op import _PagedAttentionExtension

from kandong.vlm.config import TextConfig
from kandong.vlm.language import named_parameter
from kandong.vlm.ops import f32_constant, i32_constant
from kandong.vlm.weights import Value

BLOCK_TOKENS = 32  # fixed by the CPU plugin


class PagedAttention:
    """Attention whose keys and values live in blocks of 32 tokens that the caller owns."""

    def __init__(self, config: TextConfig) -> None:
        self._config = config
        self._shared = {
            name: named_parameter(name, [-1], ov.Type.i32)
            for name in ("past_lens", "subsequence_begins", "block_indices", "block_indices_begins")
        }
        self._max_context_len = named_parameter("max_context_len", [], ov.Type.i32)
        self._caches: list[Value] = []

    def parameters(self) -> list[Value]:
        """List the inputs, shared ones first, then key and value cache of each layer."""
        return [*self._shared.values(), self._max_context_len, *self._caches]

    def __call__(self, layer: int, q: Value, k: Value, v: Value) -> Value:
        """Attend; see ``language.Attention``."""
        c = self._config
        # Element type and shape stay open: the plugin fills them in from KV_CACHE_PRECISION when it compiles.
        caches = [
            named_parameter(f"{kind}_cache.{layer}", [-1, -1, -1, -1], ov.Type.dynamic) for kind in ("key", "value")
        ]
        self._caches += caches
        flat = [
            op.reshape(q, i32_constant([-1, c.num_attention_heads * c.head_dim]), False),
            op.reshape(k, i32_constant([-1, c.num_key_value_heads * c.head_dim]), False),
            op.reshape(v, i32_constant([-1, c.num_key_value_heads * c.head_dim]), False),
        ]
        node = _PagedAttentionExtension(
            [
                value.output(0)
                for value in (
                    *flat,
                    *caches,
                    *self._shared.values(),
                    f32_constant(c.head_dim**-0.5),
                    i32_constant(0),  # sliding window: none
                    _empty(np.float32),  # ALiBi slopes
                    self._max_context_len,
                    *_unused_inputs(),
                )
            ]
        )
        info = node.get_rt_info()
        info["num_k_heads"] = info["num_v_heads"] = c.num_key_value_heads
        info["k_head_size"] = info["v_head_size"] = c.head_dim
        return node.output(0)


def _empty(element_type: Any, num_axes: int = 1) -> Value:
    return op.constant(np.zeros([0] * num_axes, element_type))


def _unused_inputs() -> list[Value]:
    """Give the inputs of unused features: scores, cache rotation, X-attention, eviction, biases."""
    zero = np.zeros((), np.int32)
    return [
        *(_empty(np.int32) for _ in range(3)),
        _empty(np.float32),
        _empty(np.float32),
        op.constant(zero),
        op.constant(zero),
        _empty(np.float32, 4),
        op.constant(zero),
        *(_empty(np.int32) for _ in range(4)),
        _empty(np.uint8),
        _empty(np.int32),
    ]
