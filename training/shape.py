"""The miniature's shape: the numbers of ``config.json``.

Owns: sizes and the configuration file. Must not know: torch, cards.
"""

from __future__ import annotations

from typing import Any

from kandong.models.demo import DEMO_MARK

from .tokens import ID, VOCABULARY_SIZE

HIDDEN = 256
INNER = 768
HEAD = 64
NUM_HEADS = 4
NUM_KV_HEADS = 2
NUM_LAYERS = 5
NUM_BLOCKS = 4
TAPS = (0, 1, 2)
PATCH_PX = 16
MERGE = 2
POSITIONS_SIDE = 32
ROPE_THETA = 10_000.0
ROPE_SECTIONS = (12, 10, 10)
NORM_EPSILON = 1e-6
PATCH_VALUES = 3 * PATCH_PX * PATCH_PX
LEAST_PIXELS = 192 * 192
MOST_PIXELS = 320 * 320


def config_json() -> dict[str, Any]:
    """Give the content of ``config.json``."""
    return {
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "dtype": "bfloat16",
        "image_token_id": ID["<|image_pad|>"],
        DEMO_MARK: True,
        "model_type": "qwen3_vl",
        "text_config": {
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": ID["<|endoftext|>"],
            "dtype": "bfloat16",
            "eos_token_id": ID["<|im_end|>"],
            "head_dim": HEAD,
            "hidden_act": "silu",
            "hidden_size": HIDDEN,
            "initializer_range": 0.02,
            "intermediate_size": INNER,
            "max_position_embeddings": 4096,
            "model_type": "qwen3_vl_text",
            "num_attention_heads": NUM_HEADS,
            "num_hidden_layers": NUM_LAYERS,
            "num_key_value_heads": NUM_KV_HEADS,
            "rms_norm_eps": NORM_EPSILON,
            "rope_parameters": {
                "mrope_interleaved": True,
                "mrope_section": list(ROPE_SECTIONS),
                "rope_theta": ROPE_THETA,
                "rope_type": "default",
            },
            "tie_word_embeddings": True,
            "use_cache": True,
            "vocab_size": VOCABULARY_SIZE,
        },
        "tie_word_embeddings": True,
        "video_token_id": ID["<|video_pad|>"],
        "vision_config": {
            "deepstack_visual_indexes": list(TAPS),
            "depth": NUM_BLOCKS,
            "hidden_act": "gelu_pytorch_tanh",
            "hidden_size": HIDDEN,
            "in_channels": 3,
            "initializer_range": 0.02,
            "intermediate_size": INNER,
            "model_type": "qwen3_vl_vision",
            "num_heads": NUM_HEADS,
            "num_position_embeddings": POSITIONS_SIDE**2,
            "out_hidden_size": HIDDEN,
            "patch_size": PATCH_PX,
            "spatial_merge_size": MERGE,
            "temporal_patch_size": 2,
        },
        "vision_end_token_id": ID["<|vision_end|>"],
        "vision_start_token_id": ID["<|vision_start|>"],
    }
