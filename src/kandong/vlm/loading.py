"""Loading a model: tokenizer, language model and vision tower from a folder, warm and ready.

Owns: what the engine needs of a model, the size of the KV cache, and the identity of a model in caches. Must not know:
requests, scheduling.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from kandong.errors import ResourceError
from kandong.machine import read_memory
from kandong.vlm.attention import BLOCK_TOKENS
from kandong.vlm.config import ModelConfig
from kandong.vlm.decoder import Chunk, Decoder
from kandong.vlm.device import Compute, Numerics, Precision
from kandong.vlm.grammar import GrammarFactory
from kandong.vlm.kvcache import KVCache, num_blocks_for
from kandong.vlm.opening import open_model
from kandong.vlm.parts import load_parts
from kandong.vlm.pixels import Patches
from kandong.vlm.prompt import PromptEncoder
from kandong.vlm.vision import VisionFeatures

ReportLoading = Callable[[str], None]
# Changes whenever pixels or the tower's graph come to mean something else, so that old features are not found.
PIPELINE_VERSION = 1
# Of what is free after loading; the rest is for pictures on their way and for other programs.
_KV_SHARE_OF_FREE = 0.25
_MIN_KV_TOKENS = 512


@dataclass(frozen=True)
class LoadingOptions:
    """What a model is loaded with; see ``EngineOptions``."""

    precision: Precision
    compute: Compute | None
    num_threads: int | None
    context_tokens: int
    kv_cache_bytes: int | None


class RunningPicture(Protocol):
    """A picture on its way through the tower."""

    @property
    def num_pieces(self) -> int:
        """Number of pieces of the whole picture."""

    @property
    def num_pieces_done(self) -> int:
        """Number of pieces that are done."""

    @property
    def is_done(self) -> bool:
        """Whether ``features`` may be called."""

    def next_units(self, max_units: float) -> float:
        """Give what the next step costs in units of ``costs.py``: at most so much, where it can be cut."""

    def step(self) -> None:
        """Run the next piece, or the next slice of it."""

    def features(self) -> VisionFeatures:
        """Give the result after the last piece."""


class Tower(Protocol):
    """What the engine needs of a vision tower."""

    @property
    def num_pieces(self) -> int:
        """Number of pieces that a picture takes."""

    def start(self, patches: Patches) -> RunningPicture:
        """Begin a picture."""


class LanguageModel(Protocol):
    """What the engine needs of a language model."""

    def run(self, chunks: list[Chunk]) -> NDArray[np.float32]:
        """Run one step; gives logits ``(sampled rows, vocabulary)``."""


@dataclass(frozen=True)
class LoadedModel:
    """Everything that answers need. ``held`` keeps alive what compiled graphs go on reading.

    A model belongs to one engine: two would keep books of their own about the same blocks.
    """

    config: ModelConfig
    numerics: Numerics
    prompts: PromptEncoder
    grammars: GrammarFactory
    decoder: LanguageModel
    tower: Tower
    num_blocks: int
    context_tokens: int
    pipeline: str
    load_ms: float
    block_bytes: int | None = None
    held: object = None
    _owners: list[object] = field(default_factory=list, repr=False)

    def claim(self, owner: object) -> None:
        """Take the model for an engine. Errors: ``AssertionError`` if another one has it."""
        assert not self._owners, "a loaded model belongs to one engine"
        self._owners.append(owner)

    def lent(self, decoder: LanguageModel) -> LoadedModel:
        """Give the model, with another decoder, to a second engine for as long as the first one rests.

        Both write to the same blocks: the first must have forgotten its prefixes before it goes on.
        """
        return replace(self, decoder=decoder, _owners=[])


def load_model(folder: Path, options: LoadingOptions, report: ReportLoading) -> LoadedModel:
    """Load a checkpoint or converted folder, and run vision and language once.

    Errors: ``CheckpointError`` for an unusable folder, ``InputError`` for options that do not go together,
    ``ResourceError`` if the KV cache cannot be had.
    """
    started = time.perf_counter()
    report("checking the model")
    opened = open_model(folder, options.precision, options.compute)
    context_tokens = min(options.context_tokens, opened.config.text.max_position_embeddings)
    num_blocks = 0

    def reserve(decoder: Decoder) -> None:
        nonlocal num_blocks
        num_blocks = _reserve(decoder.cache, context_tokens, options.kv_cache_bytes)

    report(f"loading ({opened.numerics})")
    parts = load_parts(folder, opened, options.num_threads, reserve)
    return LoadedModel(
        config=opened.config,
        numerics=opened.numerics,
        prompts=parts.prompts,
        grammars=GrammarFactory.from_folder(folder, opened.config),
        decoder=parts.decoder,
        tower=parts.tower,
        num_blocks=num_blocks,
        context_tokens=min(context_tokens, num_blocks * BLOCK_TOKENS),
        pipeline=_pipeline(opened.identity, opened.numerics),
        load_ms=(time.perf_counter() - started) * 1e3,
        block_bytes=parts.decoder.cache.block_bytes,
        held=opened.weights,
    )


def _reserve(cache: KVCache, context_tokens: int, kv_cache_bytes: int | None) -> int:
    """Choose the number of blocks and allocate them.

    Without a stated budget: room for one whole context, or a quarter of the free memory if that is less.
    Errors: ``ResourceError`` if what was stated is not there, or too little for any answer.
    """
    memory = read_memory()
    if kv_cache_bytes is None:
        num_blocks = num_blocks_for(context_tokens)
        if memory is not None:
            num_blocks = min(num_blocks, int(memory.available_bytes * _KV_SHARE_OF_FREE) // cache.block_bytes)
    else:
        if memory is not None and kv_cache_bytes > memory.available_bytes:
            raise ResourceError(
                f"kv_cache_bytes is {kv_cache_bytes / 2**30:.1f} GiB, {memory.available_bytes / 2**30:.1f} GiB are "
                "free after loading the model.",
                hint="Lower kv_cache_bytes.",
                field="kv_cache_bytes",
            )
        num_blocks = kv_cache_bytes // cache.block_bytes
    if num_blocks < min(num_blocks_for(_MIN_KV_TOKENS), num_blocks_for(context_tokens)):
        raise ResourceError(
            f"Keys and values get room for {num_blocks * BLOCK_TOKENS:,} tokens, at least {_MIN_KV_TOKENS:,} are "
            f"needed ({_MIN_KV_TOKENS // BLOCK_TOKENS * cache.block_bytes / 2**20:.0f} MiB).",
            hint="Free memory, or raise kv_cache_bytes.",
            field="kv_cache_bytes",
        )
    cache.reserve(num_blocks)
    return num_blocks


def _pipeline(identity: object, numerics: Numerics) -> str:
    """Name everything but the picture that determines its features."""
    facts = json.dumps([PIPELINE_VERSION, identity, str(numerics), ov.__version__], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()
