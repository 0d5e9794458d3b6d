"""Forced tokens, drafts and verification on the real graph give what one token at a time gives."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kandong.vlm.decoder import Chunk
from kandong.vlm.drafts import LookupDrafter, draft_within, verify_draft
from kandong.vlm.grammar import CompiledGrammar, GrammarFactory
from kandong.vlm.kvcache import num_blocks_for
from kandong.vlm.sampling import Sampler, SamplingParameters
from tests.inspection import GOLDEN, golden_engine

PROMPT = "这张图里的价格是多少？限时特价，原价 59 元，现价 39.9 元。"
MAX_TOKENS = 120
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "价格": {"type": ["integer", "null"], "minimum": 0, "maximum": 999},
        "name": {"type": "string", "maxLength": 6},
        "kind": {"enum": ["限时特价", "满三百减五十", None]},
        "is_ad": {"type": "boolean"},
    },
    "required": ["价格", "name", "kind", "is_ad"],
    "additionalProperties": False,
}


class Sequence:
    """One answer on the golden model; the cache holds all its tokens but the last."""

    def __init__(self) -> None:
        self._engine = golden_engine("tied")
        self.tokens = self._engine.prompts.encode_text(PROMPT)
        self._num_cached = 0
        self.num_steps = 0
        self._blocks = self._engine.decoder.cache.allocate(num_blocks_for(len(self.tokens) + MAX_TOKENS + 64))

    def logits(self, draft: list[int]) -> NDArray[np.float32]:
        """Run what the cache has not yet, and a draft; gives a row before each drafted token and one after."""
        fresh = self.tokens[self._num_cached :] + draft
        positions = np.tile(np.arange(self._num_cached, self._num_cached + len(fresh)), (3, 1))
        rows = range(len(fresh) - 1 - len(draft), len(fresh))
        logits = self._engine.decoder.run([Chunk(fresh, positions, self._num_cached, self._blocks, rows)])
        # What a rejected draft left in the cache is written over by the next step.
        self._num_cached = len(self.tokens)
        self.num_steps += 1
        return logits

    def close(self) -> None:
        self._engine.decoder.cache.release(self._blocks)


def one_by_one(parameters: SamplingParameters, grammar: CompiledGrammar | None) -> list[int]:
    """The slow twin: a step for each token that the grammar does not force."""
    sequence, state = Sequence(), grammar.start() if grammar else None
    prompt_length = len(sequence.tokens)
    sampler = Sampler(parameters, sequence.tokens)
    while len(sequence.tokens) < prompt_length + MAX_TOKENS and not (state and state.is_complete):
        forced = state.forced_tokens() if state else []
        if forced and state:
            state.accept(forced[0])
            sampler.observe(forced[0])
            sequence.tokens.append(forced[0])
            continue
        token = sampler.choose(sequence.logits([])[0], state)
        if state:
            state.accept(token)
        sequence.tokens.append(token)
    sequence.close()
    return sequence.tokens[prompt_length : prompt_length + MAX_TOKENS]


def drafted(parameters: SamplingParameters, grammar: CompiledGrammar | None) -> tuple[list[int], int]:
    """The way an engine goes; gives the answer and its steps."""
    sequence, state = Sequence(), grammar.start() if grammar else None
    prompt_length = len(sequence.tokens)
    sampler = Sampler(parameters, sequence.tokens)
    drafter = LookupDrafter([sequence.tokens], sequence.tokens)
    while len(sequence.tokens) < prompt_length + MAX_TOKENS and not (state and state.is_complete):
        forced = state.forced_tokens() if state else []
        for token in forced:
            assert state is not None
            state.accept(token)
            sampler.observe(token)
        sequence.tokens += forced
        drafter.extend(forced)
        if state and state.is_complete:
            break
        draft = draft_within(drafter, state, 15)
        tokens = verify_draft(sampler, sequence.logits(draft), draft, state)
        drafter.report(len(draft), len(tokens) - 1)
        sequence.tokens += tokens
        drafter.extend(tokens)
    sequence.close()
    return sequence.tokens[prompt_length : prompt_length + MAX_TOKENS], sequence.num_steps


@pytest.mark.parametrize(
    "options",
    [{}, {"presence_penalty": 1.0, "frequency_penalty": 0.3}, {"temperature": 0.9, "seed": 3, "top_p": 0.9}],
    ids=["greedy", "penalties", "sampled"],
)
@pytest.mark.parametrize("is_constrained", [False, True])
def test_drafted_answers_of_the_real_graph_equal_undrafted_ones(options: dict[str, Any], is_constrained: bool) -> None:
    engine = golden_engine("tied")
    factory = GrammarFactory.from_folder(GOLDEN / "tied", engine.config)
    grammar = factory.compile_json_schema(SCHEMA) if is_constrained else None
    parameters = SamplingParameters.from_options(options)
    plain = one_by_one(parameters, grammar)
    tokens, num_steps = drafted(parameters, grammar)
    assert tokens == plain
    assert num_steps <= len(tokens)
    if is_constrained:
        assert list(json.loads(engine.prompts.decode(tokens))) == list(SCHEMA["properties"])
        assert num_steps < len(tokens) / 2
