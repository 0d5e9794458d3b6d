"""A language model that says what it is told to, at the cost of the real one.

Owns: raising the logit of a planted token at its place. Must not know: how the real model computes.

Random weights cannot copy a text; a trained model can. So the real graph runs over every token, drafted ones included,
and only then is the next token of the text raised above all others, wherever the model stands in it. What is measured
is the whole cost of an answer whose tokens a trained model would give.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from kandong.vlm.decoder import Chunk
from kandong.vlm.engine import Engine
from kandong.vlm.loading import LanguageModel
from kandong.vlm.request import Request

_RAISED = 1e4


class PlantedLanguageModel:
    """Wraps a model. One prompt's answer is planted, told by where it stands: other prompts must be of other lengths,
    or end before ``start`` or after the answer."""

    def __init__(self, model: LanguageModel, start: int, tokens: Sequence[int]) -> None:
        """Plant ``tokens`` as the answer to a prompt of ``start`` tokens."""
        self._model = model
        self._tokens = {start + i: token for i, token in enumerate(tokens)}

    def run(self, chunks: list[Chunk]) -> NDArray[np.float32]:
        """Run the real model; logits ``(sampled rows, vocabulary)`` with the planted ones raised."""
        logits = self._model.run(chunks)
        places = [chunk.num_past + row + 1 for chunk in chunks for row in chunk.sample_rows]
        for row, place in zip(logits, places, strict=True):
            if (token := self._tokens.get(place)) is not None:
                row[token] = row.max() + _RAISED
        return logits


@contextmanager
def planted(engine: Engine, request: Request, text: str) -> Iterator[Engine]:
    """Give an engine over the same loaded model that answers a request, which holds no picture, with a text and ends.

    Both write to the same blocks of keys and values: until the end the given engine must rest, and it has forgotten
    its prefixes then.
    """
    start = len(engine.prompts.encode(request.messages).ids)
    tokens = [*engine.prompts.encode_text(text), engine.config.eos_token_ids[0]]
    decoder = PlantedLanguageModel(engine.model.decoder, start, tokens)
    try:
        yield Engine(engine.model.lent(decoder), engine.options)
    finally:
        engine.language.pool.forget_idle()
