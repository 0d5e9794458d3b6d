"""Doubtful characters are chosen by the words they make, and by nothing else."""

from __future__ import annotations

import pytest

from kandong.errors import ModelError
from kandong.reading import words as module
from kandong.reading.post_words import POST_WORDS
from kandong.reading.recogniser import RawCharacter
from kandong.reading.words import word_changes

Others = dict[int, tuple[tuple[str, float], ...]]


def line(text: str, others: Others, conf: float = 0.6) -> list[RawCharacter]:
    return [
        RawCharacter(c, conf if i in others else 0.999, (i + 0.5) / len(text), "", 0.0, others.get(i, ()))
        for i, c in enumerate(text)
    ]


def corrected(text: str, others: Others, conf: float = 0.6) -> str:
    letters = list(text)
    for change in word_changes(line(text, others, conf)):
        letters[change.index] = change.text
        assert change.conf == dict(others[change.index])[change.text]
    return "".join(letters)


@pytest.mark.parametrize(
    ("raw", "place", "other", "right"),
    [
        ("请仔细阅读说明书后便用。", 9, "使", "请仔细阅读说明书后使用。"),
        ("节假日请先电活咨询", 6, "话", "节假日请先电话咨询"),
        ("未成年入请在监护人陪同下参加", 3, "人", "未成年人请在监护人陪同下参加"),
        ("加微值领取", 2, "信", "加微信领取"),
        ("晚上八点开始", 5, "抢", "晚上八点开始"),
    ],
)
def test_a_word_is_chosen_before_what_is_none(raw: str, place: int, other: str, right: str) -> None:
    assert corrected(raw, {place: ((other, 0.3),)}) == right


def test_what_is_sure_or_not_named_by_the_recogniser_stays() -> None:
    raw = "请仔细阅读说明书后便用。"
    assert corrected(raw, {9: (("使", 0.04),)}, conf=0.96) == raw
    assert corrected(raw, {9: (("更", 0.3),)}) == raw
    assert word_changes(line(raw, {})) == []


def test_a_right_word_is_not_changed_to_another_right_one() -> None:
    assert corrected("老板在吗", {1: (("师", 0.2),)}) == "老板在吗"


def test_numbers_are_never_changed() -> None:
    assert corrected("十月一日", {0: (("七", 0.45),)}) == "十月一日"
    assert corrected("千万别买", {0: (("干", 0.4),)}) == "千万别买"
    assert corrected("乎万别买", {0: (("千", 0.4),)}) == "乎万别买"
    assert corrected("12.调15", {3: (("满", 0.4),)}) == "12.调15"


def test_a_word_of_nothing_but_doubt_is_not_invented() -> None:
    assert corrected("该要，", {0: (("妥", 0.3),), 1: (("善", 0.3),)}) == "该要，"


def test_many_doubts_take_no_long_time() -> None:
    many = {i: tuple((c, 0.05) for c in "人大中国地方生活电话使用") for i in range(300)}
    assert len(corrected("便" * 300, many)) == 300


def test_a_missing_list_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda _name: None)  # type: ignore[attr-defined]
    with pytest.raises(ModelError) as caught:
        module._list_path()
    assert "pip install" in (caught.value.hint or "")


def test_words_of_posts_are_words_and_no_sentences() -> None:
    assert all(2 <= len(word) <= 5 for word in POST_WORDS)
    assert all("\u4e00" <= character <= "\u9fff" for word in POST_WORDS for character in word)
