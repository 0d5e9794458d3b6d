"""Frequency penalty, bias, log-probabilities and constraints of the sampler against slow definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kandong.errors import InputError
from kandong.vlm.sampling import Sampler, SamplingParameters, distribution, token_logprob

LOGITS = np.array([1.0, 3.0, 2.0, -1.0, 0.5], np.float32)


class Only:
    """A constraint that allows some tokens."""

    def __init__(self, *allowed: int) -> None:
        self._allowed = allowed

    def apply_mask(self, logits: NDArray[np.float32]) -> None:
        logits[[i for i in range(len(logits)) if i not in self._allowed]] = -np.inf


def test_frequency_penalty_grows_with_each_use_and_presence_does_not() -> None:
    logits = np.array([3.0, 0.0, 1.0], np.float32)
    sampler = Sampler(SamplingParameters(frequency_penalty=0.9), [0, 0, 0])
    assert [sampler.choose(logits) for _ in range(6)] == [0, 0, 0, 2, 0, 2]
    sampler = Sampler(SamplingParameters(presence_penalty=0.9), [0, 0, 0])
    assert [sampler.choose(logits) for _ in range(6)] == [0] * 6


def test_forced_tokens_count_for_penalties() -> None:
    sampler = Sampler(SamplingParameters(frequency_penalty=1.5), [])
    sampler.observe(1)
    sampler.observe(1)
    assert sampler.choose(LOGITS) == 2


def test_bias_moves_a_token_and_minus_a_hundred_bans_it() -> None:
    assert Sampler(SamplingParameters.from_options({"logit_bias": {"3": 10, "1": -1}}), []).choose(LOGITS) == 3
    sampler = Sampler(SamplingParameters(logit_bias=((1, -100.0),), temperature=2.0, seed=1), [])
    assert 1 not in {sampler.choose(LOGITS) for _ in range(2_000)}


@pytest.mark.parametrize(
    "bias", [{"x": 1}, {"1": 101}, {"1": "2"}, {"-1": 1}, {"1": math.nan}, {1.5: 1}, 5, [1], [(1, 2, 3)], {True: 1}]
)
def test_a_bias_that_is_none_is_refused(bias: Any) -> None:
    with pytest.raises(InputError) as caught:
        SamplingParameters.from_options({"logit_bias": bias})
    assert caught.value.field == "logit_bias"


def test_too_many_biases_and_tokens_that_the_model_has_not_are_refused() -> None:
    with pytest.raises(InputError, match="1,025"):
        SamplingParameters(logit_bias=tuple((i, 1.0) for i in range(1_025)))
    parameters = SamplingParameters(logit_bias=((4, 1.0),))
    parameters.check_vocabulary(5)
    with pytest.raises(InputError, match="no token 4"):
        parameters.check_vocabulary(4)


@pytest.mark.parametrize("options", [{"top_logprobs": 21}, {"top_logprobs": 1.0}, {"frequency_penalty": 2.1}])
def test_extras_out_of_range_name_themselves(options: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        SamplingParameters.from_options(options)
    assert caught.value.field in options


@given(st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=40), st.integers(0, 20), st.integers(0, 39))
@settings(max_examples=200, deadline=None)
def test_logprobs_equal_their_slow_twin(values: list[float], num_top: int, place: int) -> None:
    token = place % len(values)
    slow = [v - max(values) - math.log(sum(math.exp(w - max(values)) for w in values)) for v in values]
    found = token_logprob(np.array(values, np.float32), token, num_top)
    assert found.token == token
    assert found.logprob == pytest.approx(slow[token], abs=1e-5)
    likeliest = sorted(range(len(values)), key=lambda i: (-values[i], i))[:num_top]
    assert len(found.top) == len(likeliest)
    assert [p for _, p in found.top] == pytest.approx([slow[i] for i in likeliest], abs=1e-5)


def test_logprobs_are_of_the_models_own_distribution() -> None:
    parameters = SamplingParameters(
        temperature=0.5, seed=0, presence_penalty=2.0, logit_bias=((4, 50.0),), top_logprobs=2
    )
    sampler = Sampler(parameters, [])
    assert sampler.choose(LOGITS, Only(0, 4)) == 4
    sampler.observe(2)
    chosen, forced = sampler.logprobs
    assert chosen == token_logprob(LOGITS, 4, 2)
    assert [token for token, _ in chosen.top] == [1, 2]
    assert (forced.token, forced.logprob, forced.top) == (2, None, ())
    silent = Sampler(SamplingParameters(), [])
    silent.choose(LOGITS)
    assert silent.logprobs == []


def test_a_constraint_wins_over_everything_and_leaves_the_logits_alone() -> None:
    before = LOGITS.copy()
    for parameters in (
        SamplingParameters(),
        SamplingParameters(temperature=1.0, seed=2, top_k=1),
        SamplingParameters(temperature=1.0, seed=2, top_p=0.5),
        SamplingParameters(repetition_penalty=0.5, presence_penalty=-2.0, logit_bias=((1, 100.0),)),
    ):
        sampler = Sampler(parameters, [1])
        assert {sampler.choose(LOGITS, Only(0, 3)) for _ in range(20)} <= {0, 3}
    np.testing.assert_array_equal(LOGITS, before)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 3.0])
def test_the_head_of_a_large_vocabulary_is_found_without_sorting_all(temperature: float) -> None:
    scores = np.random.default_rng(2).standard_normal(20_000).astype(np.float32) * 2
    scores[::3] = -np.inf
    parameters = SamplingParameters(temperature=min(temperature, 2.0), top_p=0.9)
    ids, probabilities = distribution(scores, parameters)
    everything = np.exp(scores.astype(np.float64) / parameters.temperature)
    everything /= everything.sum()
    order = np.argsort(-scores, kind="stable")
    num_kept = int(np.searchsorted(np.cumsum(everything[order]), 0.9)) + 1
    np.testing.assert_array_equal(ids, order[:num_kept])
    np.testing.assert_allclose(probabilities, everything[ids] / everything[ids].sum())
