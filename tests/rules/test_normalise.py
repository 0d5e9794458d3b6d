"""The three views and the way back from each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kandong.rules.folding import LOOK_ALIKES, SPLIT_CHARACTERS, fold_character
from kandong.rules.normalise import NormalisedText, View, fold_text, sound_of, spell

# Ordinary text is rare in what evaders write, so the alphabet is theirs.
ALPHABET = st.one_of(
    st.characters(codec="utf-8"),
    st.sampled_from("最蕞佳國家级微薇信Vvｗ①❸㎏㍿ﬁ➕🛰🇻🅰❤ \u200b\ufe0f\u0301\u3000·。\n力口亻言zuiwexn01%+"),
)


@pytest.mark.parametrize(
    ("text", "plain", "joined"),
    [
        ("ＮＯ．１", "no.1", "no1"),
        ("國家級", "国家级", "国家级"),
        ("最·佳", "最·佳", "最佳"),
        ("最❤️佳", "最❤佳", "最佳"),
        ("最\u200b佳", "最佳", "最佳"),
        ("蕞佳", "最佳", "最佳"),
        ("力口微亻言", "力口微亻言", "加微信"),
        ("❸❹", "34", "34"),
        ("第①名", "第1名", "第1名"),
        ("wēi xìn", "wei xin", "weixin"),
        ("Ⓥ信", "v信", "v信"),
        ("➕🛰️：a1", "+卫星:a1", "+卫星a1"),
        ("微\u0336信\u0336", "微信", "微信"),
        ("５㎏", "5kg", "5kg"),
    ],
)
def test_views(text: str, plain: str, joined: str) -> None:
    normalised = NormalisedText(text)
    assert normalised.plain.text == plain
    assert normalised.joined.text == joined


@pytest.mark.parametrize("text", ["最佳", "zui佳", "罪家", "ZuiJia", "z u i j i a", "蕞jiā"])
def test_what_sounds_the_same_has_the_same_sounds(text: str) -> None:
    assert NormalisedText(text).sounds.text == sound_of("最佳")


def test_sounds_can_be_read() -> None:
    assert spell(sound_of("绿色weixin5")) == "lv se wei xin 5"
    assert spell(sound_of("bcd")) == "b c d"


@given(st.text(ALPHABET, max_size=40))
def test_every_view_maps_back_to_what_made_it(text: str) -> None:
    normalised = NormalisedText(text)
    assert normalised.plain.text == fold_text(text)
    for view in (normalised.plain, normalised.joined, normalised.sounds):
        assert len(view.starts) == len(view.ends) == len(view.text)
        assert all(0 <= start < end <= len(text) for start, end in zip(view.starts, view.ends, strict=True))
        assert list(view.starts) == sorted(view.starts)
    _assert_pieces_fold_to_the_view(text, normalised.plain)


def _assert_pieces_fold_to_the_view(text: str, plain: View) -> None:
    for i, character in enumerate(plain.text):
        start, end = plain.original_span(i, i + 1)
        assert character in fold_text(text[start:end])


@given(st.text(ALPHABET, max_size=40))
def test_joined_is_the_slow_walk_over_plain(text: str) -> None:
    """The slow twin: one character after the other, a split pair replaced where it begins."""
    kept = [c for c in NormalisedText(text).plain.text if c in "%+" or (c != "_" and (c.isalnum()))]
    slow, i = "", 0
    while i < len(kept):
        pair = "".join(kept[i : i + 2])
        slow += SPLIT_CHARACTERS.get(pair, kept[i])
        i += 2 if pair in SPLIT_CHARACTERS else 1
    assert NormalisedText(text).joined.text == slow


@given(st.text(ALPHABET, max_size=30))
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert fold_text(fold_text(text)) == fold_text(text)


@given(st.text(ALPHABET, max_size=30))
def test_byte_offsets_are_characters(text: str) -> None:
    view = NormalisedText(text).plain
    for i in range(len(view.text) + 1):
        assert view.character_at(len(view.text[:i].encode("utf-8", "replace"))) == i


def test_tables_fold_to_something_else() -> None:
    assert all(key != value for key, value in LOOK_ALIKES.items())
    assert all(len(pair) == 2 and len(whole) == 1 for pair, whole in SPLIT_CHARACTERS.items())
    assert fold_character("\n") == "\n"
    assert fold_character("\ufe0f") == ""
