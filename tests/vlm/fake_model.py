"""A model without weights for tests of scheduling: what it says is a hash of everything it was given.

Each place of a block remembers a hash chained over all tokens, positions and picture rows before it. So a wrong block,
a stale one, a wrong position or another picture's row changes the answer, and a broken chain is noticed at once.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kandong.vlm.attention import BLOCK_TOKENS
from kandong.vlm.config import ModelConfig, read_model_config
from kandong.vlm.decoder import Chunk
from kandong.vlm.device import Compute, Numerics
from kandong.vlm.grammar import GrammarFactory
from kandong.vlm.loading import LoadedModel
from kandong.vlm.pixels import Patches
from kandong.vlm.prompt import PromptEncoder
from kandong.vlm.vision import VisionFeatures
from kandong.vlm.weights import WeightType
from tests.inspection import GOLDEN

ROOT = b"root"
NUM_PIECES = 3


def _hash(*parts: bytes) -> bytes:
    return hashlib.blake2b(b"\0".join(parts), digest_size=16).digest()


class FakeDecoder:
    """Blocks that remember ``(hash before, hash after)`` for each of their places."""

    def __init__(self, config: ModelConfig, num_blocks: int) -> None:
        self._vocab_size = config.text.vocab_size
        self._eos = config.eos_token_ids[0]
        self._memory = [[(b"", b"")] * BLOCK_TOKENS for _ in range(num_blocks)]

    def run(self, chunks: list[Chunk]) -> NDArray[np.float32]:
        rows = []
        for chunk in chunks:
            assert len(set(chunk.blocks)) == len(chunk.blocks)
            state = self._check_past(chunk)
            features = {
                placed.start + i: placed.features.merged[placed.first_row + i].tobytes()
                for placed in chunk.pictures
                for i in range(placed.num_rows or 0)
            }
            for i, token in enumerate(chunk.token_ids):
                place = chunk.num_past + i
                now = _hash(state, str(token).encode(), chunk.positions[:, i].tobytes(), features.get(i, b""))
                self._memory[chunk.blocks[place // BLOCK_TOKENS]][place % BLOCK_TOKENS] = (state, now)
                state = now
                if i in chunk.sample_rows:
                    rows.append(self.logits(state, token))
        return np.array(rows, np.float32).reshape(len(rows), self._vocab_size)

    def _check_past(self, chunk: Chunk) -> bytes:
        """Follow the chain through the block table up to the last computed token."""
        state = ROOT
        for place in range(0, chunk.num_past, BLOCK_TOKENS):
            block = self._memory[chunk.blocks[place // BLOCK_TOKENS]]
            assert block[0][0] == state, "a block does not follow the one before it"
            state = block[min(BLOCK_TOKENS, chunk.num_past - place) - 1][1]
        return state

    def logits(self, state: bytes, token: int) -> NDArray[np.float32]:
        """Give logits ``(vocabulary,)`` with one clear winner: what follows the token mostly, so that drafts are often
        right, else any other, or the end token."""
        logits = np.zeros(self._vocab_size, np.float32)
        number = int.from_bytes(state, "little")
        winner = 33 + (number % 200 if number % 12 == 0 else (7 * token + 1) % 60)
        logits[self._eos if number % 37 == 0 else winner] = 5.0
        return logits


class FakePass:
    """A picture on its way: features are hashes of its patches and the row."""

    def __init__(self, patches: Patches) -> None:
        self._patches = patches
        self.num_pieces = NUM_PIECES
        self.num_pieces_done = 0

    @property
    def is_done(self) -> bool:
        return self.num_pieces_done == self.num_pieces

    def next_units(self, max_units: float) -> float:
        assert not self.is_done
        assert max_units >= 0
        return 1.0

    def step(self) -> None:
        assert not self.is_done
        self.num_pieces_done += 1

    def features(self) -> VisionFeatures:
        seed = int.from_bytes(_hash(self._patches.values.tobytes())[:4], "little")
        num_tokens = len(self._patches.values) // 4
        merged = np.random.default_rng(seed).standard_normal((num_tokens, 4)).astype(np.float32)
        return VisionFeatures(merged, merged[None])


class FakeTower:
    """Begins passes; counts them."""

    num_pieces = NUM_PIECES

    def __init__(self) -> None:
        self.num_started = 0

    def start(self, patches: Patches) -> FakePass:
        self.num_started += 1
        return FakePass(patches)


@lru_cache(maxsize=1)
def _prompts() -> tuple[ModelConfig, PromptEncoder]:
    config = read_model_config(GOLDEN / "tied")
    return config, PromptEncoder(GOLDEN / "tied", config)


def fake_model(num_blocks: int, context_tokens: int | None = None) -> LoadedModel:
    """Make a model with so many blocks; tokenizer and configuration are those of a golden checkpoint."""
    config, prompts = _prompts()
    return LoadedModel(
        config=config,
        numerics=Numerics(WeightType.F32, Compute.F32, "f32"),
        prompts=prompts,
        grammars=GrammarFactory.from_folder(GOLDEN / "tied", config),
        decoder=FakeDecoder(config, num_blocks),
        tower=FakeTower(),
        num_blocks=num_blocks,
        context_tokens=context_tokens or num_blocks * BLOCK_TOKENS,
        pipeline="fake",
        load_ms=0.0,
        block_bytes=1,
    )
