"""The measuring process of transformers on torch: the naive way to run the model on a CPU.

Run with the peer's own Python: ``PYTHON -m bench.peers.transformers_torch CHECKPOINT --dtype f32|bf16``. Owns: how
transformers is run at its best on a CPU. Must not know: Kandong, which is not installed where this runs.

Eager mode with torch's fused attention. ``torch.compile`` is left out: it compiles for minutes, anew for each size.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from transformers import AutoTokenizer, Qwen2VLImageProcessorPil, Qwen3VLForConditionalGeneration

from bench.peers.protocol import Ask, Question, Reply, serve

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


class Peer:
    """The model with clocks around its parts."""

    def __init__(self, checkpoint: Path, dtype: str) -> None:
        torch.set_num_threads(os.cpu_count() or 1)
        # The whole processor would need torchvision, for videos.
        self.tokenizer = AutoTokenizer.from_pretrained(checkpoint)
        self._images = Qwen2VLImageProcessorPil.from_pretrained(checkpoint)
        self.model = Qwen3VLForConditionalGeneration.from_pretrained(
            checkpoint, dtype=DTYPES[dtype], attn_implementation="sdpa"
        ).eval()
        self._random = np.random.default_rng()
        self._visual_ms = 0.0
        self.forward_ends: list[float] = []
        visual, model = self.model.model.visual, self.model
        visual.register_forward_pre_hook(lambda *_: self._start_visual())
        visual.register_forward_hook(lambda *_: self._end_visual())
        model.register_forward_hook(lambda *_: self.forward_ends.append(time.perf_counter()))

    def ask(self, question: Question) -> Reply:
        """Answer by the library's own ``generate``."""
        with Image.open(question.picture) as picture:
            pixels = np.array(picture.convert("RGB"))
        pixels ^= self._random.integers(0, 2, pixels.shape, dtype=np.uint8)
        self.forward_ends.clear()
        start = time.perf_counter()
        inputs = self._prepare(question.prompt, Image.fromarray(pixels))
        prepared = time.perf_counter()
        num_tokens = question.max_tokens
        with torch.inference_mode():
            generated = self.model.generate(
                **inputs, do_sample=False, min_new_tokens=num_tokens, max_new_tokens=num_tokens
            )
        ends = self.forward_ends
        num_generated = generated.shape[1] - inputs["input_ids"].shape[1]
        return Reply(
            vision_ms=(prepared - start) * 1e3 + self._visual_ms,
            prefill_ms=(ends[0] - prepared) * 1e3 - self._visual_ms,
            first_token_ms=(ends[0] - start) * 1e3,
            token_ms=(ends[-1] - ends[0]) * 1e3 / (len(ends) - 1) if len(ends) > 1 else None,
            num_prompt_tokens=int(inputs["input_ids"].shape[1]),
            num_generated_tokens=int(num_generated),
        )

    def _prepare(self, prompt: str, picture: Image.Image) -> dict[str, Any]:
        """Make patches and tokens, the picture's pad token repeated as the processor of the library does it."""
        inputs = dict(self._images(images=[picture], return_tensors="pt"))
        content = [{"type": "image"}, {"type": "text", "text": prompt}]
        text = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        num_pads = int(inputs["image_grid_thw"].prod()) // self._images.merge_size**2
        text = text.replace("<|image_pad|>", "<|image_pad|>" * num_pads)
        inputs |= self.tokenizer([text], return_tensors="pt")
        inputs["mm_token_type_ids"] = (inputs["input_ids"] == self.model.config.image_token_id).int()
        return inputs

    def _start_visual(self) -> None:
        self._visual_started = time.perf_counter()

    def _end_visual(self) -> None:
        self._visual_ms = (time.perf_counter() - self._visual_started) * 1e3


def main() -> None:
    """Load the checkpoint, then answer line by line."""
    parser = argparse.ArgumentParser(description="Measures transformers; speaks JSON lines on stdin and stdout.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="bf16")
    arguments = parser.parse_args()

    def load() -> tuple[Ask, Mapping[str, str], str]:
        peer = Peer(arguments.checkpoint, arguments.dtype)
        versions: dict[str, Any] = {"transformers": transformers.__version__, "torch": torch.__version__}
        return peer.ask, versions, f"{arguments.dtype}, {torch.get_num_threads()} threads, fused attention"

    serve(load)


if __name__ == "__main__":
    main()
