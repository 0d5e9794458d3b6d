"""The vision tower of Qwen3-VL run a piece at a time.

Owns: compiling the tower's graphs, and running a picture through them. Between two pieces the caller may do other work
or drop the picture. Must not know: prompts, caches, the language model.

One picture at a time: pictures of one prompt do not see each other in the tower, so no mask is needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import ml_dtypes
import numpy as np
import openvino as ov
from numpy.typing import NDArray

from kandong.vlm.checkpoint import to_f32
from kandong.vlm.config import VisionConfig
from kandong.vlm.costs import attention_units, linear_units
from kandong.vlm.device import Compute, run_in_place
from kandong.vlm.memory import trim_freed_memory
from kandong.vlm.pixels import Patches
from kandong.vlm.positions import interpolate_learned_positions, patch_rotary_tables
from kandong.vlm.vision_graphs import build_tower
from kandong.vlm.weights import WeightSource, WeightType

LEARNED_POSITIONS = "model.visual.pos_embed.weight"
# Fewer rows of queries at a time would cost more than they save: all keys are read for each slice.
_MIN_ROWS = 1024
Compile = Callable[[ov.Model], Any]
PieceKind = Literal["positions", "embedding", "projections", "attention", "rest", "tap", "merger"]


@dataclass(frozen=True)
class VisionFeatures:
    """What the language model takes of a picture, as float32 or, from the cache, float16.

    ``merged`` ``(tokens, hidden)`` replaces the embedding of the picture's tokens; ``deepstack``
    ``(taps, tokens, hidden)`` is added after the first layers.
    """

    merged: NDArray[Any]
    deepstack: NDArray[Any]


class VisionTower:
    """The compiled tower. One thread at a time may use it."""

    def __init__(
        self,
        config: VisionConfig,
        source: WeightSource,
        weight_type: WeightType,
        compute: Compute,
        compile_graph: Compile,
    ) -> None:
        """Build and compile all graphs."""
        self.config = config
        self.handed_dtype: Any = ml_dtypes.bfloat16 if compute is Compute.BF16 else np.float32
        self.learned = to_f32(source.tensor(LEARNED_POSITIONS))
        handed = ov.Type.bf16 if compute is Compute.BF16 else ov.Type.f32
        models = build_tower(config, source, weight_type, handed)

        def compiled(model: ov.Model) -> _Graph:
            return _Graph(compile_graph(model))

        attention = compiled(models.attention)
        self.pieces: list[tuple[PieceKind, _Graph | None]] = [("positions", None)]
        self.pieces.append(("embedding", compiled(models.embedding)))
        for layer, (projections, rest) in enumerate(models.layers):
            self.pieces += [("projections", compiled(projections)), ("attention", attention), ("rest", compiled(rest))]
            if (tap := models.tap_mergers.get(layer)) is not None:
                self.pieces.append(("tap", compiled(tap)))
        self.pieces.append(("merger", compiled(models.merger)))
        self._products = [_products_per_patch(config, kind) for kind, _ in self.pieces]

    @property
    def num_pieces(self) -> int:
        """Number of pieces of a picture: positions, embedding, three a layer, taps after some, the merger."""
        return len(self.pieces)

    def piece_units(self, piece: int, num_patches: int) -> float:
        """Give the cost of a piece in units of ``costs.py``; all pieces together cost ``vision_units``."""
        if self.pieces[piece][0] == "attention":
            return attention_units(num_patches) / self.config.depth
        return linear_units(num_patches) * self._products[piece] / sum(self._products)

    def start(self, patches: Patches) -> VisionPass:
        """Begin a picture; its pieces are run by ``VisionPass.step``."""
        return VisionPass(self, patches)

    def encode(self, patches: Patches) -> VisionFeatures:
        """Run a picture through the whole tower."""
        running = self.start(patches)
        while not running.is_done:
            running.step()
        return running.features()


def _products_per_patch(config: VisionConfig, kind: PieceKind) -> int:
    """Count the products of numbers that a piece takes for one patch, those with keys and values left out."""
    hidden, unit = config.hidden_size, config.merge_unit
    match kind:
        case "embedding":
            return config.patch_dim * hidden
        case "projections":
            return 3 * hidden * hidden
        case "attention":
            return 0
        case "rest":
            return hidden * hidden + 2 * hidden * config.intermediate_size
        case "tap" | "merger":
            return unit * hidden * hidden + hidden * config.out_hidden_size
        case "positions":
            # No product at all, but on one core as long as this many (docs/experiments.md).
            return 5 * hidden * hidden


class VisionPass:
    """One picture on its way through the tower, piece by piece.

    Holds all that is handed from one graph to the next, so any number of passes may be under way; each step copies
    nothing but the result. The arrays are the same for all layers, because a request holds on to those it ran on last.
    """

    def __init__(self, tower: VisionTower, patches: Patches) -> None:
        self._tower = tower
        self._patches = patches
        self._piece = 0
        self._row = 0
        self._num_slices = 1
        self._num_patches = len(patches.values)
        num_taps, num_tokens = len(tower.config.deepstack_visual_indexes), self._num_patches // tower.config.merge_unit
        config, hidden_shape = tower.config, (self._num_patches, tower.config.hidden_size)
        self._hidden, self._next_hidden = (np.empty(hidden_shape, np.float32) for _ in range(2))
        self._learned = self._cos = self._sin = self._hidden[:0]
        heads_shape = (self._num_patches, config.num_heads, config.head_dim)
        self._qkv = [np.empty(heads_shape, tower.handed_dtype) for _ in range(3)]
        self._attended = np.empty(hidden_shape, tower.handed_dtype)
        self._merged = np.empty((num_tokens, tower.config.out_hidden_size), np.float32)
        self._deepstack = np.empty((num_taps, num_tokens, tower.config.out_hidden_size), np.float32)
        self._num_taps_done = 0

    @property
    def num_pieces(self) -> int:
        """Number of pieces of the whole picture."""
        return self._tower.num_pieces

    @property
    def num_pieces_done(self) -> int:
        """Number of pieces that are done."""
        return self._piece

    @property
    def is_done(self) -> bool:
        """Whether ``features`` may be called."""
        return self._piece == self.num_pieces

    def next_units(self, max_units: float = math.inf) -> float:
        """Give what the next step costs. Attention is cut to at most ``max_units`` a step, if that many rows are left.

        All slices of one layer are of one size.
        """
        units = self._tower.piece_units(self._piece, self._num_patches)
        if self._tower.pieces[self._piece][0] != "attention":
            return units
        if self._row == 0:
            self._num_slices = 1
            while units / self._num_slices > max_units and self._num_patches >= 2 * _MIN_ROWS * self._num_slices:
                self._num_slices *= 2
        return units / self._num_slices

    def step(self) -> None:
        """Run the next piece, or the next slice of it."""
        tower, hidden = self._tower, self._hidden
        kind, graph = tower.pieces[self._piece]
        if graph is None:
            self._prepare_positions()
        elif kind == "embedding":
            graph.run([hidden], patches=self._patches.values, positions=self._learned)
            self._learned = hidden[:0]
        elif kind == "projections":
            graph.run(self._qkv, hidden=hidden, cos=self._cos, sin=self._sin)
        elif kind == "attention":
            if not self._attend(graph):
                return
        elif kind == "rest":
            graph.run([self._next_hidden], hidden=hidden, attended=self._attended)
            self._hidden, self._next_hidden = self._next_hidden, hidden
        elif kind == "tap":
            graph.run([self._deepstack[self._num_taps_done]], hidden=hidden)
            self._num_taps_done += 1
        else:
            graph.run([self._merged], hidden=hidden)
        self._piece += 1

    def _prepare_positions(self) -> None:
        height, width, config = self._patches.grid_height, self._patches.grid_width, self._tower.config
        self._cos, self._sin = patch_rotary_tables(height, width, config)
        self._learned = interpolate_learned_positions(self._tower.learned, height, width, config)

    def _attend(self, graph: _Graph) -> bool:
        """Run attention for the next rows of queries; says whether they were the last."""
        end = min(self._num_patches, self._row + math.ceil(self._num_patches / self._num_slices))
        queries, keys, values = self._qkv
        rows = slice(self._row, end)
        graph.run([self._attended[rows]], queries=queries[rows], keys=keys, values=values)
        self._row = 0 if end == self._num_patches else end
        return self._row == 0

    def features(self) -> VisionFeatures:
        """Give the result after the last piece."""
        assert self.is_done, "features() before the last piece"
        trim_freed_memory()
        return VisionFeatures(self._merged, self._deepstack)


class _Graph:
    """A compiled graph for pictures of any size."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._request = compiled.create_infer_request()

    def run(self, outputs: list[NDArray[Any]], **inputs: NDArray[Any]) -> None:
        """Run the graph into ``outputs``.

        A chain of graphs would keep the work space of each one, 4 GB together for a picture of 1024×1024; so it is
        given back after each run, which costs no measurable time.
        """
        run_in_place(self._request, inputs, outputs)
        self._compiled.release_memory()
