"""Typed configuration of a dense Qwen3-VL checkpoint.

Owns: reading ``config.json``, ``generation_config.json`` and ``preprocessor_config.json`` into frozen values, in both
layouts that exist (``rope_theta`` + ``rope_scaling``, and ``rope_parameters``). No architecture number has a default:
one that is missing is an error that names it, because a wrong guess runs and answers nonsense.
Must not know: weights, graphs, prompts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kandong.errors import CheckpointError

# Neither layout of Qwen3-VL before transformers 5 writes the vision tower's rotary base; the reference fixes it at
# 10000 (Qwen3VLVisionRotaryEmbedding). The newer layout does write it, and then the file decides.
VISION_ROPE_THETA_OF_OLD_LAYOUT = 10_000.0

REMEDY = "Use the complete folder of a dense Qwen3-VL model, for example Qwen/Qwen3-VL-2B-Instruct."


@dataclass(frozen=True)
class TextConfig:
    """The language model's numbers, named as in ``config.json``."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    max_position_embeddings: int
    rms_norm_eps: float
    rope_theta: float
    mrope_section: tuple[int, int, int]


@dataclass(frozen=True)
class VisionConfig:
    """The vision tower's numbers, named as in ``config.json``."""

    depth: int
    hidden_size: int
    intermediate_size: int
    num_heads: int
    num_position_embeddings: int
    out_hidden_size: int
    in_channels: int
    patch_size: int
    temporal_patch_size: int
    spatial_merge_size: int
    deepstack_visual_indexes: tuple[int, ...]
    rope_theta: float

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_heads

    @property
    def merge_unit(self) -> int:
        """Number of patches that become one token."""
        return self.spatial_merge_size**2

    @property
    def patch_dim(self) -> int:
        """Number of values in one flattened patch."""
        return self.in_channels * self.temporal_patch_size * self.patch_size**2

    @property
    def num_grid_per_side(self) -> int:
        """Side of the square grid of learned positions."""
        return int(self.num_position_embeddings**0.5)


@dataclass(frozen=True)
class PixelConfig:
    """How pictures become patches: ``preprocessor_config.json``. ``min_pixels``/``max_pixels`` count pixels."""

    patch_size: int
    temporal_patch_size: int
    merge_size: int
    min_pixels: int
    max_pixels: int
    image_mean: tuple[float, float, float]
    image_std: tuple[float, float, float]
    rescale_factor: float

    @property
    def factor_px(self) -> int:
        """Side of the square of pixels behind one token."""
        return self.patch_size * self.merge_size

    @property
    def min_tokens(self) -> int:
        """Smallest number of tokens that the checkpoint gives a picture."""
        return max(1, self.min_pixels // self.factor_px**2)

    @property
    def max_tokens(self) -> int:
        """Largest number of tokens that the checkpoint gives a picture."""
        return max(1, self.max_pixels // self.factor_px**2)


@dataclass(frozen=True)
class ModelConfig:
    """Everything that the checkpoint's JSON files say about the model."""

    text: TextConfig
    vision: VisionConfig
    pixels: PixelConfig
    image_token_id: int
    video_token_id: int
    vision_start_token_id: int
    vision_end_token_id: int
    eos_token_ids: tuple[int, ...]
    tie_word_embeddings: bool


class _Section:
    """One JSON object that answers for each number, or says which is missing from which file."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self.values = values
        self.where = where

    def sub(self, key: str) -> _Section:
        value = self.values.get(key)
        if not isinstance(value, dict):
            raise self.missing(key)
        return _Section(value, f"{self.where} › {key}")

    def missing(self, key: str) -> CheckpointError:
        return CheckpointError(f"{self.where} has no usable '{key}'.", hint=REMEDY, field=key)

    def integer(self, key: str) -> int:
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self.missing(key)
        return value

    def positive(self, key: str) -> int:
        value = self.integer(key)
        if value == 0:
            raise self.missing(key)
        return value

    def number(self, key: str) -> float:
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise self.missing(key)
        return float(value)

    def integers(self, key: str) -> tuple[int, ...]:
        value = self.values.get(key)
        if not isinstance(value, list) or not all(isinstance(v, int) and not isinstance(v, bool) for v in value):
            raise self.missing(key)
        return tuple(value)

    def triple(self, key: str) -> tuple[float, float, float]:
        value = self.values.get(key)
        if not isinstance(value, list) or len(value) != 3 or not all(isinstance(v, int | float) for v in value):
            raise self.missing(key)
        return float(value[0]), float(value[1]), float(value[2])

    def require(self, key: str, allowed: object) -> None:
        """Refuse a variant of the architecture that this engine does not compute."""
        if self.values.get(key) != allowed:
            found = self.values.get(key)
            raise CheckpointError(
                f"{self.where}: '{key}' is {found!r}, this engine computes {allowed!r} only.", hint=REMEDY, field=key
            )


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; errors: ``CheckpointError`` naming the file if absent, unreadable or not an object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"The model folder has no {path.name}.", hint=REMEDY) from None
    except (OSError, ValueError):
        raise CheckpointError(
            f"{path.name} cannot be read as JSON.", hint="Download that file again: it is cut or damaged."
        ) from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{path.name} is not a JSON object.", hint=REMEDY)
    return value


def read_model_config(folder: Path) -> ModelConfig:
    """Read all JSON files of a checkpoint folder; errors: ``CheckpointError`` naming the file and the number."""
    root = _Section(read_json(folder / "config.json"), "config.json")
    model_type = root.values.get("model_type")
    if model_type != "qwen3_vl":
        raise CheckpointError(
            f"The folder holds a model of type {model_type!r}, not a dense Qwen3-VL ('qwen3_vl').", hint=REMEDY
        )
    text_section = root.sub("text_config")
    text = _text_config(text_section)
    vision = _vision_config(root.sub("vision_config"))
    pixels = _pixel_config(folder)
    _check_consistency(text, vision, pixels)
    tied = root.values.get("tie_word_embeddings", text_section.values.get("tie_word_embeddings"))
    if not isinstance(tied, bool):
        raise root.missing("tie_word_embeddings")
    return ModelConfig(
        text=text,
        vision=vision,
        pixels=pixels,
        image_token_id=root.integer("image_token_id"),
        video_token_id=root.integer("video_token_id"),
        vision_start_token_id=root.integer("vision_start_token_id"),
        vision_end_token_id=root.integer("vision_end_token_id"),
        eos_token_ids=_eos_token_ids(folder, text_section),
        tie_word_embeddings=tied,
    )


def _text_config(section: _Section) -> TextConfig:
    section.require("hidden_act", "silu")
    section.require("attention_bias", False)
    if "rope_parameters" in section.values:
        rope = section.sub("rope_parameters")
        rope_theta = rope.number("rope_theta")
    else:
        rope = section.sub("rope_scaling")
        rope_theta = section.number("rope_theta")
    rope.require("rope_type", "default")
    if "mrope_interleaved" in rope.values:
        rope.require("mrope_interleaved", True)
    sections = rope.integers("mrope_section")
    head_dim = section.positive("head_dim")
    if len(sections) != 3 or 2 * sum(sections) != head_dim:
        raise CheckpointError(
            f"{rope.where}: 'mrope_section' {list(sections)} does not fill half of head_dim {head_dim}.", hint=REMEDY
        )
    return TextConfig(
        hidden_size=section.positive("hidden_size"),
        intermediate_size=section.positive("intermediate_size"),
        num_hidden_layers=section.positive("num_hidden_layers"),
        num_attention_heads=section.positive("num_attention_heads"),
        num_key_value_heads=section.positive("num_key_value_heads"),
        head_dim=head_dim,
        vocab_size=section.positive("vocab_size"),
        max_position_embeddings=section.positive("max_position_embeddings"),
        rms_norm_eps=section.number("rms_norm_eps"),
        rope_theta=rope_theta,
        mrope_section=(sections[0], sections[1], sections[2]),
    )


def _vision_config(section: _Section) -> VisionConfig:
    section.require("hidden_act", "gelu_pytorch_tanh")
    rope_theta = VISION_ROPE_THETA_OF_OLD_LAYOUT
    if "rope_parameters" in section.values:
        rope = section.sub("rope_parameters")
        rope.require("rope_type", "axial")
        rope_theta = rope.number("rope_theta")
    return VisionConfig(
        depth=section.positive("depth"),
        hidden_size=section.positive("hidden_size"),
        intermediate_size=section.positive("intermediate_size"),
        num_heads=section.positive("num_heads"),
        num_position_embeddings=section.positive("num_position_embeddings"),
        out_hidden_size=section.positive("out_hidden_size"),
        in_channels=section.positive("in_channels"),
        patch_size=section.positive("patch_size"),
        temporal_patch_size=section.positive("temporal_patch_size"),
        spatial_merge_size=section.positive("spatial_merge_size"),
        deepstack_visual_indexes=section.integers("deepstack_visual_indexes"),
        rope_theta=rope_theta,
    )


def _pixel_config(folder: Path) -> PixelConfig:
    section = _Section(read_json(folder / "preprocessor_config.json"), "preprocessor_config.json")
    # Older files give min_pixels/max_pixels, newer ones size.shortest_edge/longest_edge; both count pixels.
    if isinstance(section.values.get("size"), dict):
        size = section.sub("size")
        min_pixels, max_pixels = size.positive("shortest_edge"), size.positive("longest_edge")
    else:
        min_pixels, max_pixels = section.positive("min_pixels"), section.positive("max_pixels")
    # 1/255 is what every published file says or, where the key is absent, what the processor class fixes.
    rescale = section.number("rescale_factor") if "rescale_factor" in section.values else 1 / 255
    return PixelConfig(
        patch_size=section.positive("patch_size"),
        temporal_patch_size=section.positive("temporal_patch_size"),
        merge_size=section.positive("merge_size"),
        min_pixels=min_pixels,
        max_pixels=max_pixels,
        image_mean=section.triple("image_mean"),
        image_std=section.triple("image_std"),
        rescale_factor=rescale,
    )


def _eos_token_ids(folder: Path, text: _Section) -> tuple[int, ...]:
    """``generation_config.json`` decides (it may list several); without the file the text configuration does."""
    path = folder / "generation_config.json"
    section = _Section(read_json(path), path.name) if path.is_file() else text
    if "eos_token_id" not in section.values:
        section = text
    value = section.values.get("eos_token_id")
    return section.integers("eos_token_id") if isinstance(value, list) else (section.integer("eos_token_id"),)


def _check_consistency(text: TextConfig, vision: VisionConfig, pixels: PixelConfig) -> None:
    problems = [
        (vision.out_hidden_size != text.hidden_size, "vision out_hidden_size and text hidden_size differ"),
        (vision.hidden_size % vision.num_heads != 0, "vision hidden_size is no multiple of num_heads"),
        (vision.head_dim % 4 != 0, "vision head size is no multiple of 4"),
        (text.num_attention_heads % text.num_key_value_heads != 0, "attention heads are no multiple of key heads"),
        (vision.num_grid_per_side**2 != vision.num_position_embeddings, "num_position_embeddings is no square"),
        (vision.in_channels != 3, "in_channels is not 3"),
        (pixels.patch_size != vision.patch_size, "patch_size differs between the two files"),
        (pixels.merge_size != vision.spatial_merge_size, "merge size differs between the two files"),
        (pixels.temporal_patch_size != vision.temporal_patch_size, "temporal_patch_size differs"),
        (len(vision.deepstack_visual_indexes) > text.num_hidden_layers, "more DeepStack taps than text layers"),
        (not vision.deepstack_visual_indexes, "there are no DeepStack taps"),
        (any(not 0 <= i < vision.depth for i in vision.deepstack_visual_indexes), "a DeepStack tap has no layer"),
        (
            list(vision.deepstack_visual_indexes) != sorted(set(vision.deepstack_visual_indexes)),
            "deepstack_visual_indexes are not in ascending order",
        ),
    ]
    for is_wrong, what in problems:
        if is_wrong:
            raise CheckpointError(f"The model folder contradicts itself: {what}.", hint=REMEDY)
