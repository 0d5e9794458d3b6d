"""The compiled language model with its KV cache: tokens in, logits out.

Owns: laying out one step for the graph (embeddings, picture features, rotary tables, block tables). Must not know:
what a request wants, when to stop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kandong.vlm.attention import BLOCK_TOKENS, PagedAttention
from kandong.vlm.checkpoint import EMBEDDING, to_f32
from kandong.vlm.config import ModelConfig
from kandong.vlm.device import Device, run_in_place
from kandong.vlm.kvcache import KVCache, num_blocks_for
from kandong.vlm.language import build_language_model
from kandong.vlm.positions import token_rotary_tables
from kandong.vlm.vision import VisionFeatures
from kandong.vlm.weights import WeightSource


@dataclass(frozen=True)
class PlacedFeatures:
    """Features of a picture and the index in the step's tokens where its (remaining) rows go."""

    start: int
    features: VisionFeatures
    first_row: int = 0
    num_rows: int | None = None


@dataclass(frozen=True)
class Chunk:
    """New tokens of one sequence in a step.

    ``positions`` i64 ``(3, tokens)``; ``num_past`` tokens are already in the blocks; ``sample_rows`` index the chunk's
    tokens whose logits are wanted.
    """

    token_ids: Sequence[int]
    positions: NDArray[np.int64]
    num_past: int
    blocks: Sequence[int]
    sample_rows: Sequence[int] = ()
    pictures: Sequence[PlacedFeatures] = ()


class Decoder:
    """The language model, ready to run. One thread at a time may use it."""

    def __init__(self, config: ModelConfig, source: WeightSource, device: Device) -> None:
        """Build and compile the graph from the weights of ``source``."""
        self.config = config
        # Embedding by numpy: a graph would hold a second copy of the table as float32.
        self._embedding = source.tensor(EMBEDDING)
        model = build_language_model(config, source, device.numerics.weights, PagedAttention(config.text))
        compiled = device.compile(model)
        self._request = compiled.create_infer_request()
        self.cache = KVCache(compiled, self._request)
        self._no_taps: dict[int, NDArray[np.float32]] = {}

    def run(self, chunks: Sequence[Chunk]) -> NDArray[np.float32]:
        """Run one step over chunks of one or more sequences; gives logits ``(sampled rows, vocabulary)``.

        Writes the chunks' keys and values into their blocks. The result is a copy.
        """
        num_tokens = [len(chunk.token_ids) for chunk in chunks]
        begins = np.concatenate([[0], np.cumsum(num_tokens)]).astype(np.int32)
        total = int(begins[-1])
        embeds, deepstack = self._embed(chunks, begins)
        positions = np.concatenate([chunk.positions for chunk in chunks], axis=1)
        cos, sin = token_rotary_tables(positions, self.config.text)
        rows = [begin + row for chunk, begin in zip(chunks, begins, strict=False) for row in chunk.sample_rows]
        lengths = [chunk.num_past + new for chunk, new in zip(chunks, num_tokens, strict=True)]
        tables = [list(chunk.blocks)[: num_blocks_for(n)] for chunk, n in zip(chunks, lengths, strict=True)]
        assert all(len(t) * BLOCK_TOKENS >= n for t, n in zip(tables, lengths, strict=True)), "too few blocks"
        assert positions.shape[1] == total, "positions do not match the tokens"
        inputs = {
            "embeds": embeds,
            "deepstack": deepstack,
            "cos": cos,
            "sin": sin,
            "sample_rows": np.asarray(rows or [total - 1], np.int32),
            "past_lens": np.asarray([chunk.num_past for chunk in chunks], np.int32),
            "subsequence_begins": begins,
            "block_indices": np.asarray([block for table in tables for block in table], np.int32),
            "block_indices_begins": np.concatenate([[0], np.cumsum([len(t) for t in tables])]).astype(np.int32),
            "max_context_len": np.asarray(max(lengths), np.int32),
        }
        run_in_place(self._request, inputs)
        logits: NDArray[np.float32] = self._request.get_tensor("logits").data
        return logits[: len(rows)].copy()

    def _embed(
        self, chunks: Sequence[Chunk], begins: NDArray[np.int32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Look tokens up and put picture features in their places: ``(T, hidden)`` and ``(taps, T, hidden)``."""
        ids = np.concatenate([np.asarray(chunk.token_ids, np.int64) for chunk in chunks])
        embeds = to_f32(self._embedding[ids])
        shape = (len(self.config.vision.deepstack_visual_indexes), len(ids), self.config.text.hidden_size)
        if not any(chunk.pictures for chunk in chunks):
            return embeds, self._zeros(shape)
        deepstack = np.zeros(shape, np.float32)
        for chunk, begin in zip(chunks, begins, strict=False):
            for placed in chunk.pictures:
                merged = placed.features.merged
                count = len(merged) - placed.first_row if placed.num_rows is None else placed.num_rows
                source = slice(placed.first_row, placed.first_row + count)
                target = slice(begin + placed.start, begin + placed.start + count)
                embeds[target] = merged[source]
                deepstack[:, target] = placed.features.deepstack[:, source]
        return embeds, deepstack

    def _zeros(self, shape: tuple[int, int, int]) -> NDArray[np.float32]:
        """Give a zero DeepStack input; those of short steps are kept, as every decoded token needs one."""
        if shape[1] > BLOCK_TOKENS:
            return np.zeros(shape, np.float32)
        return self._no_taps.setdefault(shape[1], np.zeros(shape, np.float32))
