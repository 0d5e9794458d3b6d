"""The graphs of the vision tower of Qwen3-VL, each short enough that others need not wait for long.

Owns: how the tower is cut into graphs, and their nodes. Must not know: compilation, pictures, when a graph is run.

A layer is three graphs: projections to queries, keys and values; attention of some rows of queries to all keys; and the
rest. The one in the middle has no weights, so one serves all layers, and takes any number of rows at a time. What they
hand to each other is of the type that they compute in, so that the layer gives bit for bit what one graph would give
(``tests/vlm/test_vision.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

import openvino as ov
from openvino import opset13 as op

from kandong.vlm.checkpoint import Weight
from kandong.vlm.config import VisionConfig
from kandong.vlm.language import named_parameter
from kandong.vlm.ops import i32_constant, layer_norm, linear, rotate
from kandong.vlm.weights import Value, WeightSource, WeightType

LAYER_NORM_EPS = 1e-6  # fixed in the reference (Qwen3VLVisionBlock, Qwen3VLVisionPatchMerger)


def _affine(source: WeightSource, name: str) -> tuple[Weight, Weight]:
    """Give scale and shift of a norm."""
    return source.tensor(f"{name}.weight"), source.tensor(f"{name}.bias")


def _linear(x: Value, source: WeightSource, name: str, weight_type: WeightType) -> Value:
    return linear(x, source.matrix([f"{name}.weight"], weight_type), source.tensor(f"{name}.bias"))


def build_patch_embedding(config: VisionConfig, source: WeightSource, weight_type: WeightType) -> ov.Model:
    """Build patches ``(P, patch_dim)`` + learned positions ``(P, hidden)`` → hidden; the Conv3d is one matrix."""
    patches = named_parameter("patches", [-1, config.patch_dim])
    positions = named_parameter("positions", [-1, config.hidden_size])
    hidden = op.add(_linear(patches, source, "model.visual.patch_embed.proj", weight_type), positions)
    return _model([hidden], [patches, positions], "kandong_patch_embedding")


def build_projections(
    config: VisionConfig, layer: int, source: WeightSource, weight_type: WeightType, handed: ov.Type
) -> ov.Model:
    """Build hidden ``(P, hidden)``, tables ``(P, 1, head_dim)`` → queries, keys, values of ``(P, heads, head_dim)``."""
    name = f"model.visual.blocks.{layer}"
    hidden = named_parameter("hidden", [-1, config.hidden_size])
    cos = named_parameter("cos", [-1, 1, config.head_dim])
    sin = named_parameter("sin", [-1, 1, config.head_dim])
    x = layer_norm(hidden, *_affine(source, f"{name}.norm1"), LAYER_NORM_EPS)
    qkv = _linear(x, source, f"{name}.attn.qkv", weight_type)
    shape = i32_constant([-1, 3, config.num_heads, config.head_dim])
    parts = op.split(op.reshape(qkv, shape, False), i32_constant(1), 3)
    q, k, v = (op.squeeze(part, i32_constant([1])) for part in parts.outputs())
    q, k = rotate(q, cos, sin, config.head_dim), rotate(k, cos, sin, config.head_dim)
    return _model([_hand_out(x, handed) for x in (q, k, v)], [hidden, cos, sin], f"kandong_vision_projections_{layer}")


def build_attention(config: VisionConfig, handed: ov.Type) -> ov.Model:
    """Build queries of some patches, keys and values of all ``(…, heads, head_dim)`` → attended ``(…, hidden)``."""
    names, shape = ("queries", "keys", "values"), [-1, config.num_heads, config.head_dim]
    taken = [named_parameter(name, shape, handed) for name in names]
    q, k, v = (op.unsqueeze(op.transpose(_take_in(x, handed), i32_constant([1, 0, 2])), i32_constant(0)) for x in taken)
    attended = op.scaled_dot_product_attention(q, k, v)
    flat = op.reshape(op.transpose(attended, i32_constant([0, 2, 1, 3])), i32_constant([-1, config.hidden_size]), False)
    return _model([_hand_out(flat, handed)], taken, "kandong_vision_attention")


def build_rest(
    config: VisionConfig, layer: int, source: WeightSource, weight_type: WeightType, handed: ov.Type
) -> ov.Model:
    """Build the layer after attention: hidden and attended ``(P, hidden)`` → hidden."""
    name = f"model.visual.blocks.{layer}"
    before = named_parameter("hidden", [-1, config.hidden_size])
    attended = named_parameter("attended", [-1, config.hidden_size], handed)
    hidden = op.add(before, _linear(_take_in(attended, handed), source, f"{name}.attn.proj", weight_type))
    x = layer_norm(hidden, *_affine(source, f"{name}.norm2"), LAYER_NORM_EPS)
    x = op.gelu(_linear(x, source, f"{name}.mlp.linear_fc1", weight_type), "tanh")
    hidden = op.add(hidden, _linear(x, source, f"{name}.mlp.linear_fc2", weight_type))
    return _model([hidden], [before, attended], f"kandong_vision_rest_{layer}")


def _hand_out(x: Value, handed: ov.Type) -> Value:
    return x if handed == ov.Type.f32 else op.convert(x, handed)


def _take_in(x: Value, handed: ov.Type) -> Value:
    return x if handed == ov.Type.f32 else op.convert(x, "f32")


def build_merger(
    config: VisionConfig, name: str, source: WeightSource, weight_type: WeightType, *, normalise_merged: bool
) -> ov.Model:
    """Build a merger (Qwen3VLVisionPatchMerger): hidden ``(P, hidden)`` → ``(P / 4, out_hidden)``.

    DeepStack mergers normalise the four merged patches together, the main merger each patch before merging.
    """
    hidden = named_parameter("hidden", [-1, config.hidden_size])
    wide = i32_constant([-1, config.hidden_size * config.merge_unit])
    norm = _affine(source, f"{name}.norm")
    if normalise_merged:
        x = layer_norm(op.reshape(hidden, wide, False), *norm, LAYER_NORM_EPS)
    else:
        x = op.reshape(layer_norm(hidden, *norm, LAYER_NORM_EPS), wide, False)
    x = op.gelu(_linear(x, source, f"{name}.linear_fc1", weight_type), "erf")
    return _model([_linear(x, source, f"{name}.linear_fc2", weight_type)], [hidden], "kandong_merger")


def _model(results: list[Value], parameters: list[Value], name: str) -> ov.Model:
    return ov.Model([op.result(result) for result in results], parameters, name)


@dataclass(frozen=True)
class TowerModels:
    """The tower's graphs before compilation. ``layers`` are (projections, rest); ``tap_mergers`` go by the layer that
    is tapped."""

    embedding: ov.Model
    layers: list[tuple[ov.Model, ov.Model]]
    attention: ov.Model
    merger: ov.Model
    tap_mergers: dict[int, ov.Model]


def build_tower(
    config: VisionConfig, source: WeightSource, weight_type: WeightType, handed: ov.Type = ov.Type.f32
) -> TowerModels:
    """Build all graphs; ``handed`` is the type that a layer's graphs hand to each other.

    int4 is kept for the language model: the tower is int8 then.
    """
    if weight_type is WeightType.INT4:
        weight_type = WeightType.INT8
    root = "model.visual"
    return TowerModels(
        embedding=build_patch_embedding(config, source, weight_type),
        layers=[
            (
                build_projections(config, layer, source, weight_type, handed),
                build_rest(config, layer, source, weight_type, handed),
            )
            for layer in range(config.depth)
        ],
        attention=build_attention(config, handed),
        merger=build_merger(config, f"{root}.merger", source, weight_type, normalise_merged=False),
        tap_mergers={
            layer: build_merger(config, f"{root}.deepstack_merger_list.{i}", source, weight_type, normalise_merged=True)
            for i, layer in enumerate(config.deepstack_visual_indexes)
        },
    )
