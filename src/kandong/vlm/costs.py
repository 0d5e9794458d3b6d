"""What work costs on this machine, learnt from the work that was done.

Owns: predictions in milliseconds. Must not know: who the work is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kandong.vlm.attention import BLOCK_TOKENS

# Two cores, 2B, int8 (docs/experiments.md); each is replaced by what is measured within a few steps.
_VISION_MS_PER_UNIT = 0.65
_PREFILL_MS_PER_TOKEN = 5.0
_TOKEN_MS = 50.0
_WEIGHT_OF_NEW = 0.2
_QUADRATIC_PATCHES = 4096
# Most answers end long before their limit.
_EXPECTED_ANSWER_TOKENS = 128


def vision_units(num_patches: int) -> float:
    """Relative cost of a picture: linear layers, and attention, which is half of the work at 4,096 patches."""
    return num_patches * (1 + num_patches / _QUADRATIC_PATCHES)


class CostModel:
    """Moving averages of the three kinds of work."""

    def __init__(self) -> None:
        self._vision_ms_per_unit = _VISION_MS_PER_UNIT
        self._prefill_ms_per_token = _PREFILL_MS_PER_TOKEN
        self._token_ms = _TOKEN_MS

    @property
    def rates(self) -> dict[str, float]:
        """Give what was learnt, by name, so that another process can predict as this one does."""
        return {
            "vision_ms_per_unit": self._vision_ms_per_unit,
            "prefill_ms_per_token": self._prefill_ms_per_token,
            "token_ms": self._token_ms,
        }

    def learn_rates(self, rates: Mapping[str, float]) -> None:
        """Take over the rates of another model of costs; those it does not name stay."""
        self._vision_ms_per_unit = rates.get("vision_ms_per_unit", self._vision_ms_per_unit)
        self._prefill_ms_per_token = rates.get("prefill_ms_per_token", self._prefill_ms_per_token)
        self._token_ms = rates.get("token_ms", self._token_ms)

    def observe_vision(self, num_patches: int, num_stages: int, ms: float) -> None:
        """Learn from one of ``num_stages`` stages of a picture."""
        measured = ms * num_stages / vision_units(num_patches)
        self._vision_ms_per_unit += _WEIGHT_OF_NEW * (measured - self._vision_ms_per_unit)

    def observe_step(self, num_tokens: int, num_sequences: int, ms: float) -> None:
        """Learn from a step of the language model."""
        if num_tokens >= 4 * BLOCK_TOKENS:
            self._prefill_ms_per_token += _WEIGHT_OF_NEW * (ms / num_tokens - self._prefill_ms_per_token)
        elif num_tokens == num_sequences:
            self._token_ms += _WEIGHT_OF_NEW * (ms - self._token_ms)

    def tokens_within(self, ms: float) -> int:
        """Tokens of prefill that fit into so much time: whole blocks, at least one."""
        return max(1, int(ms / self._prefill_ms_per_token) // BLOCK_TOKENS) * BLOCK_TOKENS

    def predict_ms(self, patches: Iterable[int], num_prompt_tokens: int, max_new_tokens: int) -> float:
        """Predict a request that is alone: pictures still to be seen, tokens to be prefilled, an answer."""
        vision = sum(vision_units(n) for n in patches) * self._vision_ms_per_unit
        answer = min(max_new_tokens, _EXPECTED_ANSWER_TOKENS) * self._token_ms
        return vision + num_prompt_tokens * self._prefill_ms_per_token + answer
