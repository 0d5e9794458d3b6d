"""Text as it is meant, in three views, each character of which knows where it came from.

Owns: the views and the way back. Must not know: rules. Not thread-bound.

    plain    every character folded (folding.py); punctuation, spaces and line ends stay
    joined   only letters and digits of plain, split characters put together: 最·佳, 最❤佳, 力口微亻言
    sounds   joined as toneless pinyin, one symbol a syllable; Latin runs that are pinyin count as well: zui佳, weixin

A span of a view always maps to a span of the text as it was given, so that what is shown and marked is never the
normalised form. All is linear in the length of the text.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from pypinyin.constants import PINYIN_DICT

from kandong.rules.folding import SPLIT_CHARACTERS, fold_character

_LONGEST_SYLLABLE = 6
_LONGEST_RUN = 40  # longer Latin runs are addresses or noise
_FIRST_SYMBOL = 0xE000
_KEPT_IN_JOINED = re.compile(r"[^\W_]+|[%+]+")
_SPLIT = re.compile("|".join(map(re.escape, SPLIT_CHARACTERS)))


@dataclass(frozen=True)
class View:
    """One normalised form. Character ``i`` of ``text`` came from ``[starts[i], ends[i])`` of the text given."""

    text: str
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """Map a non-empty span of this view to the text given."""
        return int(self.starts[start]), int(self.ends[end - 1])

    @cached_property
    def encoded(self) -> bytes:
        """The view's text in UTF-8, which is what RE2 walks over."""
        return self.text.encode("utf-8", "replace")

    @cached_property
    def _characters_before(self) -> NDArray[np.int64]:
        octets = np.frombuffer(self.encoded, np.uint8)
        return np.concatenate(([0], np.cumsum((octets & 0xC0) != 0x80)))

    def character_at(self, byte_offset: int) -> int:
        """Turn a byte offset into ``encoded`` into an index of ``text``."""
        if len(self.encoded) == len(self.text):
            return byte_offset
        return int(self._characters_before[byte_offset])


class NormalisedText:
    """The three views of one text; the last two are made when first asked for."""

    def __init__(self, original: str) -> None:
        self.original = original
        self.plain = _fold(original)

    @cached_property
    def joined(self) -> View:
        """Letters and digits only."""
        return _join(self.plain)

    @cached_property
    def sounds(self) -> View:
        """Toneless pinyin of ``joined``, a private symbol for each syllable."""
        return _sound(self.joined)


def fold_text(text: str) -> str:
    """Fold a text without keeping the way back; for terms of packs."""
    return "".join(map(fold_character, text))


def sound_of(term: str) -> str:
    """Give a term as the sounds view writes it."""
    return NormalisedText(term).sounds.text


def spell(sounds: str) -> str:
    """Make text of a sounds view readable: ``zui jia``."""
    names = {symbol: syllable for syllable, symbol in _symbols().items()}
    return " ".join(names.get(symbol, symbol) for symbol in sounds)


def _fold(original: str) -> View:
    folded = list(map(fold_character, original))
    num_characters = np.fromiter(map(len, folded), np.int64, len(folded))
    starts = np.repeat(np.arange(len(folded), dtype=np.int64), num_characters)
    return View("".join(folded), starts, starts + 1)


def _join(plain: View) -> View:
    pieces: list[str] = []
    kept = np.zeros(len(plain.text), bool)
    for run in _KEPT_IN_JOINED.finditer(plain.text):
        pieces.append(run.group())
        kept[run.start() : run.end()] = True
    text, starts, ends = "".join(pieces), plain.starts[kept], plain.ends[kept]
    pairs = list(_SPLIT.finditer(text))
    if not pairs:
        return View(text, starts, ends)
    ends = ends.copy()
    is_second = np.zeros(len(text), bool)
    for pair in pairs:
        ends[pair.start()] = ends[pair.start() + 1]
        is_second[pair.start() + 1] = True
    whole = _SPLIT.sub(lambda pair: SPLIT_CHARACTERS[pair.group()], text)
    return View(whole, starts[~is_second], ends[~is_second])


def _sound(joined: View) -> View:
    symbols: list[str] = []
    lengths: list[int] = []
    for run in re.finditer(r"[a-z]+|[^a-z]+", joined.text):
        if "a" <= run.group()[0] <= "z":
            for symbol, length in _syllables(run.group()):
                symbols.append(symbol)
                lengths.append(length)
        else:
            symbols.extend(map(_symbol_of_character, run.group()))
            lengths.extend([1] * len(run.group()))
    stops = np.cumsum(np.array(lengths, np.int64))
    return View("".join(symbols), joined.starts[stops - np.array(lengths, np.int64)], joined.ends[stops - 1])


@lru_cache(maxsize=4096)
def _syllables(run: str) -> tuple[tuple[str, int], ...]:
    """Cut a Latin run as (symbol, number of letters) in order; letter by letter if it is no pinyin."""
    # best[i]: the cut of run[i:] with the longest syllables first, or None if it is no pinyin
    best: list[tuple[int, int] | None] = [None] * len(run) + [(0, 0)]
    if len(run) <= _LONGEST_RUN:
        for i in reversed(range(len(run))):
            for j in range(min(len(run), i + _LONGEST_SYLLABLE), i, -1):
                if best[j] is not None and run[i:j] in _symbols():
                    best[i] = (i, j)
                    break
    if best[0] is None:
        return tuple((letter, 1) for letter in run)
    cut, at = [], 0
    while at < len(run):
        _, end = best[at] or (at, len(run))
        cut.append((_symbols()[run[at:end]], end - at))
        at = end
    return tuple(cut)


def _sound_of_character(character: str) -> str | None:
    readings = PINYIN_DICT.get(ord(character))
    if readings is None:
        return None
    # The commonest reading comes first; ü is written v, and the tone marks fall away with the other diacritics.
    commonest = unicodedata.normalize("NFD", readings.split(",")[0]).replace("u\u0308", "v")
    return "".join(c for c in commonest if not unicodedata.combining(c))


@cache
def _symbol_of_character(character: str) -> str:
    sound = _sound_of_character(character)
    return character if sound is None else _symbols().get(sound, character)


@cache
def _symbols() -> dict[str, str]:
    """Give each syllable of common characters a symbol of its own, from Unicode's private area."""
    sounds = {_sound_of_character(chr(code)) for code in range(0x4E00, 0x9FA6)}
    return {sound: chr(_FIRST_SYMBOL + i) for i, sound in enumerate(sorted(filter(None, sounds))) if sound.isascii()}
