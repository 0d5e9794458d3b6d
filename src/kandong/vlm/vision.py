"""The vision tower of Qwen3-VL as a chain of short OpenVINO graphs, run a stage at a time.

Owns: the tower's graphs, their compilation, and running a picture through them. Between two stages the caller may do
other work or drop the picture. Must not know: prompts, caches, the language model.

One picture at a time: pictures of one prompt do not see each other in the tower, so no mask is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

from kandong.vlm.checkpoint import Weight, to_f32
from kandong.vlm.config import VisionConfig
from kandong.vlm.device import run_in_place
from kandong.vlm.language import Take, named_parameter
from kandong.vlm.ops import Value, WeightType, i32_constant, layer_norm, linear, rotate
from kandong.vlm.pixels import Patches
from kandong.vlm.positions import interpolate_learned_positions, patch_rotary_tables

LAYER_NORM_EPS = 1e-6  # fixed in the reference (Qwen3VLVisionBlock, Qwen3VLVisionPatchMerger)
Compile = Callable[[ov.Model], Any]


@dataclass(frozen=True)
class VisionFeatures:
    """What the language model takes of a picture.

    ``merged`` f32 ``(tokens, hidden)`` replaces the embedding of the picture's tokens; ``deepstack`` f32
    ``(taps, tokens, hidden)`` is added after the first layers.
    """

    merged: NDArray[np.float32]
    deepstack: NDArray[np.float32]


def _bias(take: Take, name: str) -> tuple[Weight, Weight]:
    return take(f"{name}.weight"), take(f"{name}.bias")


def build_patch_embedding(config: VisionConfig, take: Take, weight_type: WeightType) -> ov.Model:
    """Build patches ``(P, patch_dim)`` + learned positions ``(P, hidden)`` → hidden; the Conv3d is one matrix."""
    patches = named_parameter("patches", [-1, config.patch_dim])
    positions = named_parameter("positions", [-1, config.hidden_size])
    kernel, bias = _bias(take, "model.visual.patch_embed.proj")
    hidden = op.add(linear(patches, kernel.reshape(config.hidden_size, -1), weight_type, bias), positions)
    return _model(hidden, [patches, positions], "kandong_patch_embedding")


def build_block(config: VisionConfig, index: int, take: Take, weight_type: WeightType) -> ov.Model:
    """Build one layer (Qwen3VLVisionBlock): hidden ``(P, hidden)``, cos and sin ``(P, 1, head_dim)`` → hidden."""
    hidden = named_parameter("hidden", [-1, config.hidden_size])
    cos = named_parameter("cos", [-1, 1, config.head_dim])
    sin = named_parameter("sin", [-1, 1, config.head_dim])
    name = f"model.visual.blocks.{index}"
    x = layer_norm(hidden, *_bias(take, f"{name}.norm1"), LAYER_NORM_EPS)
    qkv = linear(x, *_typed(take, f"{name}.attn.qkv", weight_type))
    shape = i32_constant([-1, 3, config.num_heads, config.head_dim])
    parts = op.split(op.reshape(qkv, shape, False), i32_constant(1), 3)
    q, k, v = (op.squeeze(part, i32_constant([1])) for part in parts.outputs())
    q, k = rotate(q, cos, sin, config.head_dim), rotate(k, cos, sin, config.head_dim)
    q, k, v = (op.unsqueeze(op.transpose(t, i32_constant([1, 0, 2])), i32_constant(0)) for t in (q, k, v))
    attended = op.scaled_dot_product_attention(q, k, v)
    flat = op.reshape(op.transpose(attended, i32_constant([0, 2, 1, 3])), i32_constant([-1, config.hidden_size]), False)
    after = op.add(hidden, linear(flat, *_typed(take, f"{name}.attn.proj", weight_type)))
    x = layer_norm(after, *_bias(take, f"{name}.norm2"), LAYER_NORM_EPS)
    x = op.gelu(linear(x, *_typed(take, f"{name}.mlp.linear_fc1", weight_type)), "tanh")
    after = op.add(after, linear(x, *_typed(take, f"{name}.mlp.linear_fc2", weight_type)))
    return _model(after, [hidden, cos, sin], f"kandong_vision_block_{index}")


def build_merger(
    config: VisionConfig, name: str, take: Take, weight_type: WeightType, *, normalise_merged: bool
) -> ov.Model:
    """Build a merger (Qwen3VLVisionPatchMerger): hidden ``(P, hidden)`` → ``(P / 4, out_hidden)``.

    DeepStack mergers normalise the four merged patches together, the main merger each patch before merging.
    """
    hidden = named_parameter("hidden", [-1, config.hidden_size])
    wide = i32_constant([-1, config.hidden_size * config.merge_unit])
    norm = _bias(take, f"{name}.norm")
    if normalise_merged:
        x = layer_norm(op.reshape(hidden, wide, False), *norm, LAYER_NORM_EPS)
    else:
        x = op.reshape(layer_norm(hidden, *norm, LAYER_NORM_EPS), wide, False)
    x = op.gelu(linear(x, *_typed(take, f"{name}.linear_fc1", weight_type)), "erf")
    return _model(linear(x, *_typed(take, f"{name}.linear_fc2", weight_type)), [hidden], "kandong_merger")


def _typed(take: Take, name: str, weight_type: WeightType) -> tuple[Weight, WeightType, Weight]:
    weight, bias = _bias(take, name)
    return weight, weight_type, bias


def _model(result: Value, parameters: list[Value], name: str) -> ov.Model:
    return ov.Model([op.result(result)], parameters, name)


class VisionTower:
    """The compiled tower. One thread at a time may use it."""

    def __init__(self, config: VisionConfig, take: Take, weight_type: WeightType, compile_graph: Compile) -> None:
        """Build and compile all graphs. int4 is kept for the language model: the tower stays int8 then."""
        if weight_type is WeightType.INT4:
            weight_type = WeightType.INT8
        self.config = config
        self._learned = to_f32(take("model.visual.pos_embed.weight"))

        def request(model: ov.Model) -> Any:
            return compile_graph(model).create_infer_request()

        self._embed = request(build_patch_embedding(config, take, weight_type))
        self._blocks = [request(build_block(config, i, take, weight_type)) for i in range(config.depth)]
        root = "model.visual"
        self._merger = request(build_merger(config, f"{root}.merger", take, weight_type, normalise_merged=False))
        self._tap_mergers = {
            layer: request(
                build_merger(config, f"{root}.deepstack_merger_list.{i}", take, weight_type, normalise_merged=True)
            )
            for i, layer in enumerate(config.deepstack_visual_indexes)
        }

    def start(self, patches: Patches) -> VisionPass:
        """Begin a picture; its stages are run by ``VisionPass.step``."""
        return VisionPass(self, patches)

    def encode(self, patches: Patches) -> VisionFeatures:
        """Run a picture through the whole tower."""
        running = self.start(patches)
        while not running.is_done:
            running.step()
        return running.features()


class VisionPass:
    """One picture on its way through the tower. Stages: patch embedding, then one layer each, then the merger.

    Holds the hidden state itself, so any number of passes may be under way; each step copies nothing but the result.
    """

    def __init__(self, tower: VisionTower, patches: Patches) -> None:
        self._tower = tower
        self._patches = patches
        self._stage = 0
        self._hidden: NDArray[np.float32] | None = None
        self._cos, self._sin = patch_rotary_tables(patches.grid_height, patches.grid_width, tower.config)
        self._merged: NDArray[np.float32] | None = None
        self._taps: list[NDArray[np.float32]] = []

    @property
    def num_stages(self) -> int:
        """Number of steps that the whole picture takes."""
        return self._tower.config.depth + 2

    @property
    def num_stages_done(self) -> int:
        """Number of steps taken so far."""
        return self._stage

    @property
    def is_done(self) -> bool:
        """Whether ``features`` may be called."""
        return self._stage == self.num_stages

    def step(self) -> None:
        """Run the next stage."""
        tower, layer = self._tower, self._stage - 1
        if self._hidden is None:
            learned = interpolate_learned_positions(
                tower._learned, self._patches.grid_height, self._patches.grid_width, tower.config
            )
            self._hidden = _run(tower._embed, patches=self._patches.values, positions=learned)
        elif layer < tower.config.depth:
            self._hidden = _run(tower._blocks[layer], hidden=self._hidden, cos=self._cos, sin=self._sin)
            if layer in tower._tap_mergers:
                self._taps.append(_run(tower._tap_mergers[layer], hidden=self._hidden))
        else:
            self._merged = _run(tower._merger, hidden=self._hidden)
        self._stage += 1

    def features(self) -> VisionFeatures:
        """Give the result after the last stage."""
        assert self._merged is not None, "features() before the last stage"
        return VisionFeatures(self._merged, np.stack(self._taps))


def _run(request: Any, **inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run a graph and copy its only output, which the request would overwrite the next time."""
    run_in_place(request, inputs)
    output: NDArray[np.float32] = request.get_output_tensor(0).data.copy()
    return output
