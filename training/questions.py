"""Questions about a card and their right answers.

Owns: which questions a card allows and what is right. Must not know: drawing, tokens, models.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random

from . import wording
from .cards import Card


@dataclass(frozen=True)
class Asked:
    """A question of a kind, and its answer; ``further`` is asked after the answer, in the same conversation."""

    kind: str
    question: str
    answer: str
    further: Asked | None = None
    is_absent: bool = False


_FIELD_QUESTIONS = {
    "price": wording.PRICE,
    "original_price": wording.ORIGINAL,
    "date": wording.DATE,
    "phone": wording.PHONE,
    "threshold": wording.THRESHOLD,
    "gift": wording.GIFT,
}
_NAMES = {"price": "价格", "original_price": "原价", "date": "时间", "phone": "电话"}


def about(card: Card, kind: str, rng: Random) -> Asked:
    """Ask a question of a kind: a field's name, transcribe, line, colour, gift_yes_no, json_two or json_four."""
    if kind in _FIELD_QUESTIONS:
        value = card.fields.get(kind)
        return Asked(kind, rng.choice(_FIELD_QUESTIONS[kind]), value or wording.ABSENT, is_absent=value is None)
    if kind == "transcribe":
        return Asked(kind, rng.choice(wording.TRANSCRIBE), card.text)
    if kind == "line":
        which = rng.randrange(len(card.lines))
        return Asked(kind, rng.choice(wording.LINE).format(n=which + 1), card.lines[which].text)
    if kind == "colour":
        return Asked(kind, rng.choice(wording.COLOUR), card.colour)
    if kind == "gift_yes_no":
        gift = card.fields.get("gift")
        return Asked(kind, rng.choice(wording.GIFT_YES_NO), f"{wording.HAS}，{gift}" if gift else wording.HAS_NOT)
    names = list(_NAMES)[: 2 if kind == "json_two" else 4]
    record = {_NAMES[name]: card.fields.get(name) for name in names}
    wordings = wording.JSON_TWO if kind == "json_two" else wording.JSON_FOUR
    return Asked(kind, rng.choice(wordings), json.dumps(record, ensure_ascii=False, separators=(",", ":")))


def in_context(card: Card, rng: Random) -> Asked:
    """Ask for a field and then, in the same conversation, for another."""
    first, second = rng.sample(list(_FIELD_QUESTIONS), 2)
    if rng.random() < 0.4:
        first, second = "price", "original_price"
    asked = about(card, first, rng)
    value = card.fields.get(second)
    further = Asked(second, wording.FURTHER[second], value or wording.ABSENT, is_absent=value is None)
    return Asked("in_context", asked.question, asked.answer, further)


_SHORT = ("price", "original_price", "date", "phone", "threshold", "gift", "gift_yes_no", "colour", "line",
          "price", "original_price", "date", "phone", "in_context", "in_context", "json_two", "json_four")  # fmt: skip


def some(card: Card, rng: Random) -> list[Asked]:
    """Give questions for training, the transcript first; a card without fields is asked for its rows alone."""
    transcript = about(card, "transcribe", rng)
    if not card.fields:
        return [transcript, *(about(card, "line", rng) for _ in range(6))]
    kinds = rng.sample(_SHORT, 10)
    rest = [in_context(card, rng) if kind == "in_context" else about(card, kind, rng) for kind in kinds]
    return [transcript, *rest] if rng.random() < 0.75 else rest
