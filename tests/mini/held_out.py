"""The cards of these tests: a hundred that the miniature was never shown, with their questions and right answers.

Owns: reading them, and asking as the plain path does. ``python -m training.samples --test-cards`` writes them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kandong import Kandong
from kandong.models.demo import demo_folder

CARDS = Path(__file__).parent / "cards"
EVALUATION = Path(__file__).resolve().parents[2] / "training" / "record" / "evaluation.json"
FOLDER = demo_folder()
IS_HERE = (FOLDER / "model.safetensors").is_file()
MAX_TOKENS = 128
NUM_CARDS = 100


@dataclass(frozen=True)
class Asked:
    """A question about ``file``; with ``further`` it is that one, asked in the same conversation, that counts."""

    file: str
    kind: str
    question: str
    right: str
    further: str | None = None

    @property
    def picture(self) -> Path:
        """Where the card is."""
        return CARDS / self.file


@cache
def all_asked() -> tuple[Asked, ...]:
    """Give every question about every card."""
    found = []
    for record in map(json.loads, (CARDS / "cards.jsonl").read_text("utf-8").splitlines()):
        for one in record["asked"]:
            last = one.get("further", one)
            further = last["question"] if "further" in one else None
            found.append(Asked(record["file"], one["kind"], one["question"], last["answer"], further))
    return tuple(found)


def asked_of(*kinds: str, num_cards: int = 40) -> list[Asked]:
    """Give the questions of some kinds about the first cards."""
    files = sorted({one.file for one in all_asked()})[:num_cards]
    return [one for one in all_asked() if one.kind in kinds and one.file in files]


def recorded_share(kind: str) -> float:
    """What the record says of 300 fresh cards: the share of right answers of a kind."""
    return float(json.loads(EVALUATION.read_text("utf-8"))["sets"]["held out"]["shares"][kind])


@cache
def plain() -> Kandong:
    """The slow twin: float32, one request at a time, nothing kept from one to the next."""
    return Kandong(FOLDER, precision="f32", keep_features=False, convert=False, prefix_cache_bytes=0)


@cache
def plain_answer(one: Asked) -> str:
    """What the plain path answers."""
    return answer(plain(), one)


def answer(kandong: Kandong, one: Asked) -> str:
    """Ask, and give the text of what counts."""
    if one.further is None:
        return kandong.ask(one.picture, one.question, max_tokens=MAX_TOKENS).text
    chat = kandong.chat(one.picture)
    chat.ask(one.question, max_tokens=MAX_TOKENS)
    return chat.ask(one.further, max_tokens=MAX_TOKENS).text
