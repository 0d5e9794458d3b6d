"""llama.cpp doing workloads: a chat about a picture whose keys and values it keeps, many at once.

Run with the peer's own Python: ``PYTHON -m bench.peers.llama_cpp_workloads MODEL.gguf MMPROJ.gguf [--flash …]``. Owns:
how the peer is used at its best. Must not know: Kandong, which is not installed where this runs.

As llama-server does it: what the cache holds of a prompt stays, a further question computes only what is new.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import llama_cpp
from llama_cpp import mtmd_cpp

from bench.peers.llama_cpp_python import CONTEXT_TOKENS, FLASH, Peer, check, need, read_picture
from bench.peers.protocol import Fields, Task, serve_tasks

_SYSTEM = "<|im_start|>system\n{system}<|im_end|>\n"
_FIRST = "<|im_start|>user\n{picture}{prompt}<|im_end|>\n<|im_start|>assistant\n"
_NEXT = "<|im_end|>\n<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
_TEXT = "<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
_NUM_SEQUENCES = 8


class Chats:
    """A model with its projector, and a context of its own for many at once."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx, settings.n_batch, settings.n_ubatch = CONTEXT_TOKENS, 2048, 512
        settings.n_seq_max, settings.kv_unified = _NUM_SEQUENCES, True
        settings.n_threads = settings.n_threads_batch = os.cpu_count() or 1
        settings.flash_attn_type = FLASH["on"]
        self._many = need(llama_cpp.llama_init_from_model(peer.model, settings), "context")
        self._vocabulary = llama_cpp.llama_model_get_vocab(peer.model)

    def chat(self, fields: Fields) -> Mapping[str, object]:
        """Ask ``prompts`` one after the other about a ``picture``; gives the first tokens' times."""
        peer, first_ms = self._peer, []
        pixels = read_picture(Path(fields["picture"]))
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(peer.context), True)
        position = llama_cpp.llama_pos(0)
        for i, prompt in enumerate(fields["prompts"]):
            template = _SYSTEM + _FIRST if i == 0 else _NEXT
            marker = mtmd_cpp.mtmd_get_marker(peer.vision).decode()
            text = template.format(system=fields["system"], picture=marker, prompt=prompt)
            start = time.perf_counter()
            with peer.chunks(text, [pixels] if i == 0 else []) as chunks:
                peer.prefill(chunks, position)
            token = peer.best_token()
            first_ms.append((time.perf_counter() - start) * 1e3)
            # The last token's keys and values are computed too, as the next question begins after it.
            for _ in range(fields["max_tokens"]):
                peer.step(token)
                position.value += 1
                token = peer.best_token()
        return {"first_ms": first_ms}

    def crowd(self, fields: Fields) -> Mapping[str, object]:
        """Answer ``prompts`` at once; gives the rate of the tokens after each one's first."""
        prompts = [self._tokens(_TEXT.format(prompt=prompt)) for prompt in fields["prompts"]]
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._many), True)
        self._run([(i, tokens, 0) for i, tokens in enumerate(prompts)])
        ends, rows, lengths = [], -1, [len(tokens) for tokens in prompts]
        for length in lengths:
            rows += length
            ends.append(rows)
        tokens = [self._best(row) for row in ends]
        first = time.perf_counter()
        for step in range(fields["max_tokens"] - 1):
            self._run([(i, [token], lengths[i] + step) for i, token in enumerate(tokens)])
            tokens = [self._best(row) for row in range(len(tokens))]
        count = len(prompts) * (fields["max_tokens"] - 1)
        return {"tokens_per_s": count / (time.perf_counter() - first)}

    def _tokens(self, text: str) -> list[int]:
        encoded = text.encode()
        room = (llama_cpp.llama_token * (len(encoded) + 8))()
        count = llama_cpp.llama_tokenize(self._vocabulary, encoded, len(encoded), room, len(room), False, True)
        return list(room[:count])

    def _run(self, parts: Sequence[tuple[int, list[int], int]]) -> None:
        """Run (sequence, tokens, first position) in one batch; the last token of each gives logits."""
        batch: Any = llama_cpp.llama_batch_init(sum(len(tokens) for _, tokens, _ in parts), 0, 1)
        row = 0
        for sequence, tokens, start in parts:
            for i, token in enumerate(tokens):
                batch.token[row], batch.pos[row], batch.n_seq_id[row] = token, start + i, 1
                batch.seq_id[row][0], batch.logits[row] = sequence, i == len(tokens) - 1
                row += 1
        batch.n_tokens = row
        try:
            check(llama_cpp.llama_decode(self._many, batch), "decode")
        finally:
            llama_cpp.llama_batch_free(batch)

    def _best(self, row: int) -> int:
        return self._peer.best_of(llama_cpp.llama_get_logits_ith(self._many, row))


def main() -> None:
    """Load model and projector, then do tasks line by line."""
    parser = argparse.ArgumentParser(description="llama.cpp's workloads; speaks JSON lines on stdin and stdout.")
    parser.add_argument("model", type=Path)
    parser.add_argument("projector", type=Path)
    parser.add_argument("--flash", choices=sorted(FLASH), default="on")
    arguments = parser.parse_args()

    def load() -> tuple[Mapping[str, Task], Mapping[str, str], str]:
        chats = Chats(Peer(arguments.model, arguments.projector, arguments.flash, 512))
        about = f"flash attention {arguments.flash}; keys and values kept in the context, as llama-server keeps them"
        return {"chat": chats.chat, "crowd": chats.crowd}, {"llama-cpp-python": llama_cpp.__version__}, about

    serve_tasks(load)


if __name__ == "__main__":
    main()
