"""Choosing the next token from logits.

Owns: sampling parameters with their ranges, bias, penalties, temperature, top-k, top-p, log-probabilities. Must not
know: text, graphs, where a constraint comes from.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kandong.errors import InputError

MAX_STOP_STRINGS = 16
MAX_STOP_CHARACTERS = 256
MAX_TOP_LOGPROBS = 20
MAX_BIASED_TOKENS = 1_024
MAX_BIAS = 100.0
# How many of the likeliest are sorted at first to find the head of top_p; eight times as many where these are too few.
_FIRST_HEAD = 512


@dataclass(frozen=True)
class SamplingParameters:
    """How an answer is generated. ``temperature`` 0 is greedy: the likeliest token, no chance involved.

    ``presence_penalty`` is subtracted from tokens already in the answer, ``frequency_penalty`` as often as they are in
    it (as OpenAI defines them); ``repetition_penalty`` divides or multiplies tokens of prompt and answer (as
    transformers does). Penalties damage word-for-word copying: leave them off for reading.
    ``logit_bias`` holds pairs of token and what is added to its logit; -100 bans a token, as good as.
    ``top_logprobs`` asks for log-probabilities: of the chosen tokens, and of so many likeliest ones at each place.
    """

    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    top_logprobs: int | None = None
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
            "frequency_penalty": (-2.0, 2.0),
            "repetition_penalty": (0.1, 10.0),
            "top_logprobs": (0, MAX_TOP_LOGPROBS),
            "seed": (0, 2**63 - 1),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if value is None and name in ("top_k", "top_logprobs", "seed"):
                continue
            is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            is_whole = name in ("max_tokens", "top_k", "top_logprobs", "seed")
            if not is_number or not low <= value <= high or (is_whole and not isinstance(value, int)):
                kind = "a whole number" if is_whole else "a number"
                raise InputError(f"{name} is {value!r}, it must be {kind} from {low:g} to {high:g}.", field=name)
        if self.top_p == 0.0:
            raise InputError("top_p is 0, it must be over 0.", hint="For the likeliest token set temperature 0.")
        self._check_stop()
        self._check_bias()

    def _check_bias(self) -> None:
        if len(self.logit_bias) > MAX_BIASED_TOKENS:
            raise InputError(
                f"{len(self.logit_bias):,} tokens have a bias, allowed are {MAX_BIASED_TOKENS:,}.", field="logit_bias"
            )
        for token, bias in self.logit_bias:
            is_token = isinstance(token, int) and not isinstance(token, bool) and token >= 0
            is_number = isinstance(bias, int | float) and not isinstance(bias, bool)
            if not is_token or not is_number or not -MAX_BIAS <= bias <= MAX_BIAS:
                raise InputError(
                    f"A bias must give a token id a number from -{MAX_BIAS:g} to {MAX_BIAS:g}.", field="logit_bias"
                )

    def check_vocabulary(self, vocab_size: int) -> None:
        """Refuse a bias for a token that the model has not. Errors: ``InputError`` naming ``logit_bias``."""
        for token, _ in self.logit_bias:
            if token >= vocab_size:
                raise InputError(f"There is no token {token}, the model has {vocab_size:,}.", field="logit_bias")

    def _check_stop(self) -> None:
        if len(self.stop) > MAX_STOP_STRINGS:
            raise InputError(f"{len(self.stop)} stop strings, allowed are {MAX_STOP_STRINGS}.", field="stop")
        for text in self.stop:
            if not isinstance(text, str) or not 1 <= len(text) <= MAX_STOP_CHARACTERS:
                raise InputError(f"A stop string must have 1 to {MAX_STOP_CHARACTERS} characters.", field="stop")

    @classmethod
    def from_options(cls, options: dict[str, Any]) -> SamplingParameters:
        """Make parameters from keywords; ``stop`` may be one string, ``logit_bias`` a mapping whose keys may be text.

        Errors: ``InputError`` for an unknown name or a value out of range.
        """
        known = [f.name for f in fields(cls)]
        for name in options:
            if name not in known:
                raise InputError(f"Unknown option {name!r}.", hint=f"Known are {', '.join(known)}.", field=name)
        stop = options.get("stop", ())
        texts = (stop,) if isinstance(stop, str) else tuple(stop or ())
        return cls(**options | {"stop": texts, "logit_bias": _bias_pairs(options.get("logit_bias"))})


def _bias_pairs(bias: Any) -> tuple[tuple[int, float], ...]:
    """Read a bias as JSON has it, ``{"1234": -5}``, or as pairs."""
    try:
        pairs = bias.items() if isinstance(bias, Mapping) else bias or ()
        return tuple((int(token) if isinstance(token, str) else token, value) for token, value in pairs)
    except (TypeError, ValueError):
        raise InputError(
            "logit_bias must map token ids to numbers.", hint='Like {"1234": -5}.', field="logit_bias"
        ) from None


@dataclass(frozen=True)
class TokenLogprob:
    """The log-probability of a token in the answer, and of the likeliest at its place, likeliest first.

    Of the model's own distribution: before bias, penalties, temperature and any constraint. ``logprob`` is None for a
    token that was forced, for which the model was not asked.
    """

    token: int
    logprob: float | None
    top: tuple[tuple[int, float], ...] = ()


class Constraint(Protocol):
    """What narrows the choice, for example a grammar's state."""

    def apply_mask(self, logits: NDArray[np.float32]) -> None:
        """Set what may not be chosen to minus infinity, in place; ``(vocabulary,)``."""


class Sampler:
    """Chooses tokens for one answer; holds the random state and what was generated."""

    def __init__(self, parameters: SamplingParameters, prompt_ids: Iterable[int]) -> None:
        self._parameters = parameters
        self._random = np.random.default_rng(parameters.seed)
        self._generated: Counter[int] = Counter()
        self._seen = set(prompt_ids) if parameters.repetition_penalty != 1.0 else set()
        # One for each token of the answer, if asked for.
        self.logprobs: list[TokenLogprob] = []

    def choose(self, logits: NDArray[np.float32], constraint: Constraint | None = None) -> int:
        """Choose from logits ``(vocabulary,)``, which stay as they are, and remember the choice.

        Penalties come before the constraint, so that what it forbids stays forbidden. One number is drawn for each
        token that is chosen by chance, so that a seed gives the same answer however many tokens a step verifies.
        """
        p = self._parameters
        scores = self._penalised(logits)
        if constraint is not None:
            scores = scores.copy() if scores is logits else scores
            constraint.apply_mask(scores)
        token = int(np.argmax(scores)) if p.temperature == 0.0 else self._draw(scores)
        self._remember(token)
        if p.top_logprobs is not None:
            self.logprobs.append(token_logprob(logits, token, p.top_logprobs))
        return token

    def observe(self, token: int) -> None:
        """Remember a token that was not chosen but forced."""
        self._remember(token)
        if self._parameters.top_logprobs is not None:
            self.logprobs.append(TokenLogprob(token, None))

    def _remember(self, token: int) -> None:
        self._generated[token] += 1
        self._seen.add(token)

    def _penalised(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        p = self._parameters
        is_counting = p.presence_penalty != 0.0 or p.frequency_penalty != 0.0
        if not is_counting and p.repetition_penalty == 1.0 and not p.logit_bias:
            return logits
        scores = logits.copy()
        if p.repetition_penalty != 1.0:
            seen = np.fromiter(self._seen, np.int64, len(self._seen))
            values = scores[seen]
            scores[seen] = np.where(values > 0, values / p.repetition_penalty, values * p.repetition_penalty)
        if is_counting and self._generated:
            ids = np.fromiter(self._generated.keys(), np.int64, len(self._generated))
            counts = np.fromiter(self._generated.values(), np.float32, len(self._generated))
            scores[ids] -= p.presence_penalty + p.frequency_penalty * counts
        for token, bias in p.logit_bias:
            scores[token] += bias
        return scores

    def _draw(self, scores: NDArray[np.float32]) -> int:
        ids, probabilities = distribution(scores, self._parameters)
        return int(ids[self._random.choice(len(ids), p=probabilities)])


def distribution(
    scores: NDArray[np.float32], parameters: SamplingParameters
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give the candidates and their probabilities after temperature, top-k, then top-p; at least one is left.

    Needs a temperature over 0. Likeliest first if top-k or top-p cut, else in the order of ids.
    """
    top_k = min(parameters.top_k or len(scores), len(scores))
    if top_k == len(scores) and parameters.top_p >= 1.0:
        return np.arange(len(scores)), _weights(scores, parameters.temperature, float(scores.max()))
    if top_k < len(scores) or parameters.top_p >= 1.0:
        ids = _likeliest(scores, top_k)
        probabilities = _weights(scores[ids], parameters.temperature, float(scores[ids[0]]))
        return _head(ids, probabilities, parameters.top_p) if parameters.top_p < 1.0 else (ids, probabilities)
    # Sorting a whole vocabulary costs more than all the rest: sort as much of the head as reaches the mass.
    everything = _weights(scores, parameters.temperature, float(scores.max()))
    num_sorted = _FIRST_HEAD
    while True:
        ids = _likeliest(scores, min(num_sorted, len(scores)))
        if len(ids) == len(scores) or everything[ids].sum() >= parameters.top_p:
            return _head(ids, everything[ids], parameters.top_p)
        num_sorted *= 8


def _likeliest(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Give the ids of the highest scores, highest first, of equal ones the lower id."""
    ids = np.arange(len(scores))
    if count < len(scores):
        ids = np.sort(np.argpartition(scores, -count)[-count:])
    return ids[np.argsort(-scores[ids], kind="stable")]


def _weights(scores: NDArray[np.float32], temperature: float, highest: float) -> NDArray[np.float64]:
    weights: NDArray[np.float64] = np.exp((scores.astype(np.float64) - highest) / temperature)
    weights /= weights.sum()
    return weights


def _head(
    ids: NDArray[np.int64], probabilities: NDArray[np.float64], top_p: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Keep the shortest head whose mass reaches ``top_p``."""
    num_kept = int(np.searchsorted(np.cumsum(probabilities), top_p)) + 1
    kept = probabilities[:num_kept]
    return ids[:num_kept], kept / kept.sum()


def token_logprob(logits: NDArray[np.float32], token: int, num_top: int) -> TokenLogprob:
    """Give natural log-probabilities of ``token`` and of the ``num_top`` likeliest, from logits ``(vocabulary,)``."""
    highest = float(logits.max())
    total = highest + math.log(float(np.exp(logits.astype(np.float64) - highest).sum()))
    top = _likeliest(logits, min(num_top, len(logits))) if num_top else np.empty(0, np.int64)
    return TokenLogprob(token, float(logits[token]) - total, tuple((int(i), float(logits[i]) - total) for i in top))
