"""transformers doing the one workload that it can: many texts at once, as one batch of ``generate``.

Run with the peer's own Python: ``PYTHON -m bench.peers.transformers_workloads CHECKPOINT --dtype bf16``. Owns: the
batch. Must not know: Kandong, which is not installed where this runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path

import torch
import transformers

from bench.peers.protocol import Fields, Task, serve_tasks
from bench.peers.transformers_torch import DTYPES, Peer


def answer_together(peer: Peer, fields: Fields) -> Mapping[str, object]:
    """Answer ``prompts`` at once; gives the rate of the tokens after each one's first."""
    tokenizer, model, ends = peer.tokenizer, peer.model, peer.forward_ends
    tokenizer.padding_side = "left"
    messages = [[{"role": "user", "content": [{"type": "text", "text": prompt}]}] for prompt in fields["prompts"]]
    texts = [tokenizer.apply_chat_template(m, add_generation_prompt=True, tokenize=False) for m in messages]
    inputs = tokenizer(texts, return_tensors="pt", padding=True)
    num_tokens = fields["max_tokens"]
    ends.clear()
    with torch.inference_mode():
        model.generate(**inputs, do_sample=False, min_new_tokens=num_tokens, max_new_tokens=num_tokens)
    return {"tokens_per_s": len(texts) * (num_tokens - 1) / (time.perf_counter() - ends[0])}


def main() -> None:
    """Load the checkpoint, then do tasks line by line."""
    parser = argparse.ArgumentParser(description="transformers' workloads; speaks JSON lines on stdin and stdout.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="bf16")
    arguments = parser.parse_args()

    def load() -> tuple[Mapping[str, Task], Mapping[str, str], str]:
        peer = Peer(arguments.checkpoint, arguments.dtype)
        tasks: dict[str, Task] = {"crowd": lambda fields: answer_together(peer, fields)}
        versions: dict[str, str] = {"transformers": transformers.__version__, "torch": torch.__version__}
        return tasks, versions, f"{arguments.dtype}, one batch"

    serve_tasks(load)


if __name__ == "__main__":
    main()
