"""``python -m training.reference``: what transformers answers about the cards of the tests, greedily, in float32.

Owns: the recorded answers, right and wrong, that the engine's are compared with. Must not know: the engine.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText

from . import shape, tokens
from .places import merge_order
from .samples import TEST_CARDS

KINDS = ("transcribe", "price", "json_four")
_NUM_CARDS = 12
_MAX_TOKENS = 128


def prompt(path: Path, question: str) -> dict[str, Any]:
    """Give a model's inputs for one picture and one question."""
    pixels = np.asarray(Image.open(path).convert("RGB"), np.float32) / 127.5 - 1.0
    rows, columns = pixels.shape[0] // (2 * shape.PATCH_PX), pixels.shape[1] // (2 * shape.PATCH_PX)
    size = shape.PATCH_PX
    grid = pixels.reshape(2 * rows, size, 2 * columns, size, 3).transpose(0, 2, 4, 1, 3)
    patches = grid[merge_order(columns, rows)][:, :, None].repeat(2, axis=2).reshape(4 * rows * columns, -1)
    ids = [*tokens.opening(), *[tokens.PICTURE] * (rows * columns), tokens.ID["<|vision_end|>"], *tokens.turn(question)]
    given = torch.tensor([ids])
    return {
        "input_ids": given,
        "attention_mask": torch.ones_like(given),
        "mm_token_type_ids": (given == tokens.PICTURE).int(),
        "pixel_values": torch.from_numpy(np.ascontiguousarray(patches)),
        "image_grid_thw": torch.tensor([[1, 2 * rows, 2 * columns]]),
    }


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Record what transformers answers about the cards of the tests.")
    parser.add_argument("folder", type=Path, help="exported miniature")
    model = AutoModelForImageTextToText.from_pretrained(parser.parse_args().folder, dtype=torch.float32)
    lines = []
    for record in map(json.loads, (TEST_CARDS / "cards.jsonl").read_text(encoding="utf-8").splitlines()[:_NUM_CARDS]):
        for asked in record["asked"]:
            if asked["kind"] in KINDS:
                inputs = prompt(TEST_CARDS / record["file"], asked["question"])
                with torch.no_grad():
                    made = model.generate(**inputs, max_new_tokens=_MAX_TOKENS, do_sample=False)
                answer = tokens.decode(made[0, inputs["input_ids"].shape[1] :].tolist())
                lines.append({"file": record["file"], "question": asked["question"], "answer": answer})
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (TEST_CARDS / "answers.jsonl").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
