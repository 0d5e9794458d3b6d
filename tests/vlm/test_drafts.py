"""Drafts copy what followed the same tokens elsewhere, pay or stop, and never change an answer."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kandong.vlm.drafts import LookupDrafter, VerifyCost, draft_within, verify_draft
from kandong.vlm.grammar import GrammarFactory, GrammarState
from kandong.vlm.sampling import Sampler, SamplingParameters
from tests.vlm.tokenizers import golden

BREAK = -1


def slow_continuation(tokens: list[int], min_ngram: int, max_ngram: int) -> list[int] | None:
    """Look at every place before the end, the way the index is meant to."""
    for n in range(max_ngram, min_ngram - 1, -1):
        tail = tokens[-n:]
        if len(tail) < n or BREAK in tail:
            continue
        places = [
            p
            for p in range(n, len(tokens))
            if tokens[p - n : p] == tail and BREAK not in (tokens[p], *tokens[p - n : p])
        ]
        if places:

            def match(place: int) -> int:
                length = 0
                while length < min(place, 32) and BREAK != tokens[-1 - length] == tokens[place - 1 - length]:
                    length += 1
                return length

            best = max(places[-8:], key=lambda p: (match(p), p))
            grown = list(tokens)
            copied: list[int] = []
            while len(copied) < 40 and grown[best + len(copied)] != BREAK:
                copied.append(grown[best + len(copied)])
                grown.append(copied[-1])
            return copied
    return None


@given(
    st.lists(st.lists(st.integers(0, 3), max_size=12), max_size=3),
    st.lists(st.integers(0, 3), max_size=25),
    st.lists(st.integers(0, 3), max_size=25),
    st.integers(1, 3),
    st.integers(0, 2),
)
@settings(max_examples=400, deadline=None)
def test_the_index_finds_what_a_search_of_everything_finds(
    sources: list[list[int]], prompt: list[int], answer: list[int], min_ngram: int, more: int
) -> None:
    drafter = LookupDrafter(sources, prompt, 15, min_ngram, min_ngram + more, excluded_ids={3})
    for token in answer:
        drafter.extend(token)
    tokens = [t for source in sources for t in (*source, BREAK)] + prompt + answer
    expected = slow_continuation([BREAK if t == 3 else t for t in tokens], min_ngram, min_ngram + more)
    draft = drafter.propose()
    assert len(draft) <= 15
    assert draft == (expected or [])[: len(draft)]
    assert bool(draft) == bool(expected)


def test_a_line_of_the_picture_is_copied_to_its_end() -> None:
    case = golden()
    line = case.encode("限时特价：原价 59 元，现价 39.9 元")
    drafter = LookupDrafter([line, case.encode("满三百减五十")], case.encode("图里写了什么？"))
    drafter.extend(case.encode("图里写着"))
    assert drafter.propose() == []
    drafter.extend(line[:4])
    copied = line[:4]
    while len(copied) < len(line):
        draft = drafter.propose()
        assert draft
        assert draft == line[len(copied) : len(copied) + len(draft)]
        drafter.report(len(draft), len(draft))
        drafter.extend(draft)
        copied += draft


def test_a_period_goes_on_beyond_its_end() -> None:
    drafter = LookupDrafter([], [], 8)
    drafter.extend([1, 2, 3, 1, 2, 3])
    drafter.report(0, 0)
    assert drafter.propose() == [1, 2, 3, 1, 2, 3, 1, 2][: len(drafter.propose())]
    assert len(drafter.propose()) > 3


def test_the_longer_match_wins_then_the_later_one() -> None:
    drafter = LookupDrafter([[9, 1, 2, 3, 50], [8, 1, 2, 3, 60]], [7, 1, 2, 3, 70])
    drafter.extend([9, 1, 2, 3])
    assert drafter.propose()[0] == 50
    drafter.extend([99, 2, 3])
    assert drafter.propose()[0] == 99, "the answer itself is the latest place"


def test_pictures_and_control_tokens_are_never_drafted() -> None:
    drafter = LookupDrafter([], [5, 6, 100, 100, 100, 5, 6], excluded_ids={100})
    assert drafter.propose() == []
    drafter.extend([100, 100, 100])
    assert drafter.propose() == []


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5, 0.75, 0.9, 0.98, 1.0])
def test_length_is_the_one_with_most_tokens_for_its_cost(rate: float) -> None:
    drafter, cost = LookupDrafter([], [], 15), VerifyCost()
    gains = [sum(rate**i for i in range(k + 1)) / cost.ratio(k + 1) for k in range(16)]
    chosen = drafter._best_length(rate)
    assert gains[chosen] == pytest.approx(max(gains)) or (chosen == 0 and max(gains) <= 1.02)


def test_cost_lies_on_lines_between_the_measured_points() -> None:
    cost = VerifyCost()
    assert [cost.ratio(n) for n in (1, 2, 4, 8, 16, 32)] == pytest.approx([1, 1.05, 1.15, 1.3, 1.8, 2.7])
    assert cost.ratio(12) == pytest.approx(1.55)
    assert cost.ratio(64) == pytest.approx(4.5)


def test_drafts_stop_where_they_are_wrong_and_dear_and_come_back_without_a_step() -> None:
    dear = VerifyCost(((1, 1.0), (2, 1.3), (4, 1.8), (16, 5.0)))
    drafter = LookupDrafter([], [], 8, cost=dear)

    def draft_after_the_pair(place: int, follower: int) -> int:
        """Write something new, a pair seen before and what follows it; gives the length of the draft."""
        drafter.extend([1_000 + place, 1, 2])
        draft = drafter.propose()
        drafter.report(len(draft), int(draft[:1] == [follower]))
        drafter.extend([follower, 5_000 + place])
        return len(draft)

    never_right = [draft_after_the_pair(place, 10_000 + place) for place in range(40)]
    assert never_right[1] >= 1
    assert never_right[10:] == [0] * 30
    right_again = [draft_after_the_pair(100 + place, 3) for place in range(10)]
    assert right_again[0] == 0
    assert right_again[-1] >= 1


def test_only_kept_tokens_count_for_the_estimate() -> None:
    drafter = LookupDrafter([[1, 2, 3, 4, 5, 6]], [1, 2])
    before = len(drafter.propose())
    drafter.keep(0)
    drafter.report(9, 0)
    assert len(drafter.propose()) == before
    drafter.report(before, 0)
    assert len(drafter.propose()) < before


def test_a_long_answer_of_few_words_costs_the_same_at_its_end() -> None:
    drafter, random = LookupDrafter([], []), np.random.default_rng(0)
    times = []
    for _ in range(8):
        tokens = random.integers(0, 5, 2_500).tolist()
        started = time.perf_counter()
        for token in tokens:
            drafter.extend(token)
            drafter.propose()
        times.append(time.perf_counter() - started)
    assert min(times[4:]) < 3 * min(times[:4])


class Model:
    """A stand-in with a memory: logits follow from the last three tokens, so a wrong row shows at once."""

    def __init__(self, vocab_size: int, seed: int) -> None:
        self._vocab_size, self._seed = vocab_size, seed

    def rows(self, context: list[int], draft: Sequence[int]) -> NDArray[np.float32]:
        every = [context + list(draft[:i]) for i in range(len(draft) + 1)]
        made = [np.random.default_rng([self._seed, *c[-3:]]).standard_normal(self._vocab_size) * 2 for c in every]
        return np.stack(made).astype(np.float32)


def decode(
    model: Model, parameters: SamplingParameters, grammar: GrammarState | None, draft_seed: int | None, num_tokens: int
) -> list[int]:
    """Decode with half-right random drafts, or without any (``draft_seed`` None)."""
    sampler, tokens = Sampler(parameters, [1, 2]), [1, 2, 3]
    random = np.random.default_rng(draft_seed)
    reference = decode(model, parameters, grammar.copy() if grammar else None, None, num_tokens) if draft_seed else []
    while len(tokens) < 3 + num_tokens and not (grammar and grammar.is_complete):
        draft: list[int] = []
        if draft_seed:
            right = reference[len(tokens) - 3 :][: int(random.integers(0, 6))]
            draft = [t if random.random() < 0.8 else int(random.integers(0, 300)) for t in right]
            draft += random.integers(0, 300, 2).tolist()
        tokens += verify_draft(sampler, model.rows(tokens, draft), draft, grammar)
    return tokens[3 : 3 + num_tokens]


PARAMETERS = [
    SamplingParameters(),
    SamplingParameters(presence_penalty=1.5, frequency_penalty=0.7),
    SamplingParameters(repetition_penalty=1.3, logit_bias=((5, 2.0), (9, -100.0))),
    SamplingParameters(temperature=0.8, seed=4),
    SamplingParameters(temperature=1.5, top_k=20, top_p=0.9, seed=5, presence_penalty=1.0, repetition_penalty=1.2),
]


@pytest.mark.parametrize("parameters", PARAMETERS)
@pytest.mark.parametrize("is_constrained", [False, True])
def test_drafted_answers_equal_undrafted_ones(parameters: SamplingParameters, is_constrained: bool) -> None:
    case = golden()
    factory = GrammarFactory(lambda: case.specification, case.eos_ids, case.vocab_size)
    schema = {"type": "array", "items": {"enum": ["价格", "price", 39.9, None]}, "minItems": 4, "maxItems": 9}
    for seed in range(1, 4):
        model = Model(case.vocab_size, seed)
        grammars = [factory.compile_json_schema(schema).start() if is_constrained else None for _ in range(2)]
        plain = decode(model, parameters, grammars[0], None, 60)
        assert decode(model, parameters, grammars[1], 10 + seed, 60) == plain
        if is_constrained:
            assert set(json.loads(case.decode(plain))) <= {"价格", "price", 39.9, None}


def test_sampled_drafts_keep_the_distribution() -> None:
    rows = np.array([[1.0, 0.2, -0.5, 0.7], [0.0, 1.5, 0.3, -1.0], [2.0, 0.0, 0.0, 0.0]], np.float32)
    draft, temperature, penalty = [0, 1], 0.9, 0.8
    num_draws = 12_000
    counts = np.zeros((4, 4))
    for seed in range(num_draws):
        parameters = SamplingParameters(temperature=temperature, seed=seed, presence_penalty=penalty)
        tokens = verify_draft(Sampler(parameters, []), rows, draft)
        if len(tokens) == 1:
            # What comes after a rejected draft is drawn in a later step, from other logits: not counted here.
            counts[tokens[0]] += 0.25
        else:
            counts[tokens[0], tokens[1]] += 1
        assert len(tokens) == 3 or tokens[-1] != draft[len(tokens) - 1]
    first = np.exp(rows[0].astype(np.float64) / temperature)
    first /= first.sum()
    second = np.exp((rows[1] - penalty * np.array([1, 0, 0, 0])).astype(np.float64) / temperature)
    second /= second.sum()
    by_first = num_draws * first
    by_second = by_first[0] * second
    squares = [*((counts.sum(1) - by_first) ** 2 / by_first), *((counts[0] - by_second) ** 2 / by_second)]
    # Chi-square with 3 + 3 degrees of freedom exceeds 22.5 once in a thousand; the seeds are fixed.
    assert sum(squares) < 22.5


def test_verification_ends_at_an_end_token_even_if_it_was_drafted() -> None:
    rows = np.eye(4, dtype=np.float32)
    assert verify_draft(Sampler(SamplingParameters(), []), rows, [0, 1, 2], end_ids={1}) == [0, 1]
    assert verify_draft(Sampler(SamplingParameters(), []), rows, [0, 1, 2]) == [0, 1, 2, 3]
    assert verify_draft(Sampler(SamplingParameters(), []), rows, [0, 3, 2]) == [0, 1]
    assert verify_draft(Sampler(SamplingParameters(), []), rows[:1], []) == [0]


def test_a_draft_within_a_grammar_is_valid_and_goes_on_with_what_is_forced() -> None:
    case = golden()
    factory = GrammarFactory(lambda: case.specification, case.eos_ids, case.vocab_size)
    properties = {"name": {"type": "string"}, "价格": {"type": "string"}}
    state = factory.compile_json_schema(
        {"type": "object", "properties": properties, "required": list(properties)}
    ).start()
    source = case.encode('限时特价"')
    drafter = LookupDrafter([source], [])
    for token in [*state.forced_tokens(), *source[:4]]:
        state.accept(token)
        drafter.extend(token)
    draft = draft_within(drafter, state, 60)
    assert state.num_valid(draft) == len(draft)
    assert draft[: len(source) - 4] == source[4:]
    assert case.decode(draft[len(source) - 4 :]) == ',"价格":"'
    assert draft_within(drafter, state, 2) == draft[:2]
    prose = case.encode('{"name":5')
    drafter.extend(prose)
    assert draft_within(LookupDrafter([[1, 2, 3]], [1, 2]), None, 1) == [3]
