"""A request laid out before any heavy work: tokens with the pictures' pads expanded, spans, positions.

Owns: what may be refused without computing, and the identity of a prompt's tokens, which says what can be found in a
cache. Must not know: weights, graphs, scheduling.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kandong.errors import InputError, PromptTooLongError
from kandong.types import Picture, PictureRef
from kandong.vlm.attention import BLOCK_TOKENS
from kandong.vlm.config import ModelConfig
from kandong.vlm.history import trim_history
from kandong.vlm.pixels import plan_grid
from kandong.vlm.positions import PictureSpan, prompt_positions
from kandong.vlm.prompt import Message, PicturePart, PromptEncoder
from kandong.vlm.request import Request

# Around each message, and around each picture, in Qwen3-VL's template; a little more does no harm.
_TEMPLATE_TOKENS = 8
_MARKS_OF_PICTURE = 2


class FeatureKey(NamedTuple):
    """What determines a picture's features under one model: pixels with size (digest), and the grid in patches."""

    digest: str
    grid_height: int
    grid_width: int


@dataclass(frozen=True)
class PromptPlan:
    """Where everything of a prompt stands; ``pictures``, ``keys`` and ``spans`` go together, in the prompt's order."""

    token_ids: list[int]
    spans: list[PictureSpan]
    keys: list[FeatureKey]
    pictures: list[Picture | PictureRef]
    positions: NDArray[np.int64]
    next_position: int
    max_new_tokens: int
    cache_salt: str = ""
    num_dropped_rounds: int = 0

    def positions_of(self, start: int, end: int) -> NDArray[np.int64]:
        """M-RoPE positions ``(3, end - start)`` of the prompt's tokens and of those generated after them."""
        num_prompt = len(self.token_ids)
        if end <= num_prompt:
            return self.positions[:, start:end]
        first = max(start, num_prompt) - num_prompt
        generated = self.next_position + np.arange(first, end - num_prompt, dtype=np.int64)
        return np.concatenate([self.positions[:, start:num_prompt], np.tile(generated, (3, 1))], axis=1)

    def block_hash(self, parent: bytes, tokens: Sequence[int], index: int) -> bytes:
        """Chain a full block's hash: everything before it, its token ids, and what its pictures' rows show.

        ``tokens`` are those of the whole sequence. Positions follow from the prefix, so they are not hashed.
        """
        start = index * BLOCK_TOKENS
        state = hashlib.sha256(parent or self.cache_salt.encode())
        state.update(np.asarray(tokens[start : start + BLOCK_TOKENS], np.int64).tobytes())
        for span, key in zip(self.spans, self.keys, strict=True):
            if span.start < start + BLOCK_TOKENS and span.end > start:
                # A block's own rows are told by where the picture begins in relation to it.
                state.update(f"|{key.digest}:{key.grid_height}x{key.grid_width}@{span.start - start}".encode())
        return state.digest()


def plan_prompt(config: ModelConfig, prompts: PromptEncoder, request: Request, context_tokens: int) -> PromptPlan:
    """Lay a request out.

    Errors: ``InputError`` for a picture that is not there or a bad budget, ``PromptTooLongError`` for what cannot fit
    into ``context_tokens``, ``PictureLimitError`` for a picture that no grid suits.
    """
    for index in (p.index for m in request.messages for p in m.parts if isinstance(p, PicturePart)):
        if not 0 <= index < len(request.pictures):
            raise InputError(f"There is no picture number {index}.", field="pictures")
    request.sampling.check_vocabulary(config.text.vocab_size)
    messages, num_dropped = _shorten(config, prompts, request, context_tokens)
    encoded = prompts.encode(messages)
    pictures = [request.pictures[i] for i in encoded.picture_order]
    merge = config.vision.spatial_merge_size
    ids: list[int] = []
    spans: list[PictureSpan] = []
    keys: list[FeatureKey] = []
    cursor = 0
    for place, picture in zip(encoded.pad_places, pictures, strict=True):
        ids += encoded.ids[cursor:place]
        rows, columns = plan_grid(picture.height_px, picture.width_px, config.pixels, request.budget)
        keys.append(FeatureKey(picture.digest, rows, columns))
        spans.append(PictureSpan(len(ids), rows // merge, columns // merge))
        ids += [config.image_token_id] * spans[-1].num_tokens
        cursor = place + 1
    ids += encoded.ids[cursor:]
    if request.prefill_only and spans:
        # Up to the mark that ends the last picture: what a question about it will begin with, whatever it asks.
        ids = ids[: spans[-1].end + 1]
    room = context_tokens - len(ids)
    if room < 1:
        in_pictures = sum(span.num_tokens for span in spans)
        raise PromptTooLongError(
            f"The prompt has {len(ids):,} tokens ({in_pictures:,} of them pictures), the context holds "
            f"{context_tokens:,}.",
            hint="Shorten the text, send fewer pictures, or lower max_image_tokens.",
            field="messages",
        )
    positions, next_position = prompt_positions(len(ids), spans)
    max_new_tokens = 0 if request.prefill_only else min(request.sampling.max_tokens, room)
    return PromptPlan(
        ids, spans, keys, pictures, positions, next_position, max_new_tokens, request.cache_salt, num_dropped
    )


def _shorten(
    config: ModelConfig, prompts: PromptEncoder, request: Request, context_tokens: int
) -> tuple[Sequence[Message], int]:
    """Drop the oldest rounds where the request allows it; gives the messages and the number of rounds dropped."""
    if request.history is None:
        return request.messages, 0

    def count(message: Message) -> int:
        total = _TEMPLATE_TOKENS
        for part in message.parts:
            if isinstance(part, PicturePart):
                picture = request.pictures[part.index]
                rows, columns = plan_grid(picture.height_px, picture.width_px, config.pixels, request.budget)
                total += rows * columns // config.vision.merge_unit + _MARKS_OF_PICTURE
            else:
                total += len(prompts.encode_text(part.text))
        return total

    room = context_tokens - min(request.sampling.max_tokens, context_tokens // 4) - _TEMPLATE_TOKENS
    return trim_history(request.messages, request.history, room, count)
