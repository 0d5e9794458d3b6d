"""Configurations of Qwen3-VL checkpoints and the name and shape of every tensor that follows from them.

Owns: the published values of the 2B, a structure-complete tiny sibling, both layouts of ``config.json``, and the
tensor table. Must not know: how weights or tokenizers are made, or how files are written.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from math import prod
from typing import Any, Literal

ShapeName = Literal["2b", "tiny"]
Layout = Literal["old", "new"]
DtypeName = Literal["bf16", "f16", "f32"]
Config = dict[str, Any]

DTYPE_CONFIG_NAMES: dict[DtypeName, str] = {"bf16": "bfloat16", "f16": "float16", "f32": "float32"}

# Qwen3-VL-2B-Instruct as published, in the older layout.
_PUBLISHED_2B: Config = {
    "architectures": ["Qwen3VLForConditionalGeneration"],
    "image_token_id": 151655,
    "model_type": "qwen3_vl",
    "text_config": {
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 151643,
        "dtype": "bfloat16",
        "eos_token_id": 151645,
        "head_dim": 128,
        "hidden_act": "silu",
        "hidden_size": 2048,
        "initializer_range": 0.02,
        "intermediate_size": 6144,
        "max_position_embeddings": 262144,
        "model_type": "qwen3_vl_text",
        "num_attention_heads": 16,
        "num_hidden_layers": 28,
        "num_key_value_heads": 8,
        "rms_norm_eps": 1e-6,
        "rope_scaling": {"mrope_interleaved": True, "mrope_section": [24, 20, 20], "rope_type": "default"},
        "rope_theta": 5000000,
        "tie_word_embeddings": True,
        "use_cache": True,
        "vocab_size": 151936,
    },
    "tie_word_embeddings": True,
    "video_token_id": 151656,
    "vision_config": {
        "deepstack_visual_indexes": [5, 11, 17],
        "depth": 24,
        "hidden_act": "gelu_pytorch_tanh",
        "hidden_size": 1024,
        "in_channels": 3,
        "initializer_range": 0.02,
        "intermediate_size": 4096,
        "model_type": "qwen3_vl",
        "num_heads": 16,
        "num_position_embeddings": 2304,
        "out_hidden_size": 2048,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
    },
    "vision_end_token_id": 151653,
    "vision_start_token_id": 151652,
}

# What the tiny sibling changes; every part of the architecture stays (grouped heads, taps, a padded vocabulary).
_TINY_TEXT: Config = {
    "head_dim": 32,
    "hidden_size": 64,
    "intermediate_size": 128,
    "max_position_embeddings": 4096,
    "num_attention_heads": 4,
    "num_hidden_layers": 5,
    "num_key_value_heads": 2,
    "rope_scaling": {"mrope_interleaved": True, "mrope_section": [6, 5, 5], "rope_type": "default"},
    "rope_theta": 10000,
}
_TINY_VISION: Config = {
    "deepstack_visual_indexes": [1, 2, 4],
    "depth": 6,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_heads": 2,
    "num_position_embeddings": 64,
    "out_hidden_size": 64,
}
# The embedding table is longer than the tokenizer, as in the published models; rounded up to a multiple of this.
_TINY_VOCAB_MULTIPLE = 128

# Offsets of special tokens from the first of them, ``<|endoftext|>``.
_BOS, _EOS, _VISION_START, _VISION_END, _IMAGE, _VIDEO = 0, 2, 9, 10, 12, 13
_NUM_SPECIAL_TOKENS = 26


def make_config(
    shape: ShapeName, *, layout: Layout = "old", dtype: DtypeName = "bf16", num_ordinary_tokens: int = 151643
) -> Config:
    """Give the content of ``config.json``.

    ``num_ordinary_tokens`` is the tokenizer's size without special tokens; their ids start there. Layout ``old`` is
    the published one (``rope_theta`` beside ``rope_scaling``), ``new`` is what transformers 5 writes
    (``rope_parameters`` in both parts). Source: the published ``config.json`` of Qwen3-VL-2B-Instruct.
    """
    config = copy.deepcopy(_PUBLISHED_2B)
    text, vision = config["text_config"], config["vision_config"]
    text["dtype"] = DTYPE_CONFIG_NAMES[dtype]
    if shape == "tiny":
        text.update(copy.deepcopy(_TINY_TEXT))
        vision.update(copy.deepcopy(_TINY_VISION))
        _set_token_ids(config, num_ordinary_tokens)
    if layout == "new":
        _to_new_layout(config)
    return config


def _set_token_ids(config: Config, first_special: int) -> None:
    text = config["text_config"]
    config["image_token_id"] = first_special + _IMAGE
    config["video_token_id"] = first_special + _VIDEO
    config["vision_start_token_id"] = first_special + _VISION_START
    config["vision_end_token_id"] = first_special + _VISION_END
    text["bos_token_id"] = first_special + _BOS
    text["eos_token_id"] = first_special + _EOS
    num_tokens = first_special + _NUM_SPECIAL_TOKENS
    text["vocab_size"] = -(-num_tokens // _TINY_VOCAB_MULTIPLE) * _TINY_VOCAB_MULTIPLE


def _to_new_layout(config: Config) -> None:
    text, vision = config["text_config"], config["vision_config"]
    config["dtype"] = text.pop("dtype")
    text["rope_parameters"] = {**text.pop("rope_scaling"), "rope_theta": float(text.pop("rope_theta"))}
    text["pad_token_id"] = None
    vision["model_type"] = "qwen3_vl_vision"
    vision["rope_parameters"] = {"rope_theta": 10000.0, "rope_type": "axial"}


def make_preprocessor_config(shape: ShapeName) -> Config:
    """Give ``preprocessor_config.json``; ``size`` counts pixels of the whole picture, not of a side."""
    size = (65536, 16777216) if shape == "2b" else (4096, 262144)
    return {**_processor_base(size), "image_processor_type": "Qwen2VLImageProcessorFast"}


def make_video_preprocessor_config(shape: ShapeName) -> Config:
    """Give ``video_preprocessor_config.json``; ``size`` counts pixels over all frames."""
    size = (4096, 25165824) if shape == "2b" else (4096, 262144)
    return {**_processor_base(size), "video_processor_type": "Qwen3VLVideoProcessor"}


def _processor_base(size: tuple[int, int]) -> Config:
    return {
        "size": {"shortest_edge": size[0], "longest_edge": size[1]},
        "patch_size": 16,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "processor_class": "Qwen3VLProcessor",
    }


def make_generation_config(config: Mapping[str, Any]) -> Config:
    """Give ``generation_config.json`` with the published sampling values and the end tokens of ``config``."""
    text = config["text_config"]
    return {
        "bos_token_id": text["bos_token_id"],
        "pad_token_id": text["bos_token_id"],
        "eos_token_id": [text["eos_token_id"], text["bos_token_id"]],
        "do_sample": True,
        "temperature": 0.7,
        "top_p": 0.8,
        "top_k": 20,
        "repetition_penalty": 1.0,
    }


def tensor_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Give the shape of every tensor by name, sorted by name; the head is tied, so there is no ``lm_head``.

    Source: the tensor list of the published Qwen3-VL-2B-Instruct (625 tensors, 2,127,532,032 parameters).
    """
    shapes = {**_language_shapes(config["text_config"]), **_vision_shapes(config["vision_config"])}
    return dict(sorted(shapes.items()))


def count_parameters(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Count the numbers in all tensors."""
    return sum(prod(shape) for shape in shapes.values())


def _language_shapes(text: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    hidden, mlp, head_dim = text["hidden_size"], text["intermediate_size"], text["head_dim"]
    query, key_value = text["num_attention_heads"] * head_dim, text["num_key_value_heads"] * head_dim
    layer: dict[str, tuple[int, ...]] = {
        "input_layernorm.weight": (hidden,),
        "mlp.down_proj.weight": (hidden, mlp),
        "mlp.gate_proj.weight": (mlp, hidden),
        "mlp.up_proj.weight": (mlp, hidden),
        "post_attention_layernorm.weight": (hidden,),
        "self_attn.k_norm.weight": (head_dim,),
        "self_attn.k_proj.weight": (key_value, hidden),
        "self_attn.o_proj.weight": (hidden, query),
        "self_attn.q_norm.weight": (head_dim,),
        "self_attn.q_proj.weight": (query, hidden),
        "self_attn.v_proj.weight": (key_value, hidden),
    }
    root = "model.language_model"
    shapes: dict[str, tuple[int, ...]] = {
        f"{root}.embed_tokens.weight": (text["vocab_size"], hidden),
        f"{root}.norm.weight": (hidden,),
    }
    for index in range(text["num_hidden_layers"]):
        shapes |= {f"{root}.layers.{index}.{name}": shape for name, shape in layer.items()}
    return shapes


def _vision_shapes(vision: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    hidden, mlp = vision["hidden_size"], vision["intermediate_size"]
    merged = hidden * vision["spatial_merge_size"] ** 2
    patch = (vision["in_channels"], vision["temporal_patch_size"], vision["patch_size"], vision["patch_size"])
    block = {
        **_linear("attn.proj", hidden, hidden),
        **_linear("attn.qkv", 3 * hidden, hidden),
        **_linear("mlp.linear_fc1", mlp, hidden),
        **_linear("mlp.linear_fc2", hidden, mlp),
        **_norm("norm1", hidden),
        **_norm("norm2", hidden),
    }
    merger = {**_linear("linear_fc1", merged, merged), **_linear("linear_fc2", vision["out_hidden_size"], merged)}
    root = "model.visual"
    shapes: dict[str, tuple[int, ...]] = {
        f"{root}.patch_embed.proj.bias": (hidden,),
        f"{root}.patch_embed.proj.weight": (hidden, *patch),
        f"{root}.pos_embed.weight": (vision["num_position_embeddings"], hidden),
    }
    for index in range(vision["depth"]):
        shapes |= {f"{root}.blocks.{index}.{name}": shape for name, shape in block.items()}
    # The last merger norms single patches, the DeepStack mergers norm four patches already laid side by side.
    shapes |= {f"{root}.merger.{name}": shape for name, shape in {**merger, **_norm("norm", hidden)}.items()}
    for index in range(len(vision["deepstack_visual_indexes"])):
        tap = {**merger, **_norm("norm", merged)}
        shapes |= {f"{root}.deepstack_merger_list.{index}.{name}": shape for name, shape in tap.items()}
    return shapes


def _linear(name: str, num_out: int, num_in: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (num_out, num_in), f"{name}.bias": (num_out,)}


def _norm(name: str, size: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}
