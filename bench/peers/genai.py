"""The measuring process of OpenVINO GenAI: loads an export once, then answers one JSON line per JSON line.

Run with the peer's own Python, see ``setup_genai``: ``PYTHON bench/peers/genai.py EXPORT [--backend PA|SDPA]
[--property NAME=VALUE …]``. Owns: the protocol and what the peer's numbers mean. Must not know: Kandong, which is
not installed where this runs, nor how the numbers are compared.

The first line that comes out says ``{"event": "ready", "load_ms": …, "warm_ms": …, …}``. Then, in any order:

- ``{"picture": PATH or null, "prompt": TEXT, "max_tokens": N, "fresh": true}`` generates exactly N tokens, greedy,
  and gives ``load_ms, ttft_ms, token_ms, total_ms, vision_ms, prefill_ms, num_input_tokens, num_generated_tokens``.
  ``ttft_ms`` and ``total_ms`` are taken by this process' own clock around the call, the rest are the peer's own
  metrics. ``vision_ms`` is everything from pixels to the embeddings that enter the language model (null without a
  picture), ``prefill_ms`` the first inference of the language model, ``token_ms`` the mean of the tokens after the
  first (null for one token).
- ``{"command": "vision", "width_px": W, "height_px": H}`` runs the exported vision models alone on random patches
  of that size (multiples of 32) and gives ``vision_ms, num_patches, num_tokens``.
- ``{"command": "prefill", "num_tokens": N}`` prefills a text-only prompt of exactly N tokens, chat template included,
  and gives ``ttft_ms, prefill_ms, num_input_tokens``.
- ``{"command": "quit"}``, or the end of input, ends the process.

A command that fails gives ``{"error": TEXT}`` and the process stays. With ``fresh`` (the default) the lowest bits of
the picture are drawn anew for each call, so that no prefix cache can shorten it; false shows what a second question
about the same picture costs. The first request of a new picture or prompt size is slower: leave it out of a mean.

Nothing else may write to stdout: it is moved aside, and what libraries print goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import openvino
import openvino_genai
from numpy.typing import NDArray
from PIL import Image

# Continuous batching over paged attention, which is also the peer's own choice. Measured beside SDPA, alternating, on
# the 2B in int8: first token, decoding and vision alike within the noise, but SDPA fails on prompts without a picture.
DEFAULT_BACKEND = "PA"
_VISION_MODELS = ("vision_embeddings", "vision_embeddings_pos", "vision_embeddings_merger")
_WARM_SIDE_PX = 256

Answer = dict[str, object]


class VisionTower:
    """The exported vision models, compiled apart from the pipeline, so that they can be timed without anything else.

    ``run`` takes the time of patch embedding, learned positions and the tower itself; decoding, resizing and cutting
    into patches are outside.
    """

    def __init__(self, export: Path, device_properties: Mapping[str, str]) -> None:
        core = openvino.Core()
        config = json.loads((export / "config.json").read_text(encoding="utf-8"))["vision_config"]
        self._patch, self._merge = int(config["patch_size"]), int(config["spatial_merge_size"])
        self._patch_numbers = int(config["in_channels"]) * int(config["temporal_patch_size"]) * self._patch**2
        self._num_positions = int(config["num_position_embeddings"])
        self._models = [
            core.compile_model(export / f"openvino_{name}_model.xml", "CPU", dict(device_properties))
            for name in _VISION_MODELS
        ]
        self._rotary_size = self._models[2].input("rotary_pos_emb").partial_shape[1].get_length()

    def run(self, width_px: int, height_px: int) -> Answer:
        """Encode random patches of one picture once; raises ValueError for a size that does not fit the merge grid."""
        unit = self._patch * self._merge
        if width_px < unit or height_px < unit or width_px % unit or height_px % unit:
            raise ValueError(f"width_px and height_px must be multiples of {unit}")
        num_patches = (width_px // self._patch) * (height_px // self._patch)
        generator = np.random.default_rng(0)
        patches = generator.standard_normal((num_patches, self._patch_numbers), dtype=np.float32)
        neighbours = generator.integers(0, self._num_positions, (4, num_patches))
        angles = generator.uniform(0, 3, (num_patches, self._rotary_size)).astype(np.float32)
        mask = np.zeros((1, num_patches, num_patches), np.float32)
        weights = np.full((4, num_patches, 1), 0.25, np.float32)
        embed, positions, merger = self._models
        start = time.perf_counter()
        hidden = embed(patches)[0] + (positions(neighbours)[0] * weights).sum(axis=0)
        merger({"hidden_states": hidden, "attention_mask": mask, "rotary_pos_emb": angles})
        vision_ms = (time.perf_counter() - start) * 1000
        return {"vision_ms": vision_ms, "num_patches": num_patches, "num_tokens": num_patches // self._merge**2}


class Peer:
    """OpenVINO GenAI's pipeline for one export, on the CPU with the peer's own defaults.

    Threads, precision and cache sizes are what the peer chooses itself unless ``properties`` says otherwise.
    """

    def __init__(self, export: Path, backend: str, properties: Mapping[str, str]) -> None:
        self._export, self._backend, self._properties = export, backend, dict(properties)
        self._vision: VisionTower | None = None
        self._warm_sizes: set[tuple[int, int]] = set()
        self._random = np.random.default_rng()
        start = time.perf_counter()
        self._pipeline = openvino_genai.VLMPipeline(str(export), "CPU", ATTENTION_BACKEND=backend, **self._properties)
        self.load_ms = (time.perf_counter() - start) * 1000
        self._num_template_tokens = self._count_template_tokens()

    def warm(self) -> float:
        """Run every graph once, as the first inference after compilation is several times slower; gives ms."""
        start = time.perf_counter()
        noise = self._random.integers(0, 256, (_WARM_SIDE_PX, _WARM_SIDE_PX, 3), dtype=np.uint8)
        self._generate("?", noise, 4)
        if self._backend == "PA":
            self._generate("?", None, 4)
        return (time.perf_counter() - start) * 1000

    def ask(self, request: Mapping[str, Any]) -> Answer:
        """Answer one question about at most one picture."""
        pixels = None
        if request.get("picture") is not None:
            with Image.open(request["picture"]) as picture:
                pixels = np.array(picture.convert("RGB"))
            if request.get("fresh", True):
                pixels ^= self._random.integers(0, 2, pixels.shape, dtype=np.uint8)
        return self._generate(str(request["prompt"]), pixels, int(request["max_tokens"]))

    def prefill(self, request: Mapping[str, Any]) -> Answer:
        """Prefill random digits, each of which is one token in Qwen's vocabulary, and no two prompts the same."""
        num_digits = int(request["num_tokens"]) - self._num_template_tokens
        if num_digits < 1:
            raise ValueError(f"num_tokens must be over {self._num_template_tokens}")
        answer = self._generate("".join(map(str, self._random.integers(0, 10, num_digits))), None, 1)
        return {name: answer[name] for name in ("ttft_ms", "prefill_ms", "num_input_tokens")}

    def vision(self, request: Mapping[str, Any]) -> Answer:
        """Time the vision models alone; the first call compiles them, and a new size is run once before it is timed."""
        size = int(request["width_px"]), int(request["height_px"])
        if self._vision is None:
            self._vision = VisionTower(self._export, self._properties)
        if size not in self._warm_sizes:
            self._vision.run(*size)
            self._warm_sizes.add(size)
        return self._vision.run(*size)

    def _generate(self, prompt: str, pixels: NDArray[np.uint8] | None, max_tokens: int) -> Answer:
        first_token_at: list[float] = []

        class Clock(openvino_genai.StreamerBase):  # type: ignore[misc]
            def write(self, _token: int | Sequence[int]) -> openvino_genai.StreamingStatus:
                first_token_at.append(time.perf_counter())
                return openvino_genai.StreamingStatus.RUNNING

            def end(self) -> None:
                pass

        config = openvino_genai.GenerationConfig()
        config.max_new_tokens, config.ignore_eos, config.do_sample = max_tokens, True, False
        pictures = {} if pixels is None else {"images": [openvino.Tensor(pixels[None])]}
        start = time.perf_counter()
        result = self._pipeline.generate(prompt, generation_config=config, streamer=Clock(), **pictures)
        total_ms = (time.perf_counter() - start) * 1000
        metrics = result.perf_metrics
        steps_ms = [step / 1000 for step in metrics.raw_metrics.token_infer_durations]
        # The peer's own "vision encoding" stops after the patch embedding; the tower is in "prepare embeddings".
        vision_ms = metrics.get_prepare_embeddings_duration().mean if pixels is not None else None
        return {
            "load_ms": self.load_ms,
            "ttft_ms": (first_token_at[0] - start) * 1000,
            "token_ms": metrics.get_tpot().mean if max_tokens > 1 else None,
            "total_ms": total_ms,
            "vision_ms": vision_ms,
            "prefill_ms": steps_ms[0] if steps_ms else None,
            "num_input_tokens": metrics.get_num_input_tokens(),
            "num_generated_tokens": metrics.get_num_generated_tokens(),
        }

    def _count_template_tokens(self) -> int:
        tokenizer = self._pipeline.get_tokenizer()
        turn = tokenizer.apply_chat_template([{"role": "user", "content": "0"}], add_generation_prompt=True)
        return int(tokenizer.encode(turn, add_special_tokens=False).input_ids.shape[1]) - 1


def serve(peer: Peer, requests: TextIO, answers: TextIO) -> None:
    """Answer each line of ``requests`` with one line of ``answers`` until a quit command or the end."""
    commands: dict[str, Callable[[Mapping[str, Any]], Answer]] = {
        "ask": peer.ask,
        "vision": peer.vision,
        "prefill": peer.prefill,
    }
    for line in requests:
        if not line.strip():
            continue
        try:
            request = json.loads(line)
            command = request.get("command", "ask")
            if command == "quit":
                return
            answer = commands[command](request)
        except (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        _write(answers, answer)


def _write(answers: TextIO, answer: Mapping[str, object]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def _take_stdout() -> TextIO:
    """Keep the real stdout for the protocol and let everything else, C++ included, write to stderr."""
    kept = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(kept, "w", encoding="utf-8", newline="\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measures OpenVINO GenAI; speaks JSON lines on stdin and stdout.")
    parser.add_argument("export", type=Path, metavar="EXPORT")
    parser.add_argument("--backend", choices=["PA", "SDPA"], default=DEFAULT_BACKEND)
    parser.add_argument("--property", action="append", default=[], metavar="NAME=VALUE", dest="properties")
    options = parser.parse_args(arguments)
    answers = _take_stdout()
    peer = Peer(options.export, options.backend, dict(entry.split("=", 1) for entry in options.properties))
    ready = {
        "event": "ready",
        "peer": "openvino-genai",
        "version": openvino_genai.__version__,
        "backend": options.backend,
        "properties": dict(entry.split("=", 1) for entry in options.properties),
        "load_ms": peer.load_ms,
        "warm_ms": peer.warm(),
    }
    _write(answers, ready)
    serve(peer, sys.stdin, answers)


if __name__ == "__main__":
    main()
