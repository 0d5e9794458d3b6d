"""Whether a model on this machine reads pictures: questions about bundled cards whose answers are known.

Owns: the cards, what counts as a right answer, and the verdict. Must not know: terminals, graphs, where models lie.
The miniature reads no cards but those of its own kind, so it is asked about its samples.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from typing import TYPE_CHECKING

from kandong.errors import ModelError
from kandong.models.samples import sample_picture_bytes, sample_pictures

if TYPE_CHECKING:
    from kandong.runtime.local import Kandong

PRICE_QUESTION = "价格是多少？"
ORIGINAL_QUESTION = "原价是多少？"
TEXT_QUESTION = "请识别图中的文字"
# Below this a model does not read; one that does may still slip once or twice on another machine's rounding.
PASSING_SHARE = 0.8
MAX_CHARACTER_ERRORS = 0.1

_NUMBER = re.compile(r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
# A number takes two or three tokens; a sentence around it some thirty.
_MAX_NUMBER_TOKENS = 64
_MAX_TEXT_TOKENS = 128
# Compatibility normalisation makes full-width marks half-width, but leaves these.
_MARKS = str.maketrans({"。": ".", "、": ",", "“": '"', "”": '"', "‘": "'", "’": "'"})


@dataclass(frozen=True)
class Question:
    """One question about the card ``file``, or about the miniature's sample of that name if ``is_sample``.

    ``truth`` is a number; if ``is_text`` all text of the card, if ``is_sample`` the whole answer.
    """

    file: str
    question: str
    truth: str
    is_text: bool = False
    is_sample: bool = False

    def accepts(self, answer: str) -> bool:
        """Whether an answer is right."""
        if self.is_sample:
            return _plain(answer) == _plain(self.truth)
        if self.is_text:
            return character_error_rate(answer, self.truth) <= MAX_CHARACTER_ERRORS
        return names_only(answer, self.truth)


@dataclass(frozen=True)
class Outcome:
    """A question with the answer that the model gave. ``ms`` is the whole time of it."""

    question: Question
    answer: str
    is_right: bool
    ms: float


def bundled_questions() -> list[Question]:
    """Give the questions about all bundled cards, those about one card one after the other."""
    questions = []
    for card in json.loads(card_bytes("truth.json"))["cards"]:
        questions.append(Question(card["file"], PRICE_QUESTION, card["price"]))
        questions.append(Question(card["file"], ORIGINAL_QUESTION, card["original"]))
        if card["transcribe"]:
            questions.append(Question(card["file"], TEXT_QUESTION, "\n".join(card["lines"]), is_text=True))
    return questions


def sample_questions() -> list[Question]:
    """Give the questions about the miniature's samples."""
    return [
        Question(sample.name, sample.question_zh, sample.expected, is_sample=True)
        for sample in sample_pictures(of_demo=True)
        if sample.expected is not None
    ]


def questions_for(kandong: Kandong) -> list[Question]:
    """Give the questions that a model must be able to answer: the miniature about its samples, any other all."""
    return sample_questions() if kandong.is_demo else bundled_questions()


def _picture_of(question: Question) -> bytes:
    if not question.is_sample:
        return card_bytes(question.file)
    picture = sample_picture_bytes(question.file)
    if picture is None:
        raise ModelError("A sample of the miniature is missing.", hint="Install Kandong again.")
    return picture


def card_bytes(name: str) -> bytes:
    """Read a bundled file: a card, or ``truth.json``."""
    return files("kandong.runtime").joinpath("selftest_cards", name).read_bytes()


def run_selftest(kandong: Kandong, questions: Sequence[Question] | None = None) -> Iterator[Outcome]:
    """Ask greedily, without a system message, and judge; gives each outcome as it comes. Errors: as ``Kandong.ask``."""
    for question in questions_for(kandong) if questions is None else questions:
        limit = _MAX_TEXT_TOKENS if question.is_text or question.is_sample else _MAX_NUMBER_TOKENS
        answer = kandong.ask([_picture_of(question)], question.question, max_tokens=limit)
        yield Outcome(question, answer.text, question.accepts(answer.text), answer.timings.total_ms)


def is_passed(outcomes: Sequence[Outcome]) -> bool:
    """Whether enough answers are right."""
    return bool(outcomes) and sum(o.is_right for o in outcomes) >= PASSING_SHARE * len(outcomes)


def verdict(outcomes: Sequence[Outcome]) -> str:
    """Say the result in one line."""
    num_right = sum(o.is_right for o in outcomes)
    counted = f"selftest: {num_right} of {len(outcomes)} answers right"
    if is_passed(outcomes):
        return f"{counted}: this installation answers as it should"
    return (
        f"{counted}: this model does not read these cards; with random or damaged weights that is expected, and "
        "a trained one should be fetched or converted again"
    )


def numbers_in(text: str) -> set[Decimal]:
    """Find the numbers in a text, full-width digits and thousands separators understood; 39 and 39.00 are one."""
    found = _NUMBER.findall(unicodedata.normalize("NFKC", text))
    return {Decimal(number.replace(",", "")) for number in found}


def names_only(answer: str, number: str) -> bool:
    """Whether an answer names that number and no other: 85, ¥85, 价格是85元; not 特价85元，原价120元."""
    return numbers_in(answer) == {Decimal(number)}


def character_error_rate(answer: str, truth: str) -> float:
    """Characters to insert, delete or replace, per character of the truth; blanks and width of marks do not count."""
    read, written = _plain(answer), _plain(truth)
    row = list(range(len(written) + 1))
    for i, character in enumerate(read, 1):
        above = row
        row = [i]
        for j, expected in enumerate(written, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (character != expected)))
    return row[-1] / max(len(written), 1)


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).translate(_MARKS).split())
