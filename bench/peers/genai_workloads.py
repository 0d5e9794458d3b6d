"""OpenVINO GenAI doing workloads: a chat about a picture, many at once, a picture while an answer is written.

Run with the peer's own Python: ``PYTHON -m bench.peers.genai_workloads EXPORT``. Owns: how the peer is used at its
best. Must not know: Kandong, which is not installed where this runs.

The continuous-batching pipeline with prefix caching on, its dynamic split-fuse as it comes, and 4 GB of cache, about
what Kandong takes by default; all else is the peer's own choice.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import openvino_genai
from PIL import Image

from bench.peers.protocol import Fields, Task, serve_tasks

_CACHE_GB = 4


class Peer:
    """The pipeline for one export, on the CPU."""

    def __init__(self, export: Path) -> None:
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.enable_prefix_caching, scheduler.cache_size = True, _CACHE_GB
        self._pipeline = openvino_genai.ContinuousBatchingPipeline(str(export), scheduler, "CPU")
        self._ids = itertools.count()

    def chat(self, fields: Fields) -> Mapping[str, object]:
        """Ask ``prompts`` one after the other about a ``picture``; gives the first tokens' times."""
        history, images, first_ms = openvino_genai.ChatHistory(), [_read_picture(fields["picture"])], []
        history.append({"role": "system", "content": fields["system"]})
        for prompt in fields["prompts"]:
            history.append({"role": "user", "content": prompt})
            clock = _Clock()
            [result] = self._pipeline.generate([history], [images], [_config(fields["max_tokens"])], clock)
            first_ms.append(clock.first_token_ms)
            history.append({"role": "assistant", "content": result.texts[0]})
            # The pipeline keeps a picture of the history; giving it again would ask about two.
            images = []
        return {"first_ms": first_ms}

    def crowd(self, fields: Fields) -> Mapping[str, object]:
        """Answer ``prompts`` at once; gives the rate of the tokens after each one's first."""
        handles = [self._add(prompt, fields["max_tokens"]) for prompt in fields["prompts"]]
        first = None
        while self._pipeline.has_non_finished_requests():
            self._pipeline.step()
            if first is None and any(handle.can_read() for handle in handles):
                first = time.perf_counter()
        assert first is not None
        count = len(handles) * (fields["max_tokens"] - 1)
        return {"tokens_per_s": count / (time.perf_counter() - first)}

    def pauses(self, fields: Fields) -> Mapping[str, object]:
        """Let a ``picture`` come in while an answer is written; gives the longest gap between the answer's tokens."""
        writing = self._add(fields["prompts"][0], 1000)
        while not writing.can_read():
            self._pipeline.step()
        writing.read()
        times = [time.perf_counter()]
        image = [_read_picture(fields["picture"])]
        # A picture goes through the tower inside this call.
        newcomer = self._pipeline.add_request(next(self._ids), fields["prompts"][1], image, _config(2))
        running = openvino_genai.py_openvino_genai.GenerationStatus.RUNNING
        while newcomer.get_status() == running:
            self._pipeline.step()
            if writing.can_read():
                writing.read()
                times.append(time.perf_counter())
        writing.cancel()
        while self._pipeline.has_non_finished_requests():
            self._pipeline.step()
        return {"longest_gap_ms": max(b - a for a, b in itertools.pairwise(times)) * 1e3}

    def _add(self, prompt: str, num_tokens: int) -> Any:
        return self._pipeline.add_request(next(self._ids), prompt, _config(num_tokens))


class _Clock(openvino_genai.StreamerBase):  # type: ignore[misc]
    """Remembers how long the first token took."""

    def __init__(self) -> None:
        super().__init__()
        self._start = time.perf_counter()
        self.first_token_ms: float | None = None

    def write(self, _token: object) -> openvino_genai.StreamingStatus:
        if self.first_token_ms is None:
            self.first_token_ms = (time.perf_counter() - self._start) * 1e3
        return openvino_genai.StreamingStatus.RUNNING

    def end(self) -> None:
        pass


def _config(num_tokens: int) -> openvino_genai.GenerationConfig:
    config = openvino_genai.GenerationConfig()
    config.max_new_tokens, config.ignore_eos, config.do_sample = num_tokens, True, False
    return config


def _read_picture(path: str) -> openvino.Tensor:
    with Image.open(path) as picture:
        return openvino.Tensor(np.array(picture.convert("RGB"))[None])


def main() -> None:
    """Load the export, then do tasks line by line."""
    parser = argparse.ArgumentParser(description="OpenVINO GenAI's workloads; speaks JSON lines on stdin and stdout.")
    parser.add_argument("export", type=Path)
    arguments = parser.parse_args()

    def load() -> tuple[Mapping[str, Task], Mapping[str, str], str]:
        peer = Peer(arguments.export)
        tasks = {"chat": peer.chat, "crowd": peer.crowd, "pauses": peer.pauses}
        about = "continuous batching with prefix caching, chats by ChatHistory with the picture given once"
        return tasks, {"openvino-genai": openvino_genai.__version__}, about

    serve_tasks(load)


if __name__ == "__main__":
    main()
