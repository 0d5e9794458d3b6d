"""Packs of the user's own: used beside the bundled ones, or refused with the place of the fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from kandong.errors import RulePackError
from kandong.rules.judge import judge
from kandong.rules.packs import ENVIRONMENT_VARIABLE, load_rules, parse_pack
from kandong.rules.report import TextLine

GOOD = """
title = "本店"
version = "1"

[[rule]]
id = "SHOP1"
title = "不提旧店名"
label = "Ad"
sub_label = "old_name"
law = "本店规定"
article = "1"
certainty = "M"
severity = "low"
max_suggest = "review"
reword = "写新店名。"
proof = "凭证"
not_in = ['老王烤鸭头']
[[rule.match]]
terms = ["老王烤鸭"]
reason = "旧店名"
[[rule.match]]
regexes = ['祖传\\d+年']
outcome = "proof"
reason = "年数"
"""


def test_a_folder_of_packs_adds_rules_and_changes_the_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop.toml").write_text(GOOD, "utf-8")
    bundled, book = load_rules(), load_rules(tmp_path)
    assert book.version != bundled.version
    assert book.find("shop1") is not None
    report = judge([TextLine("老王烤鸭，祖传30年；老王烤鸭头")], book)
    assert [hit.rule_id for hit in report.hits] == ["SHOP1"]
    assert [proof.term for proof in report.needs_proof] == ["祖传30年"]
    assert any(pack["name"] == "shop" and len(pack["digest"]) == 64 for pack in report.packs)
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path))
    assert load_rules().version == book.version


def test_one_changed_byte_changes_the_version(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text(GOOD, "utf-8")
    before = load_rules(tmp_path).version
    (tmp_path / "shop.toml").write_text(GOOD + "\n", "utf-8")
    assert load_rules(tmp_path).version != before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("[[rule]]", "[[rule"), "is not TOML"),
        (('version = "1"', ""), "version is missing"),
        (('version = "1"', "version = 1"), "version must be a text"),
        (('id = "SHOP1"', ""), "id is missing"),
        (('certainty = "M"', 'certainty = "X"'), "certainty must be one of V, S, M"),
        (('severity = "low"', ""), "severity is missing"),
        (('max_suggest = "review"', 'max_suggest = "block"'), "cannot be block: the basis is certain only to M"),
        (('reason = "旧店名"', 'reason = "旧店名"\nsuggest = "block"'), "suggest is above the rule's max_suggest"),
        (('reason = "旧店名"', 'reasn = "旧店名"'), "reason is missing"),
        (('reason = "旧店名"', 'reason = "旧店名"\ncolour = "red"'), "colour is not a field"),
        (('terms = ["老王烤鸭"]', ""), "a match needs terms, regexes or sounds"),
        (('terms = ["老王烤鸭"]', 'terms = "老王烤鸭"'), "terms must be a list"),
        (('terms = ["老王烤鸭"]', 'terms = [""]'), "terms must be a list of non-empty"),
        (("'老王烤鸭头'", "'(?!头)'"), "not_in holds '(?!头)', which uses look-around"),
        (("'老王烤鸭头'", "'('"), "cannot be compiled"),
        (("'老王烤鸭头'", "'a*'"), "matches empty text"),
        (('proof = "凭证"', ""), "proof is missing"),
        (('outcome = "proof"', 'outcome = "notice"'), "notice is missing"),
        (('reword = "写新店名。"', 'reword = "写新店名。"\nads_only = 1'), "ads_only must be true or false"),
    ],
)
def test_a_broken_pack_names_rule_field_and_fault(change: tuple[str, str], words: str) -> None:
    text = GOOD.replace(*change)
    assert text != GOOD
    with pytest.raises(RulePackError) as caught:
        parse_pack("shop.toml", text.encode())
    assert "shop.toml" in caught.value.message
    assert words in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("table", ["exempt", "notice.require"])
def test_a_broken_part_of_a_rule_is_named(table: str) -> None:
    text = f'{GOOD}\n[[rule.{table}]]\nid = "E"\n'.replace("[rule.notice]\n", "")
    with pytest.raises(RulePackError, match="words is missing"):
        parse_pack("shop.toml", text.encode())


def test_a_pattern_that_would_hang_other_engines_is_accepted_and_harmless() -> None:
    pack = parse_pack("shop.toml", GOOD.replace("祖传\\d+年", "(a+)+b").encode())
    assert len(pack.rules) == 1


def test_a_rule_id_belongs_to_one_pack(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text(GOOD.replace("SHOP1", "AD9-3"), "utf-8")
    with pytest.raises(RulePackError, match=r"AD9-3 is in .*advertising-law and in shop"):
        load_rules(tmp_path)


def test_a_folder_that_is_none_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RulePackError, match="is not there"):
        load_rules(tmp_path / "missing")
    with pytest.raises(RulePackError, match="holds no rule pack"):
        load_rules(tmp_path)
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(RulePackError, match="is not UTF-8"):
        load_rules(tmp_path)
