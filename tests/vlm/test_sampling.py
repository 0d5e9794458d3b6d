"""Sampling against slow definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kandong.errors import InputError
from kandong.vlm.sampling import Sampler, SamplingParameters, distribution

LOGITS = np.array([1.0, 3.0, 2.0, -1.0, 0.5], np.float32)


def slow_distribution(scores: list[float], temperature: float, top_k: int | None, top_p: float) -> dict[int, float]:
    order = sorted(range(len(scores)), key=lambda i: -scores[i])[:top_k]
    weights = [math.exp((scores[i] - scores[order[0]]) / temperature) for i in order]
    kept, mass = {}, 0.0
    for i, weight in zip(order, weights, strict=True):
        if mass / sum(weights) >= top_p:
            break
        kept[i] = weight
        mass += weight
    return {i: weight / mass for i, weight in kept.items()}


@given(
    st.lists(st.integers(-40, 40), min_size=1, max_size=30, unique=True),
    st.floats(0.2, 2.0),
    st.one_of(st.none(), st.integers(1, 40)),
    st.floats(0.05, 1.0),
)
@settings(max_examples=300, deadline=None)
def test_distribution_equals_its_slow_twin(
    tenths: list[int], temperature: float, top_k: int | None, top_p: float
) -> None:
    scores = (np.array(tenths) / 10).astype(np.float32)
    ids, probabilities = distribution(scores, SamplingParameters(temperature=temperature, top_k=top_k, top_p=top_p))
    slow = slow_distribution([float(s) for s in scores], temperature, top_k, top_p)
    assert probabilities.sum() == pytest.approx(1)
    found = dict(zip(ids.tolist(), probabilities.tolist(), strict=True))
    for i in found.keys() | slow.keys():
        # At a border a rounding may keep one candidate more; it then has little weight or ties with the border.
        if i in found and i in slow and len(found) == len(slow):
            assert found[i] == pytest.approx(slow[i], abs=1e-6)
    assert abs(len(found) - len(slow)) <= 1


def test_greedy_takes_the_likeliest() -> None:
    assert Sampler(SamplingParameters(), []).choose(LOGITS) == 1


def test_same_seed_repeats_and_other_seeds_differ() -> None:
    def draw(seed: int) -> list[int]:
        sampler = Sampler(SamplingParameters(temperature=1.0, seed=seed), [])
        return [sampler.choose(LOGITS) for _ in range(40)]

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_drawn_frequencies_follow_the_probabilities() -> None:
    sampler = Sampler(SamplingParameters(temperature=0.7, seed=3), [])
    counts = np.bincount([sampler.choose(LOGITS) for _ in range(20_000)], minlength=5) / 20_000
    expected = np.exp(LOGITS.astype(np.float64) / 0.7)
    np.testing.assert_allclose(counts, expected / expected.sum(), atol=0.015)


def test_presence_penalty_lowers_only_what_was_generated() -> None:
    sampler = Sampler(SamplingParameters(presence_penalty=1.5), [1, 2])
    assert [sampler.choose(LOGITS) for _ in range(3)] == [1, 2, 1]


def test_repetition_penalty_lowers_the_prompt_too() -> None:
    sampler = Sampler(SamplingParameters(repetition_penalty=2.0), [1])
    assert sampler.choose(LOGITS) == 2
    negative = np.array([-1.0, -1.5], np.float32)
    assert Sampler(SamplingParameters(repetition_penalty=2.0), [0]).choose(negative) == 1


def test_penalties_do_not_change_the_callers_logits() -> None:
    logits = LOGITS.copy()
    sampler = Sampler(SamplingParameters(presence_penalty=1.0, repetition_penalty=1.3), [0, 1])
    sampler.choose(logits)
    sampler.choose(logits)
    np.testing.assert_array_equal(logits, LOGITS)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_tokens", 0),
        ("max_tokens", 1.5),
        ("max_tokens", True),
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", math.nan),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("top_k", 0),
        ("presence_penalty", 2.5),
        ("repetition_penalty", 0.0),
        ("seed", -1),
        ("stop", ("",)),
        ("stop", ("x" * 300,)),
        ("stop", ("x",) * 17),
        ("stop", (5,)),
    ],
)
def test_value_out_of_range_names_the_field(field: str, value: object) -> None:
    with pytest.raises(InputError) as caught:
        SamplingParameters.from_options({field: value})
    assert field in caught.value.message or caught.value.field == field


@pytest.mark.parametrize(("given", "taken"), [("元", ("元",)), (["a", "b"], ("a", "b")), (None, ()), ((), ())])
def test_stop_may_be_one_string_or_several(given: object, taken: tuple[str, ...]) -> None:
    assert SamplingParameters.from_options({"stop": given}).stop == taken


def test_unknown_option_names_itself_and_the_known_ones() -> None:
    with pytest.raises(InputError, match="temprature") as caught:
        SamplingParameters.from_options({"temprature": 1})
    assert "temperature" in (caught.value.hint or "")
