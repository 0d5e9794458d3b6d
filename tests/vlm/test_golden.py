"""Parity with transformers: every stage of every golden case, in float32."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from kandong.vlm.request import Answer
from kandong.vlm.sampling import SamplingParameters
from tests.inspection import (
    CASES,
    CHECKPOINTS,
    MAX_LOGIT_DIFFERENCE,
    MIN_FEATURE_COSINE,
    cosine,
    golden_arrays,
    golden_engine,
    golden_request,
    inspect,
    plan_of,
)

WITH_PICTURES = [case for case in CASES if case != "text_only"]
every_checkpoint = pytest.mark.parametrize("checkpoint", CHECKPOINTS)
every_case = pytest.mark.parametrize("case", list(CASES))
NUM_GREEDY_TOKENS = 64


@every_checkpoint
@every_case
def test_token_ids_and_positions_equal_the_reference(checkpoint: str, case: str) -> None:
    reference = golden_arrays(checkpoint, case)
    plan = plan_of(golden_engine(checkpoint), golden_request(case))
    assert plan.token_ids == reference["input_ids"].tolist()
    np.testing.assert_array_equal(plan.positions, reference["position_ids"])
    assert plan.next_position == reference["position_ids"].max() + 1


@pytest.mark.parametrize("case", WITH_PICTURES)
def test_patches_are_bit_equal_to_the_pil_processor(case: str) -> None:
    reference = golden_arrays("tied", case)
    seen = inspect(golden_engine("tied"), golden_request(case), [0])
    assert [[1, p.grid_height, p.grid_width] for p in seen.patches] == reference["grid_thw"].tolist()
    np.testing.assert_array_equal(seen.patches[0].values[::17], reference["patches_sample"])
    digests = [hashlib.sha256(p.values.tobytes()).hexdigest() for p in seen.patches]
    assert digests == reference["patches_sha256"].tolist()


@every_checkpoint
@pytest.mark.parametrize("case", WITH_PICTURES)
def test_features_and_every_tap_match_the_reference(checkpoint: str, case: str) -> None:
    reference = golden_arrays(checkpoint, case)
    seen = inspect(golden_engine(checkpoint), golden_request(case), [0])
    assert seen.merged.shape == reference["merged"].shape
    assert cosine(seen.merged, reference["merged"]) >= MIN_FEATURE_COSINE
    assert seen.deepstack.shape == reference["deepstack"].shape
    for tap in range(len(seen.deepstack)):
        assert cosine(seen.deepstack[tap], reference["deepstack"][tap]) >= MIN_FEATURE_COSINE


@every_checkpoint
@every_case
def test_logits_match_the_reference(checkpoint: str, case: str) -> None:
    reference = golden_arrays(checkpoint, case)
    seen = inspect(golden_engine(checkpoint), golden_request(case), reference["logits_rows"].tolist())
    assert np.abs(seen.logits - reference["logits"]).max() <= MAX_LOGIT_DIFFERENCE


@every_checkpoint
@every_case
def test_greedy_tokens_equal_the_reference_and_repeat(checkpoint: str, case: str) -> None:
    reference = golden_arrays(checkpoint, case)["greedy"].tolist()
    assert len(reference) == NUM_GREEDY_TOKENS
    request = golden_request(case, SamplingParameters(max_tokens=NUM_GREEDY_TOKENS, ignore_eos=True))
    for _ in range(2):
        *_, answer = golden_engine(checkpoint).generate(request)
        assert isinstance(answer, Answer)
        assert list(answer.token_ids) == reference


@every_checkpoint
@pytest.mark.parametrize("case", ["large", "two_pictures", "multi_turn"])
@pytest.mark.parametrize("chunk_tokens", [1, 13, 32])
def test_prefill_in_chunks_equals_prefill_whole(checkpoint: str, case: str, chunk_tokens: int) -> None:
    engine, request = golden_engine(checkpoint), golden_request(case)
    plan = plan_of(engine, request)
    rows = list(range(len(plan.token_ids)))
    borders = range(chunk_tokens, len(rows), chunk_tokens)
    assert any(span.start < border < span.end for span in plan.spans for border in borders), "no border in a picture"
    whole = inspect(engine, request, rows).logits
    pieces = inspect(engine, request, rows, chunk_tokens).logits
    # Float32 sums in another order; logits reach 30.
    assert np.abs(whole - pieces).max() <= MAX_LOGIT_DIFFERENCE / 10


@every_checkpoint
def test_small_prefill_chunks_answer_alike(checkpoint: str) -> None:
    request = golden_request("two_pictures", SamplingParameters(max_tokens=NUM_GREEDY_TOKENS, ignore_eos=True))
    *_, answer = golden_engine(checkpoint, chunk_tokens=19).generate(request)
    assert isinstance(answer, Answer)
    assert list(answer.token_ids) == golden_arrays(checkpoint, "two_pictures")["greedy"].tolist()


@every_checkpoint
@every_case
def test_int8_logits_stay_close_to_the_reference(checkpoint: str, case: str) -> None:
    reference = golden_arrays(checkpoint, case)
    seen = inspect(golden_engine(checkpoint, "int8"), golden_request(case), reference["logits_rows"].tolist())
    assert cosine(seen.logits, reference["logits"]) >= 0.99
