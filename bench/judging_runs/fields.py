"""Fields of cards by a given model: OCR alone, the model alone, both; and whether what is verified is right.

Owns: which questions are asked, and when an answer is right. Must not know: the model. The cards are the hundred of
``tests/mini/cards``, which the miniature was never shown, each with its questions and right answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from kandong.reading.images import load_picture
from kandong.reading.reader import read_picture
from kandong.runtime.conversation import AnsweringEngine, last_answer
from kandong.tasks.analyse import analyse
from kandong.tasks.assist import check_answer
from kandong.tasks.evidence import collect_evidence
from kandong.tasks.post import Post
from kandong.vlm.prompt import Message, PicturePart, TextPart
from kandong.vlm.request import Request
from kandong.vlm.sampling import SamplingParameters

CARDS = Path("tests/mini/cards")
FIELDS = ("price", "original_price", "date", "phone")
_ABSENT = "图中没有"
WAYS = ("ocr", "model", "both")


@dataclass
class FieldCounts:
    """How many fields are on the cards, were answered, and answered rightly."""

    num_true: int = 0
    num_answered: int = 0
    num_right: int = 0

    def rates(self) -> dict[str, float | int]:
        """Give the counts with precision, recall and F1."""
        precision = self.num_right / max(1, self.num_answered)
        recall = self.num_right / max(1, self.num_true)
        f1 = 2 * precision * recall / max(1e-9, precision + recall)
        return {**vars(self), "precision": round(precision, 4), "recall": round(recall, 4), "f1": round(f1, 4)}


def run(engine: AnsweringEngine, cards: Path, num_cards: int | None = None) -> Iterator[dict[str, Any]]:
    """Ask about each field of each card, or of the first so many; gives three answers, and what is verified."""
    lines = (cards / "cards.jsonl").read_text("utf-8").splitlines()
    for row in map(json.loads, lines[:num_cards]):
        picture = load_picture(cards / row["file"])
        book = collect_evidence("", [read_picture(picture)])
        known = {one["kind"]: one for one in row["asked"]}
        for field in FIELDS:
            question, truth = known[field]["question"], known[field]["answer"]
            asked = Message("user", (PicturePart(0), TextPart(question)))
            request = Request([asked], [picture], sampling=SamplingParameters(max_tokens=32))
            said = last_answer(engine.generate(request)).text.strip()
            checked = check_answer(said, book, question)
            read = analyse(Post("", (picture,)), ["ask"], question=question)["ask"]["result"]["answer"]
            own = None if checked.is_abstained else said
            is_verified = checked.verified == "both" and bool(checked.marks)
            both = own if is_verified or read is None else read
            yield {
                "field": field,
                "truth": None if truth == _ABSENT else truth,
                "ocr": read,
                "model": own,
                "both": both if is_verified or read is not None else None,
                "is_verified": is_verified,
            }


def summed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Count the rows: each way's F1, verified precision, and how many of the model's wrong numbers are marked."""
    counts = {way: FieldCounts() for way in WAYS}
    for row in rows:
        for way, one in counts.items():
            one.num_true += row["truth"] is not None
            one.num_answered += row[way] is not None
            one.num_right += row[way] is not None and is_same(row[way], row["truth"])
    verified = [row for row in rows if row["is_verified"]]
    wrong = [row for row in rows if row["model"] is not None and not is_same(row["model"], row["truth"])]
    return {
        "num_cards": len(rows) // len(FIELDS),
        "ways": {way: one.rates() for way, one in counts.items()},
        "num_verified": len(verified),
        "num_verified_right": sum(is_same(row["model"], row["truth"]) for row in verified),
        "num_wrong": len(wrong),
        "num_wrong_marked": sum(not row["is_verified"] for row in wrong),
    }


def is_same(answer: str, truth: str | None) -> bool:
    """Compare an answer with the truth: amounts by value, the rest by its characters."""
    if truth is None:
        return False
    plain = [text.strip().strip("¥￥元。").replace("-", "") for text in (answer, truth)]
    try:
        return Decimal(plain[0]) == Decimal(plain[1])
    except InvalidOperation:
        return plain[0].casefold() == plain[1].casefold()
