"""Patterns cannot run away, and the matcher stays linear."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kandong.rules.judge import judge
from kandong.rules.matcher import MAX_FINDS, SearchedText
from kandong.rules.normalise import NormalisedText
from kandong.rules.packs import load_rules, parse_pack
from kandong.rules.patterns import PatternError, compile_words
from kandong.rules.report import TextLine

CATASTROPHIC = ["(a+)+b", "(a|aa)+$", "(.*a){20}b", "(x+x+)+y"]


@pytest.mark.parametrize("regex", CATASTROPHIC)
def test_patterns_that_hang_a_backtracking_engine_are_quick_here(regex: str) -> None:
    pattern = compile_words((), (regex,))
    assert pattern is not None
    view = NormalisedText("a" * 20_000 + "x" * 20_000).plain
    started = time.perf_counter()
    list(pattern.spans(view))
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    ("regex", "words"),
    [
        ("(?=a)", "look-around"),
        ("(?<!不)最", "look-around"),
        ("(", "cannot be compiled"),
        ("a{1,100000}", "cannot be compiled"),
        ("((a{1,100}){1,100}){1,100}", "cannot be compiled"),
        (r"(a)\1", "cannot be compiled"),
        ("a*", "matches empty text"),
        ("最" * 3_000, "longer than"),
    ],
)
def test_a_pattern_that_cannot_be_used_says_why(regex: str, words: str) -> None:
    with pytest.raises(PatternError, match=words):
        compile_words((), (regex,))


@given(
    st.text("最佳好的,a1 。", max_size=30),
    st.lists(st.text("最佳好的a1", min_size=1, max_size=3), min_size=1, max_size=4),
)
def test_terms_are_found_where_the_re_module_finds_them(text: str, terms: list[str]) -> None:
    pattern = compile_words(terms)
    assert pattern is not None
    slow = re.compile("|".join(re.escape(term) for term in sorted(terms, key=len, reverse=True)))
    view = NormalisedText(text).plain
    found = [(view.text[a:b]) for a, b in pattern.spans(view)]
    assert found == [match.group() for match in slow.finditer(view.text)]


@pytest.mark.parametrize("unit", ["今天天气最佳，国家级特供！\n", "a", "最", "最·佳", "zuijia"])
def test_a_megabyte_takes_bounded_time(unit: str) -> None:
    text = unit * (1_000_000 // len(unit.encode()))
    book = load_rules()
    judge([TextLine("热身")], book)
    started = time.process_time()
    report = judge([TextLine(text)], book)
    # About 1 s on one core of a small machine; twice that is the promise.
    assert time.process_time() - started < 2
    assert len(report.hits) <= MAX_FINDS * sum(len(rule.matches) for rule in book.rules)


def test_time_grows_with_the_text_and_not_faster() -> None:
    book = load_rules()
    seconds = []
    for repeats in (4_000, 16_000):
        text = "国 家 级品质全网醉低价，欢迎下单。" * repeats
        started = time.process_time()
        judge([TextLine(text)], book)
        seconds.append(time.process_time() - started)
    assert seconds[1] < 4 * 3 * seconds[0]


def test_at_most_a_hundred_places_of_a_match_are_kept() -> None:
    pack = parse_pack("many.toml", MANY.encode())
    found = SearchedText("甲乙。" * 500).find(pack.rules[0], in_ads=True)
    assert len(found) == MAX_FINDS
    assert [one.quote for one in found[:2]] == ["甲乙", "甲乙"]


MANY = """
title = "t"
version = "1"
[[rule]]
id = "X1"
title = "t"
label = "Ad"
sub_label = "x"
law = "l"
article = "1"
certainty = "V"
severity = "low"
max_suggest = "review"
reword = "r"
[[rule.match]]
terms = ["甲乙"]
reason = "r"
"""
