"""Choosing the next token from logits.

Owns: sampling parameters with their ranges, penalties, temperature, top-k, top-p. Must not know: text, graphs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kandong.errors import InputError

MAX_STOP_STRINGS = 16
MAX_STOP_CHARACTERS = 256


@dataclass(frozen=True)
class SamplingParameters:
    """How an answer is generated. ``temperature`` 0 is greedy: the likeliest token, no chance involved.

    ``presence_penalty`` is subtracted from tokens already in the answer (as OpenAI defines it);
    ``repetition_penalty`` divides or multiplies tokens of prompt and answer (as transformers does).
    Penalties damage word-for-word copying: leave them off for reading.
    """

    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int | None = None
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False

    def __post_init__(self) -> None:
        """Refuse what is out of range; errors: ``InputError`` naming the field and the range."""
        ranges: dict[str, tuple[float, float]] = {
            "max_tokens": (1, 131_072),
            "temperature": (0.0, 2.0),
            "top_p": (0.0, 1.0),
            "top_k": (1, 1_000_000),
            "presence_penalty": (-2.0, 2.0),
            "repetition_penalty": (0.1, 10.0),
            "seed": (0, 2**63 - 1),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if value is None and name in ("top_k", "seed"):
                continue
            is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            is_whole = name in ("max_tokens", "top_k", "seed")
            if not is_number or not low <= value <= high or (is_whole and not isinstance(value, int)):
                kind = "a whole number" if is_whole else "a number"
                raise InputError(f"{name} is {value!r}, it must be {kind} from {low:g} to {high:g}.", field=name)
        if self.top_p == 0.0:
            raise InputError("top_p is 0, it must be over 0.", hint="For the likeliest token set temperature 0.")
        self._check_stop()

    def _check_stop(self) -> None:
        if len(self.stop) > MAX_STOP_STRINGS:
            raise InputError(f"{len(self.stop)} stop strings, allowed are {MAX_STOP_STRINGS}.", field="stop")
        for text in self.stop:
            if not isinstance(text, str) or not 1 <= len(text) <= MAX_STOP_CHARACTERS:
                raise InputError(f"A stop string must have 1 to {MAX_STOP_CHARACTERS} characters.", field="stop")

    @classmethod
    def from_options(cls, options: dict[str, Any]) -> SamplingParameters:
        """Make parameters from keywords; ``stop`` may be one string. Errors: ``InputError`` for an unknown name."""
        known = [f.name for f in fields(cls)]
        for name in options:
            if name not in known:
                raise InputError(f"Unknown option {name!r}.", hint=f"Known are {', '.join(known)}.", field=name)
        stop = options.get("stop", ())
        texts = (stop,) if isinstance(stop, str) else tuple(stop or ())
        return cls(**options | {"stop": texts})


class Sampler:
    """Chooses tokens for one answer; holds the random state and what was generated."""

    def __init__(self, parameters: SamplingParameters, prompt_ids: Sequence[int]) -> None:
        self._parameters = parameters
        self._random = np.random.default_rng(parameters.seed)
        self._generated: set[int] = set()
        self._seen = set(prompt_ids)

    def choose(self, logits: NDArray[np.float32]) -> int:
        """Choose from logits ``(vocabulary,)`` and remember the choice."""
        p = self._parameters
        scores = self._penalised(logits)
        token = int(np.argmax(scores)) if p.temperature == 0.0 else self._draw(scores)
        self._generated.add(token)
        self._seen.add(token)
        return token

    def _penalised(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        p = self._parameters
        if p.presence_penalty == 0.0 and p.repetition_penalty == 1.0:
            return logits
        scores = logits.copy()
        if p.repetition_penalty != 1.0:
            seen = np.fromiter(self._seen, np.int64, len(self._seen))
            values = scores[seen]
            scores[seen] = np.where(values > 0, values / p.repetition_penalty, values * p.repetition_penalty)
        if p.presence_penalty != 0.0 and self._generated:
            scores[np.fromiter(self._generated, np.int64, len(self._generated))] -= p.presence_penalty
        return scores

    def _draw(self, scores: NDArray[np.float32]) -> int:
        ids, probabilities = distribution(scores, self._parameters)
        return int(ids[self._random.choice(len(ids), p=probabilities)])


def distribution(
    scores: NDArray[np.float32], parameters: SamplingParameters
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give the candidates, likeliest first, and their probabilities after temperature, top-k, then top-p.

    Needs a temperature over 0. At least one candidate is left.
    """
    if parameters.top_k is not None and parameters.top_k < len(scores):
        ids = np.argpartition(scores, -parameters.top_k)[-parameters.top_k :]
    else:
        ids = np.arange(len(scores))
    ids = ids[np.argsort(-scores[ids], kind="stable")]
    logits = scores[ids].astype(np.float64) / parameters.temperature
    probabilities = np.exp(logits - logits[0])
    probabilities /= probabilities.sum()
    if parameters.top_p < 1.0:
        # Keep the shortest head whose mass reaches top_p.
        num_kept = int(np.searchsorted(np.cumsum(probabilities), parameters.top_p)) + 1
        ids, probabilities = ids[:num_kept], probabilities[:num_kept]
        probabilities = probabilities / probabilities.sum()
    return ids, probabilities
