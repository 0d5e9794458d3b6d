"""Writes the two tiny random Qwen3-VL checkpoints.

Owns: their configurations, seeds and the scales of their weights. Must not know: cases, pictures, reference outputs.

The scales are chosen so that a mistake shows: attention is sharp, position embeddings are as large as patch embeddings,
DeepStack features as large as the residual stream, and no norm weight or bias is trivial. mutants.py measures it.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from .tokenizer_recipe import (
    FIRST_SPECIAL_ID,
    PLAIN_ADDED_TOKENS,
    SPECIAL_TOKENS,
    TOKEN_IDS,
    VOCAB_SIZE,
    write_tokenizer,
)

MIN_PIXELS = 16 * 1024
MAX_PIXELS = 64 * 1024
_NUM_TOKENS = FIRST_SPECIAL_ID + len(SPECIAL_TOKENS) + len(PLAIN_ADDED_TOKENS)


@dataclass(frozen=True)
class Recipe:
    """One checkpoint: ``older_layout`` writes ``rope_theta`` beside ``rope_scaling`` instead of ``rope_parameters``."""

    name: str
    tied: bool
    older_layout: bool
    rope_theta: float
    dtype: str
    seed: int


# The seeds were found with `make_golden --search`: every greedy answer has clear margins (make_golden.MIN_MARGIN).
RECIPES = (
    Recipe("tied", tied=True, older_layout=False, rope_theta=10_000.0, dtype="bfloat16", seed=6),
    Recipe("untied", tied=False, older_layout=True, rope_theta=5_000_000, dtype="float16", seed=4),
)

# First match wins: pattern → (mean, standard deviation); the deviation of a matrix is over the root of its fan-in.
_VECTOR_SCALES: tuple[tuple[str, float, float], ...] = (
    (r"language_model\.norm\.weight", 0.0, 2.0),
    (r"(q_norm|k_norm)\.weight", 1.6, 0.4),
    (r"qkv\.bias", 0.0, 0.5),
    (r"\.bias", 0.0, 0.3),
    (r"norm\d?\.weight|layernorm\.weight", 1.0, 0.35),
)
_MATRIX_SCALES: tuple[tuple[str, float], ...] = (
    (r"qkv\.weight", 1.6),
    (r"patch_embed\.proj\.weight", 1.2),
    (r"merger.*linear_fc2\.weight", 2.0),
    (r"mlp\.(linear_fc2|down_proj)\.weight", 1.6),
    (r".", 1.0),
)


def _config(recipe: Recipe) -> dict[str, Any]:
    """Give the content of ``config.json``, in the newer or the older layout."""
    rope: dict[str, Any] = {"mrope_interleaved": True, "mrope_section": [6, 5, 5], "rope_type": "default"}
    text: dict[str, Any] = {
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": TOKEN_IDS["<|endoftext|>"],
        "dtype": recipe.dtype,
        "eos_token_id": TOKEN_IDS["<|im_end|>"],
        "head_dim": 32,
        "hidden_act": "silu",
        "hidden_size": 64,
        "initializer_range": 0.02,
        "intermediate_size": 128,
        "max_position_embeddings": 4096,
        "model_type": "qwen3_vl_text",
        "num_attention_heads": 4,
        "num_hidden_layers": 5,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-06,
        "tie_word_embeddings": recipe.tied,
        "use_cache": True,
        "vocab_size": VOCAB_SIZE,
    }
    if recipe.older_layout:
        text |= {"rope_scaling": rope, "rope_theta": recipe.rope_theta}
    else:
        text |= {"rope_parameters": rope | {"rope_theta": recipe.rope_theta}}
    return {
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "dtype": recipe.dtype,
        "image_token_id": TOKEN_IDS["<|image_pad|>"],
        "model_type": "qwen3_vl",
        "text_config": text,
        "tie_word_embeddings": recipe.tied,
        "video_token_id": TOKEN_IDS["<|video_pad|>"],
        "vision_config": {
            "deepstack_visual_indexes": [1, 2, 4],
            "depth": 6,
            "hidden_act": "gelu_pytorch_tanh",
            "hidden_size": 64,
            "in_channels": 3,
            "initializer_range": 0.02,
            "intermediate_size": 128,
            "model_type": "qwen3_vl" if recipe.older_layout else "qwen3_vl_vision",
            "num_heads": 2,
            "num_position_embeddings": 64,
            "out_hidden_size": 64,
            "patch_size": 16,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
        "vision_end_token_id": TOKEN_IDS["<|vision_end|>"],
        "vision_start_token_id": TOKEN_IDS["<|vision_start|>"],
    }


def _draw(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw one weight by its name; see the tables above."""
    noise = rng.standard_normal(shape)
    if len(shape) == 1:
        mean, spread = next((mean, spread) for pattern, mean, spread in _VECTOR_SCALES if re.search(pattern, name))
        return (mean + spread * noise).astype(np.float32)
    if "embed" in name and name.endswith(("embed_tokens.weight", "pos_embed.weight")):
        return noise.astype(np.float32)
    gain = next(gain for pattern, gain in _MATRIX_SCALES if re.search(pattern, name))
    return (gain / math.sqrt(math.prod(shape[1:])) * noise).astype(np.float32)


def _quieten_unused_rows(weights: dict[str, NDArray[np.float32]], *, tied: bool) -> None:
    """Make control tokens unlikely and padding rows impossible in an answer, so that answers are ordinary tokens."""
    head = weights["model.language_model.embed_tokens.weight" if tied else "lm_head.weight"]
    head[FIRST_SPECIAL_ID:_NUM_TOKENS] *= 0.3
    head[_NUM_TOKENS:] = 0.0


def _weights(recipe: Recipe, seed: int) -> dict[str, Any]:
    """Draw all tensors by their checkpoint names, rounded to the stored type."""
    model = Qwen3VLForConditionalGeneration(Qwen3VLConfig(**_config(recipe)))
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    if recipe.tied:
        del shapes["lm_head.weight"]
    rng = np.random.default_rng(seed)
    weights = {name: _draw(name, shape, rng) for name, shape in sorted(shapes.items())}
    if not recipe.tied:
        weights["lm_head.weight"] *= math.sqrt(weights["lm_head.weight"].shape[1])
    _quieten_unused_rows(weights, tied=recipe.tied)
    dtype = getattr(torch, recipe.dtype)
    return {name: torch.from_numpy(value).to(dtype).contiguous() for name, value in weights.items()}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_checkpoint(folder: Path, recipe: Recipe, seed: int | None = None) -> None:
    """Write the complete Hugging Face folder of ``recipe`` into ``folder``; ``seed`` replaces the recipe's own."""
    _write_json(folder / "config.json", _config(recipe))
    generation = {
        "bos_token_id": TOKEN_IDS["<|endoftext|>"],
        "do_sample": True,
        "eos_token_id": [TOKEN_IDS["<|im_end|>"], TOKEN_IDS["<|endoftext|>"]],
        "pad_token_id": TOKEN_IDS["<|endoftext|>"],
        "repetition_penalty": 1.0,
        "temperature": 0.7,
        "top_k": 20,
        "top_p": 0.8,
    }
    _write_json(folder / "generation_config.json", generation)
    preprocessor = {
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": "Qwen2VLImageProcessorFast",
        "image_std": [0.5, 0.5, 0.5],
        "merge_size": 2,
        "patch_size": 16,
        "processor_class": "Qwen3VLProcessor",
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"longest_edge": MAX_PIXELS, "shortest_edge": MIN_PIXELS},
        "temporal_patch_size": 2,
    }
    _write_json(folder / "preprocessor_config.json", preprocessor)
    write_tokenizer(folder)
    tensors = _weights(recipe, recipe.seed if seed is None else seed)
    (folder / "model.safetensors").write_bytes(save(tensors, metadata={"format": "pt"}))
