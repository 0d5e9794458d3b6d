"""The language model of Qwen3-VL as one OpenVINO graph over a paged KV cache.

Owns: the graph from embedded tokens to logits of sampled rows. Must not know: tokens, prompts, sequences, which blocks
are free.

Inputs (T tokens of all sequences in a row, R sampled rows, D taps, H hidden size, d head size):
    embeds       f32 (T, H)      embedded tokens, picture tokens already replaced by merged features
    deepstack    f32 (D, T, H)   added after layers 0..D-1; zero for text
    cos, sin     f32 (T, 1, d)   interleaved M-RoPE tables
    sample_rows  i32 (R,)        rows whose logits are wanted, gathered before the final norm and head
    and what PagedAttention takes: past_lens, subsequence_begins, block_indices, block_indices_begins, max_context_len,
    key_cache.i, value_cache.i.
Output: logits f32 (R, vocabulary).
"""

from __future__ import annotations

from typing import Protocol

import openvino as ov
from openvino import opset13 as op

from kandong.vlm.checkpoint import EMBEDDING, HEAD
from kandong.vlm.config import ModelConfig, TextConfig
from kandong.vlm.ops import i32_constant, linear, rms_norm, rotate
from kandong.vlm.weights import Value, WeightSource, WeightType


class Attention(Protocol):
    """Causal attention over what is cached and what is new; the graph is the same for every implementation."""

    def parameters(self) -> list[Value]:
        """List the graph inputs that the implementation needs."""

    def __call__(self, layer: int, q: Value, k: Value, v: Value, /) -> Value:
        """Attend: q ``(T, heads, d)``, k and v ``(T, kv_heads, d)``, after norm and rotary; gives ``(T, heads·d)``."""


def named_parameter(name: str, shape: list[int], element_type: object = ov.Type.f32) -> Value:
    """Make a graph input that is found by its name."""
    parameter = op.parameter(ov.PartialShape(shape), element_type, name)
    parameter.output(0).set_names({name})
    return parameter


def build_language_model(
    config: ModelConfig, source: WeightSource, weight_type: WeightType, attention: Attention
) -> ov.Model:
    """Build the graph from the weights of ``source``.

    In int4 the head stays int8: it is used at every token and decides near-ties.
    """
    text, num_taps = config.text, len(config.vision.deepstack_visual_indexes)
    embeds = named_parameter("embeds", [-1, text.hidden_size])
    deepstack = named_parameter("deepstack", [num_taps, -1, text.hidden_size])
    cos = named_parameter("cos", [-1, 1, text.head_dim])
    sin = named_parameter("sin", [-1, 1, text.head_dim])
    sample_rows = named_parameter("sample_rows", [-1], ov.Type.i32)

    hidden: Value = embeds
    taps = op.split(deepstack, i32_constant(0), num_taps)
    for i in range(text.num_hidden_layers):
        hidden = _layer(text, i, hidden, (cos, sin), source, weight_type, attention)
        if i < num_taps:
            tap = op.reshape(taps.output(i), i32_constant([-1, text.hidden_size]), False)
            hidden = op.add(hidden, tap)
    rows = op.gather(hidden, sample_rows, i32_constant(0))
    rows = rms_norm(rows, source.tensor("model.language_model.norm.weight"), text.rms_norm_eps)
    head = EMBEDDING if config.tie_word_embeddings else HEAD
    head_type = WeightType.INT8 if weight_type is WeightType.INT4 else weight_type
    logits = linear(rows, source.matrix([head], head_type))
    logits.output(0).set_names({"logits"})
    parameters = [embeds, deepstack, cos, sin, sample_rows, *attention.parameters()]
    return ov.Model([op.result(logits)], parameters, "kandong_language")


def _layer(
    c: TextConfig,
    index: int,
    hidden: Value,
    rotary: tuple[Value, Value],
    source: WeightSource,
    weight_type: WeightType,
    attention: Attention,
) -> Value:
    """Build one decoder layer (Qwen3VLTextDecoderLayer): attention and gated MLP, each normalised first."""
    name = f"model.language_model.layers.{index}"

    def project(x: Value, *parts: str) -> Value:
        """Multiply by one matrix, or by several stacked to one: fewer, larger products, the same numbers."""
        return linear(x, source.matrix([f"{name}.{part}.weight" for part in parts], weight_type))

    num_heads = [c.num_attention_heads, c.num_key_value_heads, c.num_key_value_heads]
    x = rms_norm(hidden, source.tensor(f"{name}.input_layernorm.weight"), c.rms_norm_eps)
    qkv = project(x, "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
    by_head = op.reshape(qkv, i32_constant([-1, sum(num_heads), c.head_dim]), False)
    q, k, v = op.variadic_split(by_head, i32_constant(1), i32_constant(num_heads)).outputs()
    q = rotate(rms_norm(q, source.tensor(f"{name}.self_attn.q_norm.weight"), c.rms_norm_eps), *rotary, c.head_dim)
    k = rotate(rms_norm(k, source.tensor(f"{name}.self_attn.k_norm.weight"), c.rms_norm_eps), *rotary, c.head_dim)
    hidden = op.add(hidden, project(attention(index, q, k, v), "self_attn.o_proj"))
    x = rms_norm(hidden, source.tensor(f"{name}.post_attention_layernorm.weight"), c.rms_norm_eps)
    gate, up = op.split(project(x, "mlp.gate_proj", "mlp.up_proj"), i32_constant(1), 2).outputs()
    return op.add(hidden, project(op.multiply(op.swish(gate), up), "mlp.down_proj"))
