"""The slow twin of paged attention: scaled dot products from public operators, without any cache.

Owns: the reference that shows what an OpenVINO upgrade broke. Must not know: blocks.
"""

from __future__ import annotations

import numpy as np
import openvino as ov
from openvino import opset13 as op

from kandong.vlm.config import TextConfig
from kandong.vlm.language import named_parameter
from kandong.vlm.ops import i32_constant
from kandong.vlm.weights import Value


class PlainAttention:
    """Attention of one whole sequence to itself; the caller gives an additive mask ``(T, T)``."""

    def __init__(self, config: TextConfig) -> None:
        self._config = config
        self._mask = named_parameter("mask", [-1, -1], ov.Type.f32)

    def parameters(self) -> list[Value]:
        """List the mask."""
        return [self._mask]

    def __call__(self, _layer: int, q: Value, k: Value, v: Value) -> Value:
        """Attend; see ``language.Attention``."""
        c = self._config
        group = c.num_attention_heads // c.num_key_value_heads
        repeated = i32_constant(np.repeat(np.arange(c.num_key_value_heads), group))
        k, v = (op.gather(x, repeated, i32_constant(1)) for x in (k, v))
        q, k, v = (op.unsqueeze(op.transpose(x, i32_constant([1, 0, 2])), i32_constant(0)) for x in (q, k, v))
        attended = op.scaled_dot_product_attention(q, k, v, self._mask)
        by_token = op.transpose(attended, i32_constant([0, 2, 1, 3]))
        return op.reshape(by_token, i32_constant([-1, c.num_attention_heads * c.head_dim]), False)


def causal_mask(num_tokens: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Give a mask in which each token sees itself and what came before."""
    return np.triu(np.full((num_tokens, num_tokens), -1e9, np.float32), k=1)
