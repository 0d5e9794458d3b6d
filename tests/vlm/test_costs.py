"""What work is predicted to cost, and what is learnt from the work that was done."""

from __future__ import annotations

import pytest

from kandong.vlm.attention import BLOCK_TOKENS
from kandong.vlm.costs import CostModel

MAX_PAUSE_MS = 350.0
# As measured on two cores with int8 weights (docs/benchmarks.md, prefill 1024×1024).
PREFILL_MS_PER_TOKEN = 5.4


def test_before_anything_is_learnt_a_share_of_a_prompt_keeps_to_the_pause() -> None:
    assert CostModel().tokens_within(MAX_PAUSE_MS) * PREFILL_MS_PER_TOKEN <= MAX_PAUSE_MS


@pytest.mark.parametrize("ms_per_token", [1.0, 20.0])
def test_shares_follow_what_prompts_took(ms_per_token: float) -> None:
    costs = CostModel()
    for _ in range(30):
        costs.observe_step(512, 1, 512 * ms_per_token)
    fitting = max(BLOCK_TOKENS, int(MAX_PAUSE_MS / ms_per_token) // BLOCK_TOKENS * BLOCK_TOKENS)
    assert abs(costs.tokens_within(MAX_PAUSE_MS) - fitting) <= BLOCK_TOKENS


def test_short_steps_say_nothing_about_prompts() -> None:
    costs = CostModel()
    before = costs.tokens_within(MAX_PAUSE_MS)
    costs.observe_step(1, 1, 80.0)
    assert costs.tokens_within(MAX_PAUSE_MS) == before
    assert costs.predict_ms([], 0, 1) > CostModel().predict_ms([], 0, 1)
