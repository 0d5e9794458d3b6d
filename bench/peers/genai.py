"""The measuring process of OpenVINO GenAI.

Run with the peer's own Python: ``PYTHON -m bench.peers.genai EXPORT [--backend PA|SDPA] [--property NAME=VALUE …]``.
Owns: what the peer's own numbers mean. Must not know: Kandong, which is not installed where this runs.

Threads, precision and cache sizes are what the peer chooses itself, unless ``--property`` says otherwise.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import openvino
import openvino_genai
from PIL import Image

from bench.peers.protocol import Ask, Question, Reply, serve

# Continuous batching over paged attention, which is also the peer's own choice. Measured beside SDPA, alternating, on
# the 2B in int8: first token, decoding and vision alike within the noise, but SDPA fails on prompts without a picture.
DEFAULT_BACKEND = "PA"


class Peer:
    """OpenVINO GenAI's pipeline for one export, on the CPU."""

    def __init__(self, export: Path, backend: str, properties: Mapping[str, str]) -> None:
        self._random = np.random.default_rng()
        self._pipeline = openvino_genai.VLMPipeline(str(export), "CPU", ATTENTION_BACKEND=backend, **properties)

    def ask(self, question: Question) -> Reply:
        """Answer a question about a picture that no cache has seen."""
        with Image.open(question.picture) as picture:
            pixels = np.array(picture.convert("RGB"))
        pixels ^= self._random.integers(0, 2, pixels.shape, dtype=np.uint8)
        first_token_at: list[float] = []

        class Clock(openvino_genai.StreamerBase):  # type: ignore[misc]
            def write(self, _token: int | Sequence[int]) -> openvino_genai.StreamingStatus:
                first_token_at.append(time.perf_counter())
                return openvino_genai.StreamingStatus.RUNNING

            def end(self) -> None:
                pass

        config = openvino_genai.GenerationConfig()
        config.max_new_tokens, config.ignore_eos, config.do_sample = question.max_tokens, True, False
        images = [openvino.Tensor(pixels[None])]
        start = time.perf_counter()
        result = self._pipeline.generate(question.prompt, generation_config=config, streamer=Clock(), images=images)
        metrics = result.perf_metrics
        return Reply(
            # The peer's own "vision encoding" stops after the patch embedding; the tower is in "prepare embeddings".
            vision_ms=metrics.get_prepare_embeddings_duration().mean,
            prefill_ms=metrics.raw_metrics.token_infer_durations[0] / 1e3,
            first_token_ms=(first_token_at[0] - start) * 1e3,
            token_ms=metrics.get_tpot().mean if question.max_tokens > 1 else None,
            num_prompt_tokens=metrics.get_num_input_tokens(),
            num_generated_tokens=metrics.get_num_generated_tokens(),
        )


def main() -> None:
    """Load the export, then answer line by line."""
    parser = argparse.ArgumentParser(description="Measures OpenVINO GenAI; speaks JSON lines on stdin and stdout.")
    parser.add_argument("export", type=Path)
    parser.add_argument("--backend", choices=["PA", "SDPA"], default=DEFAULT_BACKEND)
    parser.add_argument("--property", action="append", default=[], metavar="NAME=VALUE", dest="properties")
    arguments = parser.parse_args()

    def load() -> tuple[Ask, Mapping[str, str], str]:
        properties = dict(entry.split("=", 1) for entry in arguments.properties)
        peer = Peer(arguments.export, arguments.backend, properties)
        about = ", ".join([f"{arguments.backend} backend", *arguments.properties])
        return peer.ask, {"openvino-genai": openvino_genai.__version__}, about

    serve(load)


if __name__ == "__main__":
    main()
