"""``python -m training.export``: writes a trained state as a complete Hugging Face folder in bfloat16.

Owns: names of weights, the files beside them, the sample cards. Must not know: how it was trained.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from . import shape, tokens
from .losses import Trainee

MOST_BYTES = 28 * 1024**2
_SAMPLES_SEED = 900_000_001
# A conversation without tools or thinking, in the form of Qwen's: pictures stand where they were given.
CHAT_TEMPLATE = """\
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.content is string %}
{{- message.content }}
{%- else %}
{%- for part in message.content %}
{%- if part.type == 'image' or 'image' in part or 'image_url' in part %}
{{- '<|vision_start|><|image_pad|><|vision_end|>' }}
{%- elif 'text' in part %}
{{- part.text }}
{%- endif %}
{%- endfor %}
{%- endif %}
{{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""


def checkpoint_weights(trainee: Trainee) -> dict[str, torch.Tensor]:
    """Give the weights under the names of a Qwen3-VL checkpoint, in bfloat16."""
    weights = {}
    for name, value in trainee.model.state_dict().items():
        value = value.detach()
        if name == "visual.patch.weight":
            patch = value.view(shape.HIDDEN, 3, 1, shape.PATCH_PX, shape.PATCH_PX) / 2
            weights["model.visual.patch_embed.proj.weight"] = patch.expand(-1, -1, 2, -1, -1)
        elif name == "visual.patch.bias":
            weights["model.visual.patch_embed.proj.bias"] = value
        else:
            weights[f"model.{name}"] = value
    return {name: value.to(torch.bfloat16).contiguous() for name, value in weights.items()}


def _processor() -> dict[str, Any]:
    return {
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": "Qwen2VLImageProcessorFast",
        "image_std": [0.5, 0.5, 0.5],
        "merge_size": shape.MERGE,
        "patch_size": shape.PATCH_PX,
        "processor_class": "Qwen3VLProcessor",
        "rescale_factor": 1 / 255,
        "size": {"longest_edge": shape.MOST_PIXELS, "shortest_edge": shape.LEAST_PIXELS},
        "temporal_patch_size": 2,
    }


def _tokenizer_config() -> dict[str, Any]:
    return {
        "add_bos_token": False,
        "add_prefix_space": False,
        "additional_special_tokens": list(tokens.SPECIALS[1:]),
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "image_token": "<|image_pad|>",
        "model_max_length": 4096,
        "pad_token": "<|endoftext|>",
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": None,
        "video_token": "<|video_pad|>",
        "vision_bos_token": "<|vision_start|>",
        "vision_eos_token": "<|vision_end|>",
    }


def write_folder(trainee: Trainee, folder: Path) -> int:
    """Write the checkpoint; gives the size of the weights in bytes. Errors: ``ValueError`` if they are too large."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(checkpoint_weights(trainee), folder / "model.safetensors", metadata={"format": "pt"})
    generation = {
        "do_sample": False,
        "eos_token_id": [tokens.END, tokens.EMPTY],
        "max_new_tokens": 192,
        "pad_token_id": tokens.EMPTY,
    }
    files = {
        "config.json": shape.config_json(),
        "generation_config.json": generation,
        "preprocessor_config.json": _processor(),
        "tokenizer.json": tokens.tokenizer_json(),
        "tokenizer_config.json": _tokenizer_config(),
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    size = (folder / "model.safetensors").stat().st_size
    if size > MOST_BYTES:
        raise ValueError(f"The weights are {size} bytes; more than {MOST_BYTES} do not belong in a wheel.")
    return size


def load_trainee(state: Path) -> Trainee:
    """Load what ``training.run`` saved."""
    trainee = Trainee()
    trainee.load_state_dict(torch.load(state, weights_only=True)["trainee"])
    return trainee


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Write a trained state as a Hugging Face folder.")
    parser.add_argument("state", type=Path, help="state.pt of a run")
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    size = write_folder(load_trainee(given.state), given.folder)
    print(f"{given.folder}: {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
