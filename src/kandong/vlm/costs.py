"""What work costs on this machine, learnt from the work that was done.

Owns: predictions in milliseconds. Must not know: who the work is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# Two cores, 2B, int8 (docs/experiments.md); each is replaced by what is measured within a few steps.
_VISION_MS_PER_UNIT = 0.65
_PREFILL_MS_PER_TOKEN = 5.0
_TOKEN_MS = 50.0
_WEIGHT_OF_NEW = 0.2
_QUADRATIC_PATCHES = 4096
# How fast the cost of vision is learnt: a large picture says more than a small one.
_UNITS_TO_LEARN = 1000.0
# The plugin multiplies 64 rows at a time and gives a rest to one core alone: 65 tokens take as long as 110, 129 as 170.
TILE_TOKENS = 64
_MIN_SHARE_TOKENS = 16
# Most answers end long before their limit.
_EXPECTED_ANSWER_TOKENS = 128


def linear_units(num_patches: int) -> float:
    """Relative cost of what a picture takes for each patch by itself."""
    return float(num_patches)


def attention_units(num_patches: int) -> float:
    """Relative cost of attention: half of all at 4,096 patches."""
    return num_patches * num_patches / _QUADRATIC_PATCHES


def vision_units(num_patches: int) -> float:
    """Relative cost of a picture."""
    return linear_units(num_patches) + attention_units(num_patches)


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

    @property
    def token_ms(self) -> float:
        """What a step takes that only goes on with running answers."""
        return self._token_ms

    def observe_vision(self, units: float, ms: float) -> None:
        """Learn from a part of a picture."""
        weight = units / (units + _UNITS_TO_LEARN)
        self._vision_ms_per_unit += weight * (ms / units - self._vision_ms_per_unit)

    def vision_ms(self, units: float) -> float:
        """Predict a part of a picture."""
        return units * self._vision_ms_per_unit

    def vision_units_within(self, ms: float) -> float:
        """Give how much of a picture fits into so much time."""
        return ms / self._vision_ms_per_unit

    def observe_step(self, num_tokens: int, num_sequences: int, ms: float) -> None:
        """Learn from a step of the language model."""
        if num_tokens >= TILE_TOKENS // 2:
            self._prefill_ms_per_token += _WEIGHT_OF_NEW * (ms / num_tokens - self._prefill_ms_per_token)
        elif num_tokens == num_sequences:
            self._token_ms += _WEIGHT_OF_NEW * (ms - self._token_ms)

    def tokens_within(self, ms: float, num_others: int) -> int:
        """Tokens of prefill that fit into so much time beside ``num_others`` of running answers; at least 16.

        Together they are whole tiles, or half a one where the machine is too slow for that.
        """
        fitting = int(ms / self._prefill_ms_per_token) // TILE_TOKENS * TILE_TOKENS or TILE_TOKENS // 2
        if fitting - num_others < _MIN_SHARE_TOKENS:
            fitting = -(-(num_others + _MIN_SHARE_TOKENS) // TILE_TOKENS) * TILE_TOKENS
        return fitting - num_others

    def predict_ms(self, patches: Iterable[int], num_prompt_tokens: int, max_new_tokens: int) -> float:
        """Predict a request that is alone: pictures still to be seen, tokens to be prefilled, an answer."""
        vision = self.vision_ms(sum(vision_units(n) for n in patches))
        answer = min(max_new_tokens, _EXPECTED_ANSWER_TOKENS) * self._token_ms
        return vision + num_prompt_tokens * self._prefill_ms_per_token + answer
