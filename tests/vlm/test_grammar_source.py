"""What cannot be enforced, or costs too much, is refused with its place and a remedy, and soon."""

from __future__ import annotations

import contextlib
import copy
import math
import random
import time
from typing import Any

import pytest

from kandong.errors import GrammarError
from kandong.vlm.grammar import GrammarFactory
from kandong.vlm.grammar_source import MAX_PATTERN_REPEATS, check_pattern, property_openings
from tests.vlm.random_schemas import SchemaMaker
from tests.vlm.tokenizers import golden

TEXT = {"type": "string"}


@pytest.fixture(scope="module")
def factory() -> GrammarFactory:
    case = golden()
    return GrammarFactory(lambda: case.specification, case.eos_ids, case.vocab_size)


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = TEXT
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


def chain(keyword: str, num_links: int) -> dict[str, Any]:
    """Definitions of which each holds the next one twice: exponential for whoever unfolds them."""
    defs: dict[str, Any] = {
        f"d{i}": {keyword: [{"$ref": f"#/$defs/d{i + 1}"}, {"$ref": f"#/$defs/d{i + 1}"}]} for i in range(num_links)
    }
    return {"$defs": defs | {f"d{num_links}": TEXT}, "$ref": "#/$defs/d0"}


def crossed(num_factors: int) -> dict[str, Any]:
    branches = [
        {"anyOf": [{"type": "object", "properties": {f"k{i}_{j}": TEXT}} for j in range(6)]} for i in range(num_factors)
    ]
    return {"allOf": branches}


UNSUPPORTED: list[tuple[Any, str]] = [
    (
        {"type": "object", "properties": {"tags": {"type": "array", "uniqueItems": True}}},
        "#/properties/tags/uniqueItems",
    ),
    ({"not": TEXT}, "#/not"),
    (False, "#/not"),
    ({"anyOf": [TEXT, {"if": TEXT, "then": TEXT}]}, "#/anyOf/1/if"),
    ({"$defs": {"a/b": {"contains": TEXT}}}, "#/$defs/a~1b/contains"),
    ({"x-guidance": {"lenient": True}}, "x-guidance"),
    ({"$ref": "https://example.com/schema"}, "nothing is fetched"),
    ({"$ref": "#/$defs/nowhere"}, "$ref points at nothing"),
    ({"type": "string", "format": "colour"}, "'colour'"),
    ({"type": "text"}, "#/type is none of JSON's"),
    ({"anyOf": [{"type": ["string", 5]}]}, "#/anyOf/0/type"),
    ({"enum": "a"}, "#/enum"),
    ({"required": ["a", 5]}, "#/required"),
    ({"minimum": "5"}, "#/minimum"),
    ({"format": 5}, "#/format"),
    ({"properties": {"a": {"$id": "x"}}}, "#/properties/a/$id"),
    ({"$defs": {"x": {"$ref": "#/$defs/x", "type": "object"}}, "$ref": "#/$defs/x"}, "leads back"),
    ({"type": "string", "pattern": "^(?=a)b"}, "looks ahead"),
    ({"type": "string", "pattern": "(a)\\1"}, "refers back"),
    ({"type": "string", "pattern": "(a"}, "not a valid regular expression"),
    ({"type": "string", "pattern": 5}, "#/pattern"),
    ({"type": "string", "pattern": "x" * 3_000}, "3,000 characters"),
    ({"type": "integer", "minimum": 5, "maximum": 3}, "contradict"),
    ({"type": "string", "minLength": 5, "maxLength": 3}, "contradict"),
    ({"type": "integer", "minimum": -(10**30), "maximum": 10**30}, "15 digits"),
    ({"patternProperties": {"a": TEXT, "b": TEXT}}, "same name"),
    ({"allOf": [{"type": "string", "pattern": f"{i}"} for i in range(11)]}, "11 patterns"),
    ({"oneOf": [{"type": "string", "pattern": "a"}, TEXT]}, "oneOf"),
    ({"type": "array", "minItems": 10**9}, "#/minItems"),
    ({"type": "string", "maxLength": -1}, "#/maxLength"),
    ({"type": "string", "maxLength": True}, "#/maxLength"),
    ({"type": "integer", "multipleOf": 10**9}, "#/multipleOf"),
    ({"properties": []}, "#/properties"),
    ({"properties": {"a": 5}}, "#/properties/a"),
    ({"anyOf": []}, "#/anyOf"),
    ({"patternProperties": {"(a{200}){200}": TEXT}}, "#/patternProperties"),
    (nested(60), "nested deeper"),
    ({"enum": ["值" * 30_000]}, "bytes"),
    ({"const": math.inf}, "JSON has not"),
    ({"const": {1, 2}}, "JSON has not"),
    ({"const": "\ud800"}, "JSON has not"),
    ([TEXT], "not a JSON object"),
    ("string", "not a JSON object"),
]


@pytest.mark.parametrize(("schema", "says"), UNSUPPORTED, ids=[says for _, says in UNSUPPORTED])
def test_what_is_refused_names_its_place_and_the_field(factory: GrammarFactory, schema: Any, says: str) -> None:
    with pytest.raises(GrammarError) as caught:
        factory.compile_json_schema(schema)
    assert says in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.field == "response_format"
    assert caught.value.code == "grammar_invalid"
    assert caught.value.http_status == 400
    assert "\n" not in caught.value.message
    assert "guidance" not in caught.value.message or "x-guidance" in str(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"not": TEXT, "if": {"enum": ["not", {"contains": 1}]}, "pattern": {"const": 5}}},
        {"type": "string", "title": "not", "default": {"uniqueItems": True}, "examples": [{"not": 1}], "x-note": "if"},
        {"type": "array", "items": TEXT, "uniqueItems": False},
        {"type": "integer", "minimum": -(10**15), "maximum": 10**15},
        {"anyOf": [{"type": "string", "pattern": f"^{i}+$"} for i in range(40)], "title": "any of many"},
        {"$defs": {"x": {"type": "object", "properties": {"c": {"$ref": "#/$defs/x"}}}}, "$ref": "#/$defs/x"},
        {"$id": "https://example.com/a", "$schema": "x", "$defs": {"a": TEXT}, "$ref": "#/$defs/a"},
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": "array", "items": [TEXT], "definitions": {}},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "array", "prefixItems": [TEXT]},
        True,
        {},
        nested(20),
    ],
)
def test_names_and_data_are_not_taken_for_keywords(factory: GrammarFactory, schema: Any) -> None:
    factory.compile_json_schema(schema).start()


HOSTILE: dict[str, dict[str, Any]] = {
    "many optional properties": {"type": "object", "properties": {f"p{i}": {} for i in range(4_000)}},
    "many required properties": {
        "type": "object",
        "properties": {f"p{i}": TEXT for i in range(1_500)},
        "required": [f"p{i}" for i in range(1_500)],
    },
    "a long enumeration": {"enum": [f"{i}" for i in range(9_000)]},
    "allOf of anyOf": crossed(8),
    "allOf chain": chain("allOf", 60),
    "anyOf chain": chain("anyOf", 60),
    "requires itself": {
        "$defs": {"x": {"type": "object", "properties": {"c": {"$ref": "#/$defs/x"}}, "required": ["c"]}},
        "$ref": "#/$defs/x",
    },
    "long forced array": {"type": "array", "items": {"const": 1}, "minItems": 100_000},
    "coarse steps": {"type": "integer", "multipleOf": 9_973},
    "exponential automaton": {"type": "string", "pattern": "^(a|b)*a(a|b){200}$"},
    "bounded text": {"type": "string", "maxLength": 100_000, "pattern": "^[a-z]+$"},
    "patterns that cross": {"allOf": [{"type": "string", "pattern": f"a.{{{i}}}b"} for i in range(20, 30)]},
    "patterns of names": {"type": "object", "patternProperties": {f"^a.*{i}.*b": TEXT for i in range(300)}},
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_schemas_end_within_seconds(factory: GrammarFactory, name: str) -> None:
    started = time.perf_counter()
    with contextlib.suppress(GrammarError):
        state = factory.compile_json_schema(HOSTILE[name]).start()
        for _ in range(20):
            for token in state.likely_tokens() or [int(state.allowed().argmax())]:
                state.accept(token)
            if state.is_complete:
                break
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    "choices", [[], "ab", [""], ["x" * 2_000], ["x", 5], ["a\ud800"], [str(i) for i in range(1_001)]]
)
def test_choices_out_of_bounds_are_refused(factory: GrammarFactory, choices: Any) -> None:
    with pytest.raises(GrammarError):
        factory.compile_choice(choices)


@pytest.mark.parametrize("pattern", ["", "(", "a{3", "(?=a)b", "[z-a]", "(a{1000}){1000}", 7, "\\p{Nothing}"])
def test_patterns_that_cannot_be_used_are_refused(factory: GrammarFactory, pattern: Any) -> None:
    with pytest.raises(GrammarError):
        factory.compile_regex(pattern)


@pytest.mark.parametrize(
    ("pattern", "is_too_much"),
    [
        ("a{10000}", False),
        ("a{10001}", True),
        ("(ab{50}){100}", False),
        ("(ab{50}){200}", True),
        ("((a{30}b){30}){30}", True),
        ("[^]{}]{5000}", False),
        (r"\{99999\}", False),
        ("a{2}{100}{100}", True),
        ("(a|b){1,9999}", True),
        ("x{" + "9" * 5_00 + "}", True),
        ("a{0}b{,20000}", True),
        (")))a{9}", False),
    ],
)
def test_repeats_multiply_through_groups(pattern: str, is_too_much: bool) -> None:
    if is_too_much:
        with pytest.raises(GrammarError, match=f"{MAX_PATTERN_REPEATS:,}"):
            check_pattern(pattern, "The pattern")
    else:
        assert check_pattern(pattern, "The pattern") == pattern


KEYWORDS = (
    *(
        "type",
        "properties",
        "required",
        "items",
        "enum",
        "const",
        "anyOf",
        "allOf",
        "oneOf",
        "$ref",
        "$defs",
        "pattern",
    ),
    *(
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "multipleOf",
        "minLength",
        "maxLength",
        "format",
        "minItems",
        "$anchor",
    ),
    *("maxItems", "prefixItems", "additionalProperties", "patternProperties", "minProperties", "$id", "$schema"),
)
ODD_VALUES: tuple[Any, ...] = (
    *("string", "object", "array", "", "#", "#/", "#/$defs/a", "^a*$", "[", "\\", "\x00", "date", "ipv6", "a\nb", "😀"),
    *(5, -1, 0, 2.5, 1e300, -1e-300, 10**25, None, True, False, [], {}, ["string"], [{}], {"a": {"$ref": "#"}}),
)
PATTERN_PIECES = (
    *"ab|()[]{}?*+\\.^$,-01dwsSpbz/\n\"'&~<>:=!#% 中",
    "{2,3}",
    "\\p{Han}",
    "(?i)",
    "(?:",
    "[^",
    "&&",
    "(?P<a>",
)


def mutated(schema: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Put odd values and keywords at a few places of a schema."""
    nodes: list[Any] = [schema]
    for node in nodes:
        nodes += [v for v in (node.values() if isinstance(node, dict) else node) if isinstance(v, dict | list)]
    for node in chance.choices(nodes, k=chance.randint(1, 4)):
        if isinstance(node, dict):
            node[chance.choice([*KEYWORDS, *node])] = copy.deepcopy(chance.choice(ODD_VALUES))
        elif node:
            node[chance.randrange(len(node))] = copy.deepcopy(chance.choice(ODD_VALUES))
    return schema


def test_mutants_give_a_grammar_or_a_clear_refusal(factory: GrammarFactory) -> None:
    chance, maker, num_compiled = random.Random(9), SchemaMaker(9), 0
    for i in range(1_500):
        try:
            if i % 3:
                grammar = factory.compile_json_schema(mutated(copy.deepcopy(maker.root()), chance))
            else:
                grammar = factory.compile_regex("".join(chance.choices(PATTERN_PIECES, k=chance.randint(1, 12))))
        except GrammarError as refusal:
            assert "\n" not in refusal.message  # noqa: PT017
            continue
        num_compiled += 1
        state = grammar.start()
        for _ in range(10):
            assert state.allowed().any()
            if state.is_complete:
                break
            state.accept(int(chance.choice(state.allowed().nonzero()[0])))
    assert num_compiled > 200


def test_openings_end_where_the_value_begins() -> None:
    offer = {"type": "object", "properties": {"gifts": {"type": "array"}, "price": {"type": ["number", "null"]}}}
    schema = {"properties": {"价格": {"type": ["string", "null"]}, "kind": {"enum": ["满减", None]}, "offer": offer}}
    openings = property_openings(schema)
    assert openings[::2] == ['","价格":"', '","kind":"', '","offer":{', '","gifts":[', '","price":']
    assert openings[1::2] == [opening[1:] for opening in openings[::2]]
    assert property_openings({"type": "string"}) == []
