"""The vision tower of Qwen3-VL as a chain of short OpenVINO graphs, run a stage at a time.

Owns: the tower's graphs, their compilation, and running a picture through them. Between two stages the caller may do
other work or drop the picture. Must not know: prompts, caches, the language model.

One picture at a time: pictures of one prompt do not see each other in the tower, so no mask is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

from kandong.vlm.checkpoint import Weight, to_f32
from kandong.vlm.config import VisionConfig
from kandong.vlm.device import run_in_place
from kandong.vlm.language import named_parameter
from kandong.vlm.memory import trim_freed_memory
from kandong.vlm.ops import i32_constant, layer_norm, linear, rotate
from kandong.vlm.pixels import Patches
from kandong.vlm.positions import interpolate_learned_positions, patch_rotary_tables
from kandong.vlm.weights import Value, WeightSource, WeightType

# One layer of a picture of 1024×1024 takes about half a second on two cores, and a tap's merger a tenth: nobody waits
# longer for a turn. Two layers took one second (docs/experiments.md).
LAYERS_PER_STAGE = 1
LAYER_NORM_EPS = 1e-6  # fixed in the reference (Qwen3VLVisionBlock, Qwen3VLVisionPatchMerger)
LEARNED_POSITIONS = "model.visual.pos_embed.weight"
Compile = Callable[[ov.Model], Any]
StageKind = Literal["embedding", "layers", "tap", "merger"]


@dataclass(frozen=True)
class VisionFeatures:
    """What the language model takes of a picture, as float32 or, from the cache, float16.

    ``merged`` ``(tokens, hidden)`` replaces the embedding of the picture's tokens; ``deepstack``
    ``(taps, tokens, hidden)`` is added after the first layers.
    """

    merged: NDArray[Any]
    deepstack: NDArray[Any]


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
    return _model(hidden, [patches, positions], "kandong_patch_embedding")


def plan_groups(config: VisionConfig, num_layers: int) -> list[range]:
    """Cut the layers into groups of up to ``num_layers`` that are run in one go; a tap is the last of its group."""
    groups, start = [], 0
    for layer in range(config.depth):
        is_end = layer in config.deepstack_visual_indexes or layer == config.depth - 1
        if is_end or layer + 1 - start == num_layers:
            groups.append(range(start, layer + 1))
            start = layer + 1
    return groups


def build_layers(config: VisionConfig, layers: range, source: WeightSource, weight_type: WeightType) -> ov.Model:
    """Build some layers in a row: hidden ``(P, hidden)``, cos and sin ``(P, 1, head_dim)`` → hidden."""
    hidden = named_parameter("hidden", [-1, config.hidden_size])
    cos = named_parameter("cos", [-1, 1, config.head_dim])
    sin = named_parameter("sin", [-1, 1, config.head_dim])
    x = hidden
    for index in layers:
        x = _layer(config, index, x, (cos, sin), source, weight_type)
    return _model(x, [hidden, cos, sin], f"kandong_vision_layers_{layers.start}")


def _layer(
    config: VisionConfig,
    index: int,
    hidden: Value,
    rotary: tuple[Value, Value],
    source: WeightSource,
    weight_type: WeightType,
) -> Value:
    """Build one layer (Qwen3VLVisionBlock): attention and MLP, each normalised first."""
    name = f"model.visual.blocks.{index}"
    x = layer_norm(hidden, *_affine(source, f"{name}.norm1"), LAYER_NORM_EPS)
    qkv = _linear(x, source, f"{name}.attn.qkv", weight_type)
    shape = i32_constant([-1, 3, config.num_heads, config.head_dim])
    parts = op.split(op.reshape(qkv, shape, False), i32_constant(1), 3)
    q, k, v = (op.squeeze(part, i32_constant([1])) for part in parts.outputs())
    q, k = rotate(q, *rotary, config.head_dim), rotate(k, *rotary, config.head_dim)
    q, k, v = (op.unsqueeze(op.transpose(t, i32_constant([1, 0, 2])), i32_constant(0)) for t in (q, k, v))
    attended = op.scaled_dot_product_attention(q, k, v)
    flat = op.reshape(op.transpose(attended, i32_constant([0, 2, 1, 3])), i32_constant([-1, config.hidden_size]), False)
    hidden = op.add(hidden, _linear(flat, source, f"{name}.attn.proj", weight_type))
    x = layer_norm(hidden, *_affine(source, f"{name}.norm2"), LAYER_NORM_EPS)
    x = op.gelu(_linear(x, source, f"{name}.mlp.linear_fc1", weight_type), "tanh")
    return op.add(hidden, _linear(x, source, f"{name}.mlp.linear_fc2", weight_type))


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
    return _model(_linear(x, source, f"{name}.linear_fc2", weight_type), [hidden], "kandong_merger")


def _model(result: Value, parameters: list[Value], name: str) -> ov.Model:
    return ov.Model([op.result(result)], parameters, name)


@dataclass(frozen=True)
class TowerModels:
    """The tower's graphs before compilation. ``tap_mergers`` go by the layer that is tapped."""

    embedding: ov.Model
    groups: list[tuple[range, ov.Model]]
    merger: ov.Model
    tap_mergers: dict[int, ov.Model]


def build_tower(config: VisionConfig, source: WeightSource, weight_type: WeightType) -> TowerModels:
    """Build all graphs. int4 is kept for the language model: the tower is int8 then."""
    if weight_type is WeightType.INT4:
        weight_type = WeightType.INT8
    root = "model.visual"
    return TowerModels(
        embedding=build_patch_embedding(config, source, weight_type),
        groups=[
            (layers, build_layers(config, layers, source, weight_type))
            for layers in plan_groups(config, LAYERS_PER_STAGE)
        ],
        merger=build_merger(config, f"{root}.merger", source, weight_type, normalise_merged=False),
        tap_mergers={
            layer: build_merger(config, f"{root}.deepstack_merger_list.{i}", source, weight_type, normalise_merged=True)
            for i, layer in enumerate(config.deepstack_visual_indexes)
        },
    )


class VisionTower:
    """The compiled tower. One thread at a time may use it."""

    def __init__(
        self, config: VisionConfig, source: WeightSource, weight_type: WeightType, compile_graph: Compile
    ) -> None:
        """Build and compile all graphs."""
        self.config = config
        self._learned = to_f32(source.tensor(LEARNED_POSITIONS))
        models = build_tower(config, source, weight_type)

        def layers(model: ov.Model) -> _Graph:
            return _Graph(compile_graph(model), config.hidden_size, 1)

        def merger(model: ov.Model) -> _Graph:
            return _Graph(compile_graph(model), config.out_hidden_size, config.merge_unit)

        self._stages: list[tuple[StageKind, _Graph]] = [("embedding", layers(models.embedding))]
        for indices, model in models.groups:
            self._stages.append(("layers", layers(model)))
            if (tap := models.tap_mergers.get(indices[-1])) is not None:
                self._stages.append(("tap", merger(tap)))
        self._stages.append(("merger", merger(models.merger)))

    @property
    def num_stages(self) -> int:
        """Number of steps that a picture takes: patch embedding, groups of layers, taps after some, the merger."""
        return len(self._stages)

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
    """One picture on its way through the tower, stage by stage.

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
        return self._tower.num_stages

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
        tower, num_patches = self._tower, len(self._patches.values)
        kind, graph = tower._stages[self._stage]
        if self._hidden is None:
            learned = interpolate_learned_positions(
                tower._learned, self._patches.grid_height, self._patches.grid_width, tower.config
            )
            self._hidden = graph.run(num_patches, patches=self._patches.values, positions=learned)
        elif kind == "layers":
            self._hidden = graph.run(num_patches, hidden=self._hidden, cos=self._cos, sin=self._sin)
        elif kind == "tap":
            self._taps.append(graph.run(num_patches, hidden=self._hidden))
        else:
            self._merged = graph.run(num_patches, hidden=self._hidden)
        self._stage += 1

    def features(self) -> VisionFeatures:
        """Give the result after the last stage."""
        assert self._merged is not None, "features() before the last stage"
        trim_freed_memory()
        return VisionFeatures(self._merged, np.stack(self._taps))


class _Graph:
    """A compiled graph with one output of ``width`` columns, for pictures of any size."""

    def __init__(self, compiled: Any, width: int, patches_per_row: int) -> None:
        self._compiled = compiled
        self._request = compiled.create_infer_request()
        self._width = width
        self._patches_per_row = patches_per_row

    def run(self, num_patches: int, **inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the graph into a new array ``(num_patches / patches_per_row, width)``.

        A chain of graphs would keep the work space of each one, 4 GB together for a picture of 1024×1024; so it is
        given back after each run, which costs no measurable time.
        """
        output = np.empty((num_patches // self._patches_per_row, self._width), np.float32)
        run_in_place(self._request, inputs, output)
        self._compiled.release_memory()
        return output
