"""How long a request would keep the engine busy, were it alone.

Owns: a request → predicted seconds. Must not know: queues, who asks. It need not be exact: admission corrects it by how
fast work turns out to be done.
"""

from __future__ import annotations

from collections.abc import Mapping

from kandong.errors import KandongError
from kandong.vlm.config import ModelConfig
from kandong.vlm.costs import CostModel
from kandong.vlm.pixels import smart_resize
from kandong.vlm.prompt import TextPart
from kandong.vlm.request import Request

_TOKENS_PER_CHARACTER = 0.7
_RATE_PREFIX = "engine_cost_"


def predict_s(request: Request, config: ModelConfig, metrics: Mapping[str, float]) -> float:
    """Predict seconds; ``metrics`` are those of the engine, with the rates that it has learnt."""
    costs = CostModel()
    costs.learn_rates({n.removeprefix(_RATE_PREFIX): v for n, v in metrics.items() if n.startswith(_RATE_PREFIX)})
    patches = [_num_patches(picture.height_px, picture.width_px, request, config) for picture in request.pictures]
    characters = sum(
        len(part.text) for message in request.messages for part in message.parts if isinstance(part, TextPart)
    )
    num_tokens = int(characters * _TOKENS_PER_CHARACTER) + sum(patches) // 4
    max_tokens = 0 if request.prefill_only else request.sampling.max_tokens
    return costs.predict_ms(patches, num_tokens, max_tokens) / 1e3


def _num_patches(height_px: int, width_px: int, request: Request, config: ModelConfig) -> int:
    pixels = config.pixels
    try:
        min_pixels, max_pixels = request.budget.resolve(pixels)
        height, width = smart_resize(
            height_px, width_px, factor=pixels.factor_px, min_pixels=min_pixels, max_pixels=max_pixels
        )
    except KandongError:
        return 0  # the engine will refuse it, and say why
    patch_px = config.vision.patch_size
    return (height // patch_px) * (width // patch_px)
