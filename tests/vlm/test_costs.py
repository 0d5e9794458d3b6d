"""What work is predicted to cost, and what is learnt from the work that was done."""

from __future__ import annotations

import pytest

from kandong.vlm.costs import TILE_TOKENS, CostModel, vision_units

MAX_PAUSE_MS = 400.0
# As measured on two cores with int8 weights (docs/benchmarks.md, prefill 1024×1024).
PREFILL_MS_PER_TOKEN = 5.0


def test_before_anything_is_learnt_a_share_of_a_prompt_keeps_to_the_pause() -> None:
    assert (CostModel().tokens_within(MAX_PAUSE_MS, 1) + 1) * PREFILL_MS_PER_TOKEN <= MAX_PAUSE_MS


@pytest.mark.parametrize(("ms_per_token", "expected"), [(1.0, 384), (3.0, 128), (6.0, 64), (20.0, 32)])
@pytest.mark.parametrize("num_others", [1, 8])
def test_shares_follow_what_prompts_took_and_fill_tiles(ms_per_token: float, expected: int, num_others: int) -> None:
    costs = CostModel()
    for _ in range(50):
        costs.observe_step(512, 1, 512 * ms_per_token)
    num_tokens = costs.tokens_within(MAX_PAUSE_MS, num_others)
    # However many others there are, and however slow the machine, a prompt gets on.
    assert num_tokens >= 16
    assert num_tokens + num_others == expected


def test_a_crowd_of_running_answers_leaves_a_prompt_its_share() -> None:
    assert CostModel().tokens_within(MAX_PAUSE_MS, 60) == 2 * TILE_TOKENS - 60


def test_short_steps_say_nothing_about_prompts() -> None:
    costs = CostModel()
    before = costs.tokens_within(MAX_PAUSE_MS, 1)
    costs.observe_step(1, 1, 80.0)
    assert costs.tokens_within(MAX_PAUSE_MS, 1) == before
    assert costs.token_ms > CostModel().token_ms
    assert costs.predict_ms([], 0, 1) > CostModel().predict_ms([], 0, 1)


def test_one_large_picture_teaches_what_vision_costs_and_a_small_one_does_not() -> None:
    def after(num_patches: int, num_parts: int) -> float:
        costs, units = CostModel(), vision_units(num_patches)
        for _ in range(num_parts):
            costs.observe_vision(units / num_parts, 3.0 * units / num_parts)
        assert costs.vision_units_within(costs.vision_ms(17.0)) == pytest.approx(17.0)
        return costs.vision_ms(1.0)

    assert after(4096, 80) == pytest.approx(3.0, rel=0.01)
    assert after(64, 80) == pytest.approx(CostModel().vision_ms(1.0), rel=0.3)
