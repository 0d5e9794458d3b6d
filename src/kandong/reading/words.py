"""Words: which of the characters that a doubtful place may hold makes a word with its neighbours.

Owns: the word list and the choice. Must not know: pictures, lines' places, what a text is judged by.

Small or often compressed print leaves 使 and 便 a matter of chance, where 使用 is a word and 便用 is none. Only places
that the recogniser doubts are touched, only by characters that it names itself, never a number, and only within a
word that has a sure character too. The words are jieba's list with its counts (MIT), of
which nothing is run, and those of post_words.py.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from kandong.errors import ModelError
from kandong.reading.post_words import POST_WORDS
from kandong.reading.recogniser import RawCharacter

# How much a word's rarity weighs against the recogniser's own probabilities, and what a choice must gain: both in
# natural logarithms.
_WORD_WEIGHT: Final = 0.8
_MIN_GAIN: Final = 1.0
# The list counts newspapers: what is rare there (定金, 退换) is not in a shop.
_LOG_RAREST: Final = -14.0
# The share that a word of posts has at least, about that of 关注 in the list.
_LOG_POST_WORD: Final = -11.0
# Where the recogniser is surer than this, nothing is asked.
_DOUBTED_BELOW: Final = 0.95
_MIN_CONF: Final = 0.002
_MAX_WORD_CHARACTERS: Final = 5
_MIN_WORD_COUNT: Final = 2
# A wrong amount is worse than a wrong word.
_NUMERALS: Final = frozenset("〇零一二三四五六七八九十百千万亿两半双几壹贰叁肆伍陆柒捌玖拾佰仟元角分块毛折")
_CJK: Final = range(0x4E00, 0xA000)


@dataclass(frozen=True)
class WordChange:
    """A character to put in the place of another; ``index`` counts characters, ``conf`` is the recogniser's of it."""

    index: int
    text: str
    conf: float
    reason: str = "word"


@dataclass(frozen=True)
class _Words:
    """Logarithms of shares; ``begins`` holds the beginnings of all words."""

    log_shares: dict[str, float]
    begins: frozenset[str]
    log_least: float


@dataclass(frozen=True)
class _Path:
    """The best way to read the first characters: its score, and the choices made."""

    score: float
    changes: tuple[WordChange, ...] = ()


def word_changes(characters: Sequence[RawCharacter]) -> list[WordChange]:
    """Name the characters of a line that another one should stand for, by its words; in order."""
    changes: list[WordChange] = []
    for start, end in _runs(characters):
        choices = [_choices(c) for c in characters[start:end]]
        if any(len(choice) > 1 for choice in choices):
            changes += _changes_of_run(choices, start)
    return changes


def _runs(characters: Sequence[RawCharacter]) -> Iterator[tuple[int, int]]:
    """Give the stretches of Chinese characters."""
    start = 0
    for index in range(len(characters) + 1):
        if index == len(characters) or not _is_chinese(characters[index].text):
            if index > start:
                yield start, index
            start = index + 1


def _choices(character: RawCharacter) -> list[tuple[str, float]]:
    """Give what may stand in a place: what was read first, then what was not."""
    own = (character.text, character.conf)
    if character.conf >= _DOUBTED_BELOW or character.text in _NUMERALS:
        return [own]
    others = [
        (text, conf)
        for text, conf in character.others
        if conf >= _MIN_CONF and _is_chinese(text) and text not in _NUMERALS
    ]
    return [own, *others]


def _changes_of_run(choices: list[list[tuple[str, float]]], start: int) -> list[WordChange]:
    """Compare the best way through a stretch with the best that changes nothing."""
    plain = _best_path([choice[:1] for choice in choices], start)
    best = _best_path(choices, start)
    return list(best.changes) if best.score - plain.score >= _MIN_GAIN * len(best.changes) else []


def _best_path(choices: list[list[tuple[str, float]]], start: int) -> _Path:
    """Find the likeliest way to part a stretch into words, one of its choices in each place."""
    words = _words()
    best: list[_Path | None] = [_Path(0.0), *[None] * len(choices)]
    for begin in range(len(choices)):
        so_far = best[begin]
        assert so_far is not None  # every place can be reached by single characters
        for text, score, changes in _words_from(choices, begin, start, words):
            score += so_far.score
            end = begin + len(text)
            known = best[end]
            if known is None or score > known.score:
                best[end] = _Path(score, so_far.changes + changes)
    found = best[-1]
    assert found is not None
    return found


def _words_from(
    choices: list[list[tuple[str, float]]], begin: int, start: int, words: _Words
) -> Iterator[tuple[str, float, tuple[WordChange, ...]]]:
    """Give the words that begin in a place, each with its score and its changes; the character alone always."""
    text, conf = choices[begin][0]
    yield text, _score(words.log_shares.get(text, words.log_least), conf), ()
    partial: list[tuple[str, float, tuple[WordChange, ...]]] = [("", 0.0, ())]
    for place in range(begin, min(begin + _MAX_WORD_CHARACTERS, len(choices))):
        longer = []
        for before, log_conf, changes in partial:
            for number, (text, conf) in enumerate(choices[place]):
                if before + text in words.begins:
                    more = (WordChange(start + place, text, conf),) if number else ()
                    longer.append((before + text, log_conf + math.log(max(conf, _MIN_CONF)), changes + more))
        partial = longer
        for text, log_conf, changes in partial:
            log_share = words.log_shares.get(text)
            if log_share is not None and len(text) > 1 and len(changes) < len(text):
                yield text, _WORD_WEIGHT * max(log_share, _LOG_RAREST) + log_conf, changes


def _score(log_share: float, conf: float) -> float:
    return _WORD_WEIGHT * log_share + math.log(max(conf, _MIN_CONF))


def _is_chinese(text: str) -> bool:
    return len(text) == 1 and ord(text) in _CJK


@cache
def _words() -> _Words:
    """Open the list: rows of word, count and part of speech. Takes about half a second, at the first doubt."""
    counts: dict[str, int] = {}
    with _list_path().open(encoding="utf-8") as rows:
        for row in rows:
            word, count, *_ = row.split(" ")
            if len(word) <= _MAX_WORD_CHARACTERS and int(count) >= _MIN_WORD_COUNT and ord(word[0]) in _CJK:
                counts[word] = int(count)
    log_total = math.log(sum(counts.values()))
    log_shares = {word: math.log(count) - log_total for word, count in counts.items()}
    log_shares |= {word: max(log_shares.get(word, -math.inf), _LOG_POST_WORD) for word in POST_WORDS}
    begins = frozenset(word[:end] for word in log_shares for end in range(1, len(word) + 1))
    return _Words(log_shares, begins, -log_total)


def _list_path() -> Path:
    found = importlib.util.find_spec("jieba")
    if found is None or not found.submodule_search_locations:
        raise ModelError(
            "The word list that reading uses is missing from this installation.",
            hint="Install again: pip install --force-reinstall jieba==0.42.1",
        )
    return Path(found.submodule_search_locations[0]) / "dict.txt"
