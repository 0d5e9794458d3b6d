"""Answers of a given form: all that the mask lets through is valid, and what is forced is what would be written."""

from __future__ import annotations

import json
import re

import jsonschema
import numpy as np
import pytest

from bench.decoding import ANSWERS, OFFER_SCHEMA, answer_text
from kandong.errors import GrammarError, KandongError
from kandong.vlm.grammar import CompiledGrammar, GrammarFactory, GrammarState
from tests.repetitions import repetitions
from tests.vlm.random_schemas import SchemaMaker
from tests.vlm.tokenizers import CASES, TokenizerCase

NUM_SCHEMAS = {"golden": repetitions(400, 1_000), "miniature": repetitions(60, 150), "qwen": repetitions(60, 150)}
MAX_WALK_TOKENS = 400
Workshop = tuple[TokenizerCase, GrammarFactory]


@pytest.fixture(scope="module", params=list(CASES))
def workshop(request: pytest.FixtureRequest) -> Workshop:
    case = CASES[request.param]()
    return case, GrammarFactory(lambda: case.specification, case.eos_ids, case.vocab_size)


@pytest.fixture(scope="module")
def small() -> Workshop:
    case = CASES["golden"]()
    return case, GrammarFactory(lambda: case.specification, case.eos_ids, case.vocab_size)


def walk(case: TokenizerCase, grammar: CompiledGrammar, random: np.random.Generator) -> list[int] | None:
    """Draw allowed tokens until the answer is complete, later ones rather such that close it; None if it never is."""
    state = grammar.start()
    tokens: list[int] = []
    closing = [*case.eos_ids, *(case.encode(char)[0] for char in '"}]')]
    control = np.array(sorted(case.control_ids - set(case.eos_ids)))
    while len(tokens) < MAX_WALK_TOKENS:
        allowed = state.allowed()
        assert not allowed[control].any()
        assert allowed[list(case.eos_ids)].tolist() == [state.can_stop] * len(case.eos_ids)
        closers = [token for token in closing if allowed[token]] if len(tokens) > 50 else []
        is_closing = bool(closers) and random.random() < 0.7
        tokens.append(closers[0] if is_closing else int(random.choice(np.flatnonzero(allowed))))
        state.accept(tokens[-1])
        if state.is_complete:
            return tokens
    return None


def test_random_schemas_compile_and_every_walk_through_the_mask_validates(workshop: Workshop) -> None:
    case, factory = workshop
    maker, random = SchemaMaker(11), np.random.default_rng(11)
    num_compiled = num_done = 0
    for _ in range(NUM_SCHEMAS[case.name]):
        schema = maker.root()
        try:
            grammar = factory.compile_json_schema(schema)
        except KandongError:
            continue
        num_compiled += 1
        if (tokens := walk(case, grammar, random)) is None:
            continue
        num_done += 1
        text = case.decode(tokens)
        jsonschema.Draft202012Validator(schema).validate(json.loads(text))
        replay(case, grammar, text)
    assert num_compiled >= 0.95 * NUM_SCHEMAS[case.name]
    assert num_done >= 0.95 * num_compiled


def replay(case: TokenizerCase, grammar: CompiledGrammar, text: str) -> tuple[int, int]:
    """Write a text as the tokenizer cuts it; gives how many tokens were forced, and how many had to be chosen."""
    ids = case.encode(text)
    if case.decode(ids) != text:  # not in the tokenizer's normal form
        return 0, 0
    state, place, num_forced, num_chosen = grammar.start(), 0, 0, 0
    assert state.num_valid(ids) == len(ids)
    while place < len(ids):
        forced = state.forced_tokens()
        assert forced == ids[place : place + len(forced)]
        for token in forced:
            state.accept(token)
        place += len(forced)
        num_forced += len(forced)
        if place < len(ids):
            state.accept(ids[place])
            place += 1
            num_chosen += 1
    assert state.can_stop
    return num_forced, num_chosen


def test_a_third_of_a_twelve_field_object_is_forced(workshop: Workshop) -> None:
    case, factory = workshop
    text = answer_text(ANSWERS["a poster"])
    num_forced, num_chosen = replay(case, factory.compile_json_schema(OFFER_SCHEMA), text)
    assert num_forced / (num_forced + num_chosen) >= 1 / 3
    assert (num_forced + num_chosen) / num_chosen >= 1.5


@pytest.mark.parametrize(
    ("value", "is_certain"),
    [
        ({"type": "boolean"}, True),
        ({"type": ["number", "null"], "minimum": 0}, True),
        ({"enum": [7, None, True]}, True),
        ({"type": "number"}, False),  # ":-
        ({"type": ["string", "null"]}, False),  # ":"
        ({"type": ["array", "boolean"]}, False),  # ":[
    ],
)
def test_marks_before_a_value_are_forced_where_no_value_merges_with_them(
    value: dict[str, object], is_certain: bool
) -> None:
    case = CASES["qwen"]()
    factory = GrammarFactory(lambda: case.specification, case.eos_ids, case.vocab_size)
    schema = {"type": "object", "properties": {"price": value}, "required": ["price"], "additionalProperties": False}
    state = factory.compile_json_schema(schema).start()
    assert case.decode(state.forced_tokens()) == ('{"price":' if is_certain else '{"price')
    assert case.decode(state.likely_tokens()) == '{"price":'
    assert case.decode(state.forced_tokens(2)) == '{"price'


def test_likely_tokens_add_the_end_that_may_still_merge(workshop: Workshop) -> None:
    case, factory = workshop
    state = factory.compile_json_schema(
        {"type": "object", "properties": {"价格": {"type": "string"}}, "required": ["价格"]}
    ).start()
    forced, likely = state.forced_tokens(), state.likely_tokens()
    assert likely[: len(forced)] == forced
    assert case.decode(likely) == '{"价格":"'
    assert state.likely_tokens(2) == likely[:2]


def test_text_that_looks_like_a_control_token_is_written_in_ordinary_ones(workshop: Workshop) -> None:
    case, factory = workshop
    state = factory.compile_choice(["<|im_end|><think>"]).start()
    forced = state.forced_tokens()
    assert not case.control_ids.intersection(forced)
    assert case.decode(forced) == "<|im_end|><think>"


def test_a_choice_may_begin_another(workshop: Workshop) -> None:
    case, factory = workshop
    state = factory.compile_choice(["是", "是的"]).start()
    for token in case.encode("是"):
        state.accept(token)
    assert state.can_stop
    assert not state.is_complete
    ended = state.copy()
    ended.accept(case.eos_ids[0])
    assert ended.copy().is_complete
    for token in state.copy().forced_tokens() or case.encode("的"):
        state.accept(token)
    assert state.is_complete


CHOICES = ['a"b', "c\\d", "e\nf", "{x}", "g/h", "$[0-9]+", "🙂", "%y"]


def test_choices_are_texts_not_patterns(small: Workshop) -> None:
    case, factory = small
    grammar = factory.compile_choice(CHOICES)
    for choice in CHOICES:
        replay(case, grammar, choice)
    for other in ("$5", "e\\nf", "a", "a'b", "🙂🙂"):
        state, ids = grammar.start(), case.encode(other)
        assert state.num_valid([*ids, case.eos_ids[0]]) <= len(ids)


def test_a_pattern_holds_for_the_whole_answer(small: Workshop) -> None:
    case, factory = small
    pattern = r"(￥|¥)\d{1,4}(\.\d{2})?元?"
    grammar, random = factory.compile_regex(pattern), np.random.default_rng(5)
    for _ in range(30):
        tokens = walk(case, grammar, random)
        assert tokens is not None
        assert re.fullmatch(pattern, case.decode(tokens))


@pytest.mark.parametrize(
    ("pattern", "text"), [("a/b", "a/b"), ('x"|\\n#', 'x"'), ("a\nb", "a\nb"), ("//i", "//i"), (r"\/", "/")]
)
def test_slashes_quotes_and_line_ends_stay_part_of_the_pattern(small: Workshop, pattern: str, text: str) -> None:
    case, factory = small
    state = factory.compile_regex(pattern).start()
    assert state.num_valid([*case.encode(text), case.eos_ids[0]]) == len(case.encode(text)) + 1


def test_any_object_is_compact_json(small: Workshop) -> None:
    case, factory = small
    grammar = factory.compile_json_object()
    assert isinstance(json.loads(case.decode(walk(case, grammar, np.random.default_rng(3)) or [])), dict)
    state = grammar.start()
    assert state.num_valid(case.encode("[1]")) == 0
    assert case.decode(case.encode('{"a": 1}')[: state.num_valid(case.encode('{"a": 1}'))]) == '{"a":'


def test_an_accent_that_the_tokenizer_would_merge_is_left_to_the_mask(workshop: Workshop) -> None:
    _, factory = workshop
    state = factory.compile_choice(["e\u0301clair"]).start()
    for token in state.forced_tokens():
        state.accept(token)
    assert state.num_valid(state.likely_tokens()) == len(state.likely_tokens())


def bookkeeping_state(small: Workshop) -> tuple[TokenizerCase, GrammarState]:
    case, factory = small
    return case, factory.compile_json_schema({"type": "array", "items": {"type": "integer"}, "maxItems": 3}).start()


def test_masks_for_a_draft_are_those_of_going_step_by_step(small: Workshop) -> None:
    case, state = bookkeeping_state(small)
    draft = [*case.encode("[1,23]"), case.eos_ids[0], 5]
    masks = state.masks_for_draft(draft)
    assert state.num_valid(draft) == len(draft) - 1
    slow = state.copy()
    for mask, token in zip(masks, draft[:-1], strict=False):
        np.testing.assert_array_equal(mask, slow.allowed())
        slow.accept(token)
    assert len(masks) == len(draft)
    assert np.flatnonzero(masks[-1]).tolist() == sorted(case.eos_ids)
    wrong = case.encode("[1]x2")
    assert len(state.masks_for_draft(wrong)) == state.num_valid(wrong) + 1 == 4
    assert state.num_valid(draft) == len(draft) - 1, "looking ahead changed the state"


def test_rollback_takes_tokens_and_the_end_back(small: Workshop) -> None:
    case, state = bookkeeping_state(small)
    masks = []
    ids = [*case.encode("[4,5]"), case.eos_ids[1]]
    for token in ids:
        masks.append(state.allowed())
        state.accept(token)
    assert state.is_complete
    assert state.num_valid(ids) == 0
    for num_left in range(len(ids) - 1, 0, -1):
        state.rollback(1)
        np.testing.assert_array_equal(state.allowed(), masks[num_left])
    state.rollback(0)
    np.testing.assert_array_equal(state.allowed(), masks[1])
    state.rollback(1)
    with pytest.raises(KandongError):
        state.rollback(1)


def test_a_token_that_is_not_allowed_is_refused_and_changes_nothing(small: Workshop) -> None:
    case, state = bookkeeping_state(small)
    before = state.allowed()
    for token in (case.encode("x")[0], case.eos_ids[0], min(case.control_ids)):
        with pytest.raises(KandongError, match="does not allow"):
            state.accept(token)
    np.testing.assert_array_equal(state.allowed(), before)


def test_mask_is_put_on_logits_in_place(small: Workshop) -> None:
    case, state = bookkeeping_state(small)
    logits = np.zeros(case.vocab_size, np.float32)
    state.apply_mask(logits)
    np.testing.assert_array_equal(np.isfinite(logits), state.allowed())
    assert case.decode(np.flatnonzero(np.isfinite(logits)).tolist()) == "["


def test_states_of_one_grammar_are_independent_and_compiling_again_is_free(small: Workshop) -> None:
    case, factory = small
    grammar = factory.compile_choice(["ab", "ac"])
    assert factory.compile_choice(["ab", "ac", "ab"]) is grammar
    first, second = grammar.start(), grammar.start()
    first.accept(case.encode("a")[0])
    third = first.copy()
    first.accept(case.encode("b")[0])
    assert first.is_complete
    assert not second.is_complete
    assert not third.is_complete
    assert second.num_valid(case.encode("ac")) == 2


def test_an_answer_that_fills_the_limits_fails_alone(small: Workshop) -> None:
    case, factory = small
    grammar = factory.compile_regex("(a|b)*a(a|b){200}c")
    letters, random = [case.encode("a")[0], case.encode("b")[0]], np.random.default_rng(0)

    def write(num_tokens: int) -> None:
        state = grammar.start()
        for token in random.choice(letters, num_tokens):
            assert state.allowed()[token]
            state.accept(int(token))

    with pytest.raises(GrammarError, match="too much work") as caught:
        write(60_000)
    assert caught.value.field == "response_format"
    write(100)
