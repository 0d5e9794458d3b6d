"""Looking inside the engine, the same way for every test.

Owns: golden cases as requests, and one prompt's intermediate values. Must not know: what they should be.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kandong.reading.images import load_picture
from kandong.types import Picture
from kandong.vlm.decoder import Chunk, Decoder
from kandong.vlm.device import Precision
from kandong.vlm.engine import Engine, EngineOptions
from kandong.vlm.kvcache import num_blocks_for
from kandong.vlm.pixels import Patches, make_patches
from kandong.vlm.plan import PromptPlan, plan_prompt
from kandong.vlm.prompt import Message, PicturePart, TextPart
from kandong.vlm.request import Request
from kandong.vlm.sampling import SamplingParameters
from kandong.vlm.sequence import features_within
from kandong.vlm.vision import VisionFeatures, VisionTower

GOLDEN = Path(__file__).parent / "golden"
CHECKPOINTS = ("tied", "untied")
CASES: dict[str, list[dict[str, Any]]] = json.loads((GOLDEN / "cases.json").read_text(encoding="utf-8"))

# What parity means, everywhere the reference is compared with.
MIN_FEATURE_COSINE = 0.9999
MAX_LOGIT_DIFFERENCE = 2e-3


@lru_cache(maxsize=8)
def golden_engine(checkpoint: str, precision: str = "f32", chunk_tokens: int = 1024) -> Engine:
    """Load a golden checkpoint, once a run of the tests."""
    options = EngineOptions(precision=Precision(precision), prefill_chunk_tokens=chunk_tokens)
    return Engine(GOLDEN / checkpoint, options)


def golden_request(case: str, sampling: SamplingParameters | None = None) -> Request:
    """Turn a golden case into a request."""
    pictures: list[Picture] = []
    messages = []
    for message in CASES[case]:
        parts: list[TextPart | PicturePart] = []
        for part in message["parts"]:
            if "picture" in part:
                parts.append(PicturePart(len(pictures)))
                pictures.append(load_picture(GOLDEN / "pictures" / part["picture"]))
            else:
                parts.append(TextPart(part["text"]))
        messages.append(Message(message["role"], tuple(parts)))
    return Request(messages, pictures, sampling or SamplingParameters())


def golden_arrays(checkpoint: str, case: str) -> dict[str, NDArray[Any]]:
    """Load what the reference computed."""
    with np.load(GOLDEN / checkpoint / f"{case}.npz") as arrays:
        return dict(arrays)


def plan_of(engine: Engine, request: Request) -> PromptPlan:
    """Lay a request out as the engine does."""
    return plan_prompt(engine.config, engine.prompts, request, engine.context_tokens)


def tower_of(engine: Engine) -> VisionTower:
    """Give the real tower, with all that it can do beyond what the engine needs."""
    assert isinstance(engine.model.tower, VisionTower)
    return engine.model.tower


def decoder_of(engine: Engine) -> Decoder:
    """Give the real language model, likewise."""
    assert isinstance(engine.model.decoder, Decoder)
    return engine.model.decoder


@dataclass(frozen=True)
class Inspection:
    """Intermediate values of one prompt."""

    token_ids: list[int]
    positions: NDArray[np.int64]
    patches: list[Patches]
    features: list[VisionFeatures]
    logits: NDArray[np.float32]

    @property
    def merged(self) -> NDArray[np.float32]:
        """Merged features of all pictures, one after the other."""
        return np.concatenate([f.merged for f in self.features])

    @property
    def deepstack(self) -> NDArray[np.float32]:
        """DeepStack features of all pictures, one after the other."""
        return np.concatenate([f.deepstack for f in self.features], axis=1)


def inspect(engine: Engine, request: Request, rows: Sequence[int], chunk_tokens: int | None = None) -> Inspection:
    """Run a prompt, in chunks if wanted, and give the logits of some of its rows."""
    plan = plan_of(engine, request)
    tower = tower_of(engine)
    pictures = [p for p in plan.pictures if isinstance(p, Picture)]
    patches = [make_patches(p.rgb, engine.config.pixels, request.budget) for p in pictures]
    features = [tower.encode(p) for p in patches]
    total = len(plan.token_ids)
    blocks = engine.language.pool.allocate(num_blocks_for(total))
    assert blocks is not None
    size = chunk_tokens or total
    collected = []
    for start in range(0, total, size):
        end = min(start + size, total)
        wanted = [row - start for row in rows if start <= row < end]
        placed = features_within(plan.spans, features, start, end)
        chunk = Chunk(plan.token_ids[start:end], plan.positions[:, start:end], start, blocks, wanted, placed)
        collected.append(engine.model.decoder.run([chunk]))
    engine.language.pool.release(blocks)
    return Inspection(plan.token_ids, plan.positions, patches, features, np.concatenate(collected))


def cosine(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Cosine of the angle between two arrays taken as vectors."""
    x, y = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
    return float(x @ y / (np.linalg.norm(x) * np.linalg.norm(y)))
