"""Loading the parts of a model side by side: tokenizer, language model, vision tower.

Owns: the order in which they are made ready. Must not know: requests, or what the parts do.

Most of it is one thread's work, be it parsing, compiling, or the copy that the plugin makes of each weight in the
first inference; so on two cores it takes two thirds of the time of one after the other:

    this thread      graph of the language model, its compilation ─┬─ verified? ─ its first inference
    a second one     (waits)  tokenizer ─ tower ───────────────────┴─ verified? ─ the tower's first inference
    all the time     sums of the weights (``opening.py``)

No part is run before the weights are verified.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from kandong.vlm.attention import BLOCK_TOKENS
from kandong.vlm.config import ModelConfig
from kandong.vlm.decoder import Chunk, Decoder
from kandong.vlm.device import Device, Numerics
from kandong.vlm.memory import forgetting, map_large_blocks
from kandong.vlm.opening import OpenedModel
from kandong.vlm.pixels import PixelBudget, make_patches
from kandong.vlm.prompt import PromptEncoder
from kandong.vlm.vision import VisionTower


@dataclass(frozen=True)
class LoadedParts:
    """What answers questions, warmed up."""

    prompts: PromptEncoder
    decoder: Decoder
    tower: VisionTower


class _AnnouncingDevice(Device):
    """A device that says when it begins to compile: from then on this thread does not hold Python's lock."""

    def __init__(self, numerics: Numerics, num_threads: int | None) -> None:
        super().__init__(numerics, num_threads)
        self.is_compiling = threading.Event()

    def compile(self, model: ov.Model) -> Any:
        self.is_compiling.set()
        return super().compile(model)


def load_parts(
    folder: Path, opened: OpenedModel, num_threads: int | None, reserve: Callable[[Decoder], None]
) -> LoadedParts:
    """Load everything from ``folder`` and run it once; ``reserve`` gives the language model its KV cache before that.

    Errors: ``CheckpointError`` for a damaged part, whichever thread finds it; what ``reserve`` raises.
    """
    device = _AnnouncingDevice(opened.numerics, num_threads)
    are_built, verified = threading.Event(), Future[None]()

    def load_prompts_and_tower() -> tuple[PromptEncoder, VisionTower]:
        device.is_compiling.wait()
        prompts = PromptEncoder(folder, opened.config)
        numerics = opened.numerics
        tower = VisionTower(opened.config.vision, opened.weights, numerics.weights, numerics.compute, device.compile)
        are_built.set()
        verified.result()
        warm_up_vision(tower, opened.config)
        return prompts, tower

    map_large_blocks()
    with ThreadPoolExecutor(1, "load") as pool:
        others = pool.submit(load_prompts_and_tower)
        others.add_done_callback(lambda _: are_built.set())
        try:
            decoder = Decoder(opened.config, opened.weights, device)
            are_built.wait()
            if others.done():
                others.result()  # it has failed, as it waits for the line after the next
            opened.verify()
            reserve(decoder)
        except BaseException as error:
            device.is_compiling.set()
            verified.set_exception(error)
            raise
        with forgetting(opened.forget_pages):
            verified.set_result(None)
            warm_up_language(decoder)
            prompts, tower = others.result()
    return LoadedParts(prompts, decoder, tower)


def warm_up_vision(tower: VisionTower, config: ModelConfig) -> None:
    """Encode a small black picture: the first inference after compilation is several times slower."""
    pixels = config.pixels
    black = np.zeros((pixels.factor_px, pixels.factor_px, 3), np.uint8)
    tower.encode(make_patches(black, pixels, PixelBudget(min_tokens=1, max_tokens=min(16, pixels.max_tokens))))


def warm_up_language(decoder: Decoder) -> None:
    """Prefill and decode once, for the same reason. What it leaves in the first blocks is never read."""
    blocks = [0, 1]
    for num_past, length in ((0, BLOCK_TOKENS), (BLOCK_TOKENS, 1)):
        positions = np.tile(np.arange(num_past, num_past + length), (3, 1))
        decoder.run([Chunk([0] * length, positions, num_past, blocks, [length - 1])])
