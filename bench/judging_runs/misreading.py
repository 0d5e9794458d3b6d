"""A model that misreads: how many wrong numbers are marked, how many verified ones are right, on cards of every kind.

Owns: the misreadings and the counts. Must not know: OCR's insides, how results are shown. Three models answer, line by
line: one that copies the card's truth, one that gets a digit of a number wrong, one that parrots what OCR read (so that
its mistakes are OCR's own, which no comparison with OCR can find).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import numpy as np

from bench.cards.make import KINDS, make_card
from bench.cards.truth import Card, TrueLine, TrueNumber
from kandong.reading.reader import read_picture
from kandong.tasks.evidence import EvidenceBook, collect_evidence
from kandong.tasks.number_check import check_numbers
from kandong.types import Picture

# What OCR read is right if each of its numerals is written on the card.
_TOKEN = re.compile(r"\d+(?:\.\d+)?")
MODELS = ("truthful", "misreading", "parrot")


@dataclass
class Counts:
    """Numbers in answers: wrong ones and how many of them are marked; verified ones and how many of them are right."""

    num_wrong: int = 0
    num_wrong_marked: int = 0
    num_verified: int = 0
    num_verified_right: int = 0
    num_right: int = 0

    def add(self, *, is_right: bool, is_verified: bool) -> None:
        """Count one number of an answer."""
        self.num_right += is_right
        self.num_wrong += not is_right
        self.num_wrong_marked += not is_right and not is_verified
        self.num_verified += is_verified
        self.num_verified_right += is_verified and is_right

    def rates(self) -> dict[str, float | int]:
        """Give the counts and their two rates."""
        return {
            **vars(self),
            "wrong_marked": round(self.num_wrong_marked / max(1, self.num_wrong), 5),
            "verified_right": round(self.num_verified_right / max(1, self.num_verified), 5),
            "right_verified": round(self.num_verified_right / max(1, self.num_right), 5),
        }


def misread(text: str, number: TrueNumber, rng: Random) -> str:
    """Change one digit of a number in its line; the text as it is where it has none."""
    digits = [i for i in range(number.start, number.end) if text[i].isdigit()]
    if not digits:
        return text
    place = rng.choice(digits)
    other = rng.choice([d for d in "0123456789" if d != text[place] and not (d == "0" and place == digits[0])])
    return text[:place] + other + text[place + 1 :]


def book_of(card: Card) -> EvidenceBook:
    """Read a card, as ``kandong ask --assist`` would."""
    picture = Picture(np.ascontiguousarray(np.asarray(card.image.convert("RGB"))), "png")
    return collect_evidence("", [read_picture(picture)])


def run(num_cards: int, seed: int) -> Iterator[tuple[str, dict[str, Counts]]]:
    """Check answers about each card; gives its kind and the counts of each model."""
    for i in range(num_cards):
        kind = KINDS[i % len(KINDS)]
        card = make_card(kind, seed * 1_000_000 + i // len(KINDS))
        yield kind, count_card(card, book_of(card), Random(f"{card.name}"))


def count_card(card: Card, book: EvidenceBook, rng: Random) -> dict[str, Counts]:
    """Count one card's numbers under the three models."""
    counts = {name: Counts() for name in MODELS}
    for line in card.lines:
        for number in line.numbers:
            _count_number(line, number, book, rng, counts)
    written = {token for line in card.lines for token in _TOKEN.findall(line.text)}
    for read in (line for line in book.lines if line.source == "image_text"):
        for mark in check_numbers(read.text, book):
            is_right = set(_TOKEN.findall(mark.text)) <= written
            counts["parrot"].add(is_right=is_right, is_verified=mark.state != "unverified")
    return counts


def _count_number(
    line: TrueLine, number: TrueNumber, book: EvidenceBook, rng: Random, counts: dict[str, Counts]
) -> None:
    counts["truthful"].add(is_right=True, is_verified=_is_verified(line.text, number, book))
    wrong = misread(line.text, number, rng)
    if wrong != line.text:
        counts["misreading"].add(is_right=False, is_verified=_is_verified(wrong, number, book))


def _is_verified(answer: str, number: TrueNumber, book: EvidenceBook) -> bool:
    """Tell whether a number stands unmarked in an answer; one that falls into pieces is marked if a piece is."""
    marks = [m for m in check_numbers(answer, book) if m.span[0] < number.end and m.span[1] > number.start]
    return all(mark.state != "unverified" for mark in marks)
