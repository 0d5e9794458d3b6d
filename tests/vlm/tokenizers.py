"""The tokenizers that decoding is tested with: the golden one, and larger ones where they are at hand.

Owns: finding them. Must not know: grammars, drafts.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from bench.checkpoint_tokenizer import NUM_QWEN_TOKENS, find_qwen_ranks, merges_from_ranks, read_ranks, tokenizer_json
from kandong.models.demo import demo_folder

GOLDEN = Path(__file__).parents[1] / "golden" / "tied" / "tokenizer.json"
MINIATURE = demo_folder()


@dataclass(frozen=True)
class TokenizerCase:
    """A tokenizer with the facts that a checkpoint's configuration would add."""

    name: str
    specification: dict[str, Any]
    eos_ids: tuple[int, ...]
    vocab_size: int

    @functools.cached_property
    def plain(self) -> Tokenizer:
        """The tokenizer that knows no control token."""
        return Tokenizer.from_str(json.dumps(self.specification | {"added_tokens": [], "post_processor": None}))

    @property
    def control_ids(self) -> set[int]:
        """Ids of added tokens and of the model's padding."""
        num_ordinary = len(self.specification["model"]["vocab"])
        return set(range(num_ordinary, self.vocab_size))

    def encode(self, text: str) -> list[int]:
        """Cut text into tokens."""
        return list(self.plain.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: list[int]) -> str:
        """Join tokens, end tokens left out."""
        return str(self.plain.decode([token for token in ids if token not in self.eos_ids]))


@functools.cache
def golden() -> TokenizerCase:
    """Give the golden checkpoints' tokenizer of 308 tokens, byte level."""
    return TokenizerCase("golden", json.loads(GOLDEN.read_text("utf-8")), (310, 308), 320)


@functools.cache
def miniature() -> TokenizerCase:
    """Give the trained miniature's tokenizer (characters with byte fallback), or skip the test."""
    path = MINIATURE / "tokenizer.json"
    if not path.is_file():
        pytest.skip("no trained miniature in this copy: make mini, make mini-ship")
    return TokenizerCase("miniature", json.loads(path.read_text("utf-8")), (942, 940), 960)


@functools.cache
def qwen() -> TokenizerCase:
    """Give Qwen's own vocabulary from the package ``dashscope``, or skip the test."""
    ranks = find_qwen_ranks()
    if ranks is None:
        pytest.skip("the package dashscope, which holds Qwen's vocabulary, is not installed")
    tokens = read_ranks(ranks)
    specification = tokenizer_json(tokens, merges_from_ranks(tokens), num_ordinary_tokens=NUM_QWEN_TOKENS)
    return TokenizerCase("qwen", specification, (151645, 151643), 151936)


CASES = {"golden": golden, "miniature": miniature, "qwen": qwen}
