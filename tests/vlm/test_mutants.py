"""Faults that engines for Qwen3-VL have had: the golden cases must notice each of them.

A mutant that moves nothing would mean that parity proves nothing about that part.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from kandong.vlm import checkpoint as checkpoint_module
from kandong.vlm import decoder as decoder_module
from kandong.vlm import pixels, positions, vision
from kandong.vlm import plan as plan_module
from kandong.vlm.config import ModelConfig, TextConfig, VisionConfig, read_model_config
from kandong.vlm.device import Precision
from kandong.vlm.engine import Engine, EngineOptions
from kandong.vlm.language import build_language_model
from kandong.vlm.positions import PictureSpan
from kandong.vlm.vision import VisionFeatures
from tests.inspection import (
    GOLDEN,
    MAX_LOGIT_DIFFERENCE,
    golden_arrays,
    golden_engine,
    golden_request,
    inspect,
)

CASES = ("wide", "large", "two_pictures")
Patch = pytest.MonkeyPatch
Mutate = Callable[[Patch], None]


def largest_shift(engine: Engine) -> float:
    """Give the largest difference of any logit from the reference over the cases."""
    shift = 0.0
    for case in CASES:
        reference = golden_arrays("tied", case)
        seen = inspect(engine, golden_request(case), reference["logits_rows"].tolist())
        shift = max(shift, float(np.abs(seen.logits - reference["logits"]).max()))
    return shift


def change_features(patch: Patch, change: Callable[[VisionFeatures], VisionFeatures]) -> None:
    unchanged = vision.VisionPass.features
    patch.setattr(vision.VisionPass, "features", lambda self: change(unchanged(self)))


def no_deepstack(patch: Patch) -> None:
    change_features(patch, lambda f: VisionFeatures(f.merged, np.zeros_like(f.deepstack)))


def taps_swapped(patch: Patch) -> None:
    change_features(patch, lambda f: VisionFeatures(f.merged, f.deepstack[[1, 0, 2]]))


def sequential_positions(patch: Patch) -> None:
    def sequential(num_tokens: int, _: list[PictureSpan]) -> tuple[NDArray[np.int64], int]:
        return np.tile(np.arange(num_tokens), (3, 1)), num_tokens

    patch.setattr(plan_module, "prompt_positions", sequential)


def token_height_and_width_swapped(patch: Patch) -> None:
    right = positions.prompt_positions

    def swapped(num_tokens: int, pictures: list[PictureSpan]) -> tuple[NDArray[np.int64], int]:
        places, following = right(num_tokens, pictures)
        return places[[0, 2, 1]], following

    patch.setattr(plan_module, "prompt_positions", swapped)


def sections_not_interleaved(patch: Patch) -> None:
    def contiguous(config: TextConfig) -> NDArray[np.int64]:
        return np.repeat(np.arange(3), config.mrope_section)

    patch.setattr(positions, "axis_of_frequency", contiguous)


def patch_height_and_width_swapped(patch: Patch) -> None:
    right = positions.patch_rotary_tables

    def swapped(height: int, width: int, config: VisionConfig) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        quarter = config.head_dim // 4
        order = np.r_[quarter : 2 * quarter, 0:quarter, 3 * quarter : 4 * quarter, 2 * quarter : 3 * quarter]
        cos, sin = right(height, width, config)
        return cos[..., order], sin[..., order]

    patch.setattr(vision, "patch_rotary_tables", swapped)


def nearest_learned_positions(patch: Patch) -> None:
    right = positions._grid_corners

    def nearest(num_cells: int, side: int) -> tuple[Any, Any, Any]:
        lower, upper, weight = right(num_cells, side)
        return lower, upper, np.rint(weight)

    patch.setattr(positions, "_grid_corners", nearest)


def bilinear_resize(patch: Patch) -> None:
    patch.setattr(pixels, "RESAMPLING", Image.Resampling.BILINEAR)


RUNNING_MUTANTS: list[Mutate] = [
    no_deepstack,
    taps_swapped,
    sequential_positions,
    token_height_and_width_swapped,
    sections_not_interleaved,
    patch_height_and_width_swapped,
    nearest_learned_positions,
    bilinear_resize,
]


def test_the_unchanged_engine_is_within_tolerance() -> None:
    assert largest_shift(golden_engine("tied")) <= MAX_LOGIT_DIFFERENCE


@pytest.mark.parametrize("mutate", RUNNING_MUTANTS, ids=lambda m: m.__name__)
def test_mutant_is_caught(mutate: Mutate, monkeypatch: Patch) -> None:
    engine = golden_engine("tied")
    mutate(monkeypatch)
    assert largest_shift(engine) >= 10 * MAX_LOGIT_DIFFERENCE


def with_taps(config: ModelConfig, taps: tuple[int, ...]) -> ModelConfig:
    return dataclasses.replace(config, vision=dataclasses.replace(config.vision, deepstack_visual_indexes=taps))


def taps_one_vision_layer_late(patch: Patch) -> None:
    read = read_model_config

    def late(folder: Any) -> ModelConfig:
        config = read(folder)
        return with_taps(config, tuple(tap + 1 for tap in config.vision.deepstack_visual_indexes))

    patch.setattr(checkpoint_module, "read_model_config", late)


def taps_one_text_layer_late(patch: Patch) -> None:
    """A fourth, empty tap in front moves the three real ones to the layers 1, 2 and 3."""
    build = build_language_model

    def late(config: ModelConfig, *rest: Any) -> Any:
        return build(with_taps(config, (0, *config.vision.deepstack_visual_indexes)), *rest)

    embed = decoder_module.Decoder._embed

    def padded(self: Any, *arguments: Any) -> Any:
        embeds, deepstack = embed(self, *arguments)
        return embeds, np.concatenate([np.zeros_like(deepstack[:1]), deepstack])

    patch.setattr(decoder_module, "build_language_model", late)
    patch.setattr(decoder_module.Decoder, "_embed", padded)


@pytest.mark.parametrize("mutate", [taps_one_vision_layer_late, taps_one_text_layer_late], ids=lambda m: m.__name__)
def test_mutant_graph_is_caught(mutate: Mutate, monkeypatch: Patch) -> None:
    mutate(monkeypatch)
    engine = Engine(GOLDEN / "tied", EngineOptions(precision=Precision.F32))
    assert largest_shift(engine) >= 10 * MAX_LOGIT_DIFFERENCE
