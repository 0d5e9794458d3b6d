"""The measuring process of Kandong itself, with the same lines in and out as ``bench/peers/genai.py``.

Owns: what Kandong's numbers mean. Must not know: how the numbers are compared.
Run: ``python -m bench.peers.ours CHECKPOINT [--precision int8] [--compute bf16|f32]``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kandong import Kandong
from kandong.types import Picture
from kandong.vlm.engine import Engine
from kandong.vlm.pixels import Patches, PixelBudget
from kandong.vlm.prompt import Message, PicturePart, TextPart
from kandong.vlm.request import Answer, Request
from kandong.vlm.sampling import SamplingParameters
from kandong.vlm.vision import VisionTower

Reply = dict[str, object]
PROMPT_CHARACTER = "好"


class Ours:
    """The engine behind the line protocol."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        assert isinstance(engine.model.tower, VisionTower)
        self._tower = engine.model.tower
        self._random = np.random.default_rng(0)

    def ask(self, request: dict[str, Any]) -> Reply:
        """Answer ``{"picture", "prompt", "max_tokens"}`` greedily with exactly that many tokens."""
        pictures, parts = [], []
        if request.get("picture"):
            pixels = np.array(Image.open(request["picture"]).convert("RGB"))
            pixels ^= self._random.integers(0, 2, pixels.shape, dtype=np.uint8)  # a new picture for every cache
            pictures.append(Picture(pixels, "PNG"))
            parts.append(PicturePart(0))
        messages = [Message("user", (*parts, TextPart(request["prompt"])))]
        return self._generate(messages, pictures, int(request["max_tokens"]))

    def prefill(self, request: dict[str, Any]) -> Reply:
        """Prefill a text of exactly ``num_tokens`` tokens, template included."""
        wanted, text = int(request["num_tokens"]), ""
        while self._count(text) < wanted:
            text += PROMPT_CHARACTER * max(1, (wanted - self._count(text)) // 2)
        assert self._count(text) == wanted, "no text has that many tokens"
        return self._generate([Message("user", (TextPart(text),))], [], 1)

    def vision(self, request: dict[str, Any]) -> Reply:
        """Run the tower on random patches of a picture of ``width_px`` by ``height_px``."""
        config = self._engine.config.vision
        rows, columns = (int(request[name]) // config.patch_size for name in ("height_px", "width_px"))
        values = self._random.standard_normal((rows * columns, config.patch_dim)).astype(np.float32)
        since = time.perf_counter()
        self._tower.encode(Patches(values, rows, columns))
        return {"vision_ms": (time.perf_counter() - since) * 1e3, "num_patches": rows * columns}

    def _count(self, text: str) -> int:
        return len(self._engine.prompts.encode([Message("user", (TextPart(text),))]).ids)

    def _generate(self, messages: list[Message], pictures: list[Picture], max_tokens: int) -> Reply:
        budget = PixelBudget(max_tokens=self._engine.config.pixels.max_tokens)
        sampling = SamplingParameters(max_tokens=max_tokens, ignore_eos=True)
        *_, answer = self._engine.generate(Request(messages, pictures, sampling, budget))
        assert isinstance(answer, Answer)
        times, count = answer.timings, answer.num_generated_tokens
        return {
            "ttft_ms": times.first_token_ms,
            "total_ms": times.total_ms,
            "vision_ms": times.vision_ms if pictures else None,
            "prefill_ms": times.prefill_ms,
            "token_ms": (times.total_ms - times.first_token_ms) / (count - 1) if count > 1 else None,
            "num_input_tokens": answer.num_prompt_tokens,
            "num_generated_tokens": count,
        }


def main() -> None:
    """Load the checkpoint, then serve requests line by line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--compute", default=None)
    arguments = parser.parse_args()
    kandong = Kandong(arguments.checkpoint, precision=arguments.precision, compute=arguments.compute)
    engine = kandong.engine
    ours = Ours(engine)
    commands = {"ask": ours.ask, "prefill": ours.prefill, "vision": ours.vision}
    _write({"event": "ready", "load_ms": engine.load_ms, "numerics": str(engine.numerics)})
    for line in sys.stdin:
        request = json.loads(line)
        name = request.get("command", "ask")
        if name == "quit":
            return
        _write(commands[name](request))


def _write(reply: Reply) -> None:
    print(json.dumps(reply), flush=True)


def noise_picture(side_px: int) -> NDArray[np.uint8]:
    """Make a picture of noise, the worst case of every decoder and no case of any cache."""
    return np.random.default_rng(side_px).integers(0, 256, (side_px, side_px, 3), dtype=np.uint8)


if __name__ == "__main__":
    main()
