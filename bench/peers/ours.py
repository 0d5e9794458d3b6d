"""The measuring process of Kandong itself, through its own Python interface.

Owns: what Kandong's numbers mean. Must not know: how the numbers are compared.
Run: ``python -m bench.peers.ours CHECKPOINT [--compute bf16|f32]``; conversions are kept under ``KANDONG_HOME``.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Mapping

import numpy as np
import openvino
from PIL import Image

import kandong
from bench.peers.protocol import Ask, Question, Reply, serve
from kandong import Kandong
from kandong.types import Picture

# Enough for a picture of 1024×1024 as it is; the default would make it smaller.
MAX_IMAGE_TOKENS = 1024


class Ours:
    """The engine behind the line protocol."""

    def __init__(self, model: Kandong) -> None:
        self._model = model
        self._random = np.random.default_rng()

    def ask(self, question: Question) -> Reply:
        """Answer a question about a picture that no cache has seen."""
        with Image.open(question.picture) as file:
            pixels = np.array(file.convert("RGB"))
        pixels ^= self._random.integers(0, 2, pixels.shape, dtype=np.uint8)
        answer = self._model.ask(
            Picture(pixels, "PNG"),
            question.prompt,
            max_tokens=question.max_tokens,
            ignore_eos=True,
            max_image_tokens=min(MAX_IMAGE_TOKENS, self._model.engine.config.pixels.max_tokens),
        )
        times, num_more = answer.timings, answer.num_generated_tokens - 1
        return Reply(
            vision_ms=times.preprocess_ms + times.vision_ms,
            prefill_ms=times.prefill_ms,
            first_token_ms=times.first_token_ms,
            token_ms=(times.total_ms - times.first_token_ms) / num_more if num_more else None,
            num_prompt_tokens=answer.num_prompt_tokens,
            num_generated_tokens=answer.num_generated_tokens,
        )


def main() -> None:
    """Load the checkpoint, then answer line by line."""
    parser = argparse.ArgumentParser(description="Measures Kandong; speaks JSON lines on stdin and stdout.")
    parser.add_argument("checkpoint")
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--compute", default=None)
    arguments = parser.parse_args()

    def load() -> tuple[Ask, Mapping[str, str], str]:
        model = Kandong(arguments.checkpoint, precision=arguments.precision, compute=arguments.compute)
        versions = {
            "kandong": kandong.__version__,
            "openvino": openvino.__version__,
            "python": platform.python_version(),
        }
        return Ours(model).ask, versions, str(model.engine.numerics)

    serve(load)


if __name__ == "__main__":
    main()
